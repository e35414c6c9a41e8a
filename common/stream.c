/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* madvise */
#include "common/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"

/* What is collected before it is written whatever else happens. */
enum { OUTPUT_ENOUGH = 16384, OUTPUT_MAX = 1 << 20, READ_SIZE = 16384 };

/* Who is silent for so long may be so for hours. */
enum { IDLE_MS = 1000 };

static void
set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags != -1)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void
stream_init(struct stream *s, int in, int out)
{
	memset(s, 0, sizeof(*s));
	s->in = in;
	s->out = out;
	s->deadline = -1;
	s->stop_fd = s->hurry_fd = -1;
	s->hurried = -1;
	s->input = BUF_INIT(STREAM_INPUT);
	s->output = BUF_INIT(OUTPUT_MAX);
	set_nonblocking(in);
	if (out != in)
		set_nonblocking(out);
}

void
stream_close(struct stream *s)
{
	if (s->layer != NULL)
		s->layer->end(s->layer_context);
	close(s->in);
	if (s->out != s->in)
		close(s->out);
	buf_free(&s->input);
	buf_free(&s->output);
}

void
stream_limit(struct stream *s, int64_t ms)
{
	s->deadline = clock_monotonic_ms() + ms;
}

bool
stream_must_stop(const struct stream *s)
{
	return s->hurried >= 0 && clock_left(s->hurried + s->hurry_ms) == 0;
}

int
stream_left(const struct stream *s)
{
	int64_t end = s->hurried + s->hurry_ms;
	bool hurries =
	    s->hurried >= 0 && (s->deadline < 0 || end < s->deadline);

	return clock_left(hurries ? end : s->deadline);
}

static enum stream_result
time_is_over(const struct stream *s)
{
	return stream_must_stop(s) ? STREAM_STOP : STREAM_TIMEOUT;
}

static enum stream_result
wait_for(struct stream *s, short events, bool may_stop)
{
	int fd = events & POLLOUT ? s->out : s->in;
	struct pollfd pollers[3] = {{.fd = fd, .events = events},
	    {.fd = may_stop ? s->stop_fd : -1, .events = POLLIN},
	    {.fd = s->hurry_fd, .events = POLLIN}};
	int n;

	for (;;) {
		if (s->hurried >= 0)
			pollers[2].fd = -1;
		n = poll(pollers, 3, stream_left(s));
		if (n == -1 && errno != EINTR)
			return STREAM_ERROR;
		if (n == 0)
			return time_is_over(s);
		if (n > 0 && pollers[0].revents != 0)
			return STREAM_OK;
		if (n > 0 && pollers[1].revents != 0)
			return STREAM_STOP;
		if (n > 0)
			s->hurried = clock_monotonic_ms();
	}
}

enum stream_result
stream_wait(struct stream *s, short events)
{
	if (stream_left(s) == 0)
		return time_is_over(s);
	return wait_for(s, events, false);
}

/* -- with or without a layer -- */

static ssize_t
read_some(struct stream *s, char *octets, size_t n, short *events)
{
	*events = POLLIN;
	if (s->layer != NULL)
		return s->layer->read(s->layer_context, octets, n, events);
	return read(s->in, octets, n);
}

static ssize_t
write_some(struct stream *s, const char *octets, size_t n, short *events)
{
	*events = POLLOUT;
	if (s->layer != NULL)
		return s->layer->write(s->layer_context, octets, n, events);
	return write(s->out, octets, n);
}

void
stream_layer(struct stream *s, const struct stream_layer *layer, void *context)
{
	(void)stream_discard(s);
	s->layer = layer;
	s->layer_context = context;
}

/* -- writing -- */

enum stream_result
stream_flush(struct stream *s)
{
	size_t done = 0;
	enum stream_result result = STREAM_OK;
	short events;

	while (!s->broken && done < s->output.len) {
		ssize_t n = write_some(
		    s, s->output.data + done, s->output.len - done, &events);

		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		result =
		    errno == EAGAIN ? wait_for(s, events, false) : STREAM_ERROR;
		if (result != STREAM_OK)
			s->broken = true;
	}
	s->octets_out += done;
	buf_reset(&s->output);
	if (s->broken && result == STREAM_OK)
		result = STREAM_ERROR;
	return result;
}

void
stream_put(struct stream *s, const void *octets, size_t n)
{
	if (s->output.len + n > OUTPUT_ENOUGH && s->output.len > 0)
		(void)stream_flush(s);
	if (!s->broken && !buf_add(&s->output, octets, n))
		s->broken = true;
	if (s->output.len > OUTPUT_ENOUGH)
		(void)stream_flush(s);
}

void
stream_puts(struct stream *s, const char *text)
{
	stream_put(s, text, strlen(text));
}

void
stream_printf(struct stream *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!s->broken && !buf_addv(&s->output, format, args))
		s->broken = true;
	va_end(args);
	if (s->output.len > OUTPUT_ENOUGH)
		(void)stream_flush(s);
}

/* -- reading -- */

static size_t
untaken(const struct stream *s)
{
	return s->input.len - s->taken;
}

#ifdef MADV_DONTNEED
/* Packets stand on the stack: deep calls have left pages behind below us. */
static void
give_stack_back(void)
{
	enum { ROOM = 2048, MOST = 256 << 10 };
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = ((uintptr_t)&page - ROOM) / page * page;

	/* Most of that is not mapped, which it says; the rest is done. */
	(void)madvise((void *)(end - MOST), MOST, MADV_DONTNEED);
}
#endif

/*
 * A mail server holds thousands of clients that say nothing: buffers, and
 * what a TLS handshake or a message has left behind, are not kept for them.
 */
static void
give_memory_back(struct stream *s)
{
	buf_free(&s->output);
	if (untaken(s) == 0) {
		stream_wipe(s);
		buf_free(&s->input);
		s->taken = 0;
	}
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
#ifdef MADV_DONTNEED
	give_stack_back();
#endif
}

static enum stream_result
wait_for_input(struct stream *s, short events, bool may_stop)
{
	int64_t deadline = s->deadline, idle = clock_monotonic_ms() + IDLE_MS;
	enum stream_result result;

	if (deadline < 0 || deadline > idle)
		s->deadline = idle;
	result = wait_for(s, events, may_stop);
	if (result == STREAM_TIMEOUT && s->deadline != deadline) {
		give_memory_back(s);
		s->deadline = deadline;
		result = wait_for(s, events, may_stop);
	}
	s->deadline = deadline;
	return result;
}

/* Read what has come already: as read(2). */
static ssize_t
read_input(struct stream *s, short *events)
{
	ssize_t n;

	if (s->taken > 0) {
		buf_consume(&s->input, s->taken);
		s->taken = 0;
	}
	if (!buf_reserve(&s->input, READ_SIZE)) {
		errno = ENOMEM;
		return -1;
	}
	n = read_some(s, s->input.data + s->input.len, READ_SIZE, events);
	if (n > 0) {
		s->input.len += (size_t)n;
		s->octets_in += (uint64_t)n;
	}
	return n;
}

/* Read what has come into the input, waiting for at least one octet. */
static enum stream_result
fill(struct stream *s, bool may_stop)
{
	/* Who waits for our words has sent nothing yet. */
	bool early = s->output.len > 0 && s->layer == NULL;
	enum stream_result result = stream_flush(s);
	short events;

	while (result == STREAM_OK) {
		/* Who never lets us wait must come to an end, too (A21); a
		 * layer may be kept busy with what is no input. */
		if (stream_left(s) == 0)
			return time_is_over(s);
		if (early) {
			early = false;
			result = wait_for_input(s, POLLIN, may_stop);
			continue;
		}
		ssize_t n = read_input(s, &events);
		if (n > 0)
			return STREAM_OK;
		if (n == 0 || errno == ECONNRESET)
			return STREAM_EOF;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return STREAM_ERROR;
		result = wait_for_input(s, events, may_stop);
	}
	return result;
}

bool
stream_discard(struct stream *s)
{
	bool any = untaken(s) > 0;

	s->taken = s->input.len;
	s->skipping = false;
	return any;
}

/* Throw away up to the end of the line; its length no longer matters. */
static enum stream_result
skip_line(struct stream *s)
{
	for (;;) {
		const char *from = s->input.data + s->taken;
		const char *end =
		    untaken(s) > 0 ? memchr(from, '\n', untaken(s)) : NULL;

		if (end != NULL) {
			s->taken += (size_t)(end - from) + 1;
			s->skipping = false;
			return STREAM_TOO_LONG;
		}
		s->taken = s->input.len;
		enum stream_result result = fill(s, false);
		if (result != STREAM_OK)
			return result;
	}
}

enum stream_result
stream_line(struct stream *s, size_t max, struct span *line, bool *bare)
{
	size_t searched = 0;

	if (max > STREAM_INPUT - READ_SIZE)
		max = STREAM_INPUT - READ_SIZE;
	while (!s->skipping) {
		size_t have = untaken(s);
		const char *from = have > 0 ? s->input.data + s->taken : NULL;
		const char *end = have > searched
		    ? memchr(from + searched, '\n', have - searched)
		    : NULL;

		if (end != NULL && (size_t)(end - from) < max) {
			size_t n = (size_t)(end - from);

			s->taken += n + 1;
			*bare = n == 0 || from[n - 1] != '\r';
			*line = (struct span){from, *bare ? n : n - 1};
			return STREAM_OK;
		}
		if (end != NULL || have >= max) {
			s->skipping = true;
			break;
		}
		searched = have;
		enum stream_result result = fill(s, have == 0);
		if (result != STREAM_OK)
			return result;
	}
	return skip_line(s);
}

enum stream_result
stream_peek(struct stream *s, struct span *octets)
{
	if (untaken(s) == 0) {
		enum stream_result result = fill(s, false);

		if (result != STREAM_OK)
			return result;
	}
	*octets = (struct span){s->input.data + s->taken, untaken(s)};
	return STREAM_OK;
}

void
stream_took(struct stream *s, size_t n)
{
	s->taken += n < untaken(s) ? n : untaken(s);
}

void
stream_wipe(struct stream *s)
{
	size_t behind = s->input.len;

	if (s->input.data == NULL)
		return;
	explicit_bzero(s->input.data, s->taken);
	explicit_bzero(s->input.data + behind, s->input.cap - behind);
}

bool
stream_has_input(struct stream *s)
{
	struct pollfd poller = {.fd = s->in, .events = POLLIN};
	short events;

	if (untaken(s) > 0)
		return true;
	if (s->layer != NULL)
		return read_input(s, &events) >= 0 || errno != EAGAIN;
	return poll(&poller, 1, 0) > 0;
}
