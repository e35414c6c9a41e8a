/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "queue/trace-line.h"

/*
 * What lines of the log tell, as sentences.  A word like {to} stands for a
 * value, {to:<>} for an address; a part in [ ] is left out when one of the
 * values in it is not there, or is "no" as in tls=no.
 */
static const struct told {
	const char *program; /* that tells it; NULL: several */
	const char *event, *sentence;
} told[] = {
    {"smtpd", "accepted",
	"taken from {client}[ ({helo})][ as {auth}][ with {tls}]"},
    {"queue", "queued",
	"queued: from {from:<>}[, login {auth}][, Unix user {uid}], {size} "
	"octets, for {recipients} recipient(s)"},
    {NULL, "refused", "refused[ to {client}][ for {to:<>}]: {reason}"},
    {NULL, "session closed",
	"the connection of {client}[ ({helo})] was closed[ in a message from "
	"{from:<>}]: {reason}"},
    {"smtpd", "session lost", "the client {client} went away: {reason}"},
    {NULL, "handshake failed", "no TLS with {client}: {reason}"},
    {"userdb", "login", "{client} logged in as {auth}[ with {tls}]"},
    {"userdb", "login failed",
	"{client} failed to log in[ as {auth}]: {reason}"},
    {"userdb", "login refused",
	"{client} was not let log in[ as {auth}]: {reason}"},
    {"userdb", "login deferred",
	"{client} could not log in[ as {auth}] now: {reason}"},
    {"pop3d", "session ended",
	"{client} left POP3[, {auth}][, {retrieved} message(s) read][, "
	"{deleted} "
	"deleted]: {reason}"},
    {"queue", "expanded", "{to:<>} is an alias of {recipients} recipient(s)"},
    {"deliver", "connected",
	"connected to {relay}[ with {tls}][, verified by {verified}][, as "
	"{auth}][: {reason}]"},
    {"deliver", "host skipped", "{relay} could not be used: {reason}"},
    {"deliver", "tls failed",
	"no TLS with {relay}: {reason}; tried again without"},
    {"deliver", "tls no longer offered", "{relay} offers no TLS any more"},
    {"queue", "delivered",
	"delivered to {to:<>}[ (for {orig_to:<>})][ at {relay}][ after {delay} "
	"s][: {reason}]"},
    {"queue", "deferred",
	"not yet delivered to {to:<>}[ (for {orig_to:<>})][, {relay} said]: "
	"{reason}"},
    {"queue", "failed",
	"failed for {to:<>}[ (for {orig_to:<>})][, {relay} said]: {reason}"},
    {"mailbox", "not delivered",
	"not put into the mailbox of {to:<>}: {reason}"},
    {"queue", "bounced",
	"its sender {to:<>} is told of {recipients} failure(s) by {report}"},
    {"queue", "not bounced",
	"nobody is told of {recipients} failure(s): {reason}"},
    {"queue", "warned",
	"its sender {to:<>} is told by {report} that {recipients} recipient(s) "
	"have not got it yet"},
    {"queue", "not warned", "nobody is told that it is late: {reason}"},
    {"queue", "reported",
	"its sender {to:<>} is told of {recipients} success(es) by {report}"},
    {"queue", "not reported", "nobody is told of success: {reason}"},
    {"queue", "no copy", "no copy of the report for {to:<>}: {reason}"},
    {"queue", "over budget",
	"too much for {auth}[ with the app password {app}]: {count}, {what} is "
	"{limit}"},
    {"queue", "held", "held: {reason}"},
    {"queue", "released", "released"},
    {"queue", "requeued", "requeued: begins anew"},
    {"queue", "swept", "swept: {reason}"},
    {"queue", "quarantined", "set aside as {what}: {reason}"},
    {"queue", "removed", "left the queue: {reason}"},
};
enum { TOLD = sizeof(told) / sizeof(told[0]) };

static const struct told *
find(const char *event)
{
	for (size_t i = 0; i < TOLD; i++)
		if (strcmp(told[i].event, event) == 0)
			return &told[i];
	return NULL;
}

/* A program that is broken in may log what it likes, in its own name. */
static bool
is_told_by(const struct told *t, const struct trace_line *line)
{
	return t->program == NULL || strcmp(t->program, line->program) == 0;
}

bool
trace_is_ending(const struct trace_line *line)
{
	static const char *const endings[] = {"delivered", "failed", "bounced",
	    "not bounced", "refused", "removed", "swept", "quarantined"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(endings[i], line->event) == 0)
			return is_told_by(find(line->event), line);
	return false;
}

/* {key} or {key:<>}, the brace taken; the value of a key that is there. */
static const char *
value_of(const struct trace_line *line, const char *word, size_t n, bool *angle)
{
	char key[32] = "";

	*angle = n > 3 && memcmp(word + n - 3, ":<>", 3) == 0;
	if (*angle)
		n -= 3;
	if (n >= sizeof(key))
		return NULL;
	memcpy(key, word, n);
	return trace_value(line, key);
}

/* False: a value was missing, or is "no". */
static bool
add_part(
    struct buf *out, const struct trace_line *line, const char *part, size_t n)
{
	bool all = true, angle;

	while (n > 0) {
		const char *end = *part == '{' ? memchr(part, '}', n) : NULL;
		const char *value;
		size_t length;

		if (end == NULL) {
			buf_addc(out, *part++);
			n--;
			continue;
		}
		length = (size_t)(end - part) + 1;
		value = value_of(line, part + 1, length - 2, &angle);
		all = all && value != NULL && strcmp(value, "no") != 0;
		buf_addf(out, "%s%s%s", angle ? "<" : "",
		    value != NULL ? value : "?", angle ? ">" : "");
		part += length;
		n -= length;
	}
	return all;
}

static void
add_sentence(
    struct buf *out, const struct trace_line *line, const char *sentence)
{
	while (*sentence != '\0') {
		size_t n = strcspn(sentence, "["), before;

		(void)add_part(out, line, sentence, n);
		sentence += n;
		if (*sentence == '\0')
			break;
		n = strcspn(++sentence, "]");
		before = out->len;
		if (!add_part(out, line, sentence, n))
			out->len = before;
		sentence += n + 1;
	}
}

void
trace_sentence(struct buf *out, const struct trace_line *line)
{
	const struct told *t = find(line->event);

	if (t != NULL && is_told_by(t, line)) {
		add_sentence(out, line, t->sentence);
		return;
	}
	if (t != NULL)
		buf_addf(out, "%s says: ", line->program);
	buf_adds(out, line->event);
	for (size_t i = 0; i < line->n; i++)
		if (strcmp(line->pairs[i].key, "id") != 0)
			buf_addf(out, "%s %s=%s", i == 0 ? ":" : "",
			    line->pairs[i].key, line->pairs[i].value);
}
