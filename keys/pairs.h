/* SPDX-License-Identifier: ISC */
#ifndef KEYS_PAIRS_H
#define KEYS_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/certificate.h"
#include "common/control.h"

/*
 * The certificates in use, with their keys.  Files come in rounds, each a
 * whole set (common/control.h); a pair that is no good leaves in place the
 * one that came from the same files before or, where the config was changed
 * to name others, the one that it named in their place.
 */
struct pair {
	char *path, *key_path;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
	char id[CERTIFICATE_ID_SIZE];
	int fd;     /* of the chain, for speakers (chain_file.h) */
	bool fresh; /* not announced yet */
};

size_t pairs_count(void);

/* In the config's order; NULL behind the last. */
const struct pair *pairs_at(size_t index);

/* Also one that was replaced, until it is forgotten: handshakes that began
 * with it are to end well. */
const struct pair *pairs_find(const char *id);
void pairs_forget_replaced(void);

/* Differs after each change of the set, and after a new start. */
const char *pairs_generation(void);

enum pairs_result {
	PAIRS_MORE, /* in the middle of a round */
	PAIRS_SAME,
	PAIRS_CHANGED,
	PAIRS_BAD /* the suite starts, and one of them is no good */
};

/*
 * Take one file, whose descriptor stays the caller's.  What is wrong with a
 * pair is logged.
 */
enum pairs_result pairs_take(const struct control_file *);

/* Log which certificates have been taken since the last time. */
void pairs_announce(void);

#endif
