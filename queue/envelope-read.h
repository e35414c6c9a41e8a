/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ENVELOPE_READ_H
#define QUEUE_ENVELOPE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cursor.h"
#include "queue/envelope.h"

/*
 * What the files that read an envelope share: queue/envelope-words.c (what
 * stands in a line), -fields.c (lines up to the end line), -outcomes.c (those
 * behind it) and -parse.c (the file).
 */

/* A reading: where it stands, and the first thing that is wrong. */
struct reading {
	struct envelope *e;
	struct cursor file;
	struct cursor line; /* behind its verb and blank */
	unsigned number;
	const char *why;
	bool no_memory;
	bool brief; /* where it came from is not kept */
};

/* Each kind of line: its verb, how often it may stand there, its reader. */
struct field {
	const char *name;
	enum { ONCE, PERHAPS, REPEATED } times;
	bool (*read)(struct reading *);
};

extern const struct field envelope_fields[];   /* in this order */
extern const struct field envelope_outcomes[]; /* in any; NULL ends both */

/* -- words; false, with the reason kept, when they are bad -- */

bool read_bad(struct reading *, const char *why); /* false */

/*
 * Undo envelope_escape() up to the octet stop, which is taken, or to the end
 * of the line (stop 0).  Into out, of max + 1 octets.
 */
bool read_text(struct reading *, unsigned char stop, char *out, size_t max);

/* The rest of the line; *where becomes the envelope's; NULL: not kept. */
bool read_line_text(struct reading *, char **where);

/* " NAME=VALUE", up to the next blank; out is "" when it is not there. */
bool read_option(struct reading *, const char *name, char *out, size_t max);

bool read_address(struct reading *, char *out); /* <ADDRESS> */
bool read_number(struct reading *, uint64_t max, uint64_t *);
bool read_seconds(struct reading *, int64_t *);
bool read_index(struct reading *, size_t *); /* of a recipient */
bool read_at_end(struct reading *);

/* A copy; NULL without memory. */
char *read_keep(struct reading *, const char *text);

bool read_add_recipient(struct reading *, const char *address, size_t parent);

#endif
