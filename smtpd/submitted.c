/* SPDX-License-Identifier: ISC */
#include "smtpd/submitted.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "mailauth/from.h"

/* -- whom it is from -- */

static const char *const resent[] = {"Resent-From", "Resent-Sender",
    "Resent-Date", "Resent-To", "Resent-Cc", "Resent-Bcc", "Resent-Message-ID",
    "Resent-Reply-To"};

enum { RESENT = sizeof(resent) / sizeof(resent[0]), RESENT_FROM = 1 };

/* 1 << its place among them; 0: it is none. */
static unsigned
resent_bit(const struct header_field *f)
{
	for (size_t i = 0; i < RESENT; i++)
		if (header_is(f, resent[i]))
			return 1U << i;
	return 0;
}

struct fields {
	const struct header_field *first, *end;
};

/*
 * A block ends where a hop, or one of its own fields once more, begins the
 * one before it.  False: the message was not sent on.
 */
static bool
find_newest_block(const struct header_section *h, struct fields *block)
{
	const struct header_field *f = h->fields, *end = h->fields + h->n;
	unsigned seen = 0, bit;

	while (f < end && resent_bit(f) == 0)
		f++;
	block->first = f;
	for (; f < end; f++) {
		bit = resent_bit(f);
		if ((seen & bit) != 0 || header_is(f, "Received") ||
		    header_is(f, "Return-Path"))
			break;
		seen |= bit;
	}
	block->end = f;
	return (seen & RESENT_FROM) != 0;
}

struct taking {
	struct submitted *out;
	const char *field;
};

static bool
take_author(const struct address *address, void *context)
{
	struct taking *t = context;
	struct submitted *out = t->out;
	char text[ADDRESS_TEXT_MAX + 1];

	address_format(address, text);
	for (size_t i = 0; i < out->n; i++)
		if (strcmp(out->authors[i].address, text) == 0)
			return true;
	if (out->n > SUBMITTED_AUTHORS_MAX)
		return false;
	out->authors[out->n].field = t->field;
	memcpy(out->authors[out->n++].address, text, sizeof(text));
	return true;
}

static void
take_fields(const struct fields *of, const char *name, struct submitted *out)
{
	struct taking taking = {out, name};

	for (const struct header_field *f = of->first; f < of->end; f++)
		if (header_is(f, name) &&
		    from_each(f->value, take_author, &taking) != NULL)
			out->from = FROM_UNCLEAR;
}

void
submitted_read(
    const struct header_section *h, bool sent_on, struct submitted *out)
{
	struct fields all = {h->fields, h->fields + h->n}, block;
	bool has_block = !h->malformed && find_newest_block(h, &block);

	out->n = 0;
	out->from = FROM_CLEAR;
	if (!sent_on || !has_block) {
		if (from_is_hidden(h))
			out->from = FROM_UNCLEAR;
		take_fields(&all, "From", out);
		if (out->n == 0 && out->from == FROM_CLEAR)
			out->from = FROM_ABSENT;
		take_fields(&all, "Sender", out);
	}
	if (has_block) {
		take_fields(&block, "Resent-From", out);
		take_fields(&block, "Resent-Sender", out);
	}
}

void
submitted_explain(const struct policy_author *author, const char *login,
    char *out, size_t max)
{
	const struct submitted *said = author->said;

	if (said->n > SUBMITTED_AUTHORS_MAX &&
	    author->address == said->authors[SUBMITTED_AUTHORS_MAX].address)
		snprintf(out, max, "more than %d addresses in %s",
		    SUBMITTED_AUTHORS_MAX, author->field);
	else
		snprintf(out, max,
		    "<%s> in %s is no address that %.60s may send as",
		    author->address, author->field, login);
	for (; *out != '\0'; out++)
		if (*out < ' ' || *out > '~')
			*out = '?';
}

/* -- what is missing -- */

void
submitted_complete(const struct header_section *h, const char *address,
    const char *id, time_t when, const char *hostname, struct buf *fields)
{
	const struct header_field *first;
	bool from = header_count(h, "From", &first) > 0;
	char date[CLOCK_DATE_SIZE];

	if (h->oversized || (h->malformed && (from || from_is_hidden(h))) ||
	    (!from && address == NULL))
		return;
	clock_date(when, date);
	if (!from)
		buf_addf(fields, "From: <%s>\n", address);
	if (header_count(h, "Date", &first) == 0)
		buf_addf(fields, "Date: %s\n", date);
	if (header_count(h, "Message-ID", &first) == 0)
		buf_addf(fields, "Message-ID: <%s@%s>\n", id, hostname);
}
