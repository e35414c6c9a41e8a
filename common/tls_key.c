/* SPDX-License-Identifier: ISC */
#include "common/tls_key.h"

#include <openssl/core_dispatch.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "common/tls_key_provider.h"

static OSSL_LIB_CTX *library;

static struct {
	tls_key_sign *sign;
	void *context;
} signer;

void
tls_key_signer(tls_key_sign *sign, void *context)
{
	signer.sign = sign;
	signer.context = context;
}

size_t
tls_key_ask(const struct tls_key *key, const char *scheme, const void *data,
    size_t n, unsigned char signature[TLS_KEY_SIGNATURE_MAX])
{
	if (signer.sign == NULL || key->id[0] == '\0' || n > TLS_KEY_DATA_MAX)
		return 0;
	return signer.sign(signer.context, key->id, scheme, data, n, signature);
}

/* -- the provider -- */

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return tls_key_managers;
	case OSSL_OP_SIGNATURE:
		return tls_key_signatures;
	}
	return NULL;
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query}, {0, NULL}};

static int
begin(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	static char context;

	(void)core, (void)in;
	*out = functions;
	*provider = &context;
	return 1;
}

static bool
open_library(void)
{
	OSSL_LIB_CTX *fresh;

	if (library != NULL)
		return true;
	fresh = OSSL_LIB_CTX_new();
	if (fresh == NULL)
		return false;
	if (OSSL_PROVIDER_add_builtin(fresh, "postrider", begin) != 1 ||
	    OSSL_PROVIDER_load(fresh, "postrider") == NULL) {
		OSSL_LIB_CTX_free(fresh);
		return false;
	}
	library = fresh;
	return true;
}

/* -- keys -- */

static EVP_PKEY *
make(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(library, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

EVP_PKEY *
tls_key_new(X509 *leaf, const char *id)
{
	OSSL_PARAM own[] = {OSSL_PARAM_construct_utf8_string(
				TLS_KEY_PARAM_ID, (char *)(uintptr_t)id, 0),
	    OSSL_PARAM_construct_end()};
	EVP_PKEY *public = X509_get0_pubkey(leaf), *key = NULL;
	OSSL_PARAM *params = NULL, *all = NULL;

	if (public == NULL || !open_library() ||
	    EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return NULL;
	all = OSSL_PARAM_merge(params, own);
	if (all != NULL)
		key = make(EVP_PKEY_get0_type_name(public), all);
	OSSL_PARAM_free(all);
	OSSL_PARAM_free(params);
	return key;
}
