/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS */
#include "userdb/jwks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "userdb/pool.h"

enum { SET_MAX = 256 * 1024, PIECE = 16384, AGAIN_MS = 1000, WHAT_MAX = 1024 };

static struct {
	const struct config *config;
	char *issuer, *source; /* that the current set is of */
	int current;
	/* A set that is being looked at. */
	struct pool_job job;
	struct timer again;
	int candidate;
	char what[WHAT_MAX];
	bool refused; /* the last one was; said once */
} jwks = {.current = -1, .candidate = -1};

static void
refuse(const char *what, const char *reason)
{
	if (!jwks.refused)
		log_event(LEVEL_ERROR, "token keys refused",
		    log_text("what", what), log_text("reason", reason));
	jwks.refused = true;
}

static void
drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* -- looking at a new one -- */

static void
adopt(uint64_t count)
{
	drop(&jwks.current);
	jwks.current = jwks.candidate;
	jwks.candidate = -1;
	jwks.refused = false;
	log_event(LEVEL_INFO, "token keys taken", log_text("what", jwks.what),
	    log_number("keys", (int64_t)count));
}

static void
looked_at(struct pool_job *job, const struct packet *p)
{
	uint64_t serial, count;
	const char *reason = NULL;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_NUMBER("count", &count),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &reason)};

	(void)job;
	if (p == NULL) {
		loop_timer(&jwks.again, AGAIN_MS);
		return;
	}
	if (packet_read(p, "keys", set, 3, 0) && count > 0) {
		adopt(count);
		return;
	}
	drop(&jwks.candidate);
	refuse(jwks.what, reason != NULL ? reason : "cannot be checked");
}

static void
look(struct timer *t)
{
	jwks.job.done = looked_at;
	(void)pool_request(&jwks.job, "keys");
	if (!pool_submit(&jwks.job, jwks.candidate))
		loop_timer(t, AGAIN_MS);
}

/* -- taking it in -- */

/* A copy that nobody writes into while a checker reads it. */
static int
seal(const struct buf *text)
{
	int fd = memfd_create("jwks", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 &&
	    (write(fd, text->data, text->len) != (ssize_t)text->len ||
		fcntl(fd, F_ADD_SEALS,
		    F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == -1))
		drop(&fd);
	return fd;
}

static const char *
copy(int fd, int *made)
{
	struct buf text = BUF_INIT(SET_MAX + PIECE);
	const char *wrong = NULL;
	ssize_t n;

	do {
		n = -1;
		if (!buf_reserve(&text, PIECE) || text.len > SET_MAX) {
			wrong = "too long";
			break;
		}
		n = pread(fd, text.data + text.len, PIECE, (off_t)text.len);
		if (n > 0)
			text.len += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (wrong == NULL && n == -1)
		wrong = strerror(errno);
	else if (wrong == NULL && (*made = seal(&text)) == -1)
		wrong = strerror(errno);
	buf_free(&text);
	return wrong;
}

void
jwks_offer(const char *what, int fd, const char *error)
{
	const char *wrong = error;
	int made = -1;

	if (wrong == NULL)
		wrong = fd >= 0 ? copy(fd, &made) : "not there";
	pool_withdraw(&jwks.job);
	loop_timer_stop(&jwks.again);
	drop(&jwks.candidate);
	snprintf(jwks.what, sizeof(jwks.what), "%s", what);
	if (wrong != NULL) {
		refuse(what, wrong);
		return;
	}
	jwks.refused = false; /* another one: say what is wrong with it */
	jwks.candidate = made;
	look(&jwks.again);
}

int
jwks_current(void)
{
	return jwks.current;
}

void
jwks_is_old(void)
{
	if (config_jwks_is_url(jwks.config))
		fetching_hurry();
}

/* -- the config -- */

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
keep(char **where, const char *text)
{
	free(*where);
	*where = text != NULL ? strdup(text) : NULL;
}

void
jwks_reload(void)
{
	const struct config *c = jwks.config;

	/* Another issuer's tokens are not for these keys. */
	if (!same(jwks.issuer, c->oauth_issuer) ||
	    !same(jwks.source, c->oauth_jwks)) {
		pool_withdraw(&jwks.job);
		loop_timer_stop(&jwks.again);
		drop(&jwks.candidate);
		drop(&jwks.current);
		jwks.refused = false;
		keep(&jwks.issuer, c->oauth_issuer);
		keep(&jwks.source, c->oauth_jwks);
	}
	fetching_begin(c);
}

void
jwks_begin(const struct config *config)
{
	jwks.config = config;
	jwks.again.fire = look;
	jwks.job.fd = -1;
	snprintf(jwks.job.client, sizeof(jwks.job.client), "keys");
	jwks_reload();
}
