/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SIGNATURE_H
#define COMMON_SIGNATURE_H

#include <stdbool.h>

/*
 * A DKIM-Signature field (RFC 6376 section 3.5) on its way from `keys` by the
 * envelope to the wire: its text, folded, with LF between its lines and none
 * at its end.
 */
enum {
	SIGNATURE_MAX = 4096, /* octets of one */
	SIGNATURES_MAX = 2,   /* of a message: RSA and Ed25519 */
	SIGNATURE_TAG_MAX = 253
};

/*
 * Is this one such field, and nothing besides: no second field, no empty
 * line, nothing that a line of a header may not hold?
 */
bool signature_is_field(const char *text);

/*
 * The value of a tag of it ("d"), without blanks and folds; "" when it is not
 * there or too long.
 */
void signature_tag(
    const char *field, const char *tag, char out[SIGNATURE_TAG_MAX + 1]);

#endif
