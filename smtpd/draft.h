/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_DRAFT_H
#define SMTPD_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/cursor.h"
#include "mailauth/header.h"

/*
 * A header section that content filters may still change.  Lines end in LF.
 * Pure.
 *
 * Filters see and count all fields in order.  What is this host's own word
 * (Authentication-Results) they see as well, and cannot change: it stands on
 * top.  Lines that are no fields they do not see.
 */
enum {
	DRAFT_OCTETS_MAX = 2 * HEADER_SECTION_MAX,
	DRAFT_FIELDS_MAX = HEADER_FIELDS_MAX + 1000,
	DRAFT_NAME_MAX = 255
};

enum draft_kind {
	DRAFT_OWN,   /* ours */
	DRAFT_CAME,  /* the message's */
	DRAFT_LINES, /* the same, but no field */
	DRAFT_ADDED  /* a filter's */
};

struct draft_field {
	enum draft_kind kind;
	char *text;   /* owned; "Name: value" without the last line end */
	size_t n;     /* its octets */
	size_t name;  /* of them, the name's; 0: it is no field */
	size_t value; /* where the value begins */
};

struct draft {
	size_t n, room;
	struct draft_field *fields;
	size_t octets;
	bool failed; /* no memory, or a bound: sticky */
};

void draft_free(struct draft *);

/* Whole lines of a section behind what is there. */
void draft_take(struct draft *, enum draft_kind, struct span lines);

/* Can this be a field's name? */
bool draft_is_name(const char *);

/*
 * What a filter says.  spaced: the value has what stands behind the colon,
 * else a blank is put there.  Values may have several lines; those that would
 * be read as something else are made continuations.  False: the name is none,
 * and nothing changed.
 */
bool draft_add(
    struct draft *, const char *name, const char *value, bool spaced);

/*
 * At that place of the message as it is delivered: 0 is in front of our own
 * Received, 1 behind it, and both are below what is ours.
 */
bool draft_insert(struct draft *, size_t index, const char *name,
    const char *value, bool spaced);

/*
 * The index-th (from 1; 0 is 1) of that name; an empty value deletes it.
 * One that is not there is added.
 */
bool draft_change(struct draft *, size_t index, const char *name,
    const char *value, bool spaced);

/* Does one that a filter added say that the message is spam? */
bool draft_is_marked(const struct draft *);

/* Those of that kind, or those of all other kinds. */
void draft_write(
    const struct draft *, enum draft_kind, bool others, struct buf *out);

#endif
