/* SPDX-License-Identifier: ISC */
#include "ledger/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/loop.h"

enum { KEY_OCTETS = 16 };

/* -- the key: a table of one row -- */

struct secret {
	struct row row;
	struct digest key;
};

#define SECRET(pointer) container_of(pointer, struct secret, row)

static int
compare(const void *a, const void *b)
{
	(void)a, (void)b;
	return 0;
}

static void
free_row(struct row *row)
{
	free(SECRET(row));
}

static bool
is_over(const struct row *row, time_t now)
{
	(void)row, (void)now;
	return false;
}

static int64_t
worth(const struct row *row, time_t now)
{
	(void)row, (void)now;
	return 1;
}

static void
write_row(const struct row *row, struct buf *line)
{
	digest_write(&SECRET(row)->key, line);
}

static struct row *
read_row(struct fields *f, time_t now)
{
	struct secret *s = calloc(1, sizeof(*s));

	(void)now;
	if (s == NULL)
		return NULL;
	digest_read(f, &s->key);
	return &s->row;
}

static const struct kind kind = {
    "secret", 1, compare, free_row, is_over, worth, write_row, read_row};

struct table digest_table = {.kind = &kind};

void
digest_begin(void)
{
	struct secret *s;

	if (digest_table.n > 0 || (s = calloc(1, sizeof(*s))) == NULL)
		return;
	if (getrandom(&s->key, sizeof(s->key), 0) != sizeof(s->key) ||
	    !table_add(&digest_table, &s->row, 0))
		free(s);
	else
		row_changed(&s->row);
}

/* -- digests -- */

static EVP_MAC_CTX *
siphash(void)
{
	static EVP_MAC_CTX *context;
	size_t size = sizeof(struct digest);
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
	    OSSL_PARAM_construct_end()};
	EVP_MAC *mac;

	if (context != NULL)
		return context;
	mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	context = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (context != NULL && EVP_MAC_CTX_set_params(context, params) != 1) {
		EVP_MAC_CTX_free(context);
		context = NULL;
	}
	return context;
}

struct digest
digest_of(const char *const *texts, size_t n)
{
	EVP_MAC_CTX *context = siphash();
	struct digest d = {{0, 0}};
	const unsigned char *key;
	bool good;
	size_t size;

	digest_begin();
	if (context == NULL || digest_table.n == 0)
		return d;
	key = (const unsigned char *)&SECRET(digest_table.rows[0])->key;
	good = EVP_MAC_init(context, key, KEY_OCTETS, NULL) == 1;
	for (size_t i = 0; i < n && good; i++)
		good = EVP_MAC_update(context, (const unsigned char *)texts[i],
			   strlen(texts[i]) + 1) == 1;
	if (!good ||
	    EVP_MAC_final(context, (unsigned char *)&d, &size, sizeof(d)) != 1)
		d = (struct digest){{0, 0}};
	return d;
}

int
digest_compare(const struct digest *a, const struct digest *b)
{
	for (int i = 0; i < 2; i++)
		if (a->half[i] != b->half[i])
			return a->half[i] < b->half[i] ? -1 : 1;
	return 0;
}

void
digest_write(const struct digest *d, struct buf *line)
{
	fields_number(line, d->half[0]);
	fields_number(line, d->half[1]);
}

void
digest_read(struct fields *f, struct digest *d)
{
	d->half[0] = fields_take_number(f, UINT64_MAX);
	d->half[1] = fields_take_number(f, UINT64_MAX);
}

/* -- crowds -- */

static size_t
place(const struct crowds *c, uint64_t somebody)
{
	return somebody % (sizeof(c->counts) / sizeof(*c->counts));
}

void
crowds_add(struct crowds *c, uint64_t somebody)
{
	c->counts[place(c, somebody)]++;
}

void
crowds_remove(struct crowds *c, uint64_t somebody)
{
	if (c->counts[place(c, somebody)] > 0)
		c->counts[place(c, somebody)]--;
}

uint32_t
crowds_count(const struct crowds *c, uint64_t somebody)
{
	return c->counts[place(c, somebody)];
}
