/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PROMPT_H
#define COMMON_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A secret for a tool: one line of standard input, or twice from the
 * terminal, which does not show it; never from the command line.  At most
 * size - 1 octets, and PROMPT_SECRET_MAX.  Exit codes of sysexits.h; what is
 * wrong has been said on standard error.  explicit_bzero() it.
 */
enum { PROMPT_SECRET_MAX = 1023 };

int prompt_secret(const char *whose, bool from_stdin, char *out, size_t size);

#endif
