/* SPDX-License-Identifier: ISC */
#include "keys/memory.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* For 1,024 RSA keys twice; what is not used is not there. */
enum { SECURE_HEAP = 8 << 20, SECURE_PIECE = 64 };

struct block {
	_Alignas(max_align_t) size_t n; /* octets behind it */
};

static void *
allocate(size_t n, const char *file, int line)
{
	struct block *b;

	(void)file, (void)line;
	if (n == 0 || n > SIZE_MAX - sizeof(*b) ||
	    (b = malloc(sizeof(*b) + n)) == NULL)
		return NULL;
	b->n = n;
	return b + 1;
}

static void
release(void *p, const char *file, int line)
{
	struct block *b;

	(void)file, (void)line;
	if (p == NULL)
		return;
	b = (struct block *)p - 1;
	explicit_bzero(p, b->n);
	free(b);
}

static void *
change(void *p, size_t n, const char *file, int line)
{
	size_t old = p != NULL ? ((struct block *)p - 1)->n : 0;
	void *fresh = allocate(n, file, line);

	if (fresh == NULL && n > 0)
		return NULL;
	if (fresh != NULL && p != NULL)
		memcpy(fresh, p, old < n ? old : n);
	release(p, file, line);
	return fresh;
}

bool
memory_prepare(void)
{
	return CRYPTO_set_mem_functions(allocate, change, release) == 1 &&
	    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 &&
	    CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_PIECE) == 1;
}
