/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_LOGINS_ROWS_H
#define LEDGER_LOGINS_ROWS_H

#include "common/loop.h"
#include "ledger/logins.h"

/* The rows of ledger/logins.h: who knocks, at whom, and who is at home. */

struct source { /* a client or a network */
	struct row row;
	struct prefix prefix;
	time_t last;
	struct window failed;
};

struct target { /* a user, or a name that is nobody's */
	struct row row;
	struct window failed; /* but for those from his own clients */
	size_t n;
	struct logins_event recent[LOGINS_RECENT_MAX]; /* the newest first */
	char user[];
};

struct known { /* a client that is known as a user's own */
	struct prefix client;
	time_t last; /* when he logged in there, give or take an hour */
	struct window failed;
};

struct owner { /* a user who has logged in */
	struct row row;
	size_t n;
	struct known *known; /* n of them */
	char user[];
};

extern struct logins_limits logins_limits;

struct source *source_find(const struct prefix *);
struct target *target_find(const char *user);
struct owner *owner_find(const char *user);

/* The row that is there, or a new one; NULL without memory. */
struct source *source_make(const struct prefix *, time_t now);
struct target *target_make(const char *user, time_t now);

void target_note(struct target *, const struct prefix *client, time_t now);

/* He has logged in there. */
void owner_welcome(const char *user, const struct prefix *, time_t now);
bool known_is_over(const struct known *, time_t now);

#endif
