/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/base64.h"
#include "common/scram.h"

/* -- values -- */

static bool
is_printable(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < '!' || text[i] > '~' || text[i] == ',')
			return false;
	return true;
}

bool
scram_is_nonce(const char *text, size_t n)
{
	return n > 0 && n <= SCRAM_NONCE_MAX && is_printable(text, n);
}

/* Up to the next comma, which is taken too, or the end. */
static struct span
next(struct cursor *c)
{
	const char *from = (const char *)c->pos;
	size_t left = cursor_left(c);
	const char *comma = left > 0 ? memchr(from, ',', left) : NULL;
	size_t n = comma != NULL ? (size_t)(comma - from) : left;
	struct span value = cursor_take(c, n);

	if (comma != NULL)
		cursor_skip(c, 1);
	return value;
}

static struct span
take_attribute(struct cursor *c, char name)
{
	struct span value = next(c);

	if (value.len < 2 || value.data[0] != name || value.data[1] != '=') {
		c->failed = true;
		return (struct span){"", 0};
	}
	return (struct span){value.data + 2, value.len - 2};
}

/* Extensions that need not be understood: ALPHA "=" value. */
static bool
rest_is_optional(struct cursor *c)
{
	while (cursor_left(c) > 0) {
		struct span s = next(c);

		if (s.len < 2 || s.data[1] != '=' || s.data[0] == 'm' ||
		    !((s.data[0] >= 'a' && s.data[0] <= 'z') ||
			(s.data[0] >= 'A' && s.data[0] <= 'Z')))
			return false;
	}
	return cursor_ok(c);
}

bool
scram_unescape(struct span name, char *out, size_t max)
{
	size_t made = 0;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (c == '\0' || made == max)
			return false;
		if (c == '=') {
			if (name.len - i < 3)
				return false;
			if (memcmp(name.data + i, "=2C", 3) == 0)
				c = ',';
			else if (memcmp(name.data + i, "=3D", 3) != 0)
				return false;
			i += 2;
		}
		out[made++] = c;
	}
	out[made] = '\0';
	return made > 0;
}

bool
scram_escape(struct buf *out, const char *name)
{
	for (; *name != '\0'; name++)
		if (*name == ',')
			buf_adds(out, "=2C");
		else if (*name == '=')
			buf_adds(out, "=3D");
		else
			buf_addc(out, *name);
	return buf_ok(out);
}

/* -- the client's messages -- */

bool
scram_read_bare(struct span bare, struct span *name, struct span *nonce)
{
	struct cursor c = cursor_over(bare.data, bare.len);

	if (bare.len > SCRAM_MESSAGE_MAX)
		return false;
	*name = take_attribute(&c, 'n');
	*nonce = take_attribute(&c, 'r');
	return cursor_ok(&c) && name->len > 0 &&
	    scram_is_nonce(nonce->data, nonce->len) && rest_is_optional(&c);
}

static bool
read_flag(struct span flag, struct scram_client_first *m)
{
	m->flag = flag.len > 0 ? (enum scram_flag)flag.data[0] : 0;
	m->binding = (struct span){"", 0};
	if (m->flag == SCRAM_NO_BINDING || m->flag == SCRAM_UNUSED)
		return flag.len == 1;
	if (m->flag != SCRAM_BOUND || flag.len < 3 || flag.data[1] != '=')
		return false;
	m->binding = (struct span){flag.data + 2, flag.len - 2};
	return is_printable(m->binding.data, m->binding.len);
}

bool
scram_read_client_first(
    const char *text, size_t n, struct scram_client_first *m)
{
	struct cursor c = cursor_over(text, n);
	struct span authzid;

	if (n > SCRAM_MESSAGE_MAX || !read_flag(next(&c), m))
		return false;
	authzid = next(&c);
	m->authzid = (struct span){"", 0};
	if (authzid.len > 0) {
		if (authzid.len < 3 || memcmp(authzid.data, "a=", 2) != 0)
			return false;
		m->authzid = (struct span){authzid.data + 2, authzid.len - 2};
	}
	m->header = (struct span){text, n - cursor_left(&c)};
	m->bare = cursor_take(&c, cursor_left(&c));
	return scram_read_bare(m->bare, &m->name, &m->nonce);
}

bool
scram_read_client_final(
    const char *text, size_t n, struct scram_client_final *m)
{
	struct cursor c = cursor_over(text, n);
	struct span last = {"", 0};

	if (n == 0 || n > SCRAM_MESSAGE_MAX || memchr(text, '\0', n) != NULL)
		return false;
	m->binding = take_attribute(&c, 'c');
	m->nonce = take_attribute(&c, 'r');
	/* The proof is the last of them, extensions stand before it. */
	while (cursor_left(&c) > 0) {
		last = next(&c);
		if (last.len < 2 || last.data[1] != '=' || last.data[0] == 'm')
			return false;
		if (last.data[0] == 'p')
			break;
	}
	if (!cursor_done(&c) || last.len < 3 || last.data[0] != 'p' ||
	    text[n - 1] == ',')
		return false;
	m->proof = (struct span){last.data + 2, last.len - 2};
	m->without_proof = (struct span){text, (size_t)(last.data - text) - 1};
	return m->nonce.len > 0 && is_printable(m->nonce.data, m->nonce.len);
}

/* -- the server's -- */

bool
scram_read_server_first(
    const char *text, size_t n, struct scram_server_first *m)
{
	struct cursor c = cursor_over(text, n), iterations;
	char octets[SCRAM_SALT_TEXT_MAX];
	struct span salt, digits;
	uint64_t count;

	if (n > SCRAM_MESSAGE_MAX)
		return false;
	m->nonce = take_attribute(&c, 'r');
	salt = take_attribute(&c, 's');
	digits = take_attribute(&c, 'i');
	iterations = cursor_over(digits.data, digits.len);
	count = cursor_decimal(&iterations);
	if (!cursor_ok(&c) || !cursor_done(&iterations) ||
	    !rest_is_optional(&c) || m->nonce.len == 0 ||
	    !is_printable(m->nonce.data, m->nonce.len) || salt.len == 0 ||
	    salt.len > sizeof(octets) ||
	    !base64_decode(salt.data, salt.len, octets, &m->nsalt) ||
	    m->nsalt > SCRAM_SALT_MAX || count < SCRAM_ITERATIONS_LEAST ||
	    count > SCRAM_ITERATIONS_MOST)
		return false;
	memcpy(m->salt, octets, m->nsalt);
	m->iterations = (unsigned)count;
	return true;
}
