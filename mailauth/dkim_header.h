/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_HEADER_H
#define MAILAUTH_DKIM_HEADER_H

#include "mailauth/dkim_signature.h"

/*
 * The hash that a signature signs: of the fields that h= names, the last of
 * a name first, and of its own field without b= (RFC 6376 section 3.7).
 *
 * *added is the name of a field of which there may be one only (RFC 5322
 * section 3.6, RFC 2045), that h= names, and of which there is one more than
 * h= does: a reader may see that one instead of the signed one (section
 * 8.15).  NULL: there is none.
 *
 * False: no memory.
 */
bool dkim_header_hash(const struct header_section *,
    const struct header_field *own, const struct dkim_signature *,
    unsigned char digest[DKIM_HASH_SIZE], const char **added);

#endif
