/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/sandbox.h"
#include "common/sts.h"
#include "fetch/fetch.h"

enum {
	RETRY_FIRST_MS = 50, /* an owner is not there */
	RETRY_LAST_MS = 2000,
	ANSWER_MS = 5000,
	URL_MAX = 2000,
	WORKER_FILES = 64,
	WORKER_MEMORY = 256 << 20
};

/* Who has things fetched. */
struct owner {
	const char *name; /* of the socket */
	bool (*job)(struct fetch *, int fd, struct packet *);
	int fd;        /* -1: not connected */
	int delay;     /* before the next attempt at that */
	int64_t again; /* the time of it, monotonic */
};

static bool
answer(int fd, struct packet *p)
{
	return ipc_send(fd, p, clock_monotonic_ms() + ANSWER_MS) == IPC_OK;
}

/* -- ledger: policies -- */

static void
put_policy(struct packet *p, struct https_answer *got)
{
	static struct sts_policy policy;
	const char *why =
	    sts_policy_read(&policy, got->body.data, got->body.len);

	if (why != NULL) {
		packet_text(p, "result", "failed");
		packet_text(p, "reason", why);
		return;
	}
	packet_text(p, "result", "ok");
	packet_text(p, "mode", policy.mode);
	packet_number(p, "max-age", policy.max_age);
	for (size_t i = 0; i < policy.nmx; i++)
		packet_text(p, "mx", policy.mx[i]);
}

static bool
get_policy(struct fetch *f, int fd, struct packet *p)
{
	struct https_request request = {.content_type = "text/plain",
	    .port = (uint16_t)f->config.https_port};
	static struct https_answer got;
	const char *kind;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("kind", PROTOCOL_NAME_MAX, &kind),
	    ATTRIBUTE_TEXT("url", URL_MAX, &request.url),
	    ATTRIBUTE_NUMBER("max", &request.max)};
	bool good;

	if (!packet_read(p, "get", set, 4, 0) || strcmp(kind, "sts") != 0)
		return false;
	good = https_get(&f->https, &request, &got);
	packet_start(p, "policy");
	packet_number(p, "serial", serial);
	if (good) {
		put_policy(p, &got);
	} else {
		packet_text(p, "result", "failed");
		packet_text(p, "reason", got.reason);
	}
	buf_free(&got.body);
	return answer(fd, p);
}

/* -- userdb: keys of those who issue tokens -- */

/* Sealed: who reads it need not fear that it changes. */
static int
in_memory(const struct buf *body)
{
	int fd = memfd_create("fetched", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd != -1 &&
	    (fs_write_all(fd, body->data, body->len) == -1 ||
		fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) ==
		    -1)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
get_document(struct fetch *f, int owner, struct packet *p)
{
	struct https_request request = {.port = 443};
	static struct https_answer got;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("url", URL_MAX, &request.url),
	    ATTRIBUTE_NUMBER("max", &request.max)};
	bool good;
	int fd = -1;

	if (!packet_read(p, "get", set, 3, 0))
		return false;
	good = https_get(&f->https, &request, &got);
	if (good && (fd = in_memory(&got.body)) == -1) {
		snprintf(got.reason, sizeof(got.reason), "%s", strerror(errno));
		good = false;
	}
	packet_start(p, "got");
	packet_number(p, "serial", serial);
	packet_text(p, "result", good ? "ok" : "failed");
	if (!good)
		packet_text(p, "reason", got.reason);
	if (good && got.has_max_age)
		packet_number(p, "max-age", got.max_age);
	if (good)
		packet_attach(p, fd);
	buf_free(&got.body);
	good = answer(owner, p);
	p->nfds = 0; /* it was ours */
	if (fd != -1)
		close(fd);
	return good;
}

/* -- owners -- */

static struct owner owners[] = {
    {.name = "ledger", .job = get_policy, .fd = -1},
    {.name = "userdb", .job = get_document, .fd = -1},
};
enum { OWNERS = sizeof(owners) / sizeof(*owners) };

static bool
say_ready(int fd)
{
	static struct packet p;

	packet_start(&p, "ready");
	return answer(fd, &p);
}

static void
let_go(struct owner *o)
{
	if (o->fd != -1)
		close(o->fd);
	o->fd = -1;
	o->delay = o->delay == 0           ? RETRY_FIRST_MS
	    : o->delay * 2 < RETRY_LAST_MS ? o->delay * 2
					   : RETRY_LAST_MS;
	o->again = clock_monotonic_ms() + o->delay;
}

static void
connect_owner(struct owner *o)
{
	o->fd = ipc_connect(o->name);
	if (o->fd == -1 || !say_ready(o->fd))
		let_go(o);
}

static void
hear(struct worker *w, struct fetch *f, struct owner *o)
{
	static struct packet p;
	bool good;

	if (ipc_receive(o->fd, &p, 0) != IPC_OK) {
		let_go(o);
		return;
	}
	worker_busy(w);
	good = p.nfds == 0 && o->job(f, o->fd, &p);
	if (!good)
		packet_close(&p);
	worker_idle(w);
	o->delay = 0;
	if (!good || !say_ready(o->fd))
		let_go(o);
}

/* Until one of them has something to do; false: it is time to stop. */
static bool
wait_for_job(struct worker *w, struct pollfd pollers[OWNERS + 1])
{
	int64_t now = clock_monotonic_ms(), until = -1;

	for (size_t i = 0; i < OWNERS; i++) {
		struct owner *o = &owners[i];

		if (o->fd == -1 && o->again <= now)
			connect_owner(o);
		if (o->fd == -1 && (until == -1 || o->again < until))
			until = o->again;
		pollers[i] = (struct pollfd){.fd = o->fd, .events = POLLIN};
	}
	pollers[OWNERS] =
	    (struct pollfd){.fd = worker_stop_fd(w), .events = POLLIN};
	while (poll(pollers, OWNERS + 1, clock_left(until)) == -1)
		if (errno != EINTR)
			return false;
	return pollers[OWNERS].revents == 0;
}

int
worker_serve(struct worker *w, void *context)
{
	static const struct sandbox sandbox = {.tcp_connect = true,
	    .files = WORKER_FILES,
	    .memory = WORKER_MEMORY};
	struct pollfd pollers[OWNERS + 1];
	struct fetch *f = context;

	sandbox_enter(&sandbox);
	while (wait_for_job(w, pollers))
		for (size_t i = 0; i < OWNERS && !worker_stopping(w); i++)
			if (pollers[i].revents != 0)
				hear(w, f, &owners[i]);
	return EX_OK;
}
