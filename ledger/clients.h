/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_CLIENTS_H
#define LEDGER_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/config.h"
#include "ledger/bucket.h"
#include "ledger/prefix.h"
#include "ledger/table.h"

/*
 * What strangers do on port 25: connections, messages, recipients, and those
 * who do not exist, of each client; connections of each network.  Whoever is
 * known (ledger/familiar.h) may do CLIENTS_KNOWN times as much, and has no
 * part in what his network does.
 *
 * Too many recipients who do not exist, and the client gets no answers until
 * half of them are forgotten.  Too many offences (it talks before the
 * greeting, sends garbage), and a grudge is borne: nothing is taken from it
 * for five minutes, and for twice as long each time again, four hours at the
 * most, until a day has gone by without.
 */
enum { CLIENTS_KNOWN = 4 };

enum clients_verdict {
	CLIENTS_OK,
	CLIENTS_CLIENT_RATE,
	CLIENTS_NETWORK_RATE,
	CLIENTS_GRUDGE
};

enum clients_tally {
	CLIENTS_CONNECTIONS,
	CLIENTS_MESSAGES,
	CLIENTS_RECIPIENTS,
	CLIENTS_UNKNOWN,
	CLIENTS_OFFENCES,
	CLIENTS_TALLIES
};

struct clients_limits {
	struct config_rate tallies[CLIENTS_TALLIES];
	struct config_rate network; /* connections */
};

extern struct clients_limits clients_limits;

/*
 * Count one where it may be.  client: an IP address, or nothing is counted.
 * wait: seconds, of what is not CLIENTS_OK.  known: see familiar_knows().
 */
enum clients_verdict clients_connection(
    const char *client, bool known, time_t now, uint32_t *wait);

/*
 * May it name another recipient, the first of a message?  NULL; or what is
 * exceeded, a keyword, and for how many seconds.
 */
const char *clients_check(
    const char *client, bool known, bool first, time_t now, uint32_t *wait);
/* It did. */
void clients_recipient(const char *client, bool known, bool first, time_t now);

void clients_unknown(const char *client, bool known, time_t now);
/* what: a word, for the log. */
void clients_offence(
    const char *client, bool known, const char *what, time_t now);

struct clients_view {
	struct prefix client, network;
	uint64_t tallies[CLIENTS_TALLIES], around; /* connections of network */
	uint32_t shut;    /* seconds without answers about recipients */
	uint32_t grudge;  /* seconds left of it */
	unsigned grudges; /* so far */
};
/* False: no IP address. */
bool clients_view(
    const char *client, bool known, struct clients_view *, time_t now);
/* False: nothing was counted there. */
bool clients_forget(const char *client);

extern struct table clients_table;

#endif
