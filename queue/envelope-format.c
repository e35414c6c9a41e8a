/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <string.h>

#include "common/utf8.h"
#include "queue/envelope.h"

static bool
is_plain(const char *text, size_t length, bool blanks)
{
	unsigned char c = (unsigned char)*text;

	if (length == 0)
		return false;
	if (length > 1)
		return true;
	if (blanks && (c == ' ' || c == '>'))
		return false;
	return c >= ' ' && c != 0x7f && c != '\\';
}

void
envelope_escape(struct buf *out, const char *text, bool blanks)
{
	size_t n = strlen(text), length;
	uint32_t code;

	for (; n > 0; text += length, n -= length) {
		length = utf8_decode(text, n, &code);
		if (is_plain(text, length, blanks)) {
			buf_add(out, text, length);
		} else {
			buf_addf(out, "\\x%02x", (unsigned char)*text);
			length = 1;
		}
	}
}

static void
add_number(struct buf *out, const char *name, uint64_t value)
{
	buf_addf(out, "%s %" PRIu64 "\n", name, value);
}

static void
add_text(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "%s ", name);
	envelope_escape(out, text, false);
	buf_addc(out, '\n');
}

static void
add_address(struct buf *out, const char *address)
{
	buf_adds(out, " <");
	envelope_escape(out, address, true);
	buf_addc(out, '>');
}

static void
add_recipient(struct buf *out, const struct recipient *r)
{
	char notify[DSN_NOTIFY_SIZE];

	buf_adds(out, "recipient");
	add_address(out, r->address);
	dsn_write_notify(r->notify, notify);
	if (r->notify != 0)
		buf_addf(out, " notify=%s", notify);
	if (r->orcpt != NULL) {
		buf_adds(out, " orcpt=");
		envelope_escape(out, r->orcpt, true);
	}
	buf_addc(out, '\n');
}

enum { VERSION_WITHOUT_HOLD = 3 };

bool
envelope_format(const struct envelope *e, struct buf *out)
{
	/* Who goes back to an older release keeps what that can read. */
	buf_addf(out, "postrider-envelope %d\n",
	    e->held != NULL ? ENVELOPE_VERSION : VERSION_WITHOUT_HOLD);
	add_number(out, "content", e->content);
	add_number(out, "start", e->start);
	add_number(out, "wire", e->wire);
	buf_addf(out, "time %" PRId64 ".%06" PRIu32 "\n", e->time, e->micros);
	buf_adds(out, "sender");
	add_address(out, e->sender);
	buf_addf(out, "\nbody %s\nutf8 %d\n",
	    e->eight_bit ? "8bitmime" : "7bit", e->utf8);
	add_text(out, "client", e->client);
	add_text(out, "helo", e->helo);
	add_text(out, "protocol", e->protocol);
	if (e->login != NULL)
		add_text(out, "login", e->login);
	if (e->uid >= 0)
		add_number(out, "uid", (uint64_t)e->uid);
	if (e->ret != DSN_RET_NONE)
		add_text(out, "ret", dsn_ret_name(e->ret));
	if (e->envid != NULL)
		add_text(out, "envid", e->envid);
	if (e->junk != NULL)
		add_text(out, "junk", e->junk);
	if (e->held != NULL)
		add_text(out, "hold", e->held);
	for (size_t i = 0; i < e->nsignatures; i++)
		add_text(out, "dkim", e->signatures[i]);
	for (size_t i = 0; i < e->n; i++)
		add_recipient(out, &e->recipients[i]);
	add_number(out, "end", e->n);
	return buf_ok(out);
}

static const char *const outcome_verbs[] = {
    [RECIPIENT_PENDING] = "deferred",
    [RECIPIENT_DELIVERED] = "delivered",
    [RECIPIENT_FAILED] = "failed",
    [RECIPIENT_BOUNCED] = "bounced",
};

/* At most max octets, not cut within a character. */
static void
add_bounded(struct buf *out, const char *text, bool blanks)
{
	char part[ENVELOPE_TEXT_MAX + 1];
	size_t n = strnlen(text, ENVELOPE_TEXT_MAX);

	if (n == ENVELOPE_TEXT_MAX)
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	memcpy(part, text, n);
	part[n] = '\0';
	envelope_escape(out, part, blanks);
}

void
envelope_outcome_line(struct buf *out, size_t index, const struct outcome *o)
{
	buf_addf(out, "%s %zu %" PRId64,
	    o->relayed ? "relayed" : outcome_verbs[o->state], index, o->when);
	if (o->state != RECIPIENT_BOUNCED) {
		bool none = o->relay == NULL || o->relay[0] == '\0';

		buf_addf(out, " %s ", o->dsn);
		add_bounded(out, none ? "-" : o->relay, true);
	}
	buf_addc(out, ' ');
	add_bounded(out, o->text != NULL ? o->text : "", false);
	buf_addc(out, '\n');
}

void
envelope_attempt_line(struct buf *out, int64_t when, int64_t next)
{
	buf_addf(out, "attempt %" PRId64 " %" PRId64 "\n", when, next);
}

static void
add_reported_line(struct buf *out, const char *verb, int64_t when,
    const size_t *index, size_t n)
{
	buf_addf(out, "%s %" PRId64, verb, when);
	for (size_t i = 0; i < n; i++)
		buf_addf(out, " %zu", index[i]);
	buf_addc(out, '\n');
}

void
envelope_warned_line(
    struct buf *out, int64_t when, const size_t *index, size_t n)
{
	add_reported_line(out, "warned", when, index, n);
}

void
envelope_told_line(struct buf *out, int64_t when, const size_t *index, size_t n)
{
	add_reported_line(out, "told", when, index, n);
}

void
envelope_held_line(struct buf *out, int64_t when, const char *why)
{
	buf_addf(out, "held %" PRId64 " ", when);
	add_bounded(out, why, false);
	buf_addc(out, '\n');
}

void
envelope_released_line(struct buf *out, int64_t when)
{
	buf_addf(out, "released %" PRId64 "\n", when);
}

void
envelope_requeued_line(struct buf *out, int64_t when)
{
	buf_addf(out, "requeued %" PRId64 "\n", when);
}

void
envelope_expanded_line(
    struct buf *out, const struct envelope *e, size_t index, size_t first)
{
	buf_addf(
	    out, "expanded %zu %" PRId64, index, e->recipients[index].when);
	for (size_t i = first; i < e->n; i++)
		add_address(out, e->recipients[i].address);
	buf_addc(out, '\n');
}
