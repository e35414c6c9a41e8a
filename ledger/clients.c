/* SPDX-License-Identifier: ISC */
#include "ledger/clients.h"

#include "common/log.h"
#include "ledger/clients_rows.h"

enum { KEEP_S = 300 }; /* a shorter span is not worth writing down */

struct clients_limits clients_limits;

/* -- counting -- */

static struct config_rate
rate_of(enum clients_tally which, bool known)
{
	struct config_rate rate = clients_limits.tallies[which];

	if (known)
		rate.count *= CLIENTS_KNOWN;
	return rate;
}

/* Ten thousand bots do not fill the log. */
static void
log_limit(const struct client *c, const char *what, uint64_t limit, time_t now)
{
	static const struct config_rate often = {100, 60};
	static struct bucket lines;
	char text[PREFIX_TEXT_MAX];

	if (!bucket_fits(&lines, &often, 1, now))
		return;
	bucket_add(&lines, &often, 1, now);
	prefix_format(&c->prefix, text);
	log_event(LEVEL_WARNING, "limit reached", log_text("client", text),
	    log_text("what", what), log_number("limit", (int64_t)limit));
}

/* Seconds until one more fits; tells the log when that begins. */
static uint32_t
wait_for(struct client *c, enum clients_tally which,
    const struct config_rate *rate, const char *what, time_t now)
{
	uint32_t wait = bucket_wait(&c->tallies[which], rate, 1, now);

	if (wait > 0 && !c->told) {
		log_limit(c, what, rate->count, now);
		c->told = true;
	}
	return wait;
}

static void
add(struct client *c, enum clients_tally which, const struct config_rate *rate,
    time_t now)
{
	if (bucket_used(&c->tallies[which], now) == 0)
		c->told = false;
	bucket_add(&c->tallies[which], rate, 1, now);
	if (rate->span > KEEP_S)
		row_changed(&c->row);
}

static enum clients_verdict
check_network(const struct prefix *client, time_t now, uint32_t *wait)
{
	const struct prefix prefix = prefix_network(client);
	struct client *network = client_make(&prefix, now);

	if (network == NULL)
		return CLIENTS_OK;
	*wait = wait_for(network, CLIENTS_CONNECTIONS, &clients_limits.network,
	    "network-connections", now);
	if (*wait > 0)
		return CLIENTS_NETWORK_RATE;
	add(network, CLIENTS_CONNECTIONS, &clients_limits.network, now);
	return CLIENTS_OK;
}

enum clients_verdict
clients_connection(const char *client, bool known, time_t now, uint32_t *wait)
{
	const struct config_rate rate = rate_of(CLIENTS_CONNECTIONS, known);
	struct prefix prefix;
	struct client *c;

	*wait = 0;
	if (!prefix_of(client, &prefix) ||
	    (c = client_make(&prefix, now)) == NULL)
		return CLIENTS_OK;
	*wait = client_grudge(c, now);
	if (*wait > 0)
		return CLIENTS_GRUDGE;
	*wait =
	    wait_for(c, CLIENTS_CONNECTIONS, &rate, "client-connections", now);
	if (*wait > 0)
		return CLIENTS_CLIENT_RATE;
	add(c, CLIENTS_CONNECTIONS, &rate, now);
	return known ? CLIENTS_OK : check_network(&prefix, now, wait);
}

/* Seconds until half of those unknown are forgotten. */
static uint32_t
shut_left(struct client *c, time_t now)
{
	struct config_rate half = clients_limits.tallies[CLIENTS_UNKNOWN];

	if (!c->shut)
		return 0;
	half.span = (half.span + 1) / 2;
	half.count = (half.count + 1) / 2;
	if (half.count > 0 &&
	    bucket_used(&c->tallies[CLIENTS_UNKNOWN], now) >
		half.span * 1000000) {
		uint64_t over = bucket_used(&c->tallies[CLIENTS_UNKNOWN], now) -
		    half.span * 1000000;

		return (uint32_t)((over + 999999) / 1000000);
	}
	c->shut = false;
	return 0;
}

const char *
clients_check(
    const char *client, bool known, bool first, time_t now, uint32_t *wait)
{
	static const struct {
		enum clients_tally which;
		const char *what;
	} limits[] = {{CLIENTS_RECIPIENTS, "client-recipients"},
	    {CLIENTS_MESSAGES, "client-messages"}};
	struct prefix prefix;
	struct client *c;

	*wait = 0;
	if (!prefix_of(client, &prefix) || (c = client_find(&prefix)) == NULL)
		return NULL;
	*wait = shut_left(c, now);
	if (*wait > 0)
		return "unknown-recipients";
	for (int i = 0; i <= first; i++) {
		const struct config_rate rate = rate_of(limits[i].which, known);

		*wait =
		    wait_for(c, limits[i].which, &rate, limits[i].what, now);
		if (*wait > 0)
			return limits[i].what;
	}
	return NULL;
}

static void
count(const char *client, enum clients_tally which, bool known, time_t now)
{
	const struct config_rate rate = rate_of(which, known);
	struct prefix prefix;
	struct client *c;

	if (prefix_of(client, &prefix) &&
	    (c = client_make(&prefix, now)) != NULL)
		add(c, which, &rate, now);
}

void
clients_recipient(const char *client, bool known, bool first, time_t now)
{
	if (first)
		count(client, CLIENTS_MESSAGES, known, now);
	count(client, CLIENTS_RECIPIENTS, known, now);
}

void
clients_unknown(const char *client, bool known, time_t now)
{
	const struct config_rate rate = rate_of(CLIENTS_UNKNOWN, known);
	struct prefix prefix;
	struct client *c;

	if (!prefix_of(client, &prefix) ||
	    (c = client_make(&prefix, now)) == NULL)
		return;
	add(c, CLIENTS_UNKNOWN, &rate, now);
	if (c->shut || bucket_fits(&c->tallies[CLIENTS_UNKNOWN], &rate, 1, now))
		return;
	c->shut = true;
	log_limit(c, "unknown-recipients", rate.count, now);
}

void
clients_offence(const char *client, bool known, const char *what, time_t now)
{
	const struct config_rate rate = rate_of(CLIENTS_OFFENCES, known);
	struct prefix prefix;
	struct client *c;

	if (!prefix_of(client, &prefix) ||
	    (c = client_make(&prefix, now)) == NULL ||
	    client_grudge(c, now) > 0)
		return;
	add(c, CLIENTS_OFFENCES, &rate, now);
	if (bucket_fits(&c->tallies[CLIENTS_OFFENCES], &rate, 1, now))
		return;
	c->tallies[CLIENTS_OFFENCES] = (struct bucket){0, 0};
	client_bear_grudge(c, now);
	row_changed(&c->row);
	log_limit(c, what, rate.count, now);
}

/* -- for the postmaster -- */

bool
clients_view(
    const char *client, bool known, struct clients_view *view, time_t now)
{
	struct client *c;

	*view = (struct clients_view){0};
	if (!prefix_of(client, &view->client))
		return false;
	view->network = prefix_network(&view->client);
	c = client_find(&view->network);
	if (c != NULL)
		view->around = bucket_count(&c->tallies[CLIENTS_CONNECTIONS],
		    &clients_limits.network, now);
	c = client_find(&view->client);
	if (c == NULL)
		return true;
	for (int i = 0; i < CLIENTS_TALLIES; i++) {
		const struct config_rate rate =
		    rate_of((enum clients_tally)i, known);

		view->tallies[i] = bucket_count(&c->tallies[i], &rate, now);
	}
	view->shut = shut_left(c, now);
	view->grudge = client_grudge(c, now);
	view->grudges = client_is_forgiven(c, now) ? 0 : c->grudges;
	return true;
}

bool
clients_forget(const char *client)
{
	struct prefix prefix, around;
	struct client *c, *network;

	if (!prefix_of(client, &prefix))
		return false;
	around = prefix_network(&prefix);
	c = client_find(&prefix);
	if (c != NULL)
		table_drop(&c->row);
	network = client_find(&around);
	if (network != NULL)
		table_drop(&network->row);
	return c != NULL || network != NULL;
}
