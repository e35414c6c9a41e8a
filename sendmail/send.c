/* SPDX-License-Identifier: ISC */
#include "sendmail/send.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "sendmail/header.h"
#include "sendmail/intake.h"
#include "sendmail/message.h"

int
complain(int code, const char *format, ...)
{
	va_list args;

	fputs("sendmail: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

/* -- the sender -- */

static bool
take_first(const struct address *address, void *context)
{
	*(struct address *)context = *address;
	return false;
}

/* -f: an address, or as a header has it; "" and <> are the null path. */
static int
find_sender(const struct options *o, const struct config *config,
    const struct caller *caller, struct address *sender)
{
	const char *wrong = NULL, *domain = home_domain(config);

	*sender = (struct address){.local = ""};
	if (o->sender == NULL) {
		snprintf(
		    sender->local, sizeof(sender->local), "%s", caller->login);
	} else if (*o->sender != '\0' && strcmp(o->sender, "<>") != 0) {
		wrong = address_header_each(
		    o->sender, strlen(o->sender), take_first, sender);
		if (wrong == NULL && address_is_null(sender))
			wrong = "no address";
	}
	if (wrong != NULL)
		return complain(EX_USAGE, "-f %s: %s", o->sender, wrong);
	if (!address_is_null(sender) && sender->domain[0] == '\0')
		snprintf(sender->domain, sizeof(sender->domain), "%s", domain);
	return EX_OK;
}

/* -- the text -- */

static int
read_text(const struct options *o, const struct config *config,
    struct intake *in, struct buf *text)
{
	char block[65536];
	ssize_t got;
	bool more = true;

	*in = (struct intake){.whole = o->whole};
	while (more && (got = read(STDIN_FILENO, block, sizeof(block))) != 0) {
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return complain(
			    EX_IOERR, "standard input: %s", strerror(errno));
		more = intake_add(in, block, (size_t)got, text);
	}
	intake_end(in, text);
	if (!buf_ok(text))
		return complain(EX_UNAVAILABLE,
		    "the message has more than %llu octets",
		    (unsigned long long)config->max_message_size);
	if (in->longest > config->max_line_length)
		return complain(EX_DATAERR,
		    "a line of %zu octets is too long (at most %llu)",
		    in->longest, (unsigned long long)config->max_line_length);
	return EX_OK;
}

/* -- the recipients -- */

static int
find_recipients(
    const struct options *o, const struct buf *text, struct recipients *r)
{
	const char *wrong;

	for (size_t i = 0; i < o->nrecipients; i++) {
		wrong = recipients_add_text(r, o->recipients[i]);
		if (wrong != NULL)
			return complain(
			    EX_USAGE, "%s: %s", o->recipients[i], wrong);
	}
	if (o->from_headers && text->len > 0) {
		wrong =
		    header_recipients(text->data, text->len, recipients_add, r);
		if (wrong != NULL)
			return complain(
			    EX_DATAERR, "recipients in the header: %s", wrong);
	}
	if (r->failed)
		return complain(EX_TEMPFAIL, "out of memory");
	if (r->n == 0)
		return complain(EX_USAGE, "no recipients%s",
		    o->from_headers ? " in the header" : "");
	return EX_OK;
}

/* -- handing it over -- */

static int
report(enum verdict verdict, const char *refused, const char *why)
{
	const struct verdict_row *row = verdict_row(verdict);

	if (why != NULL)
		return complain(row->exit, "%s; try again later", why);
	if (*refused != '\0')
		return complain(row->exit, "<%s>: %s (%s)", refused, row->text,
		    row->enhanced);
	return complain(row->exit, "%s (%s)", row->text, row->enhanced);
}

/*
 * One that is refused does not keep the mail from the others: it is taken
 * out and reported, and the rest goes.
 */
static int
hand_over(struct message *m, struct recipients *r, size_t most)
{
	char id[PROTOCOL_ID_MAX + 1], refused[PROTOCOL_ADDRESS_MAX + 1];
	const char *why;
	int code = EX_OK;
	size_t done = 0, before, n;

	while (done < r->n) {
		n = r->n - done < most ? r->n - done : most;
		enum verdict verdict = message_submit(
		    m, r->items + done, n, r->utf8, id, refused, &why);

		if (verdict == VERDICT_OK) {
			done += n;
			continue;
		}
		code = report(verdict, refused, why);
		before = r->n;
		if (*refused != '\0')
			recipients_remove(r, refused);
		if (r->n == before)
			return code;
	}
	return code;
}

static int
send_text(struct message *m, const struct buf *text, struct recipients *r)
{
	enum verdict verdict =
	    message_begin(m, text->len > 0 ? text->data : "", text->len);
	int code = EX_OK;

	if (verdict == VERDICT_OK)
		code = hand_over(m, r, m->config->max_recipients);
	else
		code = report(verdict, "", NULL);
	message_end(m);
	return code;
}

int
send_message(const struct options *o, const struct config *config)
{
	struct caller caller;
	struct address address;
	struct intake in;
	char sender[ADDRESS_TEXT_MAX + 1];
	struct buf text = BUF_INIT(config->max_message_size);
	struct recipients recipients = {.domain = home_domain(config)};
	struct message m = {.config = config,
	    .caller = &caller,
	    .sender = sender,
	    .protocol = "local",
	    .helo = "",
	    .notify = o->notify,
	    .ret = o->ret,
	    .envid = o->envid};
	int code;

	caller_find(&caller);
	m.full_name = o->full_name != NULL ? o->full_name : caller.name;
	code = find_sender(o, config, &caller, &address);
	if (code == EX_OK && o->nrecipients == 0 && !o->from_headers)
		code = find_recipients(o, &text, &recipients);
	if (code == EX_OK)
		code = read_text(o, config, &in, &text);
	if (code == EX_OK)
		code = find_recipients(o, &text, &recipients);
	if (code == EX_OK) {
		address_format(&address, sender);
		m.sender_utf8 = address.utf8;
		m.eight_bit = in.eight_bit;
		code = send_text(&m, &text, &recipients);
	}
	recipients_free(&recipients);
	buf_free(&text);
	return code;
}
