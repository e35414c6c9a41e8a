/* SPDX-License-Identifier: ISC */
#include "keys/pairs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"
#include "keys/chain_file.h"

enum { PAIRS_MAX = 1024, NAMES_MAX = 256 };

struct set {
	size_t n;
	struct pair *items;
};

static struct set in_use, coming, replaced;
static bool is_bad; /* one of those that are coming */
static char generation[FS_ID_SIZE];

static void
pair_free(struct pair *p)
{
	certificate_free_chain(p->chain);
	EVP_PKEY_free(p->key);
	if (p->fd >= 0)
		close(p->fd);
	free(p->path);
	free(p->key_path);
	*p = (struct pair){.fd = -1};
}

static void
set_free(struct set *set)
{
	for (size_t i = 0; i < set->n; i++)
		pair_free(&set->items[i]);
	free(set->items);
	*set = (struct set){0};
}

size_t
pairs_count(void)
{
	return in_use.n;
}

const struct pair *
pairs_at(size_t index)
{
	return index < in_use.n ? &in_use.items[index] : NULL;
}

static const struct pair *
find(const struct set *set, const char *id)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->items[i].key != NULL &&
		    strcmp(set->items[i].id, id) == 0)
			return &set->items[i];
	return NULL;
}

const struct pair *
pairs_find(const char *id)
{
	const struct pair *found = find(&in_use, id);

	return found != NULL ? found : find(&replaced, id);
}

void
pairs_forget_replaced(void)
{
	set_free(&replaced);
}

const char *
pairs_generation(void)
{
	if (generation[0] == '\0')
		fs_random_id(generation);
	return generation;
}

void
pairs_announce(void)
{
	for (size_t i = 0; i < in_use.n; i++) {
		struct pair *p = &in_use.items[i];
		char names[NAMES_MAX];

		if (!p->fresh)
			continue;
		p->fresh = false;
		certificate_names(p->chain, names, sizeof(names));
		log_event(LEVEL_INFO, "certificate taken",
		    log_text("what", p->path),
		    log_text("type", certificate_type(p->key)),
		    log_text("names", names));
	}
}

/* -- one file -- */

static void
refuse(const struct control_file *f, const char *reason)
{
	log_event(f->starting ? LEVEL_ERROR : LEVEL_WARNING,
	    "certificate refused", log_text("what", f->path),
	    log_text("reason", reason));
	is_bad = true;
}

static void
take_certificate(const struct control_file *f, struct pair *p)
{
	char reason[CERTIFICATE_REASON_MAX];

	p->path = strdup(f->path);
	if (f->fd < 0)
		refuse(f, f->error != NULL ? f->error : "no file");
	else if ((p->chain = certificate_read_chain(f->fd, reason)) == NULL)
		refuse(f, reason);
}

static void
take_key(const struct control_file *f, struct pair *p)
{
	char reason[CERTIFICATE_REASON_MAX];

	p->key_path = strdup(f->path);
	if (f->fd < 0)
		refuse(f, f->error != NULL ? f->error : "no file");
	else if ((p->key = certificate_read_key(f->fd, reason)) == NULL)
		refuse(f, reason);
	else if (p->chain != NULL && !certificate_matches(p->chain, p->key)) {
		refuse(f, "it does not belong to the certificate");
		EVP_PKEY_free(p->key);
		p->key = NULL;
	}
}

/* -- a whole round -- */

static bool
is_good(const struct pair *p)
{
	return p->chain != NULL && p->key != NULL;
}

static bool
is_same_chain(STACK_OF(X509) *a, STACK_OF(X509) *b)
{
	if (sk_X509_num(a) != sk_X509_num(b))
		return false;
	for (int i = 0; i < sk_X509_num(a); i++)
		if (X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i)) != 0)
			return false;
	return true;
}

/* What came from these files before. */
static struct pair *
predecessor(const struct pair *p)
{
	for (size_t i = 0; i < in_use.n; i++) {
		struct pair *old = &in_use.items[i];

		if (old->chain != NULL && p->path != NULL &&
		    p->key_path != NULL && strcmp(old->path, p->path) == 0 &&
		    strcmp(old->key_path, p->key_path) == 0)
			return old;
	}
	return NULL;
}

static bool
is_named(const struct pair *old)
{
	for (size_t i = 0; i < coming.n; i++) {
		const struct pair *p = &coming.items[i];

		if (p->path != NULL && p->key_path != NULL &&
		    strcmp(p->path, old->path) == 0 &&
		    strcmp(p->key_path, old->key_path) == 0)
			return true;
	}
	return false;
}

/* What stood in this place of a config that named other files. */
static struct pair *
former(size_t index)
{
	struct pair *old = index < in_use.n ? &in_use.items[index] : NULL;

	return old != NULL && old->chain != NULL && !is_named(old) ? old : NULL;
}

static bool
complete(struct pair *p)
{
	p->fd = chain_file_make(p->chain);
	if (p->fd < 0 || !certificate_id(sk_X509_value(p->chain, 0), p->id)) {
		log_errno(LEVEL_ERROR, "cannot keep", p->path);
		return false;
	}
	p->fresh = true;
	return true;
}

/*
 * The new one; or the old one, where the new one is no good or the same.
 * True when that is the new one.
 */
static bool
choose(struct pair *p, size_t index)
{
	struct pair *old = predecessor(p);
	bool same =
	    old != NULL && is_good(p) && is_same_chain(p->chain, old->chain);

	if (is_good(p) && !same && complete(p))
		return true;
	if (old == NULL)
		old = former(index);
	pair_free(p);
	if (old == NULL)
		return false;
	if (!same)
		log_event(LEVEL_WARNING, "certificate kept",
		    log_text("what", old->path));
	*p = *old;
	*old = (struct pair){.fd = -1};
	return false;
}

static enum pairs_result
end_round(bool starting)
{
	bool changed = false;
	size_t n = 0;

	for (size_t i = 0; i < coming.n; i++) {
		const struct pair *was = pairs_at(n);
		const char *before = was != NULL ? was->id : "";
		char id[CERTIFICATE_ID_SIZE];

		memcpy(id, before, strlen(before) + 1);
		changed |= choose(&coming.items[i], i);
		if (!is_good(&coming.items[i]))
			continue;
		changed |= strcmp(id, coming.items[i].id) != 0;
		coming.items[n++] = coming.items[i];
	}
	changed |= n != in_use.n;
	coming.n = n;
	if (changed) {
		set_free(&replaced);
		replaced = in_use;
		fs_random_id(generation);
	} else {
		set_free(&in_use);
	}
	in_use = coming;
	coming = (struct set){0};
	if (is_bad && starting)
		return PAIRS_BAD;
	return changed ? PAIRS_CHANGED : PAIRS_SAME;
}

static bool
begin_round(size_t count)
{
	set_free(&coming);
	is_bad = false;
	if (count > PAIRS_MAX ||
	    (coming.items = calloc(count + 1, sizeof(*coming.items))) == NULL)
		return false;
	coming.n = count;
	for (size_t i = 0; i < count; i++)
		coming.items[i].fd = -1;
	return true;
}

/*
 * Certificate and key take turns.  A round that was broken off (the config
 * was reloaded meanwhile) is followed by another from the beginning.
 */
enum pairs_result
pairs_take(const struct control_file *f)
{
	bool is_key = strcmp(f->name, "tls-key") == 0;
	struct pair *p;

	if (!is_key && f->index == 0 && !begin_round(f->count)) {
		refuse(f, "there are too many");
		return f->starting ? PAIRS_BAD : PAIRS_MORE;
	}
	if (f->count == 0)
		return end_round(f->starting);
	if (f->count != coming.n || f->index >= coming.n || f->path == NULL)
		return PAIRS_MORE;
	p = &coming.items[f->index];
	if (!is_key) {
		take_certificate(f, p);
		return PAIRS_MORE;
	}
	if (p->path == NULL)
		return PAIRS_MORE;
	take_key(f, p);
	return f->index + 1 == f->count ? end_round(f->starting) : PAIRS_MORE;
}
