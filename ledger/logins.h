/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_LOGINS_H
#define LEDGER_LOGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ledger/prefix.h"
#include "ledger/table.h"
#include "ledger/window.h"

/*
 * Who guesses passwords.  Failures are counted for the client, for the
 * network around it and for the user, and beyond a limit the next attempt is
 * refused until fewer of them count.  A client from which a user has logged
 * in lately is known as his: there only what fails from that very client for
 * that very user counts, and counts for nothing else.  So nobody elsewhere
 * can lock him out, and nobody who has one password gets more guesses at
 * another's.
 *
 * Users who do not exist are counted like others, and an attempt that was
 * refused counts for nothing.
 */
struct logins_limits {
	unsigned client, network, user; /* failures */
	uint32_t window, memory;        /* seconds */
};

enum {
	LOGINS_USER_MAX = 400, /* octets of a name; the rest is cut off */
	LOGINS_RECENT_MAX = 8, /* failures of a user that are shown */
	LOGINS_KNOWN_MAX = 16  /* clients known as one user's */
};

enum logins_result {
	LOGINS_GOOD,
	LOGINS_WRONG,
	LOGINS_UNKNOWN,
	LOGINS_NONE /* nobody looked; counts for nothing */
};

void logins_begin(const struct logins_limits *);
/* Other limits, of a new config; what was counted goes on counting. */
void logins_limit(const struct logins_limits *, time_t now);
/* Forget everything (a test). */
void logins_end(void);

/*
 * May this be tried?  0: yes; else the seconds until it may.  A client that
 * is no IP address is not counted itself.
 */
uint32_t logins_attempt(const char *client, const char *user, time_t now);

/* -- the same for attempts under way (ledger/underway.h) -- */

struct logins_key {
	struct prefix client, network;  /* version 0: no IP address */
	char user[LOGINS_USER_MAX + 1]; /* folded */
};

/* Those under way that count as this one would. */
struct logins_busy {
	unsigned client, network, user;
};

void logins_key(struct logins_key *, const char *client, const char *user);
uint32_t logins_wait(const struct logins_key *, time_t now);

/* Is the client known as the user's?  Then busy->client alone matters. */
bool logins_is_known(const struct logins_key *, time_t now);

/* If all those failed, would this one still be allowed? */
bool logins_have_room(
    const struct logins_key *, const struct logins_busy *, time_t now);

/* What came of one that might.  Logs when a limit is reached. */
void logins_outcome(
    const char *client, const char *user, enum logins_result, time_t now);

struct logins_event {
	time_t when;
	struct prefix client;
};

struct logins_failures {
	unsigned count; /* within the window */
	uint32_t wait;  /* of a client that is not known */
	size_t nrecent, nknown;
	struct logins_event recent[LOGINS_RECENT_MAX]; /* the newest first */
	struct logins_event known[LOGINS_KNOWN_MAX];
};

void logins_failures(const char *user, struct logins_failures *, time_t now);

/* What was counted against them; false: nothing was. */
bool logins_forget_client(const char *client);
bool logins_forget_user(const char *user);

/* -- as tables, for the journal -- */

enum { LOGINS_TABLES = 3 };
extern struct table logins_tables[LOGINS_TABLES];

#endif
