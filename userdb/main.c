/* SPDX-License-Identifier: ISC */
/* userdb: the owner of users, domains and aliases. */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/control.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "userdb/peer.h"
#include "userdb/service.h"

static const char usage[] = "usage: userdb [-Vh] [-c file]\n"
			    "Started by postrider(8).\n";

/* A third of them for smtpd's workers (common/share.h). */
enum { FILES_MAX = 32768 };

static struct service service;

bool
service_reload(struct service *s, int fd)
{
	char error[CONFIG_ERROR_MAX];
	struct config fresh;

	if (lseek(fd, 0, SEEK_SET) == -1 ||
	    config_load_fd(&fresh, fd, s->config_name, error) == -1) {
		log_event(LEVEL_ERROR, "bad config", log_text("reason", error));
		return false;
	}
	config_free(&s->config);
	s->config = fresh;
	return true;
}

void
service_confine(const struct service *s, bool forks)
{
	const struct sandbox_folder folders[] = {
	    {.fd = -1,
		.path = s->config.database_dir,
		.rights = SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE |
		    SANDBOX_CREATE | SANDBOX_REMOVE},
	    /* users of the system */
	    {.fd = -1, .path = "/etc", .rights = SANDBOX_READ},
	};

	sandbox_enter(&(struct sandbox){.folders = folders,
	    .nfolders = 2,
	    .forks = forks,
	    .files = FILES_MAX});
}

static const char *
own_folder(const struct config *config)
{
	static struct buf path = BUF_INIT(4096);
	const char *text;

	buf_addf(&path, "%s/userdb", config->run_dir);
	text = buf_text(&path);
	return text != NULL ? text : ".";
}

int
main(int argc, char **argv)
{
	struct program_options options = {.program = "userdb", .usage = usage};
	struct account account;

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	service.config_name = options.config_path;
	service_begin("userdb", &service.config, options.config_path);
	peers_find_accounts();
	/* What looks up users is loaded before the sandbox is shut. */
	(void)account_find("root", &account);
	privileges_drop(ACCOUNT_DB, own_folder(&service.config), false);
	return watch_run(&service);
}
