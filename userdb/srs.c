/* SPDX-License-Identifier: ISC */
#include "userdb/srs.h"

#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "common/buf.h"
#include "common/cursor.h"

enum {
	DAY = 24 * 60 * 60,
	DAYS = 1024, /* that two letters tell apart */
	TAG = 4,     /* SRS0 */
	STAMP = 2,
	SIGNED_MAX = 1024
};

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* -- what stands in it -- */

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Any of the separators that the scheme allows behind its tag. */
static bool
is_separator(char c)
{
	return c == '=' || c == '-' || c == '+';
}

static bool
has_tag(const char *local, char digit)
{
	return strncasecmp(local, "SRS", TAG - 1) == 0 &&
	    local[TAG - 1] == digit && is_separator(local[TAG]);
}

bool
srs_is(const struct address *name)
{
	return has_tag(name->local, '0') || has_tag(name->local, '1');
}

/* Up to the next "=", which is taken too; not empty. */
static bool
take_field(struct cursor *c, struct span *field)
{
	*field = cursor_until(c, '=');
	return cursor_ok(c) && field->len > 0;
}

/* What stands behind the tag and its separator; false: no such tag. */
static bool
begin(const struct address *name, char digit, struct cursor *c)
{
	if (!has_tag(name->local, digit))
		return false;
	*c = cursor_over(name->local + TAG + 1, strlen(name->local + TAG + 1));
	return true;
}

/* hash=stamp=domain=local */
struct srs0 {
	struct span hash, stamp, domain, local;
};

static bool
read_srs0(const struct address *name, struct srs0 *s)
{
	struct cursor c;

	if (!begin(name, '0', &c) || !take_field(&c, &s->hash) ||
	    !take_field(&c, &s->stamp) || !take_field(&c, &s->domain))
		return false;
	s->local = cursor_take(&c, cursor_left(&c)); /* perhaps "" */
	return true;
}

/* hash=host= and then what stood behind SRS0 there, its separator first */
struct srs1 {
	struct span hash, host, rest;
};

static bool
read_srs1(const struct address *name, struct srs1 *s)
{
	struct cursor c;

	if (!begin(name, '1', &c) || !take_field(&c, &s->hash) ||
	    !take_field(&c, &s->host))
		return false;
	s->rest = cursor_take(&c, cursor_left(&c));
	return s->rest.len > 1 && is_separator(s->rest.data[0]);
}

/* -- what is ours -- */

static struct span
span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* NULs between them: what stands in one cannot be moved into the next. */
static bool
hash_of(const char *key, const char *tag, const struct span *parts, size_t n,
    char out[SRS_HASH + 1])
{
	struct buf text = BUF_INIT(SIGNED_MAX);
	unsigned char made[EVP_MAX_MD_SIZE];
	uint64_t bits = 0;
	bool good;

	buf_adds(&text, tag);
	for (size_t i = 0; i < n; i++) {
		buf_addc(&text, '\0');
		for (size_t k = 0; k < parts[i].len; k++)
			buf_addc(&text, upper(parts[i].data[k]));
	}
	good = buf_ok(&text) &&
	    HMAC(EVP_sha256(), key, (int)strlen(key),
		(const unsigned char *)text.data, text.len, made, NULL) != NULL;
	buf_free(&text);
	for (size_t i = 0; i < 5 && good; i++)
		bits = bits << 8 | made[i];
	for (size_t i = 0; i < SRS_HASH; i++)
		out[i] = letters[bits >> (35 - 5 * i) & 31];
	out[SRS_HASH] = '\0';
	return good;
}

static bool
is_hash(struct span given, const char *key, const char *tag,
    const struct span *parts, size_t n)
{
	char made[SRS_HASH + 1], folded[SRS_HASH];

	if (given.len != SRS_HASH || !hash_of(key, tag, parts, n, made))
		return false;
	for (size_t i = 0; i < SRS_HASH; i++)
		folded[i] = upper(given.data[i]);
	return CRYPTO_memcmp(made, folded, SRS_HASH) == 0;
}

static unsigned
day_of(int64_t now)
{
	return (unsigned)(now / DAY % DAYS);
}

static bool
is_fresh(struct span stamp, int64_t now)
{
	unsigned day = 0, age;

	if (stamp.len != STAMP)
		return false;
	for (size_t i = 0; i < STAMP; i++) {
		char c = upper(stamp.data[i]);
		const char *at = c != '\0' ? strchr(letters, c) : NULL;

		if (at == NULL)
			return false;
		day = day * 32 + (unsigned)(at - letters);
	}
	age = (day_of(now) + DAYS - day) % DAYS;
	/* A clock that was set back may make it one of tomorrow. */
	return age <= SRS_DAYS || age == DAYS - 1;
}

/* -- there -- */

/* The address that a rewritten one stands for. */
static bool
undo(const char *tag, struct span local, struct span domain,
    struct address *sender)
{
	struct buf text = BUF_INIT(SIGNED_MAX);
	bool good;

	buf_adds(&text, tag);
	buf_add(&text, local.data, local.len);
	good = buf_ok(&text) &&
	    address_make(text.data, text.len, domain.data, domain.len,
		ADDRESS_UTF8, sender) == NULL;
	buf_free(&text);
	return good;
}

static bool
make(struct buf *local, const char *domain, struct address *out)
{
	bool good = buf_ok(local) &&
	    address_make(local->data, local->len, domain, strlen(domain),
		ADDRESS_UTF8, out) == NULL;

	buf_free(local);
	return good;
}

static bool
wrap(const char *key, struct span host, struct span rest, const char *domain,
    struct address *out)
{
	struct buf local = BUF_INIT(SIGNED_MAX);
	char hash[SRS_HASH + 1];

	if (!hash_of(key, "1", (struct span[]){host, rest}, 2, hash))
		return false;
	buf_addf(&local, "SRS1=%s=", hash);
	buf_add(&local, host.data, host.len);
	buf_addc(&local, '=');
	buf_add(&local, rest.data, rest.len);
	return make(&local, domain, out);
}

bool
srs_forward(const char *key, int64_t now, const struct address *sender,
    const char *domain, struct address *out)
{
	struct buf local = BUF_INIT(SIGNED_MAX);
	unsigned day = day_of(now);
	const char stamp[STAMP + 1] = {letters[day / 32], letters[day % 32]};
	char hash[SRS_HASH + 1];
	struct address original;
	struct srs0 first;
	struct srs1 later;

	if (read_srs0(sender, &first))
		return wrap(key, span_of(sender->domain),
		    span_of(sender->local + TAG), domain, out);
	if (read_srs1(sender, &later) &&
	    undo("SRS0", later.rest, later.host, &original))
		return wrap(key, later.host, later.rest, domain, out);
	if (!hash_of(key, "0",
		(struct span[]){span_of(stamp), span_of(sender->domain),
		    span_of(sender->local)},
		3, hash))
		return false;
	buf_addf(&local, "SRS0=%s=%s=%s=%s", hash, stamp, sender->domain,
	    sender->local);
	return make(&local, domain, out);
}

/* -- and back -- */

bool
srs_reverse(const char *key, int64_t now, const struct address *name,
    struct address *sender)
{
	struct srs0 first;
	struct srs1 later;

	if (read_srs0(name, &first))
		return is_hash(first.hash, key, "0",
			   (struct span[]){
			       first.stamp, first.domain, first.local},
			   3) &&
		    is_fresh(first.stamp, now) &&
		    undo("", first.local, first.domain, sender);
	return read_srs1(name, &later) &&
	    is_hash(later.hash, key, "1",
		(struct span[]){later.host, later.rest}, 2) &&
	    undo("SRS0", later.rest, later.host, sender);
}
