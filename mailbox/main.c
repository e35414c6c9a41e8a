/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/control.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "mailbox/mailbox.h"

static const char usage[] = "usage: mailbox [-c FILE] [-hV]\n"
			    "Owner of the Maildirs; started by postrider(8).\n";

static void
find_account(const char *name, struct account *account)
{
	if (account_find(name, account) == 0)
		return;
	log_errno(LEVEL_ERROR, "no account", name);
	exit(EX_CONFIG);
}

static void
find_accounts(struct mailbox *m)
{
	m->root = privileges_are_root();
	if (!m->root)
		return;
	find_account(ACCOUNT_MAIL, &m->mail);
	find_account(ACCOUNT_DB, &m->userdb);
	find_account(ACCOUNT_QUEUE, &m->queue);
}

static void
enter_folder(const struct config *config)
{
	struct buf path = BUF_INIT(4096);

	buf_addf(&path, "%s/mailbox", config->run_dir);
	if (buf_text(&path) == NULL)
		exit(EX_OSERR);
	privileges_drop_to_become(ACCOUNT_MAIL, buf_text(&path));
	buf_free(&path);
}

/*
 * Descriptors on their way to a speaker count against the limit of whom they
 * come from, all his processes together (unix(7), ETOOMANYREFS).
 */
static void
raise_limit(void)
{
	struct rlimit bounds;

	if (getrlimit(RLIMIT_NOFILE, &bounds) == -1)
		return;
	bounds.rlim_cur = bounds.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &bounds);
}

int
main(int argc, char **argv)
{
	static struct mailbox mailbox;
	struct program_options options = {.program = "mailbox", .usage = usage};

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	service_begin("mailbox", &mailbox.config, options.config_path);
	raise_limit();
	find_accounts(&mailbox);
	enter_folder(&mailbox.config);
	mailbox.mail_dir =
	    open(mailbox.config.mail_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mailbox.mail_dir == -1) {
		log_errno(LEVEL_ERROR, "cannot open", mailbox.config.mail_dir);
		return EX_CONFIG;
	}
	sandbox_prepare();
	loop_init();
	return parent_run(&mailbox);
}
