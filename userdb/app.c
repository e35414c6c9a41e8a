/* SPDX-License-Identifier: ISC */
#include "userdb/app.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

enum { GROUP = 4, DIGEST = 32 };

static bool
digest_letters(
    const char octets[APP_LETTERS], char digest[ENTRY_DIGEST_MAX + 1])
{
	unsigned char made[DIGEST];

	if (EVP_Digest(octets, APP_LETTERS, made, NULL, EVP_sha256(), NULL) !=
	    1)
		return false;
	for (size_t i = 0; i < DIGEST; i++)
		snprintf(digest + 2 * i, 3, "%02x", made[i]);
	return true;
}

bool
app_make(char text[APP_TEXT + 1], char digest[ENTRY_DIGEST_MAX + 1])
{
	unsigned char random[APP_LETTERS];
	size_t n = 0;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	for (size_t i = 0; i < APP_LETTERS; i++) {
		if (i > 0 && i % GROUP == 0)
			text[n++] = '-';
		text[n++] = letters[random[i] % 32];
	}
	text[n] = '\0';
	explicit_bzero(random, sizeof(random));
	return app_digest(text, digest);
}

bool
app_digest(const char *typed, char digest[ENTRY_DIGEST_MAX + 1])
{
	char plain[APP_LETTERS];
	size_t n = 0;
	bool good = true;

	for (; *typed != '\0' && good; typed++) {
		char c = *typed;

		if (c == '-' || c == ' ')
			continue;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		good = n < APP_LETTERS && strchr(letters, c) != NULL;
		if (good)
			plain[n++] = c;
	}
	good = good && n == APP_LETTERS && digest_letters(plain, digest);
	explicit_bzero(plain, sizeof(plain));
	return good;
}

bool
app_is_digest(const char *text)
{
	return strlen(text) == ENTRY_DIGEST_MAX &&
	    strspn(text, "0123456789abcdef") == ENTRY_DIGEST_MAX;
}
