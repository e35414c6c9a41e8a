/* SPDX-License-Identifier: ISC */
#include "common/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { SERIAL_OCTETS = 16, VALID_S = 10 * 365 * 86400, EARLY_S = 3600 };

static bool
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool added = e != NULL && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return added;
}

/* RFC 5280 section 4.1.2.2: positive, unique, at most 20 octets. */
static bool
set_serial(X509 *x)
{
	unsigned char octets[SERIAL_OCTETS];
	BIGNUM *number;
	bool set;

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	octets[0] &= 0x7f;
	number = BN_bin2bn(octets, sizeof(octets), NULL);
	set = number != NULL &&
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
	BN_free(number);
	return set;
}

static bool
fill(X509 *x, EVP_PKEY *key, const char *hostname)
{
	X509_NAME *name = X509_get_subject_name(x);
	char names[300];

	/* A common name holds 64 octets; the name that counts is below. */
	if (strlen(hostname) <= 64 &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		(const unsigned char *)hostname, -1, -1, 0) != 1)
		return false;
	snprintf(names, sizeof(names), "DNS:%s", hostname);
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	    X509_set_issuer_name(x, name) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -EARLY_S) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) != NULL &&
	    X509_set_pubkey(x, key) == 1 &&
	    add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(x, NID_ext_key_usage, "serverAuth") &&
	    add_extension(x, NID_subject_alt_name, names) &&
	    X509_sign(x, key, EVP_sha256()) > 0;
}

/* A new file: what stands there is never overwritten. */
static FILE *
create(const char *program, const char *path, mode_t mode)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	FILE *file = fd != -1 ? fdopen(fd, "w") : NULL;

	if (file == NULL)
		fprintf(stderr, "%s: cannot make %s: %s\n", program, path,
		    strerror(errno));
	return file;
}

/* Written and on disk, or removed again. */
static bool
finish(const char *program, FILE *file, const char *path, bool written)
{
	written = written && fflush(file) == 0 && fsync(fileno(file)) == 0;
	if (fclose(file) != 0 || !written) {
		fprintf(stderr, "%s: cannot write %s\n", program, path);
		unlink(path);
		return false;
	}
	return true;
}

static bool
write_key(const char *program, const char *path, EVP_PKEY *key)
{
	FILE *file = create(program, path, 0600);

	return file != NULL &&
	    finish(program, file, path,
		PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) ==
		    1);
}

static bool
write_certificate(const char *program, const char *path, X509 *x)
{
	FILE *file = create(program, path, 0644);

	return file != NULL &&
	    finish(program, file, path, PEM_write_X509(file, x) == 1);
}

int
certificate_make(const char *program, const char *certificate,
    const char *key_path, const char *hostname)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	int code = EX_CANTCREAT;

	if (key == NULL || x == NULL || !fill(x, key, hostname)) {
		ERR_print_errors_fp(stderr);
		code = EX_SOFTWARE;
	} else if (write_key(program, key_path, key)) {
		if (write_certificate(program, certificate, x))
			code = EX_OK;
		else
			unlink(key_path);
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return code;
}
