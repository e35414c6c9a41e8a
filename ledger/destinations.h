/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_DESTINATIONS_H
#define LEDGER_DESTINATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "ledger/table.h"

/*
 * What other hosts could do by TLS, and what became of mail to a domain: the
 * memory that deliver has none of.
 */
enum {
	DESTINATION_NAME_MAX = 255,
	DESTINATION_WORD_MAX = 32, /* protocols, policies, results */
	DESTINATION_REASON_MAX = 200
};

enum host_tls { HOST_NEVER, HOST_YES, HOST_NO, HOST_BROKEN };

struct host_view {
	enum host_tls tls; /* never, yes or no */
	char protocol[DESTINATION_WORD_MAX + 1];
	time_t since;  /* it is so */
	time_t broken; /* the last failed handshake, 0: succeeded since */
};

void host_remember(
    const char *host, enum host_tls, const char *protocol, time_t now);
/* False: never seen. */
bool host_recall(const char *host, struct host_view *);

struct delivery_view {
	time_t when;
	char host[DESTINATION_NAME_MAX + 1]; /* where it was tried */
	char policy[DESTINATION_WORD_MAX + 1];
	char result[DESTINATION_WORD_MAX + 1];
	char reason[DESTINATION_REASON_MAX + 1]; /* "": none */
};

/* The time is now, whatever it says. */
void delivery_remember(
    const char *domain, const struct delivery_view *, time_t now);
bool delivery_recall(const char *domain, struct delivery_view *);

enum { DESTINATION_TABLES = 2 };
extern struct table destination_tables[DESTINATION_TABLES];

#endif
