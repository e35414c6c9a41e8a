/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "common/base64.h"
#include "common/idn.h"
#include "mailauth/dkim_body.h"
#include "mailauth/dkim_fields.h"
#include "mailauth/dkim_signature.h"
#include "mailauth/dkim_text.h"

enum { COLUMNS = 76, FIELD_MAX = 16 * 1024 };

/* -- the field's text, folded -- */

struct writer {
	struct buf *out;
	size_t column;
};

static void
fold(struct writer *w)
{
	buf_adds(w->out, "\n\t");
	w->column = 8;
}

/* A word that is not broken; before it a blank, or a fold. */
static void
put_word(struct writer *w, const char *word)
{
	size_t n = strlen(word);

	if (w->column + 1 + n > COLUMNS) {
		fold(w);
	} else {
		buf_addc(w->out, ' ');
		w->column++;
	}
	buf_add(w->out, word, n);
	w->column += n;
}

/* White space may stand anywhere in it. */
static void
put_breakable(struct writer *w, const char *text)
{
	while (*text != '\0') {
		size_t n = strlen(text);

		if (w->column >= COLUMNS)
			fold(w);
		if (n > COLUMNS - w->column)
			n = COLUMNS - w->column;
		buf_add(w->out, text, n);
		w->column += n;
		text += n;
	}
}

/* "h=from:from:..."; may be broken behind a colon. */
static void
put_names(struct writer *w, const struct dkim_facts *facts)
{
	struct span rest = {facts->fields.data, facts->fields.len}, line, name;
	const char *before = "";
	bool bare;

	put_word(w, "h=");
	while (dkim_fields_next(&rest, &line, &name, &bare)) {
		/* with the colon or semicolon behind it */
		buf_adds(w->out, before);
		w->column += strlen(before);
		if (w->column + name.len + 1 > COLUMNS)
			fold(w);
		buf_add(w->out, name.data, name.len);
		w->column += name.len;
		before = ":";
	}
	buf_addc(w->out, ';');
	w->column++;
}

static void
put_field(struct writer *w, const struct dkim_facts *facts, const char *domain,
    const char *selector, int64_t now, bool is_rsa)
{
	char text[DNS_NAME_MAX + 8], hash[BASE64_LENGTH(DKIM_HASH_SIZE) + 1];

	buf_adds(w->out, "DKIM-Signature: v=1;");
	w->column = strlen("DKIM-Signature: v=1;");
	put_word(w, is_rsa ? "a=rsa-sha256;" : "a=ed25519-sha256;");
	put_word(w, "c=relaxed/relaxed;");
	snprintf(text, sizeof(text), "d=%s;", domain);
	put_word(w, text);
	snprintf(text, sizeof(text), "s=%s;", selector);
	put_word(w, text);
	snprintf(text, sizeof(text), "t=%" PRId64 ";", now);
	put_word(w, text);
	put_names(w, facts);
	base64_encode(facts->body, DKIM_HASH_SIZE, hash);
	snprintf(text, sizeof(text), "bh=%s;", hash);
	put_word(w, text);
	put_word(w, "b=");
}

/* -- what is signed -- */

static void
update(void *context, const char *octets, size_t n)
{
	EVP_DigestUpdate(context, octets, n);
}

static bool
hash_all(const struct dkim_facts *facts, struct span field,
    unsigned char digest[DKIM_HASH_SIZE])
{
	struct span rest = {facts->fields.data, facts->fields.len}, line, name,
		    none = {"", 0};
	struct header_section h;
	struct dkim_canon canon;
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool bare,
	    ok = hash != NULL &&
	    EVP_DigestInit_ex(hash, dkim_sha256(), NULL) == 1;

	header_init(&h);
	header_take(&h, field.data, field.len);
	header_end(&h);
	ok = ok && h.n == 1;
	while (ok && dkim_fields_next(&rest, &line, &name, &bare))
		ok = bare || EVP_DigestUpdate(hash, line.data, line.len + 2);
	if (ok) {
		dkim_canon_init(&canon, true, update, hash);
		dkim_canon_field(&canon, &h.fields[0], none);
		dkim_canon_flush(&canon);
		ok = EVP_DigestFinal_ex(hash, digest, NULL) == 1;
	}
	header_free(&h);
	EVP_MD_CTX_free(hash);
	return ok;
}

static bool
sign_rsa(EVP_PKEY *key, const unsigned char digest[DKIM_HASH_SIZE],
    unsigned char *out, size_t *n)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	bool ok = c != NULL && EVP_PKEY_sign_init(c) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(c, dkim_sha256()) == 1 &&
	    EVP_PKEY_sign(c, out, n, digest, DKIM_HASH_SIZE) == 1;

	EVP_PKEY_CTX_free(c);
	return ok;
}

/* PureEdDSA over the hash (RFC 8463 section 3). */
static bool
sign_ed25519(EVP_PKEY *key, const unsigned char digest[DKIM_HASH_SIZE],
    unsigned char *out, size_t *n)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c != NULL &&
	    EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(c, out, n, digest, DKIM_HASH_SIZE) == 1;

	EVP_MD_CTX_free(c);
	return ok;
}

/* May a key of this domain sign for who is in From? */
static bool
is_above(const char *domain, const char *from)
{
	char name[DNS_NAME_MAX + 1];
	const char *at = strrchr(from, '@');
	size_t n, nd = strlen(domain);

	if (at == NULL || !idn_to_ascii(at + 1, name))
		return false;
	n = strlen(name);
	return n >= nd && strcasecmp(name + n - nd, domain) == 0 &&
	    (n == nd || name[n - nd - 1] == '.');
}

static bool
sign_field(const struct dkim_facts *facts, struct writer *w, EVP_PKEY *key,
    bool is_rsa)
{
	unsigned char digest[DKIM_HASH_SIZE], octets[DKIM_SIGNATURE_MAX];
	char text[BASE64_LENGTH(DKIM_SIGNATURE_MAX) + 1];
	size_t n = sizeof(octets);

	if (!buf_ok(w->out) ||
	    !hash_all(
		facts, (struct span){w->out->data, w->out->len}, digest) ||
	    !(is_rsa ? sign_rsa : sign_ed25519)(key, digest, octets, &n))
		return false;
	base64_encode(octets, n, text);
	put_breakable(w, text);
	return buf_addc(w->out, '\n');
}

bool
dkim_sign(const struct dkim_facts *facts, const char *domain,
    const char *selector, int64_t now, EVP_PKEY *key, struct buf *out)
{
	bool is_rsa = EVP_PKEY_is_a(key, "RSA") == 1, ok = false;
	struct buf field = BUF_INIT(FIELD_MAX);
	struct writer w = {.out = &field};
	char d[DNS_NAME_MAX + 1], s[DKIM_SELECTOR_MAX + 1];

	ERR_set_mark();
	if ((is_rsa ? EVP_PKEY_get_bits(key) >= DKIM_RSA_BITS_MIN &&
			EVP_PKEY_get_size(key) <= DKIM_SIGNATURE_MAX
		    : EVP_PKEY_is_a(key, "ED25519") == 1) &&
	    dkim_domain(
		(struct span){domain, strlen(domain)}, 2, d, sizeof(d)) &&
	    dkim_domain(
		(struct span){selector, strlen(selector)}, 1, s, sizeof(s)) &&
	    is_above(d, facts->from) && dkim_facts_check(facts) == NULL) {
		put_field(&w, facts, d, s, now, is_rsa);
		ok = sign_field(facts, &w, key, is_rsa) &&
		    buf_add(out, field.data, field.len);
	}
	ERR_pop_to_mark();
	buf_free(&field);
	return ok;
}
