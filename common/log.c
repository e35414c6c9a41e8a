/* SPDX-License-Identifier: ISC */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/utf8.h"

static struct {
	enum { SINK_STDERR, SINK_SOCKET, SINK_SYSLOG, SINK_FILE } kind;
	int fd;
	const char *program;
	enum log_level threshold;
} sink = {SINK_STDERR, STDERR_FILENO, NULL, LEVEL_INFO};

static struct {
	bool holding;
	struct buf lines;
} held = {.lines = BUF_INIT(LOG_TOGETHER_MAX)};

/* One call, so that lines of several writers do not mix. */
static void
write_out(const char *octets, size_t n)
{
	while (
	    (sink.kind == SINK_SOCKET ? send(sink.fd, octets, n, MSG_NOSIGNAL)
				      : write(sink.fd, octets, n)) == -1 &&
	    errno == EINTR)
		continue;
}

void
log_flush(void)
{
	int saved = errno;

	if (held.lines.len > 0)
		write_out(held.lines.data, held.lines.len);
	buf_reset(&held.lines);
	errno = saved;
}

/* The parent's lines are the parent's. */
static void
forget_held(void)
{
	held.holding = false;
	buf_reset(&held.lines);
}

void
log_hold(void)
{
	static bool prepared;

	if (!prepared)
		prepared = atexit(log_flush) == 0 &&
		    pthread_atfork(NULL, NULL, forget_held) == 0;
	held.holding = prepared;
}

/* Without memory for a log line there is nothing to be done about it. */
static void
put_line(enum log_level level, const char *line, size_t n)
{
	if (n >= LOG_TOGETHER_MAX - held.lines.len)
		log_flush();
	buf_add(&held.lines, line, n);
	buf_addc(&held.lines, '\n');
	if (!held.holding || level < LEVEL_INFO)
		log_flush();
}

void
log_to_socket(int fd)
{
	log_flush();
	sink.kind = SINK_SOCKET;
	sink.fd = fd;
}

void
log_to_stderr(const char *program)
{
	log_flush();
	sink.kind = SINK_STDERR;
	sink.fd = STDERR_FILENO;
	sink.program = program;
}

void
log_to_syslog(const char *program)
{
	log_flush();
	sink.kind = SINK_SYSLOG;
	sink.program = program;
	/* Opened now: a chroot taken later has no /dev/log. */
	openlog("postrider", LOG_NDELAY, LOG_MAIL);
}

void
log_to_file(int fd, const char *program)
{
	log_flush();
	sink.kind = SINK_FILE;
	sink.fd = fd;
	sink.program = program;
}

void
log_threshold(enum log_level level)
{
	sink.threshold = level;
}

/* What turns the writing direction makes a line read as another one. */
static bool
turns(uint32_t code)
{
	return code == 0x61c || code == 0x200e || code == 0x200f ||
	    (code >= 0x202a && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069);
}

static bool
is_plain(uint32_t code)
{
	return code > ' ' && code != 0x7f && code != '"' && code != '\\' &&
	    (code < 0x80 || code > 0x9f) && code != 0x2028 && code != 0x2029 &&
	    !turns(code);
}

/* Most octets of most values. */
static bool
harmless(char c, const char *special)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\' &&
	    (*special == '\0' || strchr(special, c) == NULL);
}

/*
 * special: further characters that are written by their number.  Ends where
 * more than most octets have been written, between two characters.
 */
static void
add_escaped(struct buf *out, const char *value, size_t n, const char *special,
    size_t most)
{
	size_t end = out->len + most;
	uint32_t code;
	size_t length;

	for (; n > 0 && out->len < end; value += length, n -= length) {
		for (length = 0; length < n && out->len + length < end;
		     length++)
			if (!harmless(value[length], special))
				break;
		if (length > 0) {
			buf_add(out, value, length);
			continue;
		}
		length = utf8_decode(value, n, &code);
		if (length > 0 && (is_plain(code) || code == ' ') &&
		    (length > 1 || strchr(special, (int)code) == NULL)) {
			buf_add(out, value, length);
		} else if (length == 1 && (code == '"' || code == '\\')) {
			buf_addf(out, "\\%c", (int)code);
		} else {
			if (length == 0)
				length = 1;
			for (size_t i = 0; i < length; i++)
				buf_addf(
				    out, "\\x%02x", (unsigned char)value[i]);
		}
	}
}

static void
add_value(struct buf *out, const char *value, size_t n, size_t most)
{
	bool quoted = n == 0;

	for (size_t i = 0; i < n && !quoted; i++)
		quoted = value[i] == ' ' || value[i] == '"' || value[i] == '=';
	if (quoted)
		buf_addc(out, '"');
	add_escaped(out, value, n, "", most);
	if (quoted)
		buf_addc(out, '"');
}

void
log_escape(struct buf *out, const char *value, size_t n)
{
	add_value(out, value, n, out->max);
}

/*
 * A value too long for a line loses its tail, not the rest of the line:
 * octets before and after escaping.
 */
enum { VALUE_MAX = 1024 };

static void
add_pair(struct buf *line, const struct log_pair *pair)
{
	size_t n;

	if ((pair->form == 't' || pair->form == 'a') && pair->text == NULL)
		return;
	buf_addc(line, ' ');
	buf_adds(line, pair->key);
	buf_addc(line, '=');
	switch (pair->form) {
	case 'n':
		buf_addf(line, "%lld", (long long)pair->number);
		break;
	case 'd':
		buf_addf(line, "%lld.%03lld", (long long)pair->number / 1000,
		    (long long)(pair->number < 0 ? 0 : pair->number % 1000));
		break;
	case 'a':
		buf_addc(line, '<');
		/* A quoted local part cannot end the pair and begin another. */
		n = strnlen(pair->text, VALUE_MAX);
		add_escaped(line, pair->text, n, " <>", VALUE_MAX);
		buf_addc(line, '>');
		break;
	default:
		n = strnlen(pair->text, VALUE_MAX);
		add_value(line, pair->text, n, VALUE_MAX);
	}
}

static void
add_stamp(struct buf *out)
{
	static char stamp[64];
	static time_t stamped = -1;
	int64_t now = clock_now_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;

	if (seconds != stamped) {
		gmtime_r(&seconds, &tm);
		snprintf(stamp, sizeof(stamp), "%04d-%02d-%02dT%02d:%02d:%02d",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec);
		stamped = seconds;
	}
	buf_addf(out, "%s.%03dZ ", stamp, (int)(now % 1000));
}

static void
write_stamped(enum log_level level, const char *program, int pid,
    const char *line, size_t n)
{
	struct buf whole = BUF_INIT(LOG_LINE_MAX + 256);

	if (sink.kind == SINK_FILE)
		add_stamp(&whole);
	buf_addf(&whole, "%.40s[%d]: ", program, pid);
	buf_add(&whole, line, n);
	if (buf_ok(&whole))
		put_line(level, whole.data, whole.len);
	buf_free(&whole);
}

void
log_forward(enum log_level level, const char *program, int pid,
    const char *line, size_t n)
{
	char clean[LOG_LINE_MAX];

	if (n > sizeof(clean))
		n = sizeof(clean);
	for (size_t i = 0; i < n; i++)
		clean[i] = (unsigned char)line[i] < ' ' || line[i] == 0x7f
		    ? '?'
		    : line[i];
	if (sink.kind == SINK_SYSLOG)
		syslog((int)level, "%s[%d]: %.*s", program, pid, (int)n, clean);
	else
		write_stamped(level, program, pid, clean, n);
}

void
log_write(enum log_level level, const char *event, const struct log_pair *pairs)
{
	struct buf line = BUF_INIT(LOG_LINE_MAX - 1);
	int saved = errno;

	if (level > sink.threshold)
		return;
	if (sink.kind == SINK_SOCKET)
		buf_addc(&line, (char)('0' + (int)level));
	buf_adds(&line, event);
	for (; pairs->key != NULL; pairs++)
		add_pair(&line, pairs);
	if (line.len == 0)
		; /* no memory */
	else if (sink.kind == SINK_SOCKET)
		put_line(level, line.data, line.len);
	else
		log_forward(level,
		    sink.program != NULL ? sink.program : "postrider",
		    (int)getpid(), line.data, line.len);
	buf_free(&line);
	errno = saved;
}

void
log_errno(enum log_level level, const char *event, const char *what)
{
	log_event(level, event, log_text("what", what),
	    log_text("reason", strerror(errno)));
}
