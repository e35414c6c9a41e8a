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

int
password_hash(const char *password, char out[ENTRY_HASH_MAX + 1])
{
	char *setting = crypt_gensalt_ra("$y$", 0, NULL, 0);
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
dummy_hash(void)
{
	static char hash[ENTRY_HASH_MAX + 1];

	if (hash[0] == '\0' && password_hash("nobody's", hash) == -1)
		return "*";
	return hash;
}

bool
password_verify(const char *password, const char *hash)
{
	const char *setting = hash[0] != '\0' ? hash : dummy_hash();
	void *data = NULL;
	int size = 0;
	const char *made = crypt_ra(password, setting, &data, &size);
	size_t n = strlen(hash);
	bool right = made != NULL && n > 0 && strlen(made) == n &&
	    CRYPTO_memcmp(made, hash, n) == 0;

	wipe(data, size);
	return right;
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
