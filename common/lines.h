/* SPDX-License-Identifier: ISC */
#ifndef COMMON_LINES_H
#define COMMON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The byte machines between the wire (CRLF, dots stuffed, RFC 5321 section
 * 4.5.2, RFC 1939 section 3) and a stored message (LF).  Pure: octets in,
 * octets out, state in between; any split of the input gives the same
 * result.
 */

/* -- from the wire -- */

enum dot_state { DOT_MORE, DOT_END };

struct dot_reader {
	/* Everything else that RFC 5321 section 2.3.8 forbids is noted, read
	 * up to the real end, and left to the caller to refuse. */
	bool bare_cr, bare_lf, nul, eight_bit;
	/* Line in octets with its CRLF, without the dot that was doubled for
	 * transparency (RFC 5321 section 4.5.3.1.6). */
	size_t longest;
	uint64_t octets;  /* of content as on the wire with CRLF, unstuffed */
	/* the machine's own */
	unsigned state;
	size_t line;
};

void dot_reader_init(struct dot_reader *);

/*
 * Read up to n octets from the wire.  Content goes to out (at least n
 * octets), with LF line ends; *made says how many.  *used says how many
 * octets were consumed: all of them, or with DOT_END those up to and with
 * the end CRLF "." CRLF.  Only that sequence ends the data.
 */
enum dot_state dot_read(struct dot_reader *, const char *in, size_t n,
    size_t *used, char *out, size_t *made);

/* -- to the wire -- */

struct dot_writer {
	bool stuff;	   /* double a dot that begins a line */
	unsigned state;
	uint64_t octets;   /* written, stuffing not counted */
};

void dot_writer_init(struct dot_writer *, bool stuff);

/*
 * Translate n octets of a stored message.  out has at least
 * DOT_WRITE_SIZE(n).  Every line end leaves as CRLF, whatever it was (LF,
 * CRLF or a bare CR), so that nothing leaves with a bare CR or LF (A2).
 */
#define DOT_WRITE_SIZE(n) (3 * (n) + 4)
size_t dot_write(struct dot_writer *, const char *in, size_t n, char *out);

/* Complete the last line; with end also "." CRLF.  At most 5 octets. */
size_t dot_write_end(struct dot_writer *, char *out, bool end);

#endif
