/* SPDX-License-Identifier: ISC */
/* keys: the owner of private keys, ticket keys and relay passwords. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/control.h"
#include "common/inherit.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/program.h"
#include "keys/answers.h"
#include "keys/memory.h"
#include "keys/pairs.h"
#include "keys/sandbox.h"
#include "keys/tickets.h"
#include "keys/trial.h"

static const char usage[] = "usage: keys [-Vh] [-c file]\n"
			    "Started by postrider(8); with -t by its tools, "
			    "to try a key.\n";

enum { RENEW_MS = 60000 };

/* A handshake takes no longer (common/tls.h). */
enum { FORGET_MS = 60000 };

static struct config config;
static const char *config_name;
static struct timer rotation, forgetting;
static int64_t started;
static bool serving, is_trial;

static int
option(int letter, const char *argument)
{
	(void)letter, (void)argument;
	is_trial = true;
	return 1;
}

/* -- certificates -- */

static bool
needs_certificate(void)
{
	for (size_t i = 0; i < config.listen.n && !config.listen_guessed; i++)
		if (listener_begins_with_tls(config.listen.items[i].kind))
			return true;
	return false;
}

static void
warn_of_none(void)
{
	if (pairs_count() == 0)
		log_event(LEVEL_WARNING, "no certificate",
		    log_text("reason",
			"\"tls-certificate\" names none: there is no TLS"));
}

static void
begin_serving(void)
{
	serving = true;
	warn_of_none();
	clients_begin(answer_request);
	control_ready();
}

/*
 * A suite that starts, starts with all that its config names; later, what
 * is wrong with one file costs that file.
 */
static void
take_file(const struct control_file *f)
{
	enum pairs_result result = pairs_take(f);

	if (f->fd >= 0)
		close(f->fd);
	if (result == PAIRS_MORE)
		return;
	if (result == PAIRS_BAD)
		exit(EX_CONFIG);
	if (f->starting && pairs_count() == 0 && needs_certificate()) {
		log_event(LEVEL_ERROR, "no certificate",
		    log_text(
			"reason", "\"listen\" submissions and pop3s need one"));
		exit(EX_CONFIG);
	}
	if (result == PAIRS_CHANGED) {
		clients_tell_change();
		loop_timer(&forgetting, FORGET_MS);
		if (serving)
			warn_of_none();
	}
	pairs_announce();
	if (!serving)
		begin_serving();
}

static void
forget(struct timer *t)
{
	(void)t;
	pairs_forget_replaced();
}

static void
rotate(struct timer *t)
{
	if (!tickets_rotate())
		log_event(LEVEL_ERROR, "no random numbers");
	clients_tell_change();
	loop_timer(t, TICKETS_ROTATE_MS);
}

/* -- the supervisor -- */

static void
drain(void)
{
	loop_stop(EX_OK);
}

static void
reload(int fd)
{
	char error[CONFIG_ERROR_MAX];
	struct config fresh;

	if (config_load_fd(&fresh, fd, config_name, error) == -1) {
		log_event(LEVEL_ERROR, "bad config", log_text("reason", error));
	} else {
		config_free(&config);
		config = fresh;
	}
	close(fd);
}

static void
records_changed(void)
{
	if (!keys_reaches_all(&config))
		control_renew();
}

/* In vain where the file's mode keeps us out: not again and again. */
static void
shut_out(void)
{
	if (clock_monotonic_ms() - started > RENEW_MS)
		control_renew();
}

static void
status(struct control_status *s)
{
	s->processes = 1;
}

static const struct control_handlers handlers = {
    .drain = drain, .reload = reload, .status = status, .file = take_file};

/* -- in order -- */

static void
prepare_openssl(void)
{
	if (!memory_prepare())
		log_event(LEVEL_WARNING, "no locked memory");
	if (!tickets_rotate()) {
		log_event(LEVEL_ERROR, "no random numbers");
		exit(EX_OSERR);
	}
}

static const char *
own_folder(void)
{
	static struct buf path = BUF_INIT(4096);
	const char *text;

	buf_addf(&path, "%s/keys", config.run_dir);
	text = buf_text(&path);
	return text != NULL ? text : ".";
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "keys", .usage = usage, .extra = "t", .option = option};

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (is_trial)
		return trial_run();
	config_name = options.config_path;
	service_begin("keys", &config, options.config_path);
	if (inherit_find("control") == -1) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	clients_find_accounts();
	prepare_openssl();
	privileges_drop(ACCOUNT_KEYS, own_folder(), false);
	keys_confine(&config);
	started = clock_monotonic_ms();
	loop_init();
	answers_begin(&config, records_changed, shut_out);
	control_begin(&handlers);
	rotation.fire = rotate;
	forgetting.fire = forget;
	loop_timer(&rotation, TICKETS_ROTATE_MS);
	return loop_run();
}
