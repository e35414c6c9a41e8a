/* SPDX-License-Identifier: ISC */
#include "userdb/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "userdb/entry_fields.h"

enum { VERSION = 1 };

/* FNV-1a, 64 bits: against accidents, not against enemies. */
static uint64_t
sum_over(uint64_t sum, const char *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ (unsigned char)octets[i]) * 0x100000001b3u;
	return sum;
}

static uint64_t
sum_of(struct span key, const char *value, size_t n)
{
	return sum_over(
	    sum_over(0xcbf29ce484222325u, key.data, key.len), value, n);
}

/* -- keys -- */

static void
key_add(struct entry_key *key, const char *text)
{
	size_t n = strlen(text);

	memcpy(key->octets + key->n, text, n);
	key->n += n;
}

_Static_assert(
    2 + ADDRESS_DOMAIN_MAX + 1 + ADDRESS_LOCAL_MAX + 1 + PROTOCOL_ADDRESS_MAX <=
	STORE_KEY_MAX,
    "every key fits");

void
entry_prefix(enum entry_type type, const char *domain, const char *local,
    struct entry_key *key)
{
	key->octets[0] = entry_types[type].letter;
	key->octets[1] = '/';
	key->n = 2;
	if (domain == NULL)
		return;
	key_add(key, domain);
	if (local == NULL)
		return;
	key_add(key, "/");
	key_add(key, local);
}

bool
entry_key(const struct entry *e, struct entry_key *key)
{
	switch (e->type) {
	case ENTRY_DOMAIN:
		entry_prefix(e->type, e->name.domain, NULL, key);
		break;
	case ENTRY_NOTE:
		entry_prefix(e->type, e->name.local, NULL, key);
		break;
	case ENTRY_USER:
		entry_prefix(e->type, e->name.domain, e->name.local, key);
		break;
	case ENTRY_ALIAS:
	case ENTRY_APP:
	case ENTRY_GRANT:
		entry_prefix(e->type, e->name.domain, e->name.local, key);
		key->octets[key->n++] = '\0';
		key_add(key, e->target);
		break;
	}
	return key->n <= STORE_KEY_MAX;
}

bool
entry_has_prefix(struct span key, const struct entry_key *prefix)
{
	return key.len >= prefix->n &&
	    memcmp(key.data, prefix->octets, prefix->n) == 0;
}

bool
entry_read_key(struct span key, struct entry *e)
{
	struct cursor c = cursor_over(key.data, key.len);
	struct span domain, local, target = {"", 0};
	unsigned char letter = cursor_u8(&c);
	size_t type = 0;
	bool two;

	memset(e, 0, sizeof(*e));
	while (type < ENTRY_TYPES && entry_types[type].letter != (char)letter)
		type++;
	cursor_expect(&c, "/");
	if (type == ENTRY_TYPES || !cursor_ok(&c))
		return false;
	e->type = (enum entry_type)type;
	if (e->type == ENTRY_DOMAIN || e->type == ENTRY_NOTE) {
		local = cursor_take(&c, cursor_left(&c));
		return e->type == ENTRY_DOMAIN
		    ? entry_take_text(
			  local, e->name.domain, sizeof(e->name.domain))
		    : entry_take_text(
			  local, e->name.local, sizeof(e->name.local));
	}
	two = entry_has_target(e->type);
	domain = cursor_until(&c, '/');
	if (two)
		local = cursor_until(&c, '\0');
	else
		local = cursor_take(&c, cursor_left(&c));
	if (two)
		target = cursor_take(&c, cursor_left(&c));
	return cursor_ok(&c) &&
	    entry_take_text(domain, e->name.domain, sizeof(e->name.domain)) &&
	    entry_take_text(local, e->name.local, sizeof(e->name.local)) &&
	    entry_take_text(target, e->target, sizeof(e->target));
}

/* -- values -- */

bool
entry_value(const struct entry *e, struct buf *value)
{
	struct entry_key key;
	char text[STORE_VALUE_MAX];

	if (!entry_key(e, &key))
		return false;
	buf_addf(value, "%s %d\n", entry_types[e->type].word, VERSION);
	for (size_t i = 0; i < entry_fields_count; i++) {
		/* It is in the key already. */
		if (entry_fields[i].offset == offsetof(struct entry, target) &&
		    e->type != ENTRY_NOTE)
			continue;
		entry_field_get(e, &entry_fields[i], text, sizeof(text));
		if (text[0] != '\0')
			buf_addf(value, "%s %s\n", entry_fields[i].name, text);
	}
	if (!buf_ok(value))
		return false;
	return buf_addf(value, "sum %016" PRIx64 "\n",
	    sum_of(entry_key_span(&key), value->data, value->len));
}

enum { SUM_LINE = 4 + 16 + 1 };

static bool
sum_is_right(struct span key, struct span value)
{
	char line[SUM_LINE + 1];
	size_t n = value.len - SUM_LINE;

	if (value.len < SUM_LINE)
		return false;
	snprintf(line, sizeof(line), "sum %016" PRIx64 "\n",
	    sum_of(key, value.data, n));
	return memcmp(value.data + n, line, SUM_LINE) == 0;
}

bool
entry_read(struct span key, struct span value, struct entry *e)
{
	struct cursor c;
	char head[16];

	if (!entry_read_key(key, e) || !sum_is_right(key, value))
		return false;
	c = cursor_over(value.data, value.len - SUM_LINE);
	snprintf(
	    head, sizeof(head), "%s %d\n", entry_types[e->type].word, VERSION);
	cursor_expect(&c, head);
	while (cursor_left(&c) > 0) {
		struct span name = cursor_until(&c, ' ');
		struct span text = cursor_until(&c, '\n');
		const struct entry_field *f =
		    cursor_ok(&c) ? entry_field_find(name) : NULL;

		if (f == NULL || !entry_field_set(e, f, text))
			return false;
	}
	return cursor_done(&c);
}
