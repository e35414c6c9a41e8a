/* SPDX-License-Identifier: ISC */
#include "common/certificate.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = 256 << 10,
	CHAIN_MAX = 32,
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 8192, /* TLS_KEY_SIGNATURE_MAX of common/tls_key.h */
	/* As OpenSSL counts at TLS_SECURITY_LEVEL (common/tls.h). */
	SECURITY_BITS_MIN = 112
};

static void *
fail(char *reason, const char *why)
{
	snprintf(reason, CERTIFICATE_REASON_MAX, "%s", why);
	ERR_clear_error();
	return NULL;
}

/* Into one block of memory, which can be wiped: no copy is left behind. */
static char *
read_text(int fd, size_t *n, char *reason)
{
	struct stat status;
	char *text;
	ssize_t got = 1;

	if (fstat(fd, &status) == -1)
		return fail(reason, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size > FILE_MAX)
		return fail(reason, "no file of at most 256 KiB");
	text = malloc((size_t)status.st_size + 1);
	if (text == NULL)
		return fail(reason, strerror(ENOMEM));
	for (*n = 0; got > 0 && *n < (size_t)status.st_size; *n += (size_t)got)
		if ((got = pread(fd, text + *n, (size_t)status.st_size - *n,
			 (off_t)*n)) == -1)
			break;
	if (got != -1)
		return text;
	fail(reason, strerror(errno));
	explicit_bzero(text, (size_t)status.st_size);
	free(text);
	return NULL;
}

/* *text is to be given to close_text() with the result. */
static BIO *
open_text(int fd, char **text, size_t *n, char *reason)
{
	BIO *bio;

	if ((*text = read_text(fd, n, reason)) == NULL)
		return NULL;
	if ((bio = BIO_new_mem_buf(*text, (int)*n)) != NULL)
		return bio;
	explicit_bzero(*text, *n);
	free(*text);
	return fail(reason, strerror(ENOMEM));
}

static void
close_text(BIO *bio, char *text, size_t n)
{
	BIO_free(bio);
	explicit_bzero(text, n);
	free(text);
}

/* Of a service there is nobody to ask. */
static int
no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out, (void)size, (void)writing;
	*(bool *)context = true;
	return -1;
}

/* -- chains -- */

void
certificate_free_chain(STACK_OF(X509) *chain)
{
	sk_X509_pop_free(chain, X509_free);
}

static bool
is_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	    ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/*
 * A TLS server would not take it, and its others with it.  How a root is
 * signed, which signed itself, is nobody's affair.
 */
static const char *
why_weak(X509 *x)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	int bits = -1;

	if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
		return "a certificate in it has too weak a key";
	if ((X509_get_extension_flags(x) & EXFLAG_SS) == 0 &&
	    X509_get_signature_info(x, NULL, NULL, &bits, NULL) == 1 &&
	    bits < SECURITY_BITS_MIN)
		return "a certificate in it is signed by way of too weak a "
		       "digest";
	return NULL;
}

static const char *
find_weak(STACK_OF(X509) *chain)
{
	const char *wrong = NULL;

	for (int i = 0; wrong == NULL && i < sk_X509_num(chain); i++)
		wrong = why_weak(sk_X509_value(chain, i));
	return wrong;
}

static STACK_OF(X509) *
read_chain(BIO *bio, char *reason)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	bool encrypted = false;
	const char *wrong;
	X509 *x;

	if (chain == NULL)
		return fail(reason, strerror(ENOMEM));
	ERR_clear_error();
	while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, &encrypted)) !=
	    NULL) {
		if (sk_X509_num(chain) == CHAIN_MAX ||
		    sk_X509_push(chain, x) == 0) {
			X509_free(x);
			certificate_free_chain(chain);
			return fail(reason, "more than 32 certificates");
		}
	}
	wrong = !is_end()             ? "a certificate in it is damaged"
	    : sk_X509_num(chain) == 0 ? "no certificate in it (PEM)"
				      : find_weak(chain);
	ERR_clear_error();
	if (wrong == NULL)
		return chain;
	fail(reason, wrong);
	certificate_free_chain(chain);
	return NULL;
}

STACK_OF(X509) *
certificate_read_chain(int fd, char reason[CERTIFICATE_REASON_MAX])
{
	STACK_OF(X509) *chain;
	char *text;
	size_t n;
	BIO *bio = open_text(fd, &text, &n, reason);

	if (bio == NULL)
		return NULL;
	chain = read_chain(bio, reason);
	close_text(bio, text, n);
	return chain;
}

/* -- keys -- */

static bool
is_known_curve(EVP_PKEY *key)
{
	static const char *const known[] = {
	    "prime256v1", "secp384r1", "secp521r1"};
	char group[40];

	if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(group, known[i]) == 0)
			return true;
	return false;
}

const char *
certificate_type(const EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "EC"))
		return "ecdsa";
	if (EVP_PKEY_is_a(key, "RSA"))
		return "rsa";
	return EVP_PKEY_is_a(key, "ED25519") ? "ed25519" : NULL;
}

/* NULL: it is. */
static const char *
why_not_usable(EVP_PKEY *key)
{
	const char *type = certificate_type(key);

	if (type == NULL)
		return "no RSA, EC or Ed25519 key";
	if (strcmp(type, "rsa") == 0 && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		return "an RSA key of less than 2048 bits";
	if (strcmp(type, "rsa") == 0 && EVP_PKEY_get_bits(key) > RSA_BITS_MAX)
		return "an RSA key of more than 8192 bits";
	if (strcmp(type, "ecdsa") == 0 && !is_known_curve(key))
		return "an EC key on none of P-256, P-384, P-521";
	return NULL;
}

EVP_PKEY *
certificate_read_key(int fd, char reason[CERTIFICATE_REASON_MAX])
{
	const char *wrong;
	bool encrypted = false;
	EVP_PKEY *key;
	char *text;
	size_t n;
	BIO *bio = open_text(fd, &text, &n, reason);

	if (bio == NULL)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
	close_text(bio, text, n);
	if (key == NULL)
		return fail(reason,
		    encrypted ? "it is protected by a passphrase"
			      : "no private key in it (PEM)");
	ERR_clear_error();
	wrong = why_not_usable(key);
	if (wrong == NULL)
		return key;
	EVP_PKEY_free(key);
	return fail(reason, wrong);
}

bool
certificate_matches(STACK_OF(X509) *chain, EVP_PKEY *key)
{
	bool same = X509_check_private_key(sk_X509_value(chain, 0), key) == 1;

	ERR_clear_error();
	return same;
}

bool
certificate_id(X509 *leaf, char out[CERTIFICATE_ID_SIZE])
{
	unsigned char *der = NULL, hash[EVP_MAX_MD_SIZE];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
	unsigned length = 0;
	bool made = n > 0 &&
	    EVP_Digest(der, (size_t)n, hash, &length, EVP_sha256(), NULL) ==
		1 &&
	    OPENSSL_buf2hexstr_ex(
		out, CERTIFICATE_ID_SIZE, NULL, hash, length, '\0') == 1;

	OPENSSL_free(der);
	return made;
}
