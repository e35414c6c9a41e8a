/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_CANON_H
#define MAILAUTH_DKIM_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cursor.h"
#include "mailauth/header.h"

/*
 * The canonical forms of RFC 6376 section 3.4.  Text with LF line ends goes
 * in, with CRLF comes out, in pieces, and nothing is kept but a few KiB.
 */
typedef void dkim_canon_taker(void *context, const char *octets, size_t n);

struct dkim_canon {
	dkim_canon_taker *take;
	void *context;
	bool relaxed;
	/* its own */
	bool begun;     /* blanks from here on count */
	bool blank;     /* white space is owed, if something follows it */
	bool any;       /* the body has more than empty lines */
	uint64_t ends;  /* line ends that are owed, if something follows */
	size_t n;
	char out[4096]; /* not given out yet */
};

void dkim_canon_init(struct dkim_canon *, bool relaxed, dkim_canon_taker *,
    void *context);

/* -- the body (sections 3.4.3, 3.4.4): any split gives the same -- */
void dkim_canon_body(struct dkim_canon *, const char *octets, size_t n);
void dkim_canon_body_end(struct dkim_canon *);

/*
 * -- a header field (sections 3.4.1, 3.4.2) --
 *
 * Without the octets of hole, which lie in its value (section 3.7: of b=);
 * an empty span leaves it whole.  Without its last CRLF.
 */
void dkim_canon_field(
    struct dkim_canon *, const struct header_field *, struct span hole);

/* The line end, and all goes out. */
void dkim_canon_line_end(struct dkim_canon *);

/* All that is there goes out. */
void dkim_canon_flush(struct dkim_canon *);

#endif
