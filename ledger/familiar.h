/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_FAMILIAR_H
#define LEDGER_FAMILIAR_H

#include <stdbool.h>
#include <time.h>

#include "ledger/table.h"

/*
 * Whose mail was taken lately: clients, and who stands behind them ("key",
 * common/protocol.h).  Junk takes away several times what a message gives, so
 * who sends more than a little of it is not known.
 */
enum {
	FAMILIAR_KEY_MAX = 300,
	FAMILIAR_SCORE_MAX = 32, /* what counts of what was taken */
	FAMILIAR_DEBT_MAX = 16,  /* and of junk beyond it */
	FAMILIAR_JUNK = 4        /* messages that make up for one */
};

/* Remembered for so many seconds. */
extern uint32_t familiar_memory;

/* key may be NULL; client may be no IP address. */
bool familiar_knows(const char *client, const char *key, time_t now);
void familiar_taken(const char *client, const char *key, time_t now);
void familiar_junk(const char *client, const char *key, time_t now);

struct familiar_view {
	time_t last; /* a message was taken, give or take an hour */
	int score;   /* above 0 */
};
/* Of a client alone; false: it is not known. */
bool familiar_view(const char *client, struct familiar_view *, time_t now);
bool familiar_forget(const char *client);

extern struct table familiar_table;

#endif
