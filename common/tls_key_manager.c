/* SPDX-License-Identifier: ISC */
#include <openssl/bn.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/tls_key_provider.h"

/*
 * There is no export: OpenSSL would otherwise try to sign with its own
 * implementation and the exported half.
 */

static void *
make(const char *type)
{
	struct tls_key *key = calloc(1, sizeof(*key));

	if (key != NULL)
		key->type = type;
	return key;
}

static void *
make_rsa(void *provider)
{
	(void)provider;
	return make("RSA");
}

static void *
make_ec(void *provider)
{
	(void)provider;
	return make("EC");
}

static void *
make_ed25519(void *provider)
{
	(void)provider;
	return make("ED25519");
}

static void
release(void *key)
{
	free(key);
}

static int
has(const void *data, int selection)
{
	const struct tls_key *key = data;

	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ||
	    key->id[0] != '\0';
}

static int
match(const void *one, const void *two, int selection)
{
	const struct tls_key *a = one, *b = two;

	(void)selection;
	return strcmp(a->type, b->type) == 0 &&
	    strcmp(a->group, b->group) == 0 && a->n == b->n &&
	    memcmp(a->octets, b->octets, a->n) == 0;
}

/* -- import: of a certificate's public key, with our id -- */

static int
add_number(struct tls_key *key, const OSSL_PARAM params[], const char *name)
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, name);
	BIGNUM *number = NULL;
	int n = -1;

	if (p != NULL && OSSL_PARAM_get_BN(p, &number) == 1) {
		n = BN_num_bytes(number);
		if ((size_t)n > sizeof(key->octets) - key->n)
			n = -1;
		else
			key->n +=
			    (size_t)BN_bn2bin(number, key->octets + key->n);
	}
	BN_free(number);
	return n;
}

static int
import_rsa(struct tls_key *key, const OSSL_PARAM params[])
{
	int n = add_number(key, params, OSSL_PKEY_PARAM_RSA_N);

	key->bits = 8 * n;
	key->security_bits = n > 0 ? BN_security_bits(key->bits, -1) : 0;
	key->max_size = n;
	return n > 0 && n <= TLS_KEY_SIGNATURE_MAX &&
	    add_number(key, params, OSSL_PKEY_PARAM_RSA_E) > 0;
}

static int
import_point(struct tls_key *key, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p =
	    OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
	void *octets = key->octets;

	return p != NULL &&
	    OSSL_PARAM_get_octet_string(
		p, &octets, sizeof(key->octets), &key->n) == 1;
}

static int
import_ec(struct tls_key *key, const OSSL_PARAM params[])
{
	static const struct {
		const char *group;
		int bits, max_size; /* of ECDSA's two numbers in DER */
	} groups[] = {{"prime256v1", 256, 72}, {"secp384r1", 384, 104},
	    {"secp521r1", 521, 139}};
	const OSSL_PARAM *p =
	    OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
	char *group = key->group;

	if (p == NULL ||
	    OSSL_PARAM_get_utf8_string(p, &group, sizeof(key->group)) != 1)
		return 0;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(group, groups[i].group) != 0)
			continue;
		key->bits = groups[i].bits;
		key->security_bits = key->bits / 2;
		key->max_size = groups[i].max_size;
		return import_point(key, params);
	}
	return 0;
}

static int
import_ed25519(struct tls_key *key, const OSSL_PARAM params[])
{
	key->bits = 253;
	key->security_bits = 128;
	key->max_size = 64;
	return import_point(key, params);
}

static int
import(void *data, int selection, const OSSL_PARAM params[])
{
	struct tls_key *key = data;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, TLS_KEY_PARAM_ID);
	char *id = key->id;

	(void)selection;
	key->n = 0;
	if (p != NULL &&
	    OSSL_PARAM_get_utf8_string(p, &id, sizeof(key->id)) != 1)
		return 0;
	if (strcmp(key->type, "RSA") == 0)
		return import_rsa(key, params);
	if (strcmp(key->type, "EC") == 0)
		return import_ec(key, params);
	return import_ed25519(key, params);
}

static const OSSL_PARAM *
import_types(int selection)
{
	static const OSSL_PARAM types[] = {
	    OSSL_PARAM_utf8_string(TLS_KEY_PARAM_ID, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END};

	(void)selection;
	return types;
}

/* -- what OpenSSL wants to know of a key -- */

static int
set_text(OSSL_PARAM params[], const char *name, const char *value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_utf8_string(p, value) == 1;
}

static int
set_number(OSSL_PARAM params[], const char *name, int value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_int(p, value) == 1;
}

static int
get_params(void *data, OSSL_PARAM params[])
{
	const struct tls_key *key = data;

	if (!set_number(params, OSSL_PKEY_PARAM_BITS, key->bits) ||
	    !set_number(
		params, OSSL_PKEY_PARAM_SECURITY_BITS, key->security_bits) ||
	    !set_number(params, OSSL_PKEY_PARAM_MAX_SIZE, key->max_size))
		return 0;
	if (strcmp(key->type, "ED25519") == 0)
		return set_text(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST, "");
	if (strcmp(key->type, "EC") == 0 &&
	    (!set_text(params, OSSL_PKEY_PARAM_GROUP_NAME, key->group) ||
		!set_text(params, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
		    "uncompressed")))
		return 0;
	return set_text(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, "SHA256");
}

static const OSSL_PARAM *
gettable_params(void *provider)
{
	static const OSSL_PARAM known[] = {
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	    OSSL_PARAM_utf8_string(
		OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
	    OSSL_PARAM_END};

	(void)provider;
	return known;
}

static const char *
operation_of_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define COMMON(make)                                                           \
	{OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))(make)},                       \
	    {OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))release},                 \
	    {OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))has},                      \
	    {OSSL_FUNC_KEYMGMT_MATCH, (void (*)(void))match},                  \
	    {OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))import},                \
	    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))import_types},    \
	    {OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))get_params},        \
	{                                                                      \
		OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,                             \
		    (void (*)(void))gettable_params                            \
	}

static const OSSL_DISPATCH rsa[] = {COMMON(make_rsa), {0, NULL}};
static const OSSL_DISPATCH ec[] = {COMMON(make_ec),
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (void (*)(void))operation_of_ec},
    {0, NULL}};
static const OSSL_DISPATCH ed25519[] = {COMMON(make_ed25519), {0, NULL}};

const OSSL_ALGORITHM tls_key_managers[] = {
    {"RSA:rsaEncryption", "", rsa, "a key in another process"},
    {"EC:id-ecPublicKey", "", ec, "a key in another process"},
    {"ED25519", "", ed25519, "a key in another process"},
    {NULL, NULL, NULL, NULL}};
