/* SPDX-License-Identifier: ISC */
#include "common/dns_read.h"

#include <string.h>
#include <strings.h>

enum {
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_AUTHORITATIVE = 0x0400,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RECURSION = 0x0080,
	FLAG_AUTHENTIC = 0x0020,
	FLAG_CODE = 0x000f,
	CODE_OK = 0,
	CODE_NO_NAME = 3,
	CLASS_IN = 1,
	HEADER_SIZE = 12,
	POINTER = 0xc0,
	LABEL_MAX = 63
};

struct header {
	uint16_t id, flags, questions, answers;
};

struct alias {
	char owner[DNS_NAME_MAX + 1], target[DNS_NAME_MAX + 1];
};

struct aliases {
	bool spoiled; /* one could not be read, or there are too many */
	size_t n;
	struct alias items[DNS_CHAIN_MAX];
};

static bool
is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_host(const char *name)
{
	for (; *name != '\0'; name++)
		if (!((*name >= 'a' && *name <= 'z') ||
			(*name >= '0' && *name <= '9') || *name == '-' ||
			*name == '_' || *name == '.'))
			return false;
	return true;
}

void
dns_name_normalise(const char *name, char out[DNS_NAME_MAX + 1])
{
	size_t n = strnlen(name, DNS_NAME_MAX);

	if (n > 0 && name[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i++)
		out[i] = is_upper((unsigned char)name[i]) ? (char)(name[i] + 32)
							  : name[i];
	out[n] = '\0';
}

bool
dns_name_equal(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	if (n > 0 && a[n - 1] == '.')
		n--;
	if (m > 0 && b[m - 1] == '.')
		m--;
	return n == m && strncasecmp(a, b, n) == 0;
}

/* One label to out + *n.  False when it is no text; its length counts. */
static bool
copy_label(struct cursor *c, size_t len, char *out, size_t *n)
{
	struct span label = cursor_take(c, len);
	bool text = true;

	if (!cursor_ok(c))
		return false;
	if (*n + label.len + 1 > DNS_NAME_MAX) {
		c->failed = true;
		return false;
	}
	if (*n > 0)
		out[(*n)++] = '.';
	for (size_t i = 0; i < label.len; i++) {
		unsigned char octet = (unsigned char)label.data[i];

		if (octet < ' ' || octet > '~' || octet == '.' ||
		    octet == '\\')
			text = false;
		out[(*n)++] = (char)(is_upper(octet) ? octet + 32 : octet);
	}
	return text;
}

/*
 * Each pointer must lead to before the place where the run of labels that
 * it ends began, so a loop cannot be expressed.
 */
bool
dns_read_name(struct cursor *c, char out[DNS_NAME_MAX + 1])
{
	struct cursor at = *c;
	size_t begin = (size_t)(at.pos - at.start), n = 0;
	bool jumped = false, text = true;

	out[0] = '\0';
	for (;;) {
		unsigned len = cursor_u8(&at);

		if (!cursor_ok(&at) || len == 0)
			break;
		if ((len & POINTER) == POINTER) {
			size_t to = (len & 0x3fU) << 8 | cursor_u8(&at);

			if (!jumped)
				c->pos = at.pos;
			jumped = true;
			at.failed = at.failed || to >= begin;
			cursor_seek(&at, to);
			begin = to;
		} else if (len > LABEL_MAX) {
			at.failed = true;
		} else if (!copy_label(&at, len, out, &n)) {
			text = false;
		}
	}
	if (!jumped)
		c->pos = at.pos;
	c->failed = at.failed;
	out[text && cursor_ok(c) ? n : 0] = '\0';
	return text && cursor_ok(c);
}

bool
dns_read_host(struct cursor *c, char out[DNS_NAME_MAX + 1])
{
	return dns_read_name(c, out) && is_host(out);
}

static struct header
read_header(struct cursor *c)
{
	struct header h;

	h.id = cursor_u16(c);
	h.flags = cursor_u16(c);
	h.questions = cursor_u16(c);
	h.answers = cursor_u16(c);
	cursor_skip(c, 4);
	return h;
}

bool
dns_is_truncated(const void *packet, size_t size)
{
	struct cursor c = cursor_over(packet, size);
	struct header h = read_header(&c);

	return cursor_ok(&c) && (h.flags & FLAG_TRUNCATED) != 0;
}

struct cursor
dns_record_cursor(const struct dns_answer *a, const struct dns_record *r)
{
	struct cursor c = cursor_over(a->packet, r->data + r->len);

	cursor_seek(&c, r->data);
	return c;
}

static void
read_alias(
    struct dns_answer *a, const struct dns_record *r, struct aliases *aliases)
{
	struct cursor c = dns_record_cursor(a, r);
	struct alias *alias = &aliases->items[aliases->n];

	if (aliases->n == DNS_CHAIN_MAX || !dns_read_name(&c, alias->target) ||
	    !cursor_done(&c)) {
		aliases->spoiled = true;
		return;
	}
	memcpy(alias->owner, r->owner, sizeof(alias->owner));
	aliases->n++;
}

/* Keep what is of the type asked for, whoever owns it, and the aliases. */
static void
read_records(struct dns_answer *a, struct cursor *c, size_t count,
    uint16_t type, struct aliases *aliases)
{
	const size_t most =
	    type == DNS_TYPE_TXT ? DNS_TEXTS_MAX : DNS_RECORDS_MAX;

	for (size_t i = 0; i < count && i < most; i++) {
		struct dns_record *r = &a->records[a->n];
		bool named = dns_read_name(c, r->owner);
		uint16_t class;
		uint32_t ttl;

		r->type = cursor_u16(c);
		class = cursor_u16(c);
		ttl = cursor_u32(c);
		if (i == 0 || ttl < a->ttl)
			a->ttl = ttl;
		r->len = cursor_u16(c);
		r->data = (size_t)(c->pos - c->start);
		cursor_skip(c, r->len);
		if (!cursor_ok(c))
			return;
		if (!named || class != CLASS_IN)
			continue;
		if (r->type == type)
			a->n++;
		else if (r->type == DNS_TYPE_CNAME)
			read_alias(a, r, aliases);
	}
}

/* From the question along the aliases, in whatever order they came. */
static bool
follow(struct dns_answer *a, const struct aliases *aliases)
{
	for (size_t i = 0; i < aliases->n; i++) {
		if (!dns_name_equal(aliases->items[i].owner, a->name))
			continue;
		if (++a->hops > DNS_CHAIN_MAX)
			return false;
		memcpy(a->name, aliases->items[i].target, sizeof(a->name));
		i = (size_t)-1;
	}
	return true;
}

static void
keep_owned(struct dns_answer *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->n; i++)
		if (dns_name_equal(a->records[i].owner, a->name))
			a->records[kept++] = a->records[i];
	a->n = kept;
}

static bool
read_question(struct cursor *c, const char *name, uint16_t type)
{
	char asked[DNS_NAME_MAX + 1];

	return dns_read_name(c, asked) && dns_name_equal(asked, name) &&
	    cursor_u16(c) == type && cursor_u16(c) == CLASS_IN && cursor_ok(c);
}

bool
dns_repeats_question(
    const void *packet, size_t size, const char *name, uint16_t type)
{
	struct cursor c = cursor_over(packet, size);
	struct header h = read_header(&c);

	return (h.flags & FLAG_RESPONSE) != 0 && h.questions == 1 &&
	    read_question(&c, name, type);
}

enum dns_status
dns_read_answer(struct dns_answer *a, const void *packet, size_t size,
    uint16_t id, const char *name, uint16_t type)
{
	struct cursor c = cursor_over(packet, size);
	struct header h = read_header(&c);
	struct aliases aliases = {.n = 0};
	unsigned code = h.flags & FLAG_CODE;

	a->packet = packet;
	a->size = size;
	a->n = a->hops = 0;
	a->ttl = 0;
	a->authentic = (h.flags & FLAG_AUTHENTIC) != 0;
	if (!cursor_ok(&c) || h.id != id || strlen(name) > DNS_NAME_MAX ||
	    (h.flags & (FLAG_RESPONSE | FLAG_OPCODE)) != FLAG_RESPONSE)
		return DNS_BROKEN;
	if (code != CODE_OK && code != CODE_NO_NAME)
		return DNS_TEMPORARY;
	if (h.questions != 1 || !read_question(&c, name, type) ||
	    (h.flags & FLAG_TRUNCATED) != 0)
		return DNS_BROKEN;
	memcpy(a->name, name, strlen(name) + 1);
	read_records(a, &c, h.answers, type, &aliases);
	if (!cursor_ok(&c) || !follow(a, &aliases))
		return DNS_BROKEN;
	keep_owned(a);
	if (a->n > 0)
		return DNS_FOUND;
	if (aliases.spoiled)
		return DNS_BROKEN;
	if (a->hops == 0 &&
	    (h.flags & (FLAG_AUTHORITATIVE | FLAG_RECURSION)) == 0)
		return DNS_TEMPORARY; /* a lame server, a referral */
	return code == CODE_NO_NAME ? DNS_NO_NAME : DNS_NO_DATA;
}
