/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "build.h"
#include "common/sasl_talk.h"
#include "pop3d/number.h"
#include "pop3d/pop3.h"

/* -- the short commands -- */

static void
noop(struct pop3 *p, struct span args)
{
	(void)args;
	pop3_ok(p, "done");
}

static void
stat_drop(struct pop3 *p, struct span args)
{
	const struct maildrop *d = &p->drop;

	(void)args;
	pop3_ok(p, "%" PRIu64 " %" PRIu64, d->count - d->deleted,
	    d->octets - d->deleted_octets);
}

static void
reset(struct pop3 *p, struct span args)
{
	(void)args;
	maildrop_reset(&p->drop);
	pop3_ok(p, "%" PRIu64 " messages", p->drop.count);
}

/*
 * RFC 2449, RFC 2595, RFC 3206, RFC 5034.  USER, SASL and STLS stand there only
 * where they would be taken.
 */
static void
capabilities(struct pop3 *p, struct span args)
{
	(void)args;
	pop3_ok(p, "what this server can do");
	if (pop3_takes_passwords(p))
		stream_puts(&p->stream, "USER\r\n");
	pop3_announce_auth(p);
	if (pop3_offers_stls(p))
		stream_puts(&p->stream, "STLS\r\n");
	stream_puts(&p->stream,
	    "TOP\r\n"
	    "UIDL\r\n"
	    "RESP-CODES\r\n"
	    "AUTH-RESP-CODE\r\n"
	    "PIPELINING\r\n"
	    "EXPIRE NEVER\r\n"
	    "IMPLEMENTATION Postrider\r\n"
	    ".\r\n");
}

/* RFC 1939 section 6: the UPDATE state. */
static void
quit(struct pop3 *p, struct span args)
{
	uint64_t failed = 0;

	(void)args;
	pop3_end(p, "quit");
	if (p->state == POP3_AUTHORIZATION)
		pop3_ok(p, "good-bye");
	else if (!maildrop_commit(&p->drop, &p->removed, &failed))
		pop3_failure(
		    p, "the mailbox went away, messages may not be removed");
	else if (failed > 0)
		pop3_failure(p, "some deleted messages not removed");
	else
		pop3_ok(p, "good-bye, %" PRIu64 " messages left",
		    p->drop.count - p->removed);
}

/* A browser that was sent here by somebody's form (A6). */
static void
foreign(struct pop3 *p, struct span args)
{
	(void)args;
	pop3_error(p, "this is POP3");
	pop3_end(p, "another protocol");
}

static void
unknown(struct pop3 *p, struct span args)
{
	(void)args;
	pop3_error(p, "no such command here; CAPA tells what there is");
}

/* -- the table -- */

enum { ANY_STATE = POP3_AUTHORIZATION | POP3_TRANSACTION };
enum arguments { NONE, MAYBE, SOME };

static const struct command {
	const char *verb; /* NULL: the one that is none of these */
	void (*serve)(struct pop3 *, struct span args);
	unsigned states;
	enum arguments arguments;
	size_t limit; /* octets of the line with CRLF; 0: POP3_COMMAND_MAX */
} commands[] = {
    {"CAPA", capabilities, ANY_STATE, NONE, 0},
    {"STLS", pop3_stls, POP3_AUTHORIZATION, NONE, 0},
    {"USER", pop3_user, POP3_AUTHORIZATION, SOME, 0},
    {"PASS", pop3_pass, POP3_AUTHORIZATION, SOME, 0},
    {"APOP", pop3_apop, POP3_AUTHORIZATION, SOME, 0},
    {"AUTH", pop3_auth, POP3_AUTHORIZATION, SOME, SASL_LINE_MAX},
    {"STAT", stat_drop, POP3_TRANSACTION, NONE, 0},
    {"LIST", pop3_list, POP3_TRANSACTION, MAYBE, 0},
    {"UIDL", pop3_uidl, POP3_TRANSACTION, MAYBE, 0},
    {"RETR", pop3_retr, POP3_TRANSACTION, SOME, 0},
    {"TOP", pop3_top, POP3_TRANSACTION, SOME, 0},
    {"DELE", pop3_dele, POP3_TRANSACTION, SOME, 0},
    {"RSET", reset, POP3_TRANSACTION, NONE, 0},
    {"NOOP", noop, POP3_TRANSACTION, NONE, 0},
    {"QUIT", quit, ANY_STATE, NONE, 0},
    {"GET", foreign, ANY_STATE, MAYBE, 0},
    {"HEAD", foreign, ANY_STATE, MAYBE, 0},
    {"POST", foreign, ANY_STATE, MAYBE, 0},
    {"PUT", foreign, ANY_STATE, MAYBE, 0},
    {"OPTIONS", foreign, ANY_STATE, MAYBE, 0},
    {"CONNECT", foreign, ANY_STATE, MAYBE, 0},
    {"EHLO", foreign, ANY_STATE, MAYBE, 0},
    {"HELO", foreign, ANY_STATE, MAYBE, 0},
    {NULL, unknown, ANY_STATE, MAYBE, 0},
};

static const struct command *
find_command(const char *verb, size_t n)
{
	const struct command *c = commands;

	while (c->verb != NULL &&
	    (strlen(c->verb) != n || strncasecmp(c->verb, verb, n) != 0))
		c++;
	return c;
}

void
pop3_command(struct pop3 *p, struct span line)
{
	const char *space =
	    line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
	size_t n = space != NULL ? (size_t)(space - line.data) : line.len;
	const struct command *c = find_command(line.data, n);
	struct span args = {line.data + n, line.len - n};

	/* One space belongs to the command; a password may begin with more. */
	if (args.len > 0)
		args = (struct span){args.data + 1, args.len - 1};
	if (line.len + 2 > (c->limit > 0 ? c->limit : POP3_COMMAND_MAX))
		pop3_error(
		    p, "a command has at most %d octets", POP3_COMMAND_MAX);
	else if (!(c->states & p->state))
		pop3_error(p,
		    p->state == POP3_AUTHORIZATION
			? "%s: log in first"
			: "%s: you are logged in already",
		    c->verb);
	else if (c->arguments == SOME && args.len == 0)
		pop3_error(p, "%s needs an argument", c->verb);
	else if (c->arguments == NONE && args.len > 0)
		pop3_error(p, "%s takes no argument", c->verb);
	else
		c->serve(p, args);
}

/* -- the argument that most of them have -- */

bool
pop3_message(struct pop3 *p, struct span *args, uint64_t *number)
{
	uint64_t count = p->drop.count;

	switch (number_take(args, 1, count, number)) {
	case NUMBER_MISSING:
		pop3_error(p, "the number of a message is needed");
		return false;
	case NUMBER_JUNK:
		pop3_error(p, "that is not a number");
		return false;
	case NUMBER_ZERO:
		pop3_error(p, "messages are numbered from 1");
		return false;
	case NUMBER_BEYOND:
		pop3_error(p, "no such message, there are %" PRIu64, count);
		return false;
	case NUMBER_OK:
		break;
	}
	if (!maildrop_is_deleted(&p->drop, *number))
		return true;
	pop3_error(p, "message %" PRIu64 " is deleted", *number);
	return false;
}
