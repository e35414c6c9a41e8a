/* SPDX-License-Identifier: ISC */
#ifndef COMMON_STREAM_H
#define COMMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/cursor.h"

/*
 * A conversation with a peer over a socket (or a pair of pipes): buffered
 * lines in and out, with one deadline over a whole command or reply, so that
 * neither silence nor a byte now and then holds a process.
 *
 * Writes are collected until stream_flush(); a reader that would wait
 * flushes first, so replies to pipelined commands leave together
 * (RFC 2920 section 3.1).
 */
enum stream_result {
	STREAM_OK,
	STREAM_EOF,	 /* the peer closed */
	STREAM_TIMEOUT,	 /* the deadline passed */
	STREAM_TOO_LONG, /* a line over the limit: skipped up to its end */
	STREAM_ERROR,	 /* errno */
	STREAM_STOP	 /* stop_fd became readable between two lines, or the
			  * time that hurry_fd leaves is over */
};

/*
 * What may lie between a stream and its descriptors (common/tls.h).  Nothing
 * here waits: -1 with EAGAIN sets *events to what must become possible first,
 * POLLIN or POLLOUT.  read: 0 at the end that the peer declared; one that it
 * did not declare is ECONNRESET.
 */
struct stream_layer {
	ssize_t (*read)(void *, void *octets, size_t n, short *events);
	ssize_t (*write)(void *, const void *octets, size_t n, short *events);
	void (*end)(void *); /* say so to the peer where that needs no wait;
			      * frees the context, leaves the descriptors */
};

struct stream {
	int in, out;
	/*
	 * When this becomes readable (worker_stop_fd() of common/prefork.h), a
	 * reader that waits for the first octet of a line returns STREAM_STOP.
	 * -1: none.
	 */
	int stop_fd;
	/*
	 * Once this is readable no wait, of whatever kind, goes on for longer
	 * than until hurry_ms after that was seen, and one that would have to
	 * is a STREAM_STOP.  hurry_ms may change at any time.  -1: none.
	 */
	int hurry_fd;
	int64_t hurry_ms;
	int64_t hurried;  /* when it was seen, monotonic; negative: not yet */
	int64_t deadline; /* monotonic, negative: none */
	struct buf input, output;
	size_t taken;	  /* octets of input already given out */
	bool skipping;	  /* in the rest of a line that was too long */
	bool broken;	  /* a write failed: later ones do nothing */
	uint64_t octets_in, octets_out; /* above the layer */
	const struct stream_layer *layer;
	void *layer_context;
};

enum { STREAM_INPUT = 65536 };

/* Descriptors become non-blocking and the stream's. */
void stream_init(struct stream *, int in, int out);
void stream_close(struct stream *);

/*
 * From now on through this layer, whose context is the stream's.  Input that
 * came without it is forgotten: it may be an attacker's (A3, A4).
 */
void stream_layer(
    struct stream *, const struct stream_layer *, void *context);

/* Forget the input that came already; was there any? */
bool stream_discard(struct stream *);

/*
 * Wait until the descriptor for these events (POLLIN or POLLOUT) is ready:
 * STREAM_OK, STREAM_TIMEOUT when the deadline has passed (STREAM_STOP: what
 * hurry_fd leaves), also where nobody would have to wait, or STREAM_ERROR.
 */
enum stream_result stream_wait(struct stream *, short events);

/* hurry_fd was readable, and the time that it leaves is over. */
bool stream_must_stop(const struct stream *);

/* Milliseconds that a wait may take by both, for poll(2); negative: any. */
int stream_left(const struct stream *);

/* All of what follows must end within this many milliseconds from now. */
void stream_limit(struct stream *, int64_t ms);

/*
 * The next line without its CRLF; valid until the next call that reads (any
 * of those below but the ones that put).  At
 * most max octets with the CRLF.  *bare tells of a line that ended in LF
 * alone.
 */
enum stream_result stream_line(
    struct stream *, size_t max, struct span *line, bool *bare);

/*
 * What has come and was not yet taken, waiting for at least one octet; then
 * stream_took() says how much of it was used.
 */
enum stream_result stream_peek(struct stream *, struct span *octets);
void stream_took(struct stream *, size_t n);

/* Overwrite what was taken of the input, where it was a secret. */
void stream_wipe(struct stream *);

/*
 * Input, or its end, that has come already: the peer did not wait for the
 * answer.  Under a layer: of what passes it, not of what it says itself.
 */
bool stream_has_input(struct stream *);

/* Collected; failures show at the next flush. */
void stream_put(struct stream *, const void *octets, size_t n);
void stream_puts(struct stream *, const char *text);
void stream_printf(struct stream *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum stream_result stream_flush(struct stream *);

#endif
