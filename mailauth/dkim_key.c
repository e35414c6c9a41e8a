/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "mailauth/dkim.h"
#include "mailauth/dkim_rsa.h"
#include "mailauth/dkim_text.h"
#include "mailauth/tags.h"

enum { ED25519_SIZE = 32, KEY_DER_MAX = 2048 };

static const char *
take_rsa(const unsigned char *octets, size_t n, struct dkim_key *k)
{
	k->key = dkim_rsa_key(octets, n, &k->bits);
	if (k->key != NULL)
		return NULL;
	if (k->bits == 0)
		return "p= is no RSA key";
	if (k->bits < DKIM_RSA_BITS_MIN)
		return "the RSA key is too short";
	return k->bits > DKIM_RSA_BITS_MAX ? "the RSA key is too long"
					   : "p= is no RSA key";
}

static const char *
take_ed25519(const unsigned char *octets, size_t n, struct dkim_key *k)
{
	if (n == ED25519_SIZE)
		k->key = EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_ED25519, NULL, octets, n);
	if (k->key == NULL)
		return "p= is no Ed25519 key";
	k->bits = ED25519_SIZE * 8;
	return NULL;
}

static const char *
take_key(struct span type, struct span p, struct dkim_key *k)
{
	unsigned char octets[KEY_DER_MAX];
	size_t n = 0;
	bool is_rsa = span_is(type, "rsa");

	if (!is_rsa && !span_is(type, "ed25519"))
		return "unknown key type in k=";
	if (!dkim_base64(p, octets, sizeof(octets), &n))
		return "p= is no base64";
	if (n == 0)
		return NULL; /* revoked */
	return is_rsa ? take_rsa(octets, n, k) : take_ed25519(octets, n, k);
}

const char *
dkim_key_parse(const char *record, struct dkim_key *k)
{
	struct tags tags;
	const struct tag *h, *p, *s, *t, *type, *v;
	const char *wrong = tags_parse(record, strlen(record), &tags);

	*k = (struct dkim_key){.key = NULL};
	if (wrong != NULL)
		return wrong;
	v = tags_find(&tags, "v");
	if (v != NULL && v != &tags.tag[0])
		return "v= is not the first tag";
	/* case counts here */
	if (v != NULL &&
	    (v->value.len != 5 || memcmp(v->value.data, "DKIM1", 5) != 0))
		return "unknown version in v=";
	p = tags_find(&tags, "p");
	if (p == NULL)
		return "p= is missing";
	h = tags_find(&tags, "h");
	if (h != NULL && !tags_list_has(h->value, "sha256"))
		return "sha256 is not in h=";
	s = tags_find(&tags, "s");
	if (s != NULL && !tags_list_has(s->value, "*") &&
	    !tags_list_has(s->value, "email"))
		return "email is not in s=";
	t = tags_find(&tags, "t");
	k->testing = t != NULL && tags_list_has(t->value, "y");
	k->same_only = t != NULL && tags_list_has(t->value, "s");
	type = tags_find(&tags, "k");
	return take_key(
	    type == NULL ? (struct span){"rsa", 3} : type->value, p->value, k);
}
