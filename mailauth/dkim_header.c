/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_header.h"

#include <string.h>
#include <strings.h>

#include "mailauth/dkim_body.h"
#include "mailauth/dkim_canon.h"
#include "mailauth/tags.h"

struct hashing {
	const struct header_section *section;
	bool taken[HEADER_FIELDS_MAX];
	uint32_t hashes[HEADER_FIELDS_MAX]; /* of the fields' names */
	EVP_MD_CTX *hash;
	bool ok;
};

static void
update(void *context, const char *octets, size_t n)
{
	struct hashing *h = context;

	if (EVP_DigestUpdate(h->hash, octets, n) != 1)
		h->ok = false;
}

/* Alike for names that differ in case: many are compared with many. */
static uint32_t
name_hash(struct span name)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		hash =
		    (hash ^ (unsigned char)(name.data[i] | 0x20)) * 16777619u;
	return hash;
}

/* The last one that was not taken yet; NULL: "the null string". */
static const struct header_field *
take_last(struct hashing *h, struct span name)
{
	const uint32_t hash = name_hash(name);

	for (size_t i = h->section->n; i-- > 0;) {
		const struct header_field *f = &h->section->fields[i];

		if (h->hashes[i] == hash && !h->taken[i] &&
		    f->name.len == name.len &&
		    strncasecmp(f->name.data, name.data, name.len) == 0) {
			h->taken[i] = true;
			return f;
		}
	}
	return NULL;
}

static void
hash_fields(struct hashing *h, const struct header_field *own,
    const struct dkim_signature *s)
{
	struct span rest = s->names, name, none = {"", 0};
	struct dkim_canon canon;

	for (size_t i = 0; i < h->section->n; i++)
		h->hashes[i] = name_hash(h->section->fields[i].name);
	dkim_canon_init(&canon, s->relaxed_header, update, h);
	h->taken[own - h->section->fields] = true;
	while (tags_next(&rest, &name)) {
		const struct header_field *f = take_last(h, name);

		if (f == NULL)
			continue;
		dkim_canon_field(&canon, f, none);
		dkim_canon_line_end(&canon);
	}
	dkim_canon_field(&canon, own, s->hole);
	dkim_canon_flush(&canon);
}

static const char *
find_added(const struct hashing *h, const struct dkim_signature *s)
{
	static const char *const single[] = {"From", "Sender", "Reply-To", "To",
	    "Cc", "Subject", "Date", "Message-ID", "MIME-Version",
	    "Content-Type", "Content-Transfer-Encoding"};

	for (size_t k = 0; k < sizeof(single) / sizeof(single[0]); k++) {
		if (!tags_list_has(s->names, single[k]))
			continue;
		for (size_t i = 0; i < h->section->n; i++)
			if (!h->taken[i] &&
			    header_is(&h->section->fields[i], single[k]))
				return single[k];
	}
	return NULL;
}

bool
dkim_header_hash(const struct header_section *section,
    const struct header_field *own, const struct dkim_signature *s,
    unsigned char digest[DKIM_HASH_SIZE], const char **added)
{
	struct hashing h = {.section = section, .hash = EVP_MD_CTX_new()};

	h.ok = h.hash != NULL && dkim_sha256() != NULL &&
	    EVP_DigestInit_ex(h.hash, dkim_sha256(), NULL) == 1;
	*added = NULL;
	if (h.ok) {
		hash_fields(&h, own, s);
		*added = find_added(&h, s);
	}
	h.ok = h.ok && EVP_DigestFinal_ex(h.hash, digest, NULL) == 1;
	EVP_MD_CTX_free(h.hash);
	return h.ok;
}
