/* SPDX-License-Identifier: ISC */
#include "sendmail/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/lines.h"
#include "sendmail/message.h"

/*
 * -bs: SMTP (RFC 5321) on standard input and output, for programs that know
 * no other way to hand in mail.  The client is the user himself, so there is
 * nothing to authenticate and nobody to keep out.  What network clients need
 * besides is smtpd's; its sockets are out of an ordinary user's reach.
 */
enum { COMMAND_MAX = 2048, BLOCK = 65536 };

struct session {
	const struct config *config;
	struct caller caller;
	struct buf in; /* read and not yet looked at */
	bool ended;    /* of input */
	bool extended; /* EHLO, not HELO */
	bool mail;     /* a transaction is open */
	bool utf8;
	char helo[ADDRESS_DOMAIN_MAX + 1];
	char sender[ADDRESS_TEXT_MAX + 1];
	struct recipients recipients;
	bool done;
	int code;
};

static void
say(struct session *s, const char *line)
{
	if (fs_write_all(STDOUT_FILENO, line, strlen(line)) == -1 ||
	    fs_write_all(STDOUT_FILENO, "\r\n", 2) == -1) {
		s->done = true;
		s->code = EX_IOERR;
	}
}

static void
say_verdict(struct session *s, enum verdict verdict, const char *more)
{
	const struct verdict_row *row = verdict_row(verdict);
	char line[1024];

	snprintf(line, sizeof(line), "%d %s %s%s%s", row->smtp, row->enhanced,
	    row->text, *more != '\0' ? ": " : "", more);
	say(s, line);
}

static void
reset(struct session *s)
{
	s->mail = s->utf8 = false;
	s->recipients.utf8 = false;
	recipients_free(&s->recipients);
}

/* -- input -- */

static bool
read_more(struct session *s)
{
	ssize_t got;

	if (s->ended || !buf_reserve(&s->in, BLOCK))
		return false;
	do
		got = read(STDIN_FILENO, s->in.data + s->in.len, BLOCK);
	while (got == -1 && errno == EINTR);
	s->ended = got <= 0;
	if (got > 0)
		s->in.len += (size_t)got;
	return got > 0;
}

/* A command without its line end; NULL at the end of input. */
static char *
read_command(struct session *s)
{
	static char line[COMMAND_MAX];
	const char *lf = NULL;
	size_t n, searched = 0;

	for (;;) {
		if (s->in.len > searched)
			lf = memchr(
			    s->in.data + searched, '\n', s->in.len - searched);
		searched = s->in.len;
		if (lf != NULL)
			break;
		if (s->in.len > BLOCK || !read_more(s))
			return NULL;
	}
	n = (size_t)(lf - s->in.data) + 1;
	memcpy(line, s->in.data, n < sizeof(line) ? n : sizeof(line) - 1);
	line[n < sizeof(line) ? n : sizeof(line) - 1] = '\0';
	/* Too long, or with a NUL in it: no command of ours looks so. */
	if (n >= sizeof(line) || strlen(line) != n)
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	buf_consume(&s->in, n);
	return line;
}

/* -- commands -- */

static void
greet(struct session *s, const char *name, bool extended)
{
	char text[400];

	if (*name == '\0') {
		say(s, "501 5.5.4 your name is missing");
		return;
	}
	reset(s);
	s->extended = extended;
	snprintf(s->helo, sizeof(s->helo), "%s", name);
	snprintf(text, sizeof(text), "250%c%s", extended ? '-' : ' ',
	    s->config->hostname);
	say(s, text);
	if (!extended)
		return;
	snprintf(text, sizeof(text), "250-SIZE %llu",
	    (unsigned long long)s->config->max_message_size);
	say(s, text);
	say(s,
	    "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
	    "250 ENHANCEDSTATUSCODES");
}

static void
do_helo(struct session *s, char *rest)
{
	greet(s, rest, false);
}

static void
do_ehlo(struct session *s, char *rest)
{
	greet(s, rest, true);
}

/* "FROM:" or "TO:", and the spaces that clients put behind it. */
static const char *
skip_prefix(const char *p, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncasecmp(p, prefix, n) != 0)
		return NULL;
	return p + n + strspn(p + n, " ");
}

/* BODY=, SIZE= and SMTPUTF8 behind MAIL FROM; NULL when all is well. */
static const char *
take_parameters(struct session *s, char *p)
{
	char *save, *word;
	unsigned long long size;

	for (word = strtok_r(p, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		if (strcasecmp(word, "SMTPUTF8") == 0) {
			s->utf8 = true;
		} else if (strncasecmp(word, "SIZE=", 5) == 0) {
			size = strtoull(word + 5, NULL, 10);
			if (size > s->config->max_message_size)
				return "552 5.3.4 message too big";
		} else if (strcasecmp(word, "BODY=7BIT") != 0 &&
		    strcasecmp(word, "BODY=8BITMIME") != 0) {
			return "555 5.5.4 unknown parameter";
		}
	}
	return NULL;
}

/* The path of MAIL or RCPT; *rest points behind it. */
static bool
take_path(struct session *s, char *text, const char *prefix, unsigned flags,
    char *out, char **rest)
{
	const char *path = skip_prefix(text, prefix), *behind, *wrong;
	struct address address;
	char line[300];

	if (path == NULL) {
		say(s, "501 5.5.4 syntax error");
		return false;
	}
	wrong = address_parse_path(
	    path, flags | ADDRESS_UTF8 | ADDRESS_BARE, &address, &behind);
	if (wrong != NULL) {
		snprintf(line, sizeof(line), "501 5.1.3 %s", wrong);
		say(s, line);
		return false;
	}
	if (!address_is_null(&address) && address.domain[0] == '\0')
		snprintf(address.domain, sizeof(address.domain), "%s",
		    home_domain(s->config));
	address_format(&address, out);
	s->recipients.utf8 = s->recipients.utf8 || address.utf8;
	*rest = text + (behind - text);
	return true;
}

static void
do_mail(struct session *s, char *text)
{
	const char *wrong;
	char *rest;

	if (s->mail) {
		say(s, "503 5.5.1 a sender was given already");
		return;
	}
	if (!take_path(s, text, "FROM:", ADDRESS_NULL, s->sender, &rest))
		return;
	wrong = take_parameters(s, rest);
	if (wrong != NULL) {
		reset(s);
		say(s, wrong);
		return;
	}
	s->mail = true;
	say_verdict(s, VERDICT_SENDER_OK, "");
}

static void
do_rcpt(struct session *s, char *text)
{
	char recipient[ADDRESS_TEXT_MAX + 1];
	char *rest;

	if (!s->mail) {
		say(s, "503 5.5.1 MAIL comes first");
		return;
	}
	if (s->recipients.n >= s->config->max_recipients) {
		say_verdict(s, VERDICT_TOO_MANY_RECIPIENTS, "");
		return;
	}
	if (!take_path(s, text, "TO:", ADDRESS_POSTMASTER, recipient, &rest))
		return;
	if (*rest != '\0')
		say(s, "555 5.5.4 unknown parameter");
	else if (recipients_add_text(&s->recipients, recipient) != NULL ||
	    s->recipients.failed)
		say_verdict(s, VERDICT_BAD_RECIPIENT, "");
	else
		say_verdict(s, VERDICT_RECIPIENT_OK, "");
}

/* Reads to the end even of what is too big, so that the dialogue goes on. */
static enum verdict
read_data(struct session *s, struct dot_reader *reader, struct buf *text)
{
	enum verdict verdict = VERDICT_OK;
	size_t used, made;
	char out[BLOCK];

	dot_reader_init(reader);
	for (;;) {
		size_t n = s->in.len < BLOCK ? s->in.len : BLOCK;
		enum dot_state state =
		    dot_read(reader, s->in.data, n, &used, out, &made);

		if (!buf_add(text, out, made))
			verdict = VERDICT_TOO_BIG;
		buf_consume(&s->in, used);
		if (state == DOT_END)
			break;
		if (s->in.len == 0 && !read_more(s)) {
			s->done = true;
			return VERDICT_INTERNAL;
		}
	}
	if (reader->bare_cr || reader->bare_lf)
		verdict = VERDICT_BARE_LINE_END;
	else if (reader->nul)
		verdict = VERDICT_NUL_OCTET;
	else if (reader->longest > s->config->max_line_length + 2)
		verdict = VERDICT_LINE_TOO_LONG;
	return verdict;
}

static void
submit(struct session *s, const struct dot_reader *reader, struct buf *text)
{
	char id[PROTOCOL_ID_MAX + 1], more[PROTOCOL_ADDRESS_MAX + 1];
	const char *why = NULL;
	struct message m = {.config = s->config,
	    .caller = &s->caller,
	    .sender = s->sender,
	    .sender_utf8 = s->utf8,
	    .full_name = s->caller.name,
	    .protocol = s->extended ? "ESMTP" : "SMTP",
	    .helo = s->helo,
	    .eight_bit = reader->eight_bit};
	enum verdict verdict =
	    message_begin(&m, text->len > 0 ? text->data : "", text->len);

	more[0] = '\0';
	if (verdict == VERDICT_OK)
		verdict = message_submit(&m, s->recipients.items,
		    s->recipients.n, s->recipients.utf8, id, more, &why);
	message_end(&m);
	if (verdict == VERDICT_OK)
		snprintf(more, sizeof(more), "queued as %s", id);
	say_verdict(s, verdict, why != NULL ? why : more);
}

static void
do_data(struct session *s, char *rest)
{
	struct buf text = BUF_INIT(s->config->max_message_size);
	struct dot_reader reader;
	enum verdict verdict;

	(void)rest;
	if (s->recipients.n == 0) {
		say(s, "503 5.5.1 RCPT comes first");
		return;
	}
	say(s, "354 end with a line of one dot");
	verdict = read_data(s, &reader, &text);
	if (s->done)
		s->code = EX_DATAERR;
	else if (verdict != VERDICT_OK)
		say_verdict(s, verdict, "");
	else
		submit(s, &reader, &text);
	buf_free(&text);
	reset(s);
}

static void
do_rset(struct session *s, char *rest)
{
	(void)rest;
	reset(s);
	say(s, "250 2.0.0 ok");
}

static void
do_noop(struct session *s, char *rest)
{
	(void)rest;
	say(s, "250 2.0.0 ok");
}

static void
do_vrfy(struct session *s, char *rest)
{
	(void)rest;
	say(s, "252 2.5.0 send it and see");
}

static void
do_quit(struct session *s, char *rest)
{
	(void)rest;
	say(s, "221 2.0.0 bye");
	s->done = true;
}

static void
do_unknown(struct session *s, char *rest)
{
	(void)rest;
	say(s, "500 5.5.2 unknown command");
}

static const struct {
	const char *verb;
	void (*run)(struct session *, char *rest);
} commands[] = {
    {"HELO", do_helo},
    {"EHLO", do_ehlo},
    {"MAIL", do_mail},
    {"RCPT", do_rcpt},
    {"DATA", do_data},
    {"RSET", do_rset},
    {"NOOP", do_noop},
    {"VRFY", do_vrfy},
    {"QUIT", do_quit},
    {NULL, do_unknown},
};

static void
obey(struct session *s, char *line)
{
	size_t n = strcspn(line, " "), i = 0;
	char *rest = line + n + strspn(line + n, " ");

	while (commands[i].verb != NULL &&
	    (strlen(commands[i].verb) != n ||
		strncasecmp(commands[i].verb, line, n) != 0))
		i++;
	for (n = strlen(rest); n > 0 && rest[n - 1] == ' '; n--)
		rest[n - 1] = '\0';
	commands[i].run(s, rest);
}

int
dialogue(const struct options *o, const struct config *config)
{
	struct session s = {.config = config,
	    .in = BUF_INIT(4 * BLOCK),
	    .recipients = {.domain = home_domain(config)}};
	char banner[400];
	char *line;

	(void)o;
	caller_find(&s.caller);
	snprintf(
	    banner, sizeof(banner), "220 %s ESMTP Postrider", config->hostname);
	say(&s, banner);
	while (!s.done && (line = read_command(&s)) != NULL)
		obey(&s, line);
	reset(&s);
	buf_free(&s.in);
	return s.code;
}
