/* SPDX-License-Identifier: ISC */
/* Handshakes with a key that is somewhere else, and what that key signs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <string.h>

#include "common/tls_key.h"
#include "keys/sign.h"

/* -- keys -- */

static EVP_PKEY *
new_key(const char *type)
{
	if (strcmp(type, "rsa") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(type, "ed25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen(type);
}

static X509 *
new_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, md) > 0);
	return x;
}

/* -- who has them -- */

static struct {
	EVP_PKEY *key;
	unsigned asked;
	bool refuses;
	enum sign_kind last;
	char scheme[32];
} owner;

static size_t
sign(void *context, const char *id, const char *name, const void *data,
    size_t n, unsigned char signature[TLS_KEY_SIGNATURE_MAX])
{
	const struct tls_scheme *scheme;
	const char *reason;

	assert_ptr_equal(context, &owner);
	assert_string_equal(id, "0123abcd");
	owner.asked++;
	owner.last = sign_kind_of(data, n);
	snprintf(owner.scheme, sizeof(owner.scheme), "%s", name);
	scheme = sign_scheme(name, owner.last, owner.key, &reason);
	if (owner.refuses || scheme == NULL)
		return 0;
	return sign_data(
	    owner.key, scheme, data, n, signature, TLS_KEY_SIGNATURE_MAX);
}

/* -- handshakes in memory -- */

static bool
shake_hands(SSL *server, SSL *client)
{
	BIO *a, *b;

	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 20; i++) {
		int one = SSL_do_handshake(client);
		int two = SSL_do_handshake(server);

		if (one == 1 && two == 1)
			return true;
	}
	return false;
}

static bool
try(const char *type, int version, const char *algorithms)
{
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	X509 *leaf;
	EVP_PKEY *away;
	SSL *s, *c;
	bool done;

	owner.key = new_key(type);
	owner.asked = 0;
	leaf = new_certificate(owner.key);
	away = tls_key_new(leaf, "0123abcd");
	assert_non_null(away);
	assert_int_equal(
	    SSL_CTX_use_cert_and_key(server, leaf, away, NULL, 1), 1);
	SSL_CTX_set_max_proto_version(client, version);
	if (algorithms != NULL)
		assert_int_equal(
		    SSL_CTX_set1_sigalgs_list(client, algorithms), 1);
	s = SSL_new(server);
	c = SSL_new(client);
	done = shake_hands(s, c);
	if (done)
		assert_int_equal(SSL_version(s), version);
	SSL_free(s);
	SSL_free(c);
	EVP_PKEY_free(away);
	X509_free(leaf);
	EVP_PKEY_free(owner.key);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	return done;
}

static const char *const types[] = {
    "rsa", "P-256", "P-384", "P-521", "ed25519"};

static void
every_kind_of_key_completes_a_handshake(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_true(try(types[i], TLS1_3_VERSION, NULL));
		assert_int_equal(owner.asked, 1);
		assert_int_equal(owner.last, SIGN_TLS13_VERIFY);
		assert_true(try(types[i], TLS1_2_VERSION, NULL));
		assert_int_equal(owner.asked, 1);
		assert_int_equal(owner.last, SIGN_TLS12_KEY_EXCHANGE);
	}
}

static void
the_scheme_is_the_one_agreed_on(void **state)
{
	static const struct {
		const char *type;
		int version;
		const char *offered, *scheme;
	} cases[] = {
	    {"rsa", TLS1_3_VERSION, "rsa_pss_rsae_sha512", "rsa-pss-sha512"},
	    {"rsa", TLS1_2_VERSION, "rsa_pss_rsae_sha384", "rsa-pss-sha384"},
	    {"rsa", TLS1_2_VERSION, "RSA+SHA256", "rsa-pkcs1-sha256"},
	    {"rsa", TLS1_2_VERSION, "RSA+SHA512", "rsa-pkcs1-sha512"},
	    {"P-256", TLS1_2_VERSION, "ECDSA+SHA384", "ecdsa-sha384"},
	    {"P-384", TLS1_3_VERSION, NULL, "ecdsa-sha384"},
	    {"ed25519", TLS1_3_VERSION, NULL, "ed25519"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(
		    try(cases[i].type, cases[i].version, cases[i].offered));
		assert_string_equal(owner.scheme, cases[i].scheme);
	}
}

static void
without_a_signature_there_is_no_handshake(void **state)
{
	(void)state;
	owner.refuses = true;
	assert_false(try("P-256", TLS1_3_VERSION, NULL));
	assert_int_equal(owner.asked, 1);
	owner.refuses = false;
}

static void
the_key_away_fits_its_own_certificate_only(void **state)
{
	EVP_PKEY *one = new_key("P-256"), *two = new_key("P-256");
	X509 *a = new_certificate(one), *b = new_certificate(two);
	EVP_PKEY *away = tls_key_new(a, "0123abcd");

	(void)state;
	assert_int_equal(X509_check_private_key(a, away), 1);
	assert_int_not_equal(X509_check_private_key(b, away), 1);
	EVP_PKEY_free(away);
	X509_free(a);
	X509_free(b);
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
}

static void
nothing_secret_comes_out_of_it(void **state)
{
	EVP_PKEY *key = new_key("rsa");
	X509 *x = new_certificate(key);
	EVP_PKEY *away = tls_key_new(x, "0123abcd");
	OSSL_PARAM *params = NULL;

	(void)state;
	assert_int_not_equal(
	    EVP_PKEY_todata(away, EVP_PKEY_KEYPAIR, &params), 1);
	assert_int_equal(i2d_PrivateKey(away, NULL) > 0, 0);
	EVP_PKEY_free(away);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* -- what is signed -- */

static size_t
verify_content(unsigned char *out, const char *context, size_t hash)
{
	size_t n = strlen(context) + 1;

	memset(out, ' ', 64);
	memcpy(out + 64, context, n);
	memset(out + 64 + n, 0xab, hash);
	return 64 + n + hash;
}

static const char server_context[] = "TLS 1.3, server CertificateVerify";

static void
only_a_servers_handshake_is_one(void **state)
{
	unsigned char d[512];
	size_t n;

	(void)state;
	for (size_t hash = 0; hash < 80; hash++) {
		n = verify_content(d, server_context, hash);
		assert_int_equal(sign_kind_of(d, n),
		    hash == 32 || hash == 48 ? SIGN_TLS13_VERIFY
					     : SIGN_NOTHING);
	}
	n = verify_content(d, "TLS 1.3, client CertificateVerify", 32);
	assert_int_equal(sign_kind_of(d, n), SIGN_NOTHING);
	n = verify_content(d, server_context, 32);
	for (size_t i = 0; i < 64 + sizeof(server_context); i++) {
		d[i] ^= 1;
		assert_int_equal(sign_kind_of(d, n), SIGN_NOTHING);
		d[i] ^= 1;
	}
	assert_int_equal(sign_kind_of(d, 0), SIGN_NOTHING);
}

static void
only_whole_parameters_of_a_named_curve_are(void **state)
{
	static const struct {
		uint16_t curve;
		size_t point;
	} curves[] = {{23, 65}, {24, 97}, {25, 133}, {29, 32}, {30, 56}};
	unsigned char d[512];

	(void)state;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		size_t n = 68 + curves[i].point;

		memset(d, 0x5a, sizeof(d));
		d[64] = 3;
		d[65] = 0;
		d[66] = (unsigned char)curves[i].curve;
		d[67] = (unsigned char)curves[i].point;
		assert_int_equal(sign_kind_of(d, n), SIGN_TLS12_KEY_EXCHANGE);
		assert_int_equal(sign_kind_of(d, n - 1), SIGN_NOTHING);
		assert_int_equal(sign_kind_of(d, n + 1), SIGN_NOTHING);
		d[67]++;
		assert_int_equal(sign_kind_of(d, n + 1), SIGN_NOTHING);
		d[67]--;
		d[66] = 22; /* secp256k1 */
		assert_int_equal(sign_kind_of(d, n), SIGN_NOTHING);
		d[64] = 1; /* explicit_prime */
		assert_int_equal(sign_kind_of(d, n), SIGN_NOTHING);
	}
}

static void
a_scheme_is_for_one_kind_of_key(void **state)
{
	EVP_PKEY *rsa = new_key("rsa"), *ec = new_key("P-256");
	const char *why;

	(void)state;
	assert_non_null(
	    sign_scheme("rsa-pss-sha256", SIGN_TLS13_VERIFY, rsa, &why));
	assert_null(
	    sign_scheme("rsa-pkcs1-sha256", SIGN_TLS13_VERIFY, rsa, &why));
	assert_non_null(sign_scheme(
	    "rsa-pkcs1-sha256", SIGN_TLS12_KEY_EXCHANGE, rsa, &why));
	assert_null(sign_scheme("rsa-pss-sha256", SIGN_NOTHING, rsa, &why));
	assert_null(sign_scheme("rsa-pss-sha256", SIGN_TLS13_VERIFY, ec, &why));
	assert_null(
	    sign_scheme("ecdsa-sha1", SIGN_TLS12_KEY_EXCHANGE, ec, &why));
	assert_string_equal(why, "unknown scheme");
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_of_key_completes_a_handshake),
	    cmocka_unit_test(the_scheme_is_the_one_agreed_on),
	    cmocka_unit_test(without_a_signature_there_is_no_handshake),
	    cmocka_unit_test(the_key_away_fits_its_own_certificate_only),
	    cmocka_unit_test(nothing_secret_comes_out_of_it),
	    cmocka_unit_test(only_a_servers_handshake_is_one),
	    cmocka_unit_test(only_whole_parameters_of_a_named_curve_are),
	    cmocka_unit_test(a_scheme_is_for_one_kind_of_key),
	};

	tls_key_signer(sign, &owner);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
