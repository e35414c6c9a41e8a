/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_HEADER_H
#define MAILAUTH_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/cursor.h"

/*
 * The header section of a message with LF line ends (each stands for CRLF),
 * collected as it passes by in any pieces, and cut into fields.
 *
 * Bounds (A15, A19): a section of more than HEADER_SECTION_MAX octets or
 * HEADER_FIELDS_MAX fields is `oversized`: what came before the bound is
 * there, in whole lines, and nobody may call it authentic.
 *
 * A line that is no field makes it `malformed`: for one reader the body begins
 * there, another passes over it.  The fields up to the empty line are there,
 * and nobody may call them authentic either.  Such are a line without a colon
 * or with a blank, a control or an 8-bit octet in the name, one without a
 * name, and a continuation line before the first field.  A name whose colon
 * is behind a fold is one as well, and a field: somebody may take it for one.
 * Not so "From " of a mailbox file as the very first line, with or without a
 * ">": it is in the text, and no field.
 */
enum { HEADER_SECTION_MAX = 256 * 1024, HEADER_FIELDS_MAX = 2000 };

struct header_field {
	struct span text;  /* all of it, folds kept, without its last LF */
	struct span name;  /* before the colon, without blanks at its end */
	struct span value; /* behind the colon, folds and blanks kept */
};

struct header_section {
	/*
	 * All lines, with their LF (the last may lack it where the message
	 * does), without the empty line.  !buf_ok(): no memory, and what is
	 * missing is unknown.
	 */
	struct buf text;
	bool done; /* the empty line has passed, or header_end() */
	bool oversized;
	bool malformed;
	size_t n;
	struct header_field *fields; /* into text; valid once done; owned */
	bool within_line;            /* the collector's own */
};

void header_init(struct header_section *);
void header_free(struct header_section *);

/*
 * Take octets of the message; how many of n belonged to the header section
 * and its empty line.  The first octet after those begins the body.
 */
size_t header_take(struct header_section *, const char *octets, size_t n);

/* The message is at its end: there is no body. */
void header_end(struct header_section *);

/* Is this the field's name?  Letters without case. */
bool header_is(const struct header_field *, const char *name);

/* How many fields of that name there are; *first the first, or NULL. */
size_t header_count(const struct header_section *, const char *name,
    const struct header_field **first);

#endif
