/* SPDX-License-Identifier: ISC */
#ifndef COMMON_VERDICT_H
#define COMMON_VERDICT_H

#include <stdbool.h>

/*
 * Everything that can be said about a message, a recipient or a command,
 * one row each: SMTP code, enhanced status code (RFC 3463), exit code
 * (sysexits), wording.  Sender, log, DSN and tools take it from here and so
 * cannot disagree.  Rows stand in order of severity: of two verdicts the
 * larger one is the answer.
 *
 * V(name, smtp, enhanced, exit, text)
 */
#define VERDICTS(V) \
	V(OK, 250, "2.0.0", EX_OK, "ok") \
	V(SENDER_OK, 250, "2.1.0", EX_OK, "sender ok") \
	V(RECIPIENT_OK, 250, "2.1.5", EX_OK, "recipient ok") \
	V(LOGIN_OK, 235, "2.7.0", EX_OK, "authentication succeeded") \
	V(BUSY, 421, "4.3.2", EX_TEMPFAIL, "too busy, try again later") \
	V(TOO_MANY_ERRORS, 421, "4.7.0", EX_TEMPFAIL, "too many errors") \
	V(INTERNAL, 451, "4.3.0", EX_TEMPFAIL, "internal error, try again later") \
	V(LOOKUP_FAILED, 451, "4.4.3", EX_TEMPFAIL, "cannot look that up now, try again later") \
	V(SPF_LATER, 451, "4.7.24", EX_TEMPFAIL, "the SPF record of the sender's domain cannot be read now, try again later") \
	V(DMARC_LATER, 451, "4.4.3", EX_TEMPFAIL, "cannot tell now whether From is authentic, try again later") \
	V(FILTER_LATER, 451, "4.7.1", EX_TEMPFAIL, "a content filter cannot look at that now, try again later") \
	V(CANNOT_SIGN, 451, "4.7.5", EX_TEMPFAIL, "cannot sign the message now, try again later") \
	V(SENDER_LATER, 450, "4.1.8", EX_TEMPFAIL, "the sender's domain cannot be looked up now, try again later") \
	V(LOGIN_LATER, 454, "4.7.0", EX_TEMPFAIL, "temporary authentication failure") \
	V(DISK_FULL, 452, "4.3.1", EX_TEMPFAIL, "insufficient system storage") \
	V(TOO_MANY_RECIPIENTS, 452, "4.5.3", EX_TEMPFAIL, "too many recipients") \
	V(CLIENT_RATE, 450, "4.7.1", EX_TEMPFAIL, "too much comes from your address, try again later") \
	V(MAILBOX_RATE, 450, "4.2.1", EX_TEMPFAIL, "this mailbox gets mail too quickly, try again later") \
	V(ONE_RECIPIENT, 452, "4.5.3", EX_TEMPFAIL, "one recipient at a time where there is no sender") \
	V(GRUDGE, 450, "4.7.1", EX_TEMPFAIL, "too much abuse has come from your address, try again later") \
	V(GREYLISTED, 450, "4.7.1", EX_TEMPFAIL, "you are not known here, try again later") \
	V(MAILBOX_BUSY, 450, "4.2.0", EX_TEMPFAIL, "mailbox temporarily unavailable") \
	V(MAILBOX_FULL, 452, "4.2.2", EX_TEMPFAIL, "mailbox full") \
	V(TOO_MUCH_HELD, 452, "4.7.1", EX_TEMPFAIL, "your mail is held until the postmaster has looked at it, and no more of it can be taken now") \
	V(NO_CONNECTION, 450, "4.4.1", EX_TEMPFAIL, "no answer from the host") \
	V(BAD_HELO, 501, "5.5.4", EX_PROTOCOL, "say your host name") \
	V(HELO_NO_NAME, 501, "5.5.2", EX_PROTOCOL, "that is no host name and no address in brackets") \
	V(HELO_OURS, 550, "5.7.1", EX_NOPERM, "that is my name, not yours") \
	V(EXPIRED, 550, "5.4.7", EX_UNAVAILABLE, "delivery time expired") \
	V(MAILBOX_DISABLED, 550, "5.2.1", EX_NOUSER, "mailbox disabled") \
	V(USER_UNKNOWN, 550, "5.1.1", EX_NOUSER, "no such user here") \
	V(BAD_RECIPIENT, 553, "5.1.3", EX_USAGE, "bad recipient address") \
	V(BAD_SENDER, 553, "5.1.7", EX_USAGE, "bad sender address") \
	V(SENDER_NO_HOST, 550, "5.1.8", EX_NOHOST, "the sender's domain does not exist, or has no mail host") \
	V(SENDER_NULL_MX, 550, "5.7.27", EX_NOHOST, "the sender's domain accepts no mail (null MX)") \
	V(SENDER_NOT_OWNED, 553, "5.7.1", EX_NOPERM, "sender address not owned by this login") \
	V(FROM_NOT_OWNED, 550, "5.7.1", EX_NOPERM, "an address in From is not owned by this login") \
	V(LOGIN_NEEDED, 530, "5.7.0", EX_NOPERM, "log in first") \
	V(SPF_FAIL, 550, "5.7.23", EX_NOPERM, "the sender's domain does not send mail from your address (SPF)") \
	V(DMARC_REJECT, 550, "5.7.1", EX_NOPERM, "rejected by the policy (DMARC) of the domain in From") \
	V(FROM_UNCLEAR, 550, "5.7.1", EX_NOPERM, "the header does not say clearly whom this is from") \
	V(FILTER_REJECT, 550, "5.7.1", EX_NOPERM, "refused by a content filter") \
	V(LISTED, 550, "5.7.1", EX_NOPERM, "your address is on lists of those that send what nobody wants") \
	V(RELAY_DENIED, 554, "5.7.1", EX_NOPERM, "relaying denied") \
	V(LOGIN_FAILED, 535, "5.7.8", EX_NOPERM, "authentication credentials invalid") \
	V(NULL_MX, 556, "5.1.10", EX_NOHOST, "recipient's domain accepts no mail") \
	V(NO_HOST, 550, "5.1.2", EX_NOHOST, "recipient's domain does not exist") \
	V(LOOP, 554, "5.4.6", EX_UNAVAILABLE, "mail loop") \
	V(TOO_BIG, 552, "5.3.4", EX_UNAVAILABLE, "message too big") \
	V(HEADER_TOO_BIG, 552, "5.3.4", EX_UNAVAILABLE, "header section too big") \
	V(LINE_TOO_LONG, 550, "5.6.0", EX_DATAERR, "line too long in message") \
	V(BARE_LINE_END, 550, "5.6.0", EX_DATAERR, "bare CR or LF in message") \
	V(NUL_OCTET, 550, "5.6.0", EX_DATAERR, "NUL in message") \
	V(NEEDS_UTF8, 550, "5.6.7", EX_DATAERR, "the next host does not take SMTPUTF8") \
	V(TALKED_FIRST, 554, "5.5.0", EX_PROTOCOL, "you talk before the greeting") \
	V(PIPELINING, 554, "5.5.0", EX_PROTOCOL, "wait for the answer to this command") \
	V(UNATTENDED, 554, "5.7.0", EX_UNAVAILABLE, "a program or a list sent it, and asked for no report") \
	V(REFUSED, 554, "5.7.0", EX_UNAVAILABLE, "refused")

enum verdict {
#define V(name, smtp, enhanced, exit, text) VERDICT_##name,
	VERDICTS(V)
#undef V
	VERDICT_COUNT
};

struct verdict_row {
	const char *name; /* "user-unknown": in packets and logs */
	int smtp;
	const char *enhanced;
	int exit;
	const char *text;
};

/* The row; an unknown number gives that of INTERNAL. */
const struct verdict_row *verdict_row(enum verdict);

/* By name; VERDICT_INTERNAL for what is none. */
enum verdict verdict_named(const char *name);

bool verdict_is_success(enum verdict);
bool verdict_is_temporary(enum verdict);

#endif
