/* SPDX-License-Identifier: ISC */
#include "common/tls_service.h"

#include <stdlib.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/keys_client.h"
#include "common/log.h"

enum {
	/* `keys` may be starting beside us. */
	FIRST_LOAD_MS = 10000,
	LOAD_MS = 5000,
	/* After `keys` did not answer, nobody waits for it again so soon; there
	 * is less need to where there are certificates, for which it may well
	 * sign. */
	REST_MS = 1000,
	REST_READY_MS = 10000,
	/* A parent has workers to start, and does not wait for long. */
	WATCH_EVERY_MS = 5000,
	WATCH_LOAD_MS = 500
};

void
tls_service_init(struct tls_service *t, const struct config *config,
    const char *name, const char *alpn, uint64_t timeout_s)
{
	int64_t timeout_ms = (int64_t)timeout_s * 1000;

	*t = (struct tls_service){.name = name,
	    .server = tls_server_new(alpn),
	    .keys = keys_client_new("keys"),
	    .tickets = config->tls_tickets,
	    .timeout_ms =
		timeout_ms < TLS_HANDSHAKE_MS ? timeout_ms : TLS_HANDSHAKE_MS};
	if (t->server == NULL || t->keys == NULL)
		exit(EX_OSERR);
}

void
tls_service_begin(struct tls_service *t)
{
	t->loaded = keys_client_load(t->keys, t->server,
			clock_monotonic_ms() + FIRST_LOAD_MS) == 0;
	if (t->loaded)
		(void)tls_server_rehearse(t->server);
}

static void
look_for_changes(struct timer *timer)
{
	struct tls_service *t = container_of(timer, struct tls_service, watch);

	loop_timer(timer, WATCH_EVERY_MS);
	if (!keys_client_changed(t->keys) ||
	    keys_client_load(
		t->keys, t->server, clock_monotonic_ms() + WATCH_LOAD_MS) == -1)
		return;
	t->loaded = true;
	(void)tls_server_rehearse(t->server);
}

void
tls_service_watch(struct tls_service *t)
{
	t->watch.fire = look_for_changes;
	loop_timer(&t->watch, WATCH_EVERY_MS);
}

/* What was in use stays so where `keys` cannot be asked now. */
static void
take_changes(struct tls_service *t)
{
	static int64_t rest_until;
	int64_t now = clock_monotonic_ms();

	if (now < rest_until)
		return;
	if (keys_client_load(t->keys, t->server, now + LOAD_MS) == 0)
		t->loaded = true;
	else
		rest_until = clock_monotonic_ms() +
		    (tls_server_ready(t->server) ? REST_READY_MS : REST_MS);
}

bool
tls_service_ready(struct tls_service *t)
{
	if (t == NULL)
		return false;
	if (keys_client_changed(t->keys))
		take_changes(t);
	return tls_server_ready(t->server);
}

bool
tls_service_is_off(const struct tls_service *t)
{
	return t == NULL || (t->loaded && keys_client_count(t->keys) == 0);
}

bool
tls_service_accept(struct tls_service *t, struct stream *s,
    enum listener_kind kind, const char *client)
{
	char error[TLS_ERROR_MAX];
	bool tickets = (t->tickets & 1U << kind) != 0;

	stream_limit(s, t->timeout_ms);
	if (tls_accept(t->server, s, tickets, error) == TLS_OK) {
		/* Mail servers do not log in. */
		if (kind != LISTENER_SMTP)
			tls_hold_secrets(s);
		return true;
	}
	log_event(LEVEL_INFO, "handshake failed", log_text("client", client),
	    log_text("service", t->name), log_text("reason", error));
	return false;
}
