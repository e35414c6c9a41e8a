/* SPDX-License-Identifier: ISC */
#ifndef POP3D_NUMBER_H
#define POP3D_NUMBER_H

#include <stdint.h>

#include "common/cursor.h"

/*
 * The numbers that follow a POP3 command (RFC 1939 section 3: arguments are
 * separated by a single space; more are forgiven).
 */
enum number_fault {
	NUMBER_OK,
	NUMBER_MISSING,
	NUMBER_JUNK,  /* not decimal, or not representable */
	NUMBER_ZERO,
	NUMBER_BEYOND /* more than most */
};

/* Take the first argument off args; lowest 0 or 1. */
enum number_fault number_take(
    struct span *args, uint64_t lowest, uint64_t most, uint64_t *number);

/* Take off what blanks stand at the front. */
void number_skip_blanks(struct span *args);

#endif
