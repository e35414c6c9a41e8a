/* SPDX-License-Identifier: ISC */
#include "userdb/key_set.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "userdb/json.h"

struct key_set {
	size_t n;
	struct key {
		EVP_PKEY *key;
		const char *algorithm;
		char *id; /* NULL: it has none */
	} keys[KEY_SET_MAX];
};

enum { RSA_OCTETS = KEY_RSA_MOST / 8, EC_OCTETS = 32, NUMBER_OCTETS = 1400 };

/* -- numbers -- */

/* A base64url member; false when there is none or it is too long. */
static bool
member_octets(
    const json_t *jwk, const char *name, char out[NUMBER_OCTETS], size_t *n)
{
	const char *text = json_text(jwk, name);
	size_t length = text != NULL ? strlen(text) : 0;

	return length > 0 && length <= NUMBER_OCTETS - 4 &&
	    json_octets((struct span){text, length}, out, n);
}

static EVP_PKEY *
key_from(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (context == NULL || params == NULL ||
	    EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

/* -- RSA (RFC 7518 section 6.3) -- */

static OSSL_PARAM *
rsa_params(const BIGNUM *n, const BIGNUM *e)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;

	if (build != NULL &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(build);
	OSSL_PARAM_BLD_free(build);
	return params;
}

/* An exponent of 1 signs nothing, one without a bound costs any time. */
static bool
is_sound_rsa(const BIGNUM *n, const BIGNUM *e)
{
	return BN_num_bits(n) >= KEY_RSA_LEAST &&
	    BN_num_bits(n) <= KEY_RSA_MOST && BN_is_odd(n) && BN_is_odd(e) &&
	    !BN_is_one(e) && BN_num_bits(e) <= 32;
}

static EVP_PKEY *
read_rsa(const json_t *jwk)
{
	char octets[NUMBER_OCTETS];
	BIGNUM *n = NULL, *e = NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	size_t length;

	if (member_octets(jwk, "n", octets, &length))
		n = BN_bin2bn((unsigned char *)octets, (int)length, NULL);
	if (member_octets(jwk, "e", octets, &length))
		e = BN_bin2bn((unsigned char *)octets, (int)length, NULL);
	if (n != NULL && e != NULL && is_sound_rsa(n, e)) {
		params = rsa_params(n, e);
		key = key_from("RSA", params);
	}
	OSSL_PARAM_free(params);
	BN_free(n);
	BN_free(e);
	return key;
}

/* -- P-256 (RFC 7518 section 6.2) -- */

static EVP_PKEY *
read_ec(const json_t *jwk)
{
	static char curve[] = "P-256";
	const char *name = json_text(jwk, "crv");
	unsigned char point[1 + 2 * EC_OCTETS] = {4}; /* uncompressed */
	char octets[NUMBER_OCTETS];
	size_t n;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(
				   OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
	    OSSL_PARAM_construct_octet_string(
		OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
	    OSSL_PARAM_construct_end()};

	if (name == NULL || strcmp(name, "P-256") != 0)
		return NULL;
	if (!member_octets(jwk, "x", octets, &n) || n != EC_OCTETS)
		return NULL;
	memcpy(point + 1, octets, EC_OCTETS);
	if (!member_octets(jwk, "y", octets, &n) || n != EC_OCTETS)
		return NULL;
	memcpy(point + 1 + EC_OCTETS, octets, EC_OCTETS);
	/* A point that is not on the curve is refused. */
	return key_from("EC", params);
}

/* -- sets -- */

static bool
may_verify(const json_t *jwk, const char *algorithm)
{
	const char *use = json_text(jwk, "use"), *alg = json_text(jwk, "alg");
	const json_t *operations = json_object_get(jwk, "key_ops");
	bool verifies = operations == NULL;

	for (size_t i = 0; i < json_array_size(operations); i++) {
		const char *name =
		    json_string_value(json_array_get(operations, i));

		verifies |= name != NULL && strcmp(name, "verify") == 0;
	}
	return verifies && (use == NULL || strcmp(use, "sig") == 0) &&
	    (alg == NULL || strcmp(alg, algorithm) == 0);
}

static void
add_key(struct key_set *set, const json_t *jwk)
{
	const char *type = json_text(jwk, "kty"), *id = json_text(jwk, "kid");
	struct key key = {0};

	if (type != NULL && strcmp(type, "RSA") == 0)
		key.algorithm = "RS256";
	else if (type != NULL && strcmp(type, "EC") == 0)
		key.algorithm = "ES256";
	if (key.algorithm == NULL || !may_verify(jwk, key.algorithm) ||
	    (id != NULL && strlen(id) > KEY_ID_MAX) ||
	    (id != NULL && (key.id = strdup(id)) == NULL))
		return;
	key.key = strcmp(type, "RSA") == 0 ? read_rsa(jwk) : read_ec(jwk);
	if (key.key == NULL)
		free(key.id);
	else
		set->keys[set->n++] = key;
}

struct key_set *
key_set_read(struct span text, const char **wrong)
{
	struct key_set *set = NULL;
	json_t *top = NULL, *list;

	*wrong = "too long";
	if (text.len > KEY_SET_OCTETS)
		return NULL;
	*wrong = "not JSON";
	if ((top = json_read(text)) == NULL)
		return NULL;
	list = json_object_get(top, "keys");
	*wrong = "no key set: \"keys\" is missing";
	if (json_is_array(list) && (set = calloc(1, sizeof(*set))) != NULL)
		*wrong = "no RSA key of 2048 bits or more and no P-256 key "
			 "for signatures in it";
	for (size_t i = 0;
	     set != NULL && i < json_array_size(list) && set->n < KEY_SET_MAX;
	     i++)
		add_key(set, json_array_get(list, i));
	json_decref(top);
	if (set != NULL && set->n > 0)
		return set;
	key_set_free(set);
	return NULL;
}

void
key_set_free(struct key_set *set)
{
	for (size_t i = 0; set != NULL && i < set->n; i++) {
		EVP_PKEY_free(set->keys[i].key);
		free(set->keys[i].id);
	}
	free(set);
}

size_t
key_set_count(const struct key_set *set)
{
	return set->n;
}

EVP_PKEY *
key_set_find(const struct key_set *set, const char *id, const char *algorithm)
{
	const struct key *found = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const struct key *key = &set->keys[i];

		if (strcmp(key->algorithm, algorithm) != 0 ||
		    (id != NULL &&
			(key->id == NULL || strcmp(key->id, id) != 0)))
			continue;
		if (found != NULL)
			return NULL;
		found = key;
	}
	return found != NULL ? found->key : NULL;
}
