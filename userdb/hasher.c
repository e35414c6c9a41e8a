/* SPDX-License-Identifier: ISC */
#include "userdb/hasher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/loop.h"
#include "userdb/password.h"

/* -- the process that computes -- */

int
hasher_serve(int fd)
{
	static struct packet p;
	const char *hash, *password;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("hash", ENTRY_HASH_MAX, &hash),
	    ATTRIBUTE_TEXT("password", PROTOCOL_PASSWORD_MAX, &password)};
	enum ipc_result result;

	/* The hash for those who have none is made now, not for the first. */
	(void)password_verify("", 5, "");
	while ((result = ipc_receive(fd, &p, -1)) == IPC_OK) {
		bool right;

		if (!packet_read(&p, "verify", set, 3, 0)) {
			packet_close(&p);
			continue;
		}
		right = password_verify(password, 5, hash);
		explicit_bzero(p.octets, p.len);
		packet_start(&p, "verified");
		packet_number(&p, "serial", serial);
		packet_number(&p, "right", right);
		if (ipc_send(fd, &p, -1) != IPC_OK)
			return EX_OK;
	}
	return result == IPC_CLOSED ? EX_OK : EX_SOFTWARE;
}

/* -- the side that asks -- */

static struct {
	struct watch watch;
	struct timer timer;
	struct hash_job *first;
	size_t waiting, sent, workers;
	uint64_t serial;
} pool;

static void send_some(void);

static void
unlink_job(struct hash_job *job)
{
	struct hash_job **at = &pool.first;

	while (*at != NULL && *at != job)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = job->next;
	pool.waiting--;
	if (job->sent)
		pool.sent--;
	explicit_bzero(job->password, sizeof(job->password));
}

void
hash_withdraw(struct hash_job *job)
{
	unlink_job(job);
	send_some();
}

size_t
hash_waiting(void)
{
	return pool.waiting;
}

static bool
send_job(struct hash_job *job)
{
	static struct packet p;
	enum ipc_result result;

	packet_start(&p, "verify");
	packet_number(&p, "serial", job->serial);
	packet_text(&p, "hash", job->hash);
	packet_text(&p, "password", job->password);
	result = ipc_send(pool.watch.fd, &p, 0);
	explicit_bzero(p.octets, p.len);
	return result == IPC_OK;
}

/* Each worker has one to do and one to find when it is done. */
static void
send_some(void)
{
	struct hash_job *job = pool.first;

	for (; job != NULL && pool.sent < 2 * pool.workers; job = job->next) {
		if (job->sent)
			continue;
		if (!send_job(job))
			break;
		explicit_bzero(job->password, sizeof(job->password));
		job->sent = true;
		pool.sent++;
	}
}

static void
answered(struct watch *w, uint32_t events)
{
	static struct packet p;
	uint64_t serial, right;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_NUMBER("right", &right)};
	struct hash_job *job = pool.first;

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
	if (packet_read(&p, "verified", set, 2, 0)) {
		/* An answer to a former owner's question finds no job. */
		while (job != NULL && job->serial != serial)
			job = job->next;
		if (job != NULL) {
			unlink_job(job);
			job->done(job, right == 1, true);
		}
	}
	packet_close(&p);
	send_some();
}

/* A worker died over it, or they are hopelessly behind. */
static void
give_up(struct timer *t)
{
	int64_t now = clock_monotonic_ms();
	struct hash_job *job;

	while ((job = pool.first) != NULL && job->deadline <= now) {
		unlink_job(job);
		job->done(job, false, false);
	}
	send_some();
	if (pool.first != NULL)
		loop_timer(t, pool.first->deadline - now);
}

void
hash_begin(int fd, size_t workers)
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
		log_errno(LEVEL_ERROR, "cannot watch", "hashers");
		exit(EX_OSERR);
	}
}

bool
hash_submit(struct hash_job *job)
{
	struct hash_job **last = &pool.first;
	size_t same = 0;

	for (; *last != NULL; last = &(*last)->next)
		same += strcmp((*last)->client, job->client) == 0;
	if (pool.waiting >= HASH_JOBS_MAX || same >= HASH_JOBS_MAX / 2)
		return false;
	job->next = NULL;
	job->sent = false;
	job->serial = pool.serial++;
	job->deadline = clock_monotonic_ms() + HASH_PATIENCE_MS;
	*last = job;
	if (pool.waiting++ == 0)
		loop_timer(&pool.timer, HASH_PATIENCE_MS);
	send_some();
	return true;
}
