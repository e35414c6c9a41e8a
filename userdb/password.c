/* SPDX-License-Identifier: ISC */
#include "userdb/password.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* What crypt_ra leaves behind knows the password. */
static void
wipe(void *data, int size)
{
	if (data != NULL && size > 0)
		explicit_bzero(data, (size_t)size);
	free(data);
}

static const char method[] = "$y$";

int
password_hash(const char *password, unsigned cost, char out[ENTRY_HASH_MAX + 1])
{
	char *setting = crypt_gensalt_ra(method, cost, NULL, 0);
	void *data = NULL;
	int size = 0;
	const char *hash;

	if (setting == NULL)
		return -1;
	hash = crypt_ra(password, setting, &data, &size);
	free(setting);
	if (hash != NULL)
		snprintf(out, ENTRY_HASH_MAX + 1, "%s", hash);
	wipe(data, size);
	return hash != NULL ? 0 : -1;
}

/* The cost of a hash for those who have none. */
static const char *
dummy_hash(unsigned cost)
{
	static char hash[ENTRY_HASH_MAX + 1];
	static unsigned made;

	if (made != cost && password_hash("nobody's", cost, hash) == -1)
		return "*";
	made = cost;
	return hash;
}

static bool
is_ours(const char *hash)
{
	return strncmp(hash, method, sizeof(method) - 1) == 0;
}

static bool
verify(const char *password, const char *setting, const char *hash)
{
	void *data = NULL;
	int size = 0;
	const char *made = crypt_ra(password, setting, &data, &size);
	size_t n = strlen(hash);
	bool right = made != NULL && n > 0 && strlen(made) == n &&
	    CRYPTO_memcmp(made, hash, n) == 0;

	wipe(data, size);
	return right;
}

bool
password_verify(const char *password, unsigned cost, const char *hash)
{
	bool right = hash[0] != '\0' && verify(password, hash, hash);

	/* What was imported may be a hundred times as fast: it would tell that
	 * there is such a user (A20). */
	if (!right && !is_ours(hash))
		(void)verify(password, dummy_hash(cost), "");
	return right;
}

/* The same parameters, those of this cost? */
static bool
has_cost(const char *hash, unsigned cost)
{
	const char *end = strchr(hash + sizeof(method) - 1, '$');
	char *setting = crypt_gensalt_ra(method, cost, NULL, 0);
	bool same = setting != NULL && end != NULL &&
	    strncmp(hash, setting, (size_t)(end - hash) + 1) == 0;

	free(setting);
	return same;
}

bool
password_is_weak(const char *hash, unsigned cost)
{
	if (!is_ours(hash))
		return true;
	for (unsigned less = 1; less < cost; less++)
		if (has_cost(hash, less))
			return true;
	return false;
}

_Static_assert((int)ENTRY_SCRAM_MAX >= (int)SCRAM_VERIFIER_TEXT_MAX, "it fits");

void
password_scram(const char *password, const unsigned char salt[SCRAM_SALT],
    char out[ENTRY_SCRAM_MAX + 1])
{
	struct scram_verifier v = {
	    .iterations = PASSWORD_ITERATIONS, .nsalt = SCRAM_SALT};

	memcpy(v.salt, salt, SCRAM_SALT);
	out[0] = '\0';
	if (scram_derive(&v, password))
		scram_format(&v, out);
	explicit_bzero(&v, sizeof(v));
}

const char *
password_check_hash(const char *hash)
{
	if (strlen(hash) > ENTRY_HASH_MAX)
		return "hash too long";
	for (const char *p = hash; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr(":;*!\\", *p) != NULL)
			return "not a hash of crypt(3)";
	if (crypt_checksalt(hash) == CRYPT_SALT_INVALID)
		return "a hash that crypt(3) does not know here";
	return NULL;
}

const char *
password_check(const char *password)
{
	if (password[0] == '\0')
		return "an empty password";
	if (strlen(password) > PASSWORD_MAX)
		return "a password of more than 511 octets";
	for (const char *p = password; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return "a control character in the password";
	return NULL;
}
