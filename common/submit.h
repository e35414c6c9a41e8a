/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SUBMIT_H
#define COMMON_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/dkim_facts.h"
#include "common/dsn.h"
#include "common/protocol.h"
#include "common/verdict.h"

/*
 * The submitter's half of the conversation with queue (common/protocol.h),
 * one message at a time over one connection:
 *
 *	struct submission s = {.queue = fd};
 *	verdict = submit_open(&s, -1, deadline);
 *	... write the message to s.writer, headers with s.id and s.time ...
 *	verdict = submit_commit(&s, &envelope, deadline);
 *
 * VERDICT_OK from submit_commit means that the message is on stable storage
 * and queue's.  After any other answer nothing is left of it, both
 * descriptors are closed, and unless `lost` is set the connection is good
 * for another message.  Deadlines are common/clock.h's, monotonic.
 */
struct submit_ahead;

struct submission {
	struct submit_ahead *ahead; /* the connection's; NULL: none */
	int queue; /* the connection; stays the caller's */
	bool lost; /* the connection is of no more use */
	char id[PROTOCOL_ID_MAX + 1];
	time_t time; /* when it was opened, for Received */
	int writer;  /* valid between open and commit or abort, else -1 */
	int reader;
	/* the recipient that was refused, "" when it was not about one */
	char refused[PROTOCOL_ADDRESS_MAX + 1];
};

/*
 * The next message of a connection, asked for in one breath with the end of
 * the one before, so that it needs no question when its turn comes.  All
 * zeros: none.
 */
struct submit_ahead {
	bool asked; /* the answer has not been read */
	bool held;
	char id[PROTOCOL_ID_MAX + 1];
	int writer, reader;
};

/* Read the answer if it has come. */
void submit_collect(struct submit_ahead *, int queue);

/* Its connection is of no more use, or the caller has closed it. */
void submit_forget(struct submit_ahead *);

enum { SUBMIT_JUNK_MAX = 32 };

struct submit_envelope {
	const char *sender;            /* "": the null reverse-path */
	const char *const *recipients; /* at least one */
	size_t nrecipients;
	const struct dsn_recipient *asked; /* of each; NULL: of none */
	enum dsn_ret ret;
	const char *envid; /* NULL: none */
	const char *junk;  /* what makes it suspect, a word of a-z, 0-9 and
	                    * "-", at most SUBMIT_JUNK_MAX; NULL: nothing.
	                    * For smtpd alone to say */
	const char *hold; /* why it waits for the postmaster to release it, at
	                   * most PROTOCOL_TEXT_MAX octets; NULL: it does not.
	                   * Likewise */
	uint64_t start; /* octets before the part that may leave the house */
	uint64_t wire;  /* octets of the whole content with CRLF line ends */
	bool eight_bit; /* BODY=8BITMIME, RFC 6152 */
	bool utf8;      /* SMTPUTF8, RFC 6531 */
	const char *client, *helo, *protocol; /* for the log; "" if unknown */
	/*
	 * What is signed when it leaves; NULL: nothing, and why (for the log;
	 * NULL: nobody has looked).
	 */
	const struct dkim_facts *facts;
	const char *unsigned_because;
};

/*
 * Is there room for a message of so many octets?  VERDICT_OK,
 * VERDICT_DISK_FULL, or what is wrong with queue (and `lost`).
 */
enum verdict submit_room(
    struct submission *, uint64_t size, int64_t deadline_ms);

/*
 * client_fd: the client's socket, when queue is to look who calls; or -1.
 * size: octets that it is said to have, 0: unknown.  The answer may take
 * some seconds while deliveries cannot keep up.
 */
enum verdict submit_open(struct submission *, int client_fd, uint64_t size,
    int64_t deadline_ms);

/*
 * Of an open message, once: *fd is a file to write and to read, the caller's,
 * for what is copied to s->writer when its headers are known.
 */
enum verdict submit_scratch(
    struct submission *s, int *fd, int64_t deadline_ms);

/* Closes the writer first: queue takes no file that anybody could change. */
enum verdict submit_commit(
    struct submission *, const struct submit_envelope *, int64_t deadline_ms);

/* At any time; does nothing when no message is open. */
void submit_abort(struct submission *);

/* The verdict for a write or sync of the message that failed with errno. */
enum verdict submit_storage_failed(void);

#endif
