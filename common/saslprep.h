/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SASLPREP_H
#define COMMON_SASLPREP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * SASLprep (RFC 4013) without its normalisation: no base library has NFKC.
 * ASCII comes out as it goes in; of the rest the other spaces become a
 * SPACE, what is mapped to nothing goes, control characters and ill-formed
 * UTF-8 are refused, and everything else stays (postrider-standards(7)).
 * False also when nothing is left or it exceeds max octets; out has max + 1.
 */
bool saslprep(const char *text, size_t n, char *out, size_t max);

#endif
