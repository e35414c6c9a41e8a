/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_TAGS_H
#define MAILAUTH_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cursor.h"

/*
 * Tag-lists, "a=b; c=d" (RFC 6376 section 3.2): DKIM's fields and key
 * records.  Those of DMARC are read with more patience (RFC 9989 section 4.8).
 */
enum { TAGS_MAX = 64 };

struct tag {
	struct span name;
	struct span value; /* white space within is kept, at the ends gone */
	struct span raw;   /* all from behind "=" to the ";" or the end */
};

struct tags {
	size_t n;
	struct tag tag[TAGS_MAX]; /* in order, into the text */
};

/*
 * NULL, or what is wrong (a static phrase); the tags before the fault are
 * there.  Folds count as white space, and octets above 127 may stand in
 * values.  White space behind the last ";" is let pass: it is in too many
 * records.
 */
const char *tags_parse(const char *text, size_t n, struct tags *);

/* To the letter: names have case.  NULL: no such tag. */
const struct tag *tags_find(const struct tags *, const char *name);

/* The same octets, without regard to the case of ASCII letters. */
bool span_is(struct span, const char *text);

/*
 * The next element of a colon-separated list, trimmed, which is cut off
 * *rest.  False: there is none left.  An empty list has one empty element.
 */
bool tags_next(struct span *rest, struct span *element);

/* Is this word an element of a colon-separated list? */
bool tags_list_has(struct span list, const char *word);

#endif
