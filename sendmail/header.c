/* SPDX-License-Identifier: ISC */
#include "sendmail/header.h"

#include <string.h>
#include <strings.h>

#include "mailauth/authres.h"

struct field {
	const char *raw; /* the whole of it, with its line end */
	size_t raw_len;
	size_t name_len;
	const char *value; /* behind the colon, folds within */
	size_t value_len;
};

enum {
	HAS_FROM = 1,
	HAS_DATE = 2,
	HAS_ID = 4,
	RESENT_FROM = 8,
	RESENT_DATE = 16,
	RESENT_ID = 32,
	RESENT = 64,     /* any that makes it a resent message */
	DROP = 128,      /* not ours to pass on */
	ADDRESSES = 512, /* may lack a domain */
	TO = 1024,       /* names recipients */
	RESENT_TO = 2048,
	HOP = 4096,
	RESULTS = 8192 /* ours alone to write */
};

static const struct rule {
	const char *name;
	unsigned is;
} rules[] = {
    {"From", HAS_FROM | ADDRESSES},
    {"Sender", ADDRESSES},
    {"Reply-To", ADDRESSES},
    {"To", TO | ADDRESSES},
    {"Cc", TO | ADDRESSES},
    {"Bcc", TO | DROP},
    {"Date", HAS_DATE},
    {"Message-ID", HAS_ID},
    {"Resent-From", RESENT | RESENT_FROM | ADDRESSES},
    {"Resent-Sender", RESENT | ADDRESSES},
    {"Resent-To", RESENT | RESENT_TO | ADDRESSES},
    {"Resent-Cc", RESENT | RESENT_TO | ADDRESSES},
    {"Resent-Bcc", RESENT | RESENT_TO | DROP},
    {"Resent-Date", RESENT | RESENT_DATE},
    {"Resent-Message-ID", RESENT | RESENT_ID},
    {"Return-Path", DROP},
    {"Received", HOP},
    {"Authentication-Results", RESULTS},
};

static unsigned
rule_of(const struct field *f)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (strlen(rules[i].name) == f->name_len &&
		    strncasecmp(rules[i].name, f->raw, f->name_len) == 0)
			return rules[i].is;
	return 0;
}

static const char *
line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf != NULL ? lf + 1 : end;
}

/* The next field; false at the empty line and at what is none. */
static bool
next_field(const char *p, const char *end, struct field *f)
{
	const char *colon = p, *stop;

	while (colon<end && * colon> ' ' && *colon < 0x7f && *colon != ':')
		colon++;
	f->name_len = (size_t)(colon - p);
	while (colon < end && (*colon == ' ' || *colon == '\t'))
		colon++;
	if (f->name_len == 0 || colon == end || *colon != ':')
		return false;
	stop = line_end(colon, end);
	while (stop < end && (*stop == ' ' || *stop == '\t'))
		stop = line_end(stop, end);
	f->raw = p;
	f->raw_len = (size_t)(stop - p);
	f->value = colon + 1;
	f->value_len = (size_t)(stop - f->value);
	if (f->value_len > 0 && stop[-1] == '\n')
		f->value_len--;
	return true;
}

/* mbox readers hand on the line that began the message in its file. */
static const char *
first_field(const char *message, const char *end)
{
	if (end - message >= 5 && memcmp(message, "From ", 5) == 0)
		return line_end(message, end);
	return message;
}

static unsigned
survey(const char *p, const char *end)
{
	struct field f;
	unsigned seen = 0;

	for (; next_field(p, end, &f); p += f.raw_len)
		seen |= rule_of(&f);
	return seen;
}

static bool
claims_to_be_ours(const struct field *f, const char *hostname)
{
	struct header_field field = {
	    .text = {f->raw, f->raw_len},
	    .name = {f->raw, f->name_len},
	    .value = {f->value, f->value_len},
	};

	return authres_claims(&field, hostname);
}

static void
add_field(const struct field *f, unsigned is, const struct header_facts *facts,
    struct buf *out)
{
	if ((is & DROP) != 0)
		return;
	if ((is & RESULTS) != 0 && claims_to_be_ours(f, facts->hostname))
		return;
	if ((is & ADDRESSES) == 0) {
		buf_add(out, f->raw, f->raw_len);
	} else {
		buf_add(out, f->raw, (size_t)(f->value - f->raw));
		header_qualify(f->value, f->value_len, facts->domain, out);
		buf_addc(out, '\n');
	}
}

static void
add_missing(unsigned seen, const struct header_facts *facts, struct buf *out)
{
	const char *again = (seen & RESENT) != 0 ? "Resent-" : "";
	unsigned from = *again != '\0' ? RESENT_FROM : HAS_FROM;
	unsigned date = *again != '\0' ? RESENT_DATE : HAS_DATE;
	unsigned id = *again != '\0' ? RESENT_ID : HAS_ID;

	if ((seen & from) == 0) {
		struct buf phrase = BUF_INIT(2048);

		header_phrase(facts->full_name, &phrase);
		buf_addf(out, "%sFrom: ", again);
		if (phrase.len > 0)
			buf_addf(out, "%s <%s>\n", buf_text(&phrase),
			    facts->address);
		else
			buf_addf(out, "%s\n", facts->address);
		buf_free(&phrase);
	}
	if ((seen & date) == 0)
		buf_addf(out, "%sDate: %s\n", again, facts->date);
	if ((seen & id) == 0)
		buf_addf(out, "%sMessage-ID: %s\n", again, facts->message_id);
}

bool
header_rewrite(const char *message, size_t n, const struct header_facts *facts,
    struct header_result *result, struct buf *out)
{
	const char *end = message + n;
	const char *p = first_field(message, end);
	unsigned seen = survey(p, end), is;
	struct field f;

	result->received = 0;
	for (; next_field(p, end, &f); p += f.raw_len) {
		is = rule_of(&f);
		if ((is & HOP) != 0)
			result->received++;
		add_field(&f, is, facts, out);
	}
	/* A header without a body may lack its last line end. */
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		buf_addc(out, '\n');
	add_missing(seen, facts, out);
	buf_addc(out, '\n');
	if (p < end && *p == '\n')
		p++;
	result->body = (size_t)(p - message);
	return buf_ok(out);
}

const char *
header_recipients(const char *message, size_t n,
    bool (*found)(const struct address *, void *context), void *context)
{
	const char *end = message + n, *wrong;
	const char *p = first_field(message, end);
	struct field f;
	unsigned wanted = (survey(p, end) & RESENT_TO) != 0 ? RESENT_TO : TO;

	for (; next_field(p, end, &f); p += f.raw_len) {
		if ((rule_of(&f) & wanted) == 0)
			continue;
		wrong =
		    address_header_each(f.value, f.value_len, found, context);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}
