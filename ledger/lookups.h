/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_LOOKUPS_H
#define LEDGER_LOOKUPS_H

/*
 * deliver's workers: what they ask about a domain's policy may have to wait
 * for a fetch, what they ask about a host never does.
 */

/* One has connected; the descriptor becomes its peer's. */
void lookups_begin(const char *role, int fd);

/* The policy of that domain was fetched, or not: for fetching_begin(). */
void lookups_done(const char *domain);

/* Have fetched anew what is in use and grows old; to be called now and then. */
void lookups_refresh(void);

#endif
