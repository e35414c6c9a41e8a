/* SPDX-License-Identifier: ISC */
#include "userdb/cache.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "userdb/entry.h"

enum { SLOTS = 4096, KEY = 32 };

static struct {
	bool ready;
	unsigned char key[KEY];
	struct slot {
		unsigned char digest[CACHE_DIGEST];
		int64_t until; /* monotonic milliseconds; 0: empty */
	} slots[SLOTS];
} cache;

int
cache_begin(void)
{
	cache.ready = getrandom(cache.key, KEY, 0) == KEY;
	return cache.ready ? 0 : -1;
}

struct cache_key
cache_key(const char *user, const char *password, const char *hash)
{
	const char *const parts[] = {user, password, hash};
	unsigned char text[PROTOCOL_LOGIN_MAX + PROTOCOL_PASSWORD_MAX +
	    ENTRY_HASH_MAX + 3];
	struct cache_key key = {.good = cache.ready};
	size_t n = 0;
	unsigned length = 0;

	for (size_t i = 0; i < 3 && key.good; i++) {
		size_t size = strlen(parts[i]) + 1;

		key.good = size <= sizeof(text) - n;
		if (key.good)
			memcpy(text + n, parts[i], size);
		n += size;
	}
	key.good = key.good &&
	    HMAC(EVP_sha256(), cache.key, KEY, text, n, key.digest, &length) !=
		NULL &&
	    length == CACHE_DIGEST;
	explicit_bzero(text, sizeof(text));
	return key;
}

static struct slot *
slot_of(const struct cache_key *key)
{
	return &cache.slots[(key->digest[0] | key->digest[1] << 8) % SLOTS];
}

bool
cache_has(const struct cache_key *key)
{
	const struct slot *slot = slot_of(key);

	return key->good && slot->until > clock_monotonic_ms() &&
	    CRYPTO_memcmp(slot->digest, key->digest, CACHE_DIGEST) == 0;
}

void
cache_add(const struct cache_key *key)
{
	struct slot *slot = slot_of(key);

	if (!key->good)
		return;
	memcpy(slot->digest, key->digest, CACHE_DIGEST);
	slot->until = clock_monotonic_ms() + CACHE_SECONDS * 1000;
}
