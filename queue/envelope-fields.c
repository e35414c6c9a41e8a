/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/dsn.h"
#include "common/protocol.h"
#include "queue/envelope-read.h"

/* -- the part up to the end line: each field once, in this order -- */

static bool
read_size(struct reading *r, uint64_t *where)
{
	return read_number(r, INT64_MAX, where) && read_at_end(r);
}

static bool
read_content(struct reading *r)
{
	return read_size(r, &r->e->content);
}

static bool
read_start(struct reading *r)
{
	if (!read_size(r, &r->e->start))
		return false;
	return r->e->start <= r->e->content
	    ? true
	    : read_bad(r, "start behind the content's end");
}

static bool
read_wire(struct reading *r)
{
	return read_size(r, &r->e->wire);
}

/* A person who edits it may leave the fraction out. */
static bool
read_time(struct reading *r)
{
	uint64_t micros = 0;

	if (!read_seconds(r, &r->e->time))
		return false;
	if (cursor_left(&r->line) > 0) {
		cursor_expect(&r->line, ".");
		if (cursor_left(&r->line) != 6)
			return read_bad(r, "bad number");
		micros = cursor_decimal(&r->line);
	}
	r->e->micros = (uint32_t)micros;
	return read_at_end(r);
}

static bool
read_sender(struct reading *r)
{
	char address[PROTOCOL_ADDRESS_MAX + 1];

	if (!read_address(r, address) || !read_at_end(r))
		return false;
	r->e->sender = read_keep(r, address);
	return r->e->sender != NULL;
}

static bool
read_body(struct reading *r)
{
	char word[16];

	if (!read_text(r, 0, word, sizeof(word) - 1))
		return false;
	r->e->eight_bit = strcmp(word, "8bitmime") == 0;
	return r->e->eight_bit || strcmp(word, "7bit") == 0
	    ? true
	    : read_bad(r, "unknown body");
}

static bool
read_utf8(struct reading *r)
{
	uint64_t number;

	if (!read_number(r, 1, &number) || !read_at_end(r))
		return false;
	r->e->utf8 = number == 1;
	return true;
}

static bool
read_client(struct reading *r)
{
	return read_line_text(r, r->brief ? NULL : &r->e->client);
}

static bool
read_helo(struct reading *r)
{
	return read_line_text(r, r->brief ? NULL : &r->e->helo);
}

static bool
read_protocol(struct reading *r)
{
	return read_line_text(r, r->brief ? NULL : &r->e->protocol);
}

static bool
read_login(struct reading *r)
{
	return read_line_text(r, &r->e->login);
}

static bool
read_uid(struct reading *r)
{
	uint64_t number;

	if (!read_number(r, UINT32_MAX, &number) || !read_at_end(r))
		return false;
	r->e->uid = (int64_t)number;
	return true;
}

static bool
read_ret(struct reading *r)
{
	char word[8];

	if (!read_text(r, 0, word, sizeof(word) - 1))
		return false;
	return dsn_read_ret(word, &r->e->ret) ? true
					      : read_bad(r, "bad option");
}

static bool
read_envid(struct reading *r)
{
	char text[DSN_ENVID_MAX + 1];

	if (!read_text(r, 0, text, DSN_ENVID_MAX))
		return false;
	if (!dsn_is_envid(text))
		return read_bad(r, "bad option");
	r->e->envid = read_keep(r, text);
	return r->e->envid != NULL;
}

static bool
read_junk(struct reading *r)
{
	char word[ENVELOPE_JUNK_MAX + 1];

	if (!read_text(r, 0, word, ENVELOPE_JUNK_MAX))
		return false;
	if (!envelope_is_junk(word))
		return read_bad(r, "bad junk");
	r->e->junk = read_keep(r, word);
	return r->e->junk != NULL;
}

static bool
read_hold(struct reading *r)
{
	char text[PROTOCOL_TEXT_MAX + 1];

	if (!read_text(r, 0, text, PROTOCOL_TEXT_MAX))
		return false;
	r->no_memory = !envelope_hold(r->e, r->e->time, text);
	return !r->no_memory;
}

/* It goes out as it stands: a line too many would be another's message. */
static bool
read_dkim(struct reading *r)
{
	char text[SIGNATURE_MAX + 1];

	if (!read_text(r, 0, text, SIGNATURE_MAX))
		return false;
	if (!signature_is_field(text))
		return read_bad(r, "no signature");
	if (r->brief)
		return true;
	if (r->e->nsignatures == SIGNATURES_MAX)
		return read_bad(r, "too many signatures");
	r->no_memory = !envelope_sign(r->e, text);
	return !r->no_memory;
}

/* What its sender asked about reports on it. */
static bool
read_options(struct reading *r)
{
	char notify[DSN_NOTIFY_SIZE], orcpt[DSN_ORCPT_MAX + 1];
	struct dsn_recipient asked = {.notify = 0};

	if (!read_option(r, "notify", notify, sizeof(notify) - 1) ||
	    !read_option(r, "orcpt", orcpt, DSN_ORCPT_MAX) || !read_at_end(r))
		return false;
	if (notify[0] != '\0' && !dsn_read_notify(notify, &asked.notify))
		return read_bad(r, "bad option");
	if (orcpt[0] != '\0') {
		if (!dsn_is_orcpt(orcpt))
			return read_bad(r, "bad option");
		asked.orcpt = orcpt;
	}
	r->no_memory = !envelope_ask(r->e, r->e->n - 1, &asked);
	return !r->no_memory;
}

static bool
read_recipient(struct reading *r)
{
	char address[PROTOCOL_ADDRESS_MAX + 1];

	return read_address(r, address) &&
	    read_add_recipient(r, address, r->e->n) && read_options(r);
}

static bool
read_end(struct reading *r)
{
	uint64_t number;

	if (!read_number(r, ENVELOPE_RECIPIENTS_MAX, &number) ||
	    !read_at_end(r))
		return false;
	return number == r->e->n && number > 0
	    ? true
	    : read_bad(r, "wrong number of recipients");
}

const struct field envelope_fields[] = {
    {"content", ONCE, read_content},
    {"start", ONCE, read_start},
    {"wire", ONCE, read_wire},
    {"time", ONCE, read_time},
    {"sender", ONCE, read_sender},
    {"body", ONCE, read_body},
    {"utf8", ONCE, read_utf8},
    {"client", ONCE, read_client},
    {"helo", ONCE, read_helo},
    {"protocol", ONCE, read_protocol},
    {"login", PERHAPS, read_login},
    {"uid", PERHAPS, read_uid},
    {"ret", PERHAPS, read_ret},
    {"envid", PERHAPS, read_envid},
    {"junk", PERHAPS, read_junk},
    {"hold", PERHAPS, read_hold},
    {"dkim", REPEATED, read_dkim},
    {"recipient", REPEATED, read_recipient},
    {"end", ONCE, read_end},
    {NULL, ONCE, NULL},
};
