/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/control.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/protocol.h"
#include "common/sandbox.h"
#include "queue/admin.h"
#include "queue/bounce.h"
#include "queue/check.h"
#include "queue/dispatch.h"
#include "queue/hold.h"
#include "queue/intake.h"
#include "queue/lifetime.h"
#include "queue/message.h"
#include "queue/overrun.h"
#include "queue/queue.h"
#include "queue/recover.h"
#include "queue/remote.h"

enum { DRAIN_MS = 30 * 1000 };

struct queue queue;

struct retry_policy
queue_policy(void)
{
	const struct config *c = &queue.config;

	return (struct retry_policy){.minimum = c->retry_minimum,
	    .maximum = c->retry_maximum,
	    .lifetime = c->queue_lifetime,
	    .warning = c->delay_warning};
}

/* -- who may connect -- */

static void
smtpd_came(struct listener *l, int fd)
{
	(void)l;
	client_begin(CLIENT_SMTPD, fd, NULL, NULL);
}

static void
public_came(struct listener *l, int fd)
{
	(void)l;
	client_begin(CLIENT_PUBLIC, fd, NULL, NULL);
}

static void
deliver_came(struct listener *l, int fd)
{
	(void)l;
	remote_worker(fd);
}

static void
admin_came(struct listener *l, int fd)
{
	(void)l;
	admin_begin(fd);
}

/* userdb passes on the ends of clients that have logged in. */
static bool
login_packet(struct peer *peer, struct packet *p)
{
	const char *user, *app;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT_OPTIONAL("app", PROTOCOL_NAME_MAX, &app)};

	(void)peer;
	if (!packet_read(p, "login", set, 2, 1) || user[0] == '\0')
		return false;
	client_begin(CLIENT_LOGIN, packet_detach(p, 0), user, app);
	return true;
}

static void
userdb_closed(struct peer *peer)
{
	peer_end(peer);
	free(peer);
}

static void
userdb_came(struct listener *l, int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	(void)l;
	if (peer == NULL) {
		close(fd);
		return;
	}
	*peer = (struct peer){.role = "role-userdb",
	    .packet = login_packet,
	    .closed = userdb_closed};
	if (peer_begin(peer, fd) == -1)
		free(peer);
}

static struct role {
	const char *name;
	void (*came)(struct listener *, int fd);
	struct listener listener;
} roles[] = {
    {.name = "role-smtpd", .came = smtpd_came},
    {.name = "role-userdb", .came = userdb_came},
    {.name = "role-deliver", .came = deliver_came},
    {.name = "role-public", .came = public_came},
    {.name = "role-admin", .came = admin_came},
};
enum { ROLES = sizeof(roles) / sizeof(roles[0]) };

static void
listen_to_roles(void)
{
	for (size_t i = 0; i < ROLES; i++) {
		int fd = inherit_find(roles[i].name);

		if (fd < 0)
			log_event(LEVEL_WARNING, "no listening sockets",
			    log_text("role", roles[i].name));
		listener_begin(&roles[i].listener, fd, roles[i].came);
	}
}

/* -- the supervisor's wishes -- */

static void
leave_when_quiet(void)
{
	if (clients_busy() == 0 && dispatch_active() == 0)
		loop_stop(EX_OK);
}

/* What still runs is in the spool, and will be tried again. */
static void
leave(struct timer *t)
{
	(void)t;
	log_event(LEVEL_WARNING, "not waiting",
	    log_number("sessions", (int64_t)clients_busy()),
	    log_number("deliveries", (int64_t)dispatch_active()));
	loop_stop(EX_OK);
}

static void
on_drain(void)
{
	static struct timer timer = {.fire = leave};

	if (queue.draining)
		return;
	queue.draining = true;
	clients_idle = leave_when_quiet;
	dispatch_idle = leave_when_quiet;
	dispatch_stop();
	clients_withdraw();
	loop_timer(&timer, DRAIN_MS);
	leave_when_quiet();
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
on_reload(int fd)
{
	struct config fresh;
	char error[CONFIG_ERROR_MAX];

	memset(&fresh, 0, sizeof(fresh));
	if (config_load_fd(&fresh, fd, "config", error) == -1) {
		log_event(LEVEL_ERROR, "bad config", log_text("reason", error));
	} else {
		bool moved = !same_text(
		    queue.config.relay_host, fresh.relay_host);

		config_free(&queue.config);
		queue.config = fresh;
		if (moved)
			dispatch_reroute();
		log_event(LEVEL_INFO, "reloaded", log_text("what", "config"));
	}
	close(fd);
}

static void
on_status(struct control_status *status)
{
	status->processes = 2;
	status->busy = dispatch_active();
	status->messages = message_count();
	status->has_messages = true;
}

static const struct control_handlers handlers = {
    .drain = on_drain, .reload = on_reload, .status = on_status};

/* -- start -- */

static const char *
why_not(int reason)
{
	switch (reason) {
	case EWOULDBLOCK:
		return "another queue runs on it";
	case EPERM:
		return "belongs to another user: postrider check --spool";
	default:
		return strerror(reason);
	}
}

static void
open_spool(void)
{
	struct spool *s = &queue.spool;
	char path[4096];
	int reason;

	if (spool_open(s, queue.config.spool_dir) == 0)
		return;
	reason = errno;
	snprintf(path, sizeof(path), "%s%s%s", queue.config.spool_dir,
	    s->failed[0] != '\0' ? "/" : "", s->failed);
	log_event(LEVEL_ERROR, "cannot open", log_text("what", path),
	    log_text("reason", why_not(reason)));
	exit(reason == EWOULDBLOCK ? EX_TEMPFAIL : EX_OSFILE);
}

/* A connection for each session, a descriptor or two for each delivery. */
static void
raise_limit(void)
{
	struct rlimit bounds;

	if (getrlimit(RLIMIT_NOFILE, &bounds) == 0) {
		bounds.rlim_cur = bounds.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &bounds);
	}
}

static void
find_speakers(void)
{
	static const char *const names[] = {
	    ACCOUNT_SMTPD, ACCOUNT_POP3D, ACCOUNT_DELIVER, ACCOUNT_FETCH};
	struct account account;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (account_find(names[i], &account) == 0)
			queue.speakers[queue.nspeakers++] = account.uid;
}

static void
confine(void)
{
	const struct sandbox_folder folders[] = {{.fd = queue.spool.dir,
	    .rights = SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE |
		SANDBOX_CREATE | SANDBOX_REMOVE | SANDBOX_MOVE |
		SANDBOX_FOLDERS}};
	const struct sandbox sandbox = {
	    .folders = folders, .nfolders = 1, .forks = true};

	sandbox_enter(&sandbox);
}

/* "check" or "repair", as postrider(8) calls us for its check --spool. */
static int
check(const char *config_path, bool repair)
{
	struct spool *s = &queue.spool;
	char error[CONFIG_ERROR_MAX];
	int rc;

	if (config_load(&queue.config, config_path, error) == -1) {
		printf("error: %s\n", error);
		return EX_CONFIG;
	}
	log_to_stderr("queue");
	if (privileges_are_root())
		privileges_drop(ACCOUNT_QUEUE, "/", false);
	rc = repair ? spool_open(s, queue.config.spool_dir)
		    : spool_look(s, queue.config.spool_dir);
	if (rc == -1) {
		printf("error: %s%s%s: %s\n", queue.config.spool_dir,
		    s->failed[0] != '\0' ? "/" : "", s->failed,
		    errno == EWOULDBLOCK ? "in use: stop the suite first"
					 : why_not(errno));
		return errno == EWOULDBLOCK ? EX_TEMPFAIL : EX_DATAERR;
	}
	confine();
	rc = check_spool(repair);
	return fflush(stdout) == EOF ? EX_IOERR : rc;
}

int
main(int argc, char **argv)
{
	struct program_options options = {.program = "queue",
	    .usage = "usage: queue [-c FILE]\n"
		     "Started by postrider(8); not to be called by hand.\n"};
	struct account mail;
	char folder[4096];
	bool root = privileges_are_root();
	int first;

	first = program_options(&options, argc, argv);
	if (first < argc)
		return check(
		    options.config_path, strcmp(argv[first], "repair") == 0);
	service_begin("queue", &queue.config, options.config_path);
	if (root && account_find(ACCOUNT_MAIL, &mail) == -1) {
		log_errno(LEVEL_ERROR, "no account", ACCOUNT_MAIL);
		return EX_NOUSER;
	}
	if (root)
		find_speakers();
	snprintf(folder, sizeof(folder), "%s/queue", queue.config.run_dir);
	raise_limit();
	privileges_drop(ACCOUNT_QUEUE, folder, false);
	loop_init();
	log_hold();
	open_spool();
	if (root)
		spool_for_group(&queue.spool, mail.gid);
	hold_begin();
	bounce_begin();
	overrun_begin();
	confine();
	lifetime_begin();
	recover_begin();
	listen_to_roles();
	control_begin(&handlers);
	control_ready();
	return loop_run();
}
