/* SPDX-License-Identifier: ISC */
#include "common/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/config.h"
#include "common/inherit.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"

static const struct control_handlers *handlers;
static struct watch control = {.fd = -1};

/* The supervisor always reads; one that does not is as good as gone. */
static void
say(struct packet *p)
{
	if (control.fd >= 0)
		(void)ipc_send(control.fd, p, 0);
}

static void
leave(void)
{
	loop_unwatch(&control);
	close(control.fd);
	control.fd = -1;
	handlers->drain();
}

static void
answer_status(void)
{
	static struct packet p;
	struct control_status status = {0};

	handlers->status(&status);
	packet_start(&p, "status");
	packet_number(&p, "processes", status.processes);
	packet_number(&p, "busy", status.busy);
	if (status.has_messages)
		packet_number(&p, "messages", status.messages);
	say(&p);
}

enum { NAME_MAX_OCTETS = 64, PATH_MAX_OCTETS = 4096, ERROR_MAX = 256 };

static void
take_file(struct packet *p)
{
	struct control_file file = {.fd = -1};
	uint64_t index, count, starting;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("name", NAME_MAX_OCTETS, &file.name),
	    ATTRIBUTE_NUMBER("index", &index),
	    ATTRIBUTE_NUMBER("count", &count),
	    ATTRIBUTE_TEXT_OPTIONAL("path", PATH_MAX_OCTETS, &file.path),
	    ATTRIBUTE_TEXT_OPTIONAL("error", ERROR_MAX, &file.error),
	    ATTRIBUTE_NUMBER_OPTIONAL("starting", &starting)};

	if (handlers->file == NULL ||
	    !packet_read(p, "file", set, 6, p->nfds > 0 ? 1 : 0))
		return;
	file.index = (size_t)index;
	file.count = (size_t)count;
	file.starting = starting == 1;
	if (p->nfds > 0)
		file.fd = packet_detach(p, 0);
	handlers->file(&file);
}

static void
hear(struct watch *w, uint32_t events)
{
	static struct packet p;

	(void)events;
	switch (ipc_receive(w->fd, &p, 0)) {
	case IPC_TIMEOUT:
		return;
	case IPC_OK:
		break;
	default:
		leave();
		return;
	}
	if (packet_read(&p, "drain", NULL, 0, 0))
		handlers->drain();
	else if (packet_read(&p, "retire", NULL, 0, 0))
		(handlers->retire != NULL ? handlers->retire
					  : handlers->drain)();
	else if (packet_read(&p, "status", NULL, 0, 0))
		answer_status();
	else if (packet_read(&p, "reload", NULL, 0, 1) &&
	    handlers->reload != NULL)
		handlers->reload(packet_detach(&p, 0));
	else
		take_file(&p);
	packet_close(&p);
}

static void
on_sigterm(int signo)
{
	(void)signo;
	handlers->drain();
}

void
control_begin(const struct control_handlers *h)
{
	handlers = h;
	loop_signal(SIGTERM, on_sigterm);
	control.fd = inherit_find("control");
	if (control.fd < 0)
		return;
	control.events = EPOLLIN;
	control.ready = hear;
	if (loop_watch(&control) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", "control");
		exit(EX_OSERR);
	}
}

void
control_ready(void)
{
	static struct packet p;

	packet_start(&p, "ready");
	say(&p);
}

void
control_crashed(void)
{
	static struct packet p;

	packet_start(&p, "crashed");
	say(&p);
}

void
control_renew(void)
{
	static struct packet p;

	packet_start(&p, "renew");
	say(&p);
}

void
control_after_fork(void)
{
	if (control.fd >= 0)
		close(control.fd);
	control.fd = -1;
}

void
service_begin(const char *program, struct config *config, const char *path)
{
	char error[CONFIG_ERROR_MAX];
	int log, fd;

	inherit_take();
	log = inherit_find("log");
	if (log >= 0)
		log_to_socket(log);
	else
		log_to_stderr(program);
	signal(SIGPIPE, SIG_IGN);
	/* ^C in the foreground is the supervisor's to act on. */
	if (inherit_find("control") >= 0)
		signal(SIGINT, SIG_IGN);

	fd = inherit_find("config");
	if ((fd >= 0 ? config_load_fd(config, fd, path, error)
		     : config_load(config, path, error)) == -1) {
		log_event(LEVEL_ERROR, "bad config", log_text("reason", error));
		exit(EX_CONFIG);
	}
}
