/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_body.h"

#include <string.h>

const EVP_MD *
dkim_sha256(void)
{
	static EVP_MD *fetched;

	if (fetched == NULL)
		fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
	return fetched;
}

static void
update(struct dkim_body *b, const char *octets, size_t n)
{
	if (EVP_DigestUpdate(b->hash, octets, n) != 1)
		b->failed = true;
	b->octets += n;
}

/* The hash goes on behind the digest of what there is. */
static void
digest_so_far(struct dkim_body *b, struct dkim_cut *cut)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	if (copy == NULL || EVP_MD_CTX_copy_ex(copy, b->hash) != 1 ||
	    EVP_DigestFinal_ex(copy, cut->digest, NULL) != 1)
		b->failed = true;
	EVP_MD_CTX_free(copy);
}

static void
take_canonical(void *context, const char *octets, size_t n)
{
	struct dkim_body *b = context;

	while (
	    b->reached < b->n && b->cuts[b->reached].length - b->octets <= n) {
		size_t up_to = (size_t)(b->cuts[b->reached].length - b->octets);

		update(b, octets, up_to);
		octets += up_to;
		n -= up_to;
		digest_so_far(b, &b->cuts[b->reached++]);
	}
	update(b, octets, n);
}

bool
dkim_body_init(struct dkim_body *b, bool relaxed)
{
	dkim_canon_init(&b->canon, relaxed, take_canonical, b);
	b->hash = EVP_MD_CTX_new();
	b->octets = 0;
	b->n = b->reached = 0;
	b->failed = b->hash == NULL || dkim_sha256() == NULL ||
	    EVP_DigestInit_ex(b->hash, dkim_sha256(), NULL) != 1;
	return !b->failed;
}

void
dkim_body_free(struct dkim_body *b)
{
	EVP_MD_CTX_free(b->hash);
	b->hash = NULL;
}

void
dkim_body_want(struct dkim_body *b, uint64_t length)
{
	size_t i = 0;

	while (i < b->n && b->cuts[i].length < length)
		i++;
	if (i < b->n && b->cuts[i].length == length)
		return;
	if (b->n == DKIM_CUTS_MAX) {
		b->failed = true;
		return;
	}
	memmove(&b->cuts[i + 1], &b->cuts[i], (b->n - i) * sizeof(b->cuts[0]));
	b->cuts[i].length = length;
	b->n++;
}

void
dkim_body_take(struct dkim_body *b, const char *octets, size_t n)
{
	dkim_canon_body(&b->canon, octets, n);
}

void
dkim_body_end(struct dkim_body *b)
{
	dkim_canon_body_end(&b->canon);
	take_canonical(b, "", 0);
	if (b->reached < b->n && b->cuts[b->n - 1].length == DKIM_WHOLE_BODY)
		digest_so_far(b, &b->cuts[b->n - 1]);
}

const unsigned char *
dkim_body_digest(const struct dkim_body *b, uint64_t length)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->cuts[i].length == length &&
		    (i < b->reached || length == DKIM_WHOLE_BODY))
			return b->cuts[i].digest;
	return NULL;
}
