/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "common/clock.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "supervisor/suite.h"

/* A queue of a million messages is read in less. */
enum { READY_LIMIT_MS = 300000 };

/* -- in the child, before exec -- */

static const char *const kept_variables[] = {"PATH", "TZ", "LANG",
#ifdef SANITIZERS
    "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
#endif
    NULL};

/* What the starter's shell had is no service's business. */
static void
clean_environment(void)
{
	char *kept[sizeof(kept_variables) / sizeof(kept_variables[0])];
	size_t n = 0;

	for (; kept_variables[n] != NULL; n++) {
		const char *value = getenv(kept_variables[n]);

		kept[n] = value != NULL ? strdup(value) : NULL;
	}
	clearenv();
	for (size_t i = 0; i < n; i++)
		if (kept[i] != NULL)
			setenv(kept_variables[i], kept[i], 1);
#ifdef __GLIBC__
	/* Freed memory that a pool's parent keeps at hand lies all over its
	 * heap, and each of its workers would take its first memory there, in
	 * a copy of each page: 80 KiB more for an idle session under TLS. */
	setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
#endif
}

/* The terminal stays with the foreground's standard error. */
static void
redirect_standard(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null == -1)
		return;
	dup2(null, STDIN_FILENO);
	if (suite.foreground) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
	} else {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
}

static void
add_listeners(struct inheritance *gifts, const struct service *s)
{
	for (size_t i = 0; i < suite.listeners.n; i++) {
		const struct open_listener *l = &suite.listeners.items[i];

		if (s->listeners & (1U << l->kind))
			inherit_add(gifts, listener_name(l->kind), l->fd);
	}
}

enum { LOG_PLACE = 3 };

static _Noreturn void
become_service(const struct unit *u, int control)
{
	static char roles[SERVICE_ROLES_MAX][64];
	struct inheritance gifts = {.n = 0};

	loop_after_fork();
	signal(SIGPIPE, SIG_DFL);
	/*
	 * Its own group: the terminal's ^C is for the supervisor alone.  No
	 * session of its own: Linux shares the processors out between those
	 * first (sched(7), autogroup), and who is nice in one, as those who
	 * check passwords are, would be so to nobody in the others.
	 */
	(void)setpgid(0, 0);
	redirect_standard();
	inherit_add(&gifts, "log", u->log_writer); /* first, at LOG_PLACE */
	inherit_add(&gifts, "control", control);
	inherit_add(&gifts, "config", suite.config_fd);
	for (size_t i = 0; i < u->nsockets; i++) {
		snprintf(roles[i], sizeof(roles[i]), "role-%s",
		    u->service->roles[i]);
		inherit_add(&gifts, roles[i], u->sockets[i]);
	}
	add_listeners(&gifts, u->service);
	clean_environment();
	if (inherit_install(&gifts) == 0) {
		execl(u->program, u->service->name, "-c", suite.config_path,
		    (char *)NULL);
		log_to_socket(LOG_PLACE);
	}
	log_errno(LEVEL_ERROR, "cannot execute", u->program);
	_exit(EX_OSERR);
}

/* -- in the supervisor -- */

static void
close_control(struct instance *i)
{
	if (i->control.fd < 0)
		return;
	loop_unwatch(&i->control);
	close(i->control.fd);
	i->control.fd = -1;
}

static bool
read_status(struct instance *i, const struct packet *p)
{
	struct control_status *s = &i->status;
	uint64_t messages;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER("processes", &s->processes),
	    ATTRIBUTE_NUMBER("busy", &s->busy),
	    ATTRIBUTE_NUMBER("messages", &messages),
	};

	s->has_messages = packet_read(p, "status", set, 3, 0);
	s->messages = s->has_messages ? messages : 0;
	return s->has_messages || packet_read(p, "status", set, 2, 0);
}

/* -- files -- */

static enum ipc_result
send_file(int control, const struct house_file *f)
{
	static struct packet p;
	enum ipc_result result;
	int fd = -1;

	packet_start(&p, "file");
	packet_text(&p, "name", f->name);
	packet_number(&p, "index", f->index);
	packet_number(&p, "count", f->count);
	if (f->path != NULL) {
		packet_text(&p, "path", f->path);
		fd = files_open(f);
		if (fd >= 0)
			packet_attach(&p, fd);
		else
			packet_text(&p, "error", strerror(errno));
	}
	if (suite.phase == SUITE_STARTING)
		packet_number(&p, "starting", 1);
	result = ipc_send(control, &p, 0);
	if (fd >= 0)
		close(fd);
	return result;
}

/* It reads them one by one; our socket holds some dozens. */
static void
continue_files(struct instance *i)
{
	uint32_t events = EPOLLIN;

	for (; i->next_file < house_files.n; i->next_file++) {
		const struct house_file *f = &house_files.items[i->next_file];

		if ((i->unit->service->files & f->set) == 0)
			continue;
		if (send_file(i->control.fd, f) == IPC_TIMEOUT) {
			events |= EPOLLOUT;
			break;
		}
	}
	if (i->control.events == events)
		return;
	i->control.events = events;
	if (loop_watch(&i->control) == -1)
		log_errno(LEVEL_WARNING, "cannot tell", i->unit->service->name);
}

void
instance_hand_files(struct instance *i)
{
	if (i->control.fd < 0)
		return;
	i->next_file = 0;
	continue_files(i);
}

static void
hear(struct watch *w, uint32_t events)
{
	struct instance *i = container_of(w, struct instance, control);
	static struct packet p;
	enum ipc_result result;

	if (events & EPOLLOUT)
		continue_files(i);
	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return;
	result = ipc_receive(w->fd, &p, 0);
	if (result == IPC_TIMEOUT)
		return;
	if (result == IPC_OK && packet_read(&p, "ready", NULL, 0, 0)) {
		suite_heard_ready(i);
	} else if (result == IPC_OK &&
	    (packet_read(&p, "crashed", NULL, 0, 0) ||
		packet_read(&p, "renew", NULL, 0, 0))) {
		suite_heard_renew(i);
	} else if (result == IPC_OK && read_status(i, &p)) {
		i->asked = false;
		suite_heard_status(i);
	} else {
		if (result == IPC_OK)
			log_event(LEVEL_ERROR, "malformed packet",
			    log_text("service", i->unit->service->name),
			    log_number("pid", i->pid));
		packet_close(&p);
		close_control(i);
	}
}

static void
overdue(struct timer *t)
{
	suite_overdue(container_of(t, struct instance, limit));
}

struct instance *
instance_start(struct unit *u)
{
	struct instance *i = calloc(1, sizeof(*i));
	int ends[2], saved;

	if (i == NULL || ipc_pair(ends) == -1) {
		free(i);
		return NULL;
	}
	i->unit = u;
	i->started = clock_monotonic_ms();
	i->limit.fire = overdue;
	i->control =
	    (struct watch){.fd = ends[0], .events = EPOLLIN, .ready = hear};
	if (loop_watch(&i->control) == -1 ||
	    loop_timer(&i->limit, READY_LIMIT_MS) == -1)
		i->pid = -1;
	else
		i->pid = fork();
	if (i->pid == 0)
		become_service(u, ends[1]);
	saved = errno;
	close(ends[1]);
	if (i->pid == -1) {
		close_control(i);
		loop_timer_stop(&i->limit);
		free(i);
		errno = saved;
		return NULL;
	}
	i->next = u->instances;
	u->instances = i;
	log_event(LEVEL_INFO, "started", log_text("service", u->service->name),
	    log_number("pid", i->pid));
	instance_hand_files(i);
	return i;
}

/* One that does not read is killed when its time is over. */
static void
say(struct instance *i, const char *verb, int fd)
{
	static struct packet p;

	if (i->control.fd < 0)
		return;
	packet_start(&p, verb);
	if (fd >= 0)
		packet_attach(&p, fd);
	if (ipc_send(i->control.fd, &p, 0) == IPC_ERROR)
		log_errno(LEVEL_WARNING, "cannot tell", i->unit->service->name);
}

/* One that is not ready yet may be waiting for another, and not hear us. */
static void
end(struct instance *i, const char *verb)
{
	if (i->state == INSTANCE_STARTING)
		kill(i->pid, SIGTERM);
	i->state = INSTANCE_DRAINING;
	loop_timer_stop(&i->limit);
	say(i, verb, -1);
}

void
instance_retire(struct instance *i)
{
	if (i->state == INSTANCE_STARTING || i->state == INSTANCE_SERVING)
		end(i, "retire");
}

/* Also one that has retired, and still has sessions. */
void
instance_drain(struct instance *i)
{
	if (i->state != INSTANCE_ORPHANS)
		end(i, "drain");
}

void
instance_hand_config(struct instance *i)
{
	say(i, "reload", suite.config_fd);
}

void
instance_ask_status(struct instance *i)
{
	i->asked = true;
	say(i, "status", -1);
}

void
instance_kill(struct instance *i)
{
	/* The child's setpgid() may still be ahead of it. */
	if (kill(-i->pid, SIGKILL) == -1 && i->state != INSTANCE_ORPHANS)
		kill(i->pid, SIGKILL);
}

/* The process is gone: only what its workers need not is left. */
bool
instance_bury(struct instance *i)
{
	close_control(i);
	loop_timer_stop(&i->limit);
	i->asked = false;
	i->state = INSTANCE_ORPHANS;
	return kill(-i->pid, 0) == -1 && errno == ESRCH;
}

void
instance_free(struct instance *i)
{
	struct instance **at = &i->unit->instances;

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	free(i);
}
