/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_CLIENTS_ROWS_H
#define LEDGER_CLIENTS_ROWS_H

#include "ledger/clients.h"

/* The rows of ledger/clients.h. */

struct client { /* or a network */
	struct row row;
	struct prefix prefix;
	struct bucket tallies[CLIENTS_TALLIES];
	bool shut; /* too many recipients were unknown */
	bool told; /* the log has it that a limit was reached */
	unsigned grudges;
	uint32_t length; /* of the last grudge, in seconds */
	time_t since;    /* its begin */
};

struct client *client_find(const struct prefix *);
struct client *client_make(const struct prefix *, time_t now); /* or NULL */

/* Seconds left of it; 0: there is none. */
uint32_t client_grudge(struct client *, time_t now);
void client_bear_grudge(struct client *, time_t now);
/* As if there had never been any. */
bool client_is_forgiven(const struct client *, time_t now);

#endif
