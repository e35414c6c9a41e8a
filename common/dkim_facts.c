/* SPDX-License-Identifier: ISC */
#include "common/dkim_facts.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

static void
write_hash(const unsigned char *hash, char hex[DKIM_HASH_HEX + 1])
{
	for (size_t i = 0; i < DKIM_HASH_SIZE; i++) {
		hex[2 * i] = digits[hash[i] >> 4];
		hex[2 * i + 1] = digits[hash[i] & 15];
	}
	hex[DKIM_HASH_HEX] = '\0';
}

static bool
read_hash(const char *hex, unsigned char *hash)
{
	if (strlen(hex) != DKIM_HASH_HEX ||
	    strspn(hex, digits) != DKIM_HASH_HEX)
		return false;
	for (size_t i = 0; i < DKIM_HASH_SIZE; i++) {
		const char *high = strchr(digits, hex[2 * i]);
		const char *low = strchr(digits, hex[2 * i + 1]);

		hash[i] =
		    (unsigned char)((high - digits) << 4 | (low - digits));
	}
	return true;
}

size_t
dkim_facts_write(struct packet *p, const struct dkim_facts *f, size_t at)
{
	char part[DKIM_FIELDS_PART + 1], hex[DKIM_HASH_HEX + 1];
	size_t n = f->fields.len - at;

	if (n > DKIM_FIELDS_PART)
		n = DKIM_FIELDS_PART;
	if (at == 0) {
		write_hash(f->body, hex);
		packet_text(p, "from", f->from);
		packet_text(p, "body", hex);
	}
	if (n > 0)
		memcpy(part, f->fields.data + at, n);
	part[n] = '\0';
	packet_text(p, "fields", part);
	if (at + n == f->fields.len)
		return 0;
	packet_number(p, "more", 1);
	return at + n;
}

bool
dkim_facts_begin(struct dkim_facts *f, const char *from, const char *body,
    const char *fields)
{
	size_t n = strlen(from);

	*f = (struct dkim_facts){.fields = BUF_INIT(DKIM_FIELDS_MAX)};
	if (n > ADDRESS_TEXT_MAX || !read_hash(body, f->body))
		return false;
	memcpy(f->from, from, n + 1);
	return dkim_facts_more(f, fields);
}

bool
dkim_facts_more(struct dkim_facts *f, const char *fields)
{
	return *fields != '\0' && buf_add(&f->fields, fields, strlen(fields));
}
