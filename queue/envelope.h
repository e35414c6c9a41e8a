/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/dsn.h"
#include "common/signature.h"

/*
 * An envelope file: lines of text, described in postrider-spool(5).  The
 * part up to the end line is written at once and never changes; outcomes are
 * appended, each line in one write.
 *
 *	postrider-envelope 4	1 to 3 are read, too; 3 where nothing needs more
 *	content OCTETS		of new/ID or cur/ID
 *	start OCTETS		of them, that stay in this house
 *	wire OCTETS		of all of it with CRLF
 *	time SECONDS.MICROS	when it was accepted
 *	sender <ADDRESS>	<> is the null reverse-path
 *	body 7bit|8bitmime
 *	utf8 0|1
 *	client TEXT		host[address] that sent it
 *	helo TEXT
 *	protocol TEXT
 *	login TEXT		only with a login
 *	uid NUMBER		only from a local user
 *	ret full|hdrs		what to return with a report, if asked
 *	envid TEXT		the sender's name for it, if told
 *	junk WORD		only where it is suspect: why
 *	hold TEXT		only where it is held from the beginning: why
 *	dkim TEXT		a DKIM-Signature field that stands in front of
 *				what leaves this house; at most SIGNATURES_MAX
 *	recipient <ADDRESS> [notify=WORD,...] [orcpt=TYPE;ADDRESS]
 *				one line each, numbered from 0; what was asked
 *				about reports (common/dsn.h)
 *	end COUNT
 *	delivered N TIME DSN RELAY TEXT
 *	relayed N TIME DSN RELAY TEXT
 *				delivered to a host that knows nothing of
 *				reports: to tell of success is up to us
 *	deferred N TIME DSN RELAY TEXT
 *	failed N TIME DSN RELAY TEXT
 *	bounced N TIME TEXT	the sender knows (TEXT: the report's id)
 *	expanded N TIME <ADDRESS>...
 *				N was an alias; these follow the recipients
 *				that there are, and are numbered on
 *	warned TIME N...	the sender was told that these are delayed
 *	told TIME N...		the sender was told of these' success
 *	held TIME TEXT		by the postmaster, and why
 *	released TIME		no longer
 *	requeued TIME		as if it had come just now (envelope_requeue())
 *	attempt TIME NEXT	an attempt ended, the next is due at NEXT
 *
 * Control characters, backslashes, ill-formed UTF-8, and where a blank ends
 * the field also blanks and ">", are written \xHH.
 */
enum {
	ENVELOPE_VERSION = 4,
	ENVELOPE_RECIPIENTS_MAX = 10000,
	ENVELOPE_DEPTH_MAX = 10, /* aliases of aliases */
	ENVELOPE_TEXT_MAX = 512, /* of an outcome */
	ENVELOPE_DSN_MAX = 12,   /* 5.123.123 */
	ENVELOPE_JUNK_MAX = 32,  /* SUBMIT_JUNK_MAX */
	ENVELOPE_FILE_MAX = 64 << 20,
	/* Beyond this size outcomes that are not final are not recorded. */
	ENVELOPE_FILE_SPARING = 16 << 20
};

enum recipient_state {
	RECIPIENT_PENDING, /* also when deferred */
	RECIPIENT_DELIVERED,
	RECIPIENT_FAILED, /* for good, and the sender does not know it */
	RECIPIENT_BOUNCED,
	RECIPIENT_EXPANDED
};

struct recipient {
	char *address;  /* owned, like all text here */
	uint32_t hash;  /* of the address */
	size_t parent;  /* the alias it came from; itself when from none */
	unsigned depth; /* aliases above it */
	enum recipient_state state;
	unsigned notify; /* of enum dsn_notify; of those from aliases: 0 */
	char *orcpt;     /* NULL: none */
	bool relayed;    /* delivered, and to tell of it is up to us */
	bool warned;     /* its delay was reported */
	bool told;       /* its success was reported */
	size_t members;  /* of an alias: those that came of it and count */
	bool gone;       /* of an alias that is to be looked up again: it is
	                  * nobody's any more, and EXPANDED */
	bool settled;    /* envelope_requeue()'s */
	int64_t when;    /* of the last outcome; 0: none */
	char dsn[ENVELOPE_DSN_MAX + 1];
	char *relay, *text; /* of the last outcome, NULL: none */
};

struct envelope {
	uint64_t content, start, wire;
	int64_t time;    /* seconds */
	uint32_t micros; /* of the second; puts mailboxes in order */
	char *sender, *client, *helo, *protocol;
	char *login; /* NULL: none */
	int64_t uid; /* -1: none */
	bool eight_bit, utf8;
	enum dsn_ret ret;
	char *envid; /* NULL: none */
	char *junk;  /* NULL: it is not suspect */
	size_t nsignatures;
	char *signatures[SIGNATURES_MAX]; /* common/signature.h */
	char *held;  /* why it is held; NULL: it is not */
	int64_t held_since;
	int64_t released; /* when it was, if that was the last; 0: never */
	size_t n;
	struct recipient *recipients;
	unsigned attempts;
	int64_t attempted, next; /* of the last attempt line; 0: none */
	bool outcomes;           /* it has any: it was acknowledged */
	uint64_t whole;          /* octets up to the last complete line */
	bool unended;            /* of which the line end is missing */
};

enum envelope_result {
	ENVELOPE_WHOLE,
	ENVELOPE_TORN, /* a good beginning of one, cut short before its end */
	ENVELOPE_BAD,
	ENVELOPE_NO_MEMORY
};

/* Empty, with nothing allocated. */
void envelope_init(struct envelope *);
void envelope_free(struct envelope *);

/*
 * Read one.  Unless the result is ENVELOPE_WHOLE it is left empty.  *why (a
 * static phrase) and *line tell what is bad.
 */
enum envelope_result envelope_parse(struct envelope *, const void *octets,
    size_t n, const char **why, unsigned *line);

/*
 * The same, of which client, helo and protocol are NULL, and which has no
 * signatures: for whoever reads a hundred thousand.
 */
enum envelope_result envelope_parse_brief(
    struct envelope *, const void *octets, size_t n);

/* The part up to the end line. */
bool envelope_format(const struct envelope *, struct buf *);

/* False: no memory, or too many of them. */
bool envelope_add_recipient(
    struct envelope *, const char *address, size_t parent);

/* What its sender asked (copied); false without memory. */
bool envelope_ask(
    struct envelope *, size_t index, const struct dsn_recipient *);

/* A signature (copied); false without memory, or when there is no place. */
bool envelope_sign(struct envelope *, const char *field);

/* Forget those from n on. */
void envelope_truncate(struct envelope *, size_t n);

/* A recipient's new state, with what is known about it (texts copied). */
struct outcome {
	enum recipient_state state; /* RECIPIENT_PENDING: deferred */
	int64_t when;
	const char *dsn, *relay, *text; /* relay NULL: none */
	bool relayed; /* delivered, and to tell of it is up to us */
};

/* Note it here; false without memory, and nothing changed. */
bool envelope_note(struct envelope *, size_t index, const struct outcome *);

/* Its line, to be appended to the file. */
void envelope_outcome_line(struct buf *, size_t index, const struct outcome *);
void envelope_attempt_line(struct buf *, int64_t when, int64_t next);

/* That a report of delay, or of success, about these n was committed. */
void envelope_warned_line(
    struct buf *, int64_t when, const size_t *index, size_t n);
void envelope_told_line(
    struct buf *, int64_t when, const size_t *index, size_t n);

/*
 * It is held, and released.  The first two note it here (false: no memory),
 * the others make the lines to be appended.
 */
bool envelope_hold(struct envelope *, int64_t when, const char *why);
void envelope_release(struct envelope *, int64_t when);
void envelope_held_line(struct buf *, int64_t when, const char *why);
void envelope_released_line(struct buf *, int64_t when);

/*
 * As if it had come just now: attempts, and what was said about those who
 * wait, are forgotten, and an alias of whose members none has an outcome that
 * is final is one to be looked up again.
 */
void envelope_requeue(struct envelope *);
void envelope_requeued_line(struct buf *, int64_t when);

/*
 * That this alias became the recipients from first on.  One line for all of
 * them, so that it is torn or there, never half.
 */
void envelope_expanded_line(
    struct buf *, const struct envelope *, size_t index, size_t first);

/* How many recipients are in that state. */
size_t envelope_count(const struct envelope *, enum recipient_state);

/* The recipient that the sender wrote, from which this one came. */
const struct recipient *envelope_original(const struct envelope *, size_t);

/*
 * What the sender asked about reports on this one: what he asked of the
 * recipient that it came from.  Where that is an alias of several the sender
 * is told that it was expanded, and no more of success (RFC 3461 section
 * 5.2.7.3 (c)).
 */
unsigned envelope_notify(const struct envelope *, size_t);

/*
 * The recipient as the sender first had it: ORCPT, else made from the
 * recipient that the sender wrote (section 5.2.1 (d)).  False: none.
 */
bool envelope_orcpt(
    const struct envelope *, size_t, char out[DSN_ORCPT_MAX + 1]);

/*
 * What an alias leads to is a new recipient unless a live one (not itself an
 * alias) has that address already.  Then that one's outcome stands for both.
 */
bool envelope_has_leaf(const struct envelope *, const char *address);

/* Is this recipient's address one of the aliases that it came from? */
bool envelope_loops(const struct envelope *, size_t index);

/* May this word stand in a junk line?  Of a-z, 0-9 and "-". */
bool envelope_is_junk(const char *word);

/* Of a text, for quick comparisons. */
uint32_t envelope_hash(const char *text);

/* \xHH as above; blanks and ">" too when told. */
void envelope_escape(struct buf *, const char *text, bool blanks);

#endif
