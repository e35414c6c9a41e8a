/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_TEXT_H
#define MAILAUTH_DKIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cursor.h"

/* How DKIM writes values of tags.  False: this is none, or does not fit. */

/*
 * base64 with white space anywhere, and with padding or without (RFC 6376
 * section 2.10).
 */
bool dkim_base64(struct span, unsigned char *out, size_t size, size_t *n);

/*
 * dkim-quoted-printable (section 2.11), white space ignored, to UTF-8 without
 * control characters.  out is a string.
 */
bool dkim_unquote(struct span, char *out, size_t size);

/*
 * A domain name or selector of at least so many labels, to lower case and
 * A-labels (RFC 8616 section 5).  With "_", which selectors have.
 */
bool dkim_domain(struct span, size_t labels, char *out, size_t size);

#endif
