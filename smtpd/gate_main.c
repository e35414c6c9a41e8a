/* SPDX-License-Identifier: ISC */
/* smtp-gate: keeps those who come to port 25 waiting until they behave. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/control.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/sandbox.h"
#include "smtpd/gate.h"
#include "smtpd/gate_door.h"
#include "smtpd/gate_proxy.h"

/* Beside those of guests: listeners, owners, the log. */
enum { FILES_BESIDE = 512, REFUSALS_A_SECOND = 50 };

static const char usage[] = "usage: smtp-gate [-hV] [-c file]\n"
			    "Started by postrider(8).\n";

struct gate gate;

bool
gate_may_log(void)
{
	static int64_t second, left_out;
	static unsigned written;
	int64_t now = clock_monotonic_ms() / 1000;

	if (now != second) {
		if (left_out > 0)
			log_event(LEVEL_INFO, "refused",
			    log_number("count", left_out),
			    log_text("reason", "more than are logged"));
		second = now;
		written = 0;
		left_out = 0;
	}
	if (written++ < REFUSALS_A_SECOND)
		return true;
	left_out++;
	return false;
}

void
gate_left(void)
{
	if (gate.leaving && guest_waiting() + proxied_waiting() == 0)
		loop_stop(EX_OK);
}

/* Those who have said something still get their worker. */
static void
retire(void)
{
	gate.leaving = true;
	door_close();
	gate_left();
}

static void
drain(void)
{
	retire();
	proxied_stop();
	guest_stop();
	gate_left();
}

static void
status(struct control_status *out)
{
	out->processes = 1;
	out->busy = guest_waiting() + proxied_waiting();
}

static void
enter_folder(void)
{
	struct buf path = BUF_INIT(4096);

	buf_addf(&path, "%s/gate", gate.config.run_dir);
	if (buf_text(&path) == NULL)
		exit(EX_OSERR);
	privileges_drop(ACCOUNT_SMTPD, buf_text(&path), true);
	buf_free(&path);
}

/*
 * A descriptor for each that waits and for each that is served.  Where the
 * system does not allow so many, fewer may wait.
 */
static unsigned
take_files(void)
{
	rlim_t beside = gate.config.smtpd_processes + FILES_BESIDE;
	rlim_t wanted = gate.config.max_waiting + beside;
	struct rlimit files;

	gate.most = (size_t)gate.config.max_waiting;
	if (getrlimit(RLIMIT_NOFILE, &files) == -1)
		return (unsigned)wanted;
	if (files.rlim_max < wanted) {
		files.rlim_max = wanted;
		if (setrlimit(RLIMIT_NOFILE, &files) == -1)
			(void)getrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_max < wanted) {
		gate.most = files.rlim_max > 2 * beside
		    ? (size_t)(files.rlim_max - beside)
		    : (size_t)(files.rlim_max / 2);
		log_event(LEVEL_WARNING, "fewer may wait",
		    log_number("most", (int64_t)gate.most),
		    log_text("reason", "the limit on descriptors"));
	}
	return (unsigned)(files.rlim_max < wanted ? files.rlim_max : wanted);
}

int
main(int argc, char **argv)
{
	static const struct control_handlers handlers = {
	    .drain = drain, .retire = retire, .status = status};
	struct program_options options = {
	    .program = "smtp-gate", .usage = usage};
	unsigned files;

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	service_begin("smtp-gate", &gate.config, options.config_path);
	files = take_files();
	loop_init();
	gate.lists = lists_open(&gate.config); /* while resolv.conf is there */
	if (gate.lists == NULL && gate.config.lists.n > 0)
		log_errno(LEVEL_WARNING, "cannot start", "lists");
	enter_folder();
	sandbox_enter(&(struct sandbox){.tcp_connect = true, .files = files});
	log_hold();
	door_open();
	control_begin(&handlers);
	control_ready();
	return loop_run();
}
