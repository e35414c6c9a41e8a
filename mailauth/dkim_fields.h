/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_FIELDS_H
#define MAILAUTH_DKIM_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cursor.h"

/*
 * The fields that we sign (RFC 6376 section 5.4.1), in the order of h=.
 *
 * Those that a reader sees, and those that say how the body is to be read,
 * are signed once more than they are there, so that nobody can add one.
 * Those that a mailing list or who sends a message on has a right to add are
 * signed as they are: Sender, List-*, Resent-*.  Trace fields are not.
 */
struct dkim_signed_name {
	const char *name; /* lower case */
	bool once_more;
};

extern const struct dkim_signed_name dkim_signed_names[];
extern const size_t dkim_signed_names_count;

/*
 * The next line of a dkim_facts' fields, its CRLF cut off; *bare: a name
 * alone, for a field that is not there.  False: the end, or no such line
 * (then something is left).
 */
bool dkim_fields_next(
    struct span *rest, struct span *line, struct span *name, bool *bare);

#endif
