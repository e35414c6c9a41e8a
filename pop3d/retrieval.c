/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/lines.h"
#include "common/log.h"
#include "pop3d/number.h"
#include "pop3d/pop3.h"
#include "pop3d/top.h"

/* RETR and TOP: from the descriptor to the wire in large blocks. */

enum { BLOCK = 32768, COLLECT = 65536 };

/* Nobody who takes less than this a second keeps a process busy for long. */
enum { OCTETS_A_SECOND = 1024 };

static bool
flush(struct pop3 *p)
{
	enum stream_result result = stream_flush(&p->stream);

	if (result == STREAM_OK)
		return true;
	pop3_end(p, result == STREAM_TIMEOUT ? "timeout" : "connection lost");
	return false;
}

/* Translated where it will be sent from: no copy of a copy. */
static bool
put_block(
    struct pop3 *p, struct dot_writer *writer, const char *block, size_t n)
{
	struct buf *out = &p->stream.output;

	if (out->len + DOT_WRITE_SIZE(n) > COLLECT && !flush(p))
		return false;
	if (!buf_reserve(out, DOT_WRITE_SIZE(n))) {
		pop3_end(p, "out of memory");
		return false;
	}
	out->len += dot_write(writer, block, n, out->data + out->len);
	return true;
}

static ssize_t
read_block(int fd, char *block)
{
	ssize_t n;

	do
		n = read(fd, block, BLOCK);
	while (n == -1 && errno == EINTR);
	return n;
}

/*
 * False when it could not be sent whole; then the connection is over, since
 * the client could not tell the rest from the message's end.
 */
static bool
send_message(struct pop3 *p, int fd, struct top *top)
{
	static char block[BLOCK];
	struct dot_writer writer;
	char end[8];
	ssize_t n;
	size_t wanted;

	dot_writer_init(&writer, true);
	do {
		n = read_block(fd, block);
		if (n == -1) {
			log_errno(LEVEL_ERROR, "cannot read", "message");
			pop3_end(p, "unreadable message");
			return false;
		}
		wanted = top_take(top, block, (size_t)n);
		if (!put_block(p, &writer, block, wanted))
			return false;
	} while (n == BLOCK && wanted == BLOCK);
	stream_put(&p->stream, end, dot_write_end(&writer, end, true));
	return !p->stream.broken;
}

static void
allow_time(struct pop3 *p, uint64_t octets)
{
	uint64_t most =
	    octets / OCTETS_A_SECOND < 86400 ? octets / OCTETS_A_SECOND : 86400;

	stream_limit(
	    &p->stream, (int64_t)(p->config->pop3_timeout + most) * 1000);
}

static int
open_message(struct pop3 *p, uint64_t number, uint64_t *wire)
{
	int fd = maildrop_open(&p->drop, number, wire);

	if (fd != -1)
		return fd;
	if (p->drop.broken) {
		pop3_failure(p, "the mailbox went away");
		pop3_end(p, "mailbox lost");
	} else {
		pop3_error(p,
		    "message %" PRIu64 " was removed by another program",
		    number);
	}
	return -1;
}

void
pop3_retr(struct pop3 *p, struct span args)
{
	uint64_t number, wire;
	struct top whole;
	int fd;

	if (!pop3_message(p, &args, &number))
		return;
	fd = open_message(p, number, &wire);
	if (fd == -1)
		return;
	allow_time(p, wire);
	pop3_ok(p, "%" PRIu64 " octets", wire);
	top_init(&whole, true, 0);
	if (send_message(p, fd, &whole)) {
		maildrop_seen(&p->drop, number);
		p->retrieved++;
		p->retrieved_octets += wire;
	}
	close(fd);
}

void
pop3_top(struct pop3 *p, struct span args)
{
	uint64_t number, lines, wire;
	struct top top;
	int fd;

	if (!pop3_message(p, &args, &number))
		return;
	if (number_take(&args, 0, UINT64_MAX, &lines) != NUMBER_OK) {
		pop3_error(p, "TOP needs a message and a number of lines");
		return;
	}
	fd = open_message(p, number, &wire);
	if (fd == -1)
		return;
	allow_time(p, wire);
	pop3_ok(p, "top of message %" PRIu64, number);
	top_init(&top, false, lines);
	(void)send_message(p, fd, &top);
	close(fd);
}
