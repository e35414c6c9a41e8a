/* SPDX-License-Identifier: ISC */
#include "userdb/pool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"

static struct {
	struct watch watch;
	struct timer timer;
	struct pool_job *first;
	size_t waiting, sent, workers;
	uint64_t serial;
	struct packet request;
} pool;

static void
wipe(struct pool_job *job)
{
	if (job->octets != NULL)
		explicit_bzero(job->octets, job->len);
	free(job->octets);
	job->octets = NULL;
	if (job->fd >= 0)
		close(job->fd);
	job->fd = -1;
}

static void
unlink_job(struct pool_job *job)
{
	struct pool_job **at = &pool.first;

	while (*at != NULL && *at != job)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = job->next;
	pool.waiting--;
	if (job->sent)
		pool.sent--;
	wipe(job);
}

static bool
send_job(struct pool_job *job)
{
	static struct packet p;
	enum ipc_result result;

	p.len = job->len;
	p.nfds = 0;
	p.failed = false;
	memcpy(p.octets, job->octets, job->len);
	if (job->fd >= 0)
		packet_attach(&p, job->fd);
	result = ipc_send(pool.watch.fd, &p, 0);
	explicit_bzero(p.octets, p.len);
	return result == IPC_OK;
}

/* Each worker has one to do and one to find when it is done. */
static void
send_some(void)
{
	struct pool_job *job = pool.first;

	for (; job != NULL && pool.sent < 2 * pool.workers; job = job->next) {
		if (job->sent)
			continue;
		if (!send_job(job))
			break;
		wipe(job);
		job->sent = true;
		pool.sent++;
	}
}

void
pool_withdraw(struct pool_job *job)
{
	unlink_job(job);
	send_some();
}

/* The serial, first in every answer. */
static struct pool_job *
job_of(const struct packet *p)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	struct pool_job *job = pool.first;
	char serial[24];

	if (!packet_next(&c, &name, &value) || strcmp(name, "serial") != 0)
		return NULL;
	for (; job != NULL; job = job->next) {
		snprintf(serial, sizeof(serial), "%llu",
		    (unsigned long long)job->serial);
		if (job->sent && strcmp(serial, value) == 0)
			break;
	}
	return job;
}

static void
answered(struct watch *w, uint32_t events)
{
	static struct packet p;
	struct pool_job *job;

	(void)events;
	switch (ipc_receive(w->fd, &p, 0)) {
	case IPC_OK:
		break;
	case IPC_CLOSED:
		loop_unwatch(w);
		return;
	default:
		return;
	}
	/* An answer to a former owner's question finds no job. */
	if ((job = job_of(&p)) != NULL) {
		unlink_job(job);
		job->done(job, &p);
	}
	packet_close(&p);
	explicit_bzero(p.octets, p.len);
	send_some();
}

/* A worker died over it, or they are hopelessly behind. */
static void
give_up(struct timer *t)
{
	int64_t now = clock_monotonic_ms();
	struct pool_job *job;

	while ((job = pool.first) != NULL && job->deadline <= now) {
		unlink_job(job);
		job->done(job, NULL);
	}
	send_some();
	if (pool.first != NULL)
		loop_timer(t, pool.first->deadline - now);
}

void
pool_begin(int fd, size_t workers)
{
	memset(&pool, 0, sizeof(pool));
	pool.workers = workers;
	/* Not to be taken for a former owner's. */
	if (getrandom(&pool.serial, sizeof(pool.serial) - 1, 0) == -1)
		pool.serial = (uint64_t)clock_now_ms();
	pool.timer.fire = give_up;
	pool.watch =
	    (struct watch){.fd = fd, .events = EPOLLIN, .ready = answered};
	if (loop_watch(&pool.watch) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", "checkers");
		exit(EX_OSERR);
	}
}

struct packet *
pool_request(struct pool_job *job, const char *verb)
{
	job->serial = pool.serial++;
	packet_start(&pool.request, verb);
	packet_number(&pool.request, "serial", job->serial);
	return &pool.request;
}

static bool
has_place(const struct pool_job *job, struct pool_job ***last)
{
	size_t same = 0;

	for (*last = &pool.first; **last != NULL; *last = &(**last)->next)
		same += strcmp((**last)->client, job->client) == 0;
	return pool.waiting < POOL_JOBS_MAX && same < POOL_JOBS_MAX / 2;
}

static bool
keep_request(struct pool_job *job, int fd)
{
	struct packet *p = &pool.request;

	job->fd = -1;
	job->len = p->len;
	job->octets = p->failed ? NULL : malloc(p->len);
	if (job->octets != NULL)
		memcpy(job->octets, p->octets, p->len);
	explicit_bzero(p->octets, p->len);
	if (job->octets == NULL)
		return false;
	if (fd < 0 || (job->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		return true;
	wipe(job);
	return false;
}

bool
pool_submit(struct pool_job *job, int fd)
{
	struct pool_job **last;

	if (!has_place(job, &last)) {
		explicit_bzero(pool.request.octets, pool.request.len);
		return false;
	}
	if (!keep_request(job, fd))
		return false;
	job->next = NULL;
	job->sent = false;
	job->deadline = clock_monotonic_ms() + POOL_PATIENCE_MS;
	*last = job;
	if (pool.waiting++ == 0)
		loop_timer(&pool.timer, POOL_PATIENCE_MS);
	send_some();
	return true;
}
