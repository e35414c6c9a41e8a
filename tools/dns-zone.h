/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_ZONE_H
#define TOOLS_DNS_ZONE_H

#include <stdbool.h>

/*
 * Records on standard output: as a fragment of a zone file (RFC 1035 section
 * 5.1), or as an array of JSON.  What does not belong to the domain stands
 * in the fragment as a comment, so that all of it can be taken as it is.
 */
struct zone {
	const char *domain;
	bool json;
	bool any;
};

void zone_begin(struct zone *);
void zone_end(struct zone *);

/* An explanation; none in JSON.  Lines of at most 76 octets, LF between. */
void zone_note(struct zone *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A paragraph's end. */
void zone_gap(struct zone *);

/* Names without their final dot; data as a zone file has it. */
void zone_record(struct zone *, const char *owner, const char *type,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A TXT record; a long text becomes several strings (section 3.3). */
void zone_text(struct zone *, const char *owner, const char *text);

/* Is this name the domain's or below it? */
bool zone_has(const struct zone *, const char *name);

#endif
