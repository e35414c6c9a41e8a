/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_BASE64_H
#define SMTPD_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Strict base64 (RFC 4648 section 4, as SASL wants it): whole groups of
 * four, padding at the end alone, unused bits zero, nothing else.  out has
 * at least 3 octets for each 4 of text.
 */
bool base64_decode(const char *text, size_t n, char *out, size_t *made);

#endif
