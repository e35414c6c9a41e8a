/* SPDX-License-Identifier: ISC */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Strict base64 (RFC 4648 section 4, as SASL wants it): whole groups of
 * four, padding at the end alone, unused bits zero, nothing else.  out has
 * at least 3 octets for each 4 of text, and may be text itself.
 */
bool base64_decode(const char *text, size_t n, char *out, size_t *made);

/* Octets of the text that base64_encode() makes of n octets. */
#define BASE64_LENGTH(n) (((n) + 2) / 3 * 4)

/* text has room for BASE64_LENGTH(n) octets and the NUL behind them. */
void base64_encode(const void *octets, size_t n, char *text);

#endif
