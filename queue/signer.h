/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_SIGNER_H
#define QUEUE_SIGNER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/dkim_facts.h"
#include "common/signature.h"

/*
 * Signatures for what leaves, asked of `keys`: each question is answered
 * exactly once, from the loop, within SIGNER_MS.
 */
enum { SIGNER_MS = 5000 };

struct signing {
	bool failed; /* keys is away, or cannot do it now */
	size_t n;    /* 0: it is not to be signed, for that reason */
	const char *fields[SIGNATURES_MAX]; /* borrowed, as the reason */
	const char *reason;
};

typedef void signer_answered(void *asker, const struct signing *);

/* The facts (allocated) become the signer's. */
void signer_ask(struct dkim_facts *, signer_answered *, void *asker);

/* Free them; NULL is right. */
void signer_free_facts(struct dkim_facts *);

#endif
