/* SPDX-License-Identifier: ISC */
/* ledger: the owner of what may be forgotten. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/control.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "ledger/answers.h"
#include "ledger/budgets.h"
#include "ledger/clients.h"
#include "ledger/destinations.h"
#include "ledger/digest.h"
#include "ledger/familiar.h"
#include "ledger/fetching.h"
#include "ledger/grey.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/logins.h"
#include "ledger/lookups.h"
#include "ledger/mailboxes.h"
#include "ledger/reports.h"
#include "ledger/sts.h"
#include "ledger/tallies.h"

enum {
	FILES_MAX = 32768, /* a third for deliver's workers (common/share.h) */
	FLUSH_MS = 1000,
	FLUSH_MORE_MS = 20,
	SWEEP_MS = 1000,
	SWEEP_ROWS = 2000 /* of each table, at a time */
};

static const char usage[] = "usage: ledger [-Vh] [-c file]\n"
			    "Started by postrider(8).\n";

struct ledger ledger;

static struct table *tables[] = {&logins_tables[0], &logins_tables[1],
    &logins_tables[2], &sts_table, &destination_tables[0],
    &destination_tables[1], &report_tables[0], &report_tables[1],
    &digest_table, &familiar_table, &clients_table, &mailboxes_table,
    &grey_tables[0], &grey_tables[1], &budgets_tables[0], &budgets_tables[1],
    NULL};

/* -- what is done now and then -- */

static void
flush(struct timer *t)
{
	journal_flush(clock_now());
	if (journal_is_busy())
		loop_timer(t, FLUSH_MORE_MS);
}

static struct timer flushing = {.fire = flush};

void
ledger_changed(void)
{
	if (flushing.slot == 0)
		loop_timer(&flushing, FLUSH_MS);
}

static void
sweep(struct timer *t)
{
	static size_t at[sizeof(tables) / sizeof(*tables)];

	for (size_t i = 0; tables[i] != NULL; i++)
		table_sweep(tables[i], &at[i], SWEEP_ROWS, clock_now());
	lookups_refresh();
	loop_timer(t, SWEEP_MS);
}

/* -- the supervisor's wishes -- */

static struct logins_limits
limits(void)
{
	const struct config *c = &ledger.config;

	return (struct logins_limits){.client = (unsigned)c->login_failures,
	    .network = (unsigned)c->login_failures_network,
	    .user = (unsigned)c->login_failures_user,
	    .window = (uint32_t)c->login_failure_window,
	    .memory = (uint32_t)c->login_memory};
}

static void
on_drain(void)
{
	roles_end(ledger_roles);
	journal_end(clock_now());
	loop_stop(EX_OK);
}

static void
on_reload(int fd)
{
	char error[CONFIG_ERROR_MAX];
	struct logins_limits fresh_limits;
	struct config fresh;

	if (config_load_fd(&fresh, fd, "config", error) == -1) {
		log_event(LEVEL_ERROR, "bad config", log_text("reason", error));
	} else {
		config_free(&ledger.config);
		ledger.config = fresh;
		fresh_limits = limits();
		logins_limit(&fresh_limits, clock_now());
		tallies_limit(&ledger.config);
		log_event(LEVEL_INFO, "reloaded", log_text("what", "config"));
	}
	close(fd);
}

static void
on_status(struct control_status *status)
{
	status->processes = 1;
}

static const struct control_handlers handlers = {
    .drain = on_drain, .reload = on_reload, .status = on_status};

/* -- start -- */

static void
enter_folder(void)
{
	struct buf path = BUF_INIT(4096);

	buf_addf(&path, "%s/ledger", ledger.config.run_dir);
	if (buf_text(&path) == NULL)
		exit(EX_OSERR);
	privileges_drop(ACCOUNT_LEDGER, buf_text(&path), false);
	buf_free(&path);
}

/* Two of them would write into one file. */
static int
open_folder(void)
{
	const char *path = ledger.config.ledger_dir;
	int fd = fs_open_dir(AT_FDCWD, path);

	if (fd != -1 && fs_lock(fd) == 0)
		return fd;
	log_event(LEVEL_ERROR, "cannot open", log_text("what", path),
	    log_text("reason",
		errno == EWOULDBLOCK ? "another ledger runs on it"
				     : strerror(errno)));
	exit(errno == EWOULDBLOCK ? EX_TEMPFAIL : EX_OSFILE);
}

static void
confine(int folder)
{
	const struct sandbox_folder folders[] = {{.fd = folder,
	    .rights = SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE |
		SANDBOX_CREATE | SANDBOX_REMOVE}};

	sandbox_enter(&(struct sandbox){
	    .folders = folders, .nfolders = 1, .files = FILES_MAX});
}

int
main(int argc, char **argv)
{
	static struct timer sweeping = {.fire = sweep};
	struct program_options options = {.program = "ledger", .usage = usage};
	struct logins_limits bounds;
	int folder;

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	service_begin("ledger", &ledger.config, options.config_path);
	roles_find_accounts(ledger_roles);
	enter_folder();
	folder = open_folder();
	confine(folder);
	loop_init();
	bounds = limits();
	logins_begin(&bounds);
	tallies_limit(&ledger.config);
	fetching_begin(lookups_done);
	journal_begin(folder, tables, clock_now());
	reports_restored();
	digest_begin();
	loop_timer(&sweeping, SWEEP_MS);
	ledger_changed();
	roles_begin(ledger_roles);
	control_begin(&handlers);
	control_ready();
	return loop_run();
}
