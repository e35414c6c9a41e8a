/* SPDX-License-Identifier: ISC */
/*
 * jwks.h: key sets by way of fetch.  Its processes come to us and say when
 * they are ready; what they bring is looked at like any other.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "userdb/jwks.h"
#include "userdb/peer.h"

enum {
	READY_MAX = 16,
	OCTETS_MAX = 256 * 1024,
	PATIENCE_MS = 90000,
	FRESH_LEAST_S = 300,
	FRESH_S = 3600, /* where the server does not say */
	FRESH_MOST_S = 86400,
	FAILED_FIRST_MS = 2000,
	FAILED_MOST_MS = 600000,
	HURRY_MS = 60000 /* between two that were hurried */
};

static void due(struct timer *);

static struct {
	const struct config *config;
	struct peer *ready[READY_MAX];
	size_t nready;
	struct timer timer; /* for the next one, or for this one's end */
	struct peer *asked; /* who is at it */
	uint64_t serial;
	int64_t tried, wait; /* monotonic: when; after the next failure */
	bool wanted, failing;
} fetching = {.timer = {.fire = due}};

static void
forget(struct peer *peer)
{
	for (size_t i = 0; i < fetching.nready; i++)
		if (fetching.ready[i] == peer)
			fetching.ready[i--] = fetching.ready[--fetching.nready];
}

static void
again_in(int64_t ms)
{
	fetching.asked = NULL;
	loop_timer(&fetching.timer, ms);
}

static void
failed(const char *reason)
{
	/* Said once, until it succeeds again. */
	if (!fetching.failing)
		log_event(LEVEL_WARNING, "token keys not fetched",
		    log_text("what", fetching.config->oauth_jwks),
		    log_text("reason", reason));
	fetching.failing = true;
	again_in(fetching.wait);
	fetching.wait = fetching.wait * 2 < FAILED_MOST_MS ? fetching.wait * 2
							   : FAILED_MOST_MS;
}

static void
ask(void)
{
	static struct packet p;
	struct peer *peer;

	if (!fetching.wanted || fetching.asked != NULL || fetching.nready == 0)
		return;
	fetching.wanted = false;
	peer = fetching.ready[--fetching.nready];
	fetching.asked = peer;
	fetching.tried = clock_monotonic_ms();
	packet_start(&p, "get");
	packet_number(&p, "serial", ++fetching.serial);
	packet_text(&p, "url", fetching.config->oauth_jwks);
	packet_number(&p, "max", OCTETS_MAX);
	loop_timer(&fetching.timer, PATIENCE_MS);
	(void)peer_answer(peer, &p);
}

static void
due(struct timer *t)
{
	(void)t;
	if (fetching.asked != NULL) {
		failed("no answer from fetch");
		return;
	}
	fetching.wanted = true;
	ask();
}

void
fetching_begin(const struct config *c)
{
	fetching.config = c;
	fetching.wait = FAILED_FIRST_MS;
	fetching.asked = NULL;
	fetching.serial++; /* an answer that is under way is another's */
	fetching.wanted = config_jwks_is_url(c);
	loop_timer_stop(&fetching.timer);
	ask();
}

void
fetching_hurry(void)
{
	if (fetching.asked != NULL || fetching.failing ||
	    clock_monotonic_ms() - fetching.tried < HURRY_MS)
		return;
	fetching.wanted = true;
	ask();
}

static int64_t
fresh_ms(uint64_t max_age)
{
	uint64_t seconds = max_age == 0 ? FRESH_S
	    : max_age < FRESH_LEAST_S   ? FRESH_LEAST_S
	    : max_age > FRESH_MOST_S    ? FRESH_MOST_S
					: max_age;

	return (int64_t)seconds * 1000;
}

static bool
got(struct packet *p)
{
	const char *result, *reason;
	uint64_t serial, max_age;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("result", PROTOCOL_NAME_MAX, &result),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &reason),
	    ATTRIBUTE_NUMBER_OPTIONAL("max-age", &max_age)};
	bool good;

	if (!packet_read(p, "got", set, 4, p->nfds > 0 ? 1 : 0))
		return false;
	good = strcmp(result, "ok") == 0 && p->nfds > 0;
	if (serial != fetching.serial || fetching.asked == NULL)
		return true;
	if (!good) {
		failed(reason != NULL ? reason : result);
		return true;
	}
	fetching.failing = false;
	fetching.wait = FAILED_FIRST_MS;
	again_in(fresh_ms(max_age));
	jwks_offer(fetching.config->oauth_jwks, p->fds[0], NULL);
	return true;
}

bool
fetching_hear(struct peer *peer, struct packet *p)
{
	if (packet_is(p, "got"))
		return got(p);
	if (!packet_read(p, "ready", NULL, 0, 0))
		return false;
	forget(peer);
	if (fetching.nready == READY_MAX)
		return false;
	fetching.ready[fetching.nready++] = peer;
	ask();
	return true;
}

void
fetching_gone(struct peer *peer)
{
	forget(peer);
	if (fetching.asked == peer)
		failed("fetch has ended");
}
