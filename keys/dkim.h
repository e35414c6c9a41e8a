/* SPDX-License-Identifier: ISC */
#ifndef KEYS_DKIM_H
#define KEYS_DKIM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/dkim_facts.h"
#include "common/signature.h"

/*
 * DKIM-Signature fields by the keys of From's domain, or of the nearest
 * domain above it that has an active one: RSA first, then Ed25519.  The keys
 * are read when they are needed and kept while their domain's list of
 * selectors is the same file (common/selectors.h): what postrider-key changes
 * holds from the next message on.
 */
struct dkim_answer {
	bool failed; /* there is a key, and it cannot sign now */
	size_t n;
	char fields[SIGNATURES_MAX][SIGNATURE_MAX + 1];
	const char *reason; /* a static phrase; NULL: n is not 0 */
};

void dkim_answer(
    const char *keys_dir, const struct dkim_facts *, struct dkim_answer *);

#endif
