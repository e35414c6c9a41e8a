/* SPDX-License-Identifier: ISC */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdint.h>
#include <stddef.h>

/*
 * One line per event: a name and key=value pairs, in the vocabulary of
 * postrider-log(5).  Values are escaped here and nowhere else: no control
 * character, no ill-formed UTF-8 and no line break ever reaches a log, and a
 * value with a space or a quote in it is quoted.
 *
 *	log_event(LEVEL_INFO, "accepted", log_text("id", id),
 *	    log_address("from", sender), log_number("size", (int64_t)size));
 */
enum log_level { /* the numbers of RFC 5424 section 6.2.1 */
	LEVEL_ERROR = 3,
	LEVEL_WARNING = 4,
	LEVEL_INFO = 6,
	LEVEL_DEBUG = 7
};

struct log_pair {
	const char *key;  /* NULL ends a list */
	const char *text; /* with form 't' or 'a'; NULL leaves the pair out */
	int64_t number;
	char form; /* t text, a address in <>, n number, d milliseconds */
};

#define log_text(k, v)	  ((struct log_pair){.key = (k), .text = (v), .form = 't'})
#define log_address(k, v) ((struct log_pair){.key = (k), .text = (v), .form = 'a'})
#define log_number(k, v)  ((struct log_pair){.key = (k), .number = (v), .form = 'n'})
/* Milliseconds, written as seconds with three decimals. */
#define log_delay(k, v)	  ((struct log_pair){.key = (k), .number = (v), .form = 'd'})

#define log_event(level, ...) \
	log_write((level), LOG_NAME(__VA_ARGS__, 0), \
	    (const struct log_pair[]){LOG_PAIRS(__VA_ARGS__, {.key = NULL})})
#define LOG_NAME(name, ...)  name
#define LOG_PAIRS(name, ...) __VA_ARGS__

void log_write(
    enum log_level, const char *event, const struct log_pair *pairs);

/* log_event with reason= the text of errno, for a failed call. */
void log_errno(enum log_level, const char *event, const char *what);

/*
 * Where the lines go.  Until one of these is called: standard error.
 * log_to_socket: a SEQPACKET socket whose other end is the supervisor's; a
 * packet is the level's digit and the line (at most LOG_LINE_MAX octets) with
 * LF behind it, or several of those.
 */
enum { LOG_LINE_MAX = 4096, LOG_TOGETHER_MAX = 16384 };
void log_to_socket(int fd);
void log_to_stderr(const char *program);
void log_to_syslog(const char *program);
void log_to_file(int fd, const char *program);

/*
 * From now on lines wait for each other until log_flush(), which a loop calls
 * before it waits, to be written with one call.  Warnings and errors do not,
 * nor does anything in a child process.
 */
void log_hold(void);
void log_flush(void);

/* Lines above this level are dropped; LEVEL_INFO at first. */
void log_threshold(enum log_level);

/*
 * For the supervisor: a line of another process, already formed, to the
 * sink chosen above.  Control characters are replaced, nothing is read.
 */
void log_forward(
    enum log_level, const char *program, int pid, const char *line, size_t n);

/* Escape a value as log_write does; for tests and tools. */
struct buf;
void log_escape(struct buf *out, const char *value, size_t n);

#endif
