/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_FIELDS_H
#define LEDGER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/buf.h"

/*
 * The fields of a line of the journal: words with a space between them; what
 * is no plain letter, digit or one of "@._:/+*-" is written as % and two
 * hexadecimal digits, the empty text as "%".
 */

/* A field more, a space in front of it. */
void fields_text(struct buf *line, const char *text);
void fields_number(struct buf *line, uint64_t n);

/*
 * Reading takes them in turn; the first failure sticks, and what follows it
 * is "" and 0.
 */
struct fields {
	char *rest; /* of the line, which is changed */
	bool failed;
};

bool fields_left(const struct fields *);
const char *fields_take(struct fields *, size_t max); /* in the line */
uint64_t fields_take_number(struct fields *, uint64_t max);
/* Unix seconds; what is later than now is now. */
time_t fields_take_time(struct fields *, time_t now);

#endif
