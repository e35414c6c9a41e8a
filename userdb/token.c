/* SPDX-License-Identifier: ISC */
#include "userdb/token.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "userdb/json.h"

enum { ES256_OCTETS = 64, SIGNATURE_MAX = KEY_RSA_MOST / 8 + 8 };

/* The compact serialization (RFC 7515 section 7.1). */
struct parts {
	struct span header, payload, signature, signed_part;
};

static bool
split(const char *token, struct parts *parts)
{
	struct cursor c = cursor_over(token, strlen(token));

	parts->header = cursor_until(&c, '.');
	parts->payload = cursor_until(&c, '.');
	parts->signature = cursor_take(&c, cursor_left(&c));
	parts->signed_part =
	    (struct span){token, parts->header.len + 1 + parts->payload.len};
	return cursor_ok(&c) && parts->header.len > 0 &&
	    parts->payload.len > 0 && parts->signature.len > 0 &&
	    memchr(parts->signature.data, '.', parts->signature.len) == NULL;
}

static json_t *
read_part(struct span text)
{
	char *octets = malloc(JSON_OCTETS(text.len) + 1);
	json_t *value = NULL;
	size_t n;

	if (octets != NULL && json_octets(text, octets, &n))
		value = json_read((struct span){octets, n});
	free(octets);
	return value;
}

/* -- the signature -- */

/* ES256 has both numbers side by side (RFC 7518 section 3.4), OpenSSL DER. */
static size_t
to_der(const unsigned char raw[ES256_OCTETS], unsigned char *der, size_t max)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, ES256_OCTETS / 2, NULL);
	BIGNUM *s = BN_bin2bn(raw + ES256_OCTETS / 2, ES256_OCTETS / 2, NULL);
	unsigned char *end = der;
	int n = 0;

	if (pair != NULL && r != NULL && s != NULL &&
	    ECDSA_SIG_set0(pair, r, s) == 1) {
		r = s = NULL; /* the pair's now */
		n = i2d_ECDSA_SIG(pair, NULL);
		n = n > 0 && (size_t)n <= max ? i2d_ECDSA_SIG(pair, &end) : 0;
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(pair);
	return n > 0 ? (size_t)n : 0;
}

static bool
verifies(EVP_PKEY *key, struct span text, const unsigned char *sig, size_t n)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL &&
	    EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(context, sig, n, (const unsigned char *)text.data,
		text.len) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

static bool
is_signed(const struct parts *parts, EVP_PKEY *key, const char *algorithm)
{
	char octets[JSON_OCTETS(SIGNATURE_MAX / 3 * 4)];
	unsigned char der[2 * ES256_OCTETS];
	const unsigned char *sig = (const unsigned char *)octets;
	size_t n;

	if (parts->signature.len > sizeof(octets) - 4 ||
	    !json_octets(parts->signature, octets, &n))
		return false;
	if (strcmp(algorithm, "ES256") == 0) {
		if (n != ES256_OCTETS)
			return false;
		n = to_der(sig, der, sizeof(der));
		sig = der;
	}
	return n > 0 && verifies(key, parts->signed_part, sig, n);
}

/* What is signed is a token, and nothing in it is beyond us. */
static const char *
check_header(const json_t *header)
{
	const char *type = json_text(header, "typ");

	if (json_object_get(header, "crit") != NULL)
		return "token with extensions";
	if (json_object_get(header, "typ") == NULL)
		return NULL;
	if (type != NULL && strncasecmp(type, "application/", 12) == 0)
		type += 12;
	return type != NULL &&
		(strcasecmp(type, "JWT") == 0 ||
		    strcasecmp(type, "at+jwt") == 0)
	    ? NULL
	    : "not an access token";
}

static enum token_result
check_signature(const struct parts *parts, const json_t *header,
    const struct key_set *set, const char **why)
{
	/*
	 * The algorithm is one of two, and the key must be one of its kind:
	 * neither "none" nor a public key taken for a shared secret.
	 */
	const char *algorithm = json_text(header, "alg");
	const char *id = json_text(header, "kid");
	EVP_PKEY *key;

	*why = "token's algorithm is neither RS256 nor ES256";
	if (algorithm == NULL ||
	    (strcmp(algorithm, "RS256") != 0 &&
		strcmp(algorithm, "ES256") != 0))
		return TOKEN_BAD;
	if ((*why = check_header(header)) != NULL)
		return TOKEN_BAD;
	*why = "token's key id is no text";
	if (id == NULL && json_object_get(header, "kid") != NULL)
		return TOKEN_BAD;
	*why = "token's key is not in the set";
	if ((key = key_set_find(set, id, algorithm)) == NULL)
		return TOKEN_KEY_MISSING;
	*why = "token's signature is wrong";
	return is_signed(parts, key, algorithm) ? TOKEN_GOOD : TOKEN_BAD;
}

/* -- the claims (RFC 7519 section 4.1) -- */

/* Is this one of the words? */
static bool
has_word(const char *words, struct span word)
{
	for (;;) {
		size_t n;

		words += strspn(words, " ");
		if ((n = strcspn(words, " ")) == 0)
			return false;
		if (n == word.len && memcmp(words, word.data, n) == 0)
			return true;
		words += n;
	}
}

static bool
has_text(const char *words, const char *text)
{
	return text != NULL &&
	    has_word(words, (struct span){text, strlen(text)});
}

static bool
is_for_us(const json_t *claims, const char *audiences)
{
	const json_t *aud = json_object_get(claims, "aud");

	for (size_t i = 0; i < json_array_size(aud); i++)
		if (has_text(
			audiences, json_string_value(json_array_get(aud, i))))
			return true;
	return has_text(audiences, json_string_value(aud));
}

/* Words in one text (RFC 8693 section 4.2), or a list, as some have it. */
static bool
grants(const json_t *scope, struct span word)
{
	const char *text = json_string_value(scope);

	for (size_t i = 0; i < json_array_size(scope); i++) {
		const char *one = json_string_value(json_array_get(scope, i));

		if (one != NULL && strlen(one) == word.len &&
		    memcmp(one, word.data, word.len) == 0)
			return true;
	}
	return text != NULL && has_word(text, word);
}

static bool
has_scopes(const json_t *claims, const char *scopes)
{
	struct span word;

	for (;; scopes += word.len) {
		scopes += strspn(scopes, " ");
		word = (struct span){scopes, strcspn(scopes, " ")};
		if (word.len == 0)
			return true;
		if (!grants(json_object_get(claims, "scope"), word) &&
		    !grants(json_object_get(claims, "scp"), word))
			return false;
	}
}

static const char *
check_times(const json_t *claims, int64_t now)
{
	const json_t *exp = json_object_get(claims, "exp");
	const json_t *nbf = json_object_get(claims, "nbf");
	double leeway = TOKEN_LEEWAY_S, time = (double)now;

	if (!json_is_number(exp))
		return "token without an end";
	if (json_number_value(exp) + leeway <= time)
		return "token has expired";
	if (nbf == NULL)
		return NULL;
	if (!json_is_number(nbf))
		return "token's beginning is no time";
	return json_number_value(nbf) - leeway > time ? "token is not valid yet"
						      : NULL;
}

static bool
is_unverified(const json_t *claims, const char *claim)
{
	const json_t *verified = json_object_get(claims, "email_verified");

	return strcmp(claim, "email") == 0 && verified != NULL &&
	    !json_is_true(verified) &&
	    (json_string_value(verified) == NULL ||
		strcmp(json_string_value(verified), "true") != 0);
}

static enum token_result
check_claims(const json_t *claims, const struct token_demand *d, int64_t now,
    char user[PROTOCOL_LOGIN_MAX + 1], const char **why)
{
	const char *issuer = json_text(claims, "iss");
	const char *name = json_text(claims, d->claim);

	*why = "token of another issuer";
	if (issuer == NULL || strcmp(issuer, d->issuer) != 0)
		return TOKEN_BAD;
	*why = "token for another audience";
	if (!is_for_us(claims, d->audiences))
		return TOKEN_BAD;
	if ((*why = check_times(claims, now)) != NULL)
		return TOKEN_BAD;
	*why = "token lacks a scope";
	if (!has_scopes(claims, d->scopes))
		return TOKEN_NO_SCOPE;
	*why = "token names no user";
	if (name == NULL || name[0] == '\0' ||
	    strlen(name) > PROTOCOL_LOGIN_MAX)
		return TOKEN_BAD;
	*why = "token's address is not verified";
	if (is_unverified(claims, d->claim))
		return TOKEN_BAD;
	snprintf(user, PROTOCOL_LOGIN_MAX + 1, "%s", name);
	return TOKEN_GOOD;
}

enum token_result
token_check(const char *token, const struct key_set *set,
    const struct token_demand *demand, int64_t now,
    char user[PROTOCOL_LOGIN_MAX + 1], const char **why)
{
	struct parts parts;
	json_t *header = NULL, *claims = NULL;
	enum token_result result = TOKEN_BAD;

	*why = "not a signed token";
	if (split(token, &parts) && (header = read_part(parts.header)) != NULL)
		result = check_signature(&parts, header, set, why);
	json_decref(header);
	if (result != TOKEN_GOOD)
		return result;
	*why = "token's claims cannot be read";
	if ((claims = read_part(parts.payload)) == NULL)
		return TOKEN_BAD;
	result = check_claims(claims, demand, now, user, why);
	json_decref(claims);
	return result;
}
