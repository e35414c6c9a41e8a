/* SPDX-License-Identifier: ISC */
#include "keys/dkim.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/selectors.h"
#include "mailauth/dkim.h"

/* Keys of so many domains are kept; a power of two. */
enum { SLOTS = 512 };

struct key {
	char selector[SELECTOR_NAME_MAX + 1];
	EVP_PKEY *key;
};

/* A domain's active keys, and the file that they were listed in. */
struct slot {
	char domain[DNS_NAME_MAX + 1]; /* "": empty */
	struct stat list;
	size_t n;
	struct key keys[SELECTOR_KINDS];
};

static struct slot slots[SLOTS];

static void
slot_forget(struct slot *slot)
{
	for (size_t i = 0; i < slot->n; i++)
		EVP_PKEY_free(slot->keys[i].key);
	*slot = (struct slot){.n = 0};
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_size == b->st_size &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* -- reading -- */

static bool
take_key(struct slot *slot, int folder, const struct selector *s)
{
	struct key *key = &slot->keys[slot->n];

	key->key = selectors_read_key(folder, s->name);
	if (key->key == NULL)
		return false;
	memcpy(key->selector, s->name, sizeof(key->selector));
	slot->n++;
	return true;
}

/* 1, 0: it has no folder or list; -1 and errno. */
static int
fill(struct slot *slot, int folder, const char *domain)
{
	struct selectors s;
	const struct selector *active;

	if (fstatat(folder, "selectors", &slot->list, AT_SYMLINK_NOFOLLOW) ==
	    -1)
		return errno == ENOENT ? 0 : -1;
	if (selectors_read(folder, &s) == -1)
		return -1;
	for (int kind = 0; kind < SELECTOR_KINDS; kind++) {
		active = selectors_active(&s, (enum selector_kind)kind);
		if (active != NULL && !take_key(slot, folder, active))
			return -1;
	}
	memcpy(slot->domain, domain, strlen(domain) + 1);
	return 1;
}

static int
read_slot(struct slot *slot, int dkim, const char *domain)
{
	int folder = selectors_open_domain(dkim, domain, false), rc, saved;

	slot_forget(slot);
	if (folder == -1)
		return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -1;
	rc = fill(slot, folder, domain);
	saved = errno;
	close(folder);
	if (rc != 1)
		slot_forget(slot);
	errno = saved;
	return rc;
}

/* Is what was read of this domain still so? */
static bool
is_current(const struct slot *slot, int dkim, const char *domain)
{
	char path[DNS_NAME_MAX + 16];
	struct stat now;

	snprintf(path, sizeof(path), "%s/selectors", domain);
	return strcmp(slot->domain, domain) == 0 &&
	    fstatat(dkim, path, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    is_same_file(&now, &slot->list);
}

/* A message names several domains, and few have keys: those keep theirs. */
static bool
has_list(int dkim, const char *domain)
{
	char path[DNS_NAME_MAX + 16];
	struct stat status;

	snprintf(path, sizeof(path), "%s/selectors", domain);
	return fstatat(dkim, path, &status, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT;
}

static void
tell_failure(const char *domain)
{
	log_event(LEVEL_ERROR, "no key", log_text("domain", domain),
	    log_text("reason",
		errno == EBADMSG ? "cannot be understood" : strerror(errno)));
}

/* The domain's keys in use; NULL: none, or *failed, which is logged. */
static const struct slot *
look(int dkim, const char *domain, bool *failed)
{
	struct slot *slot = &slots[hash_text(domain) % SLOTS];
	bool mine = strcmp(slot->domain, domain) == 0;

	if (is_current(slot, dkim, domain))
		return slot->n > 0 ? slot : NULL;
	if (!mine && !has_list(dkim, domain))
		return NULL;
	*failed = read_slot(slot, dkim, domain) == -1;
	if (*failed)
		tell_failure(domain);
	return !*failed && slot->n > 0 ? slot : NULL;
}

/* -- whose -- */

static const struct slot *
find(int dkim, const char *domain, bool *failed)
{
	const struct slot *found = look(dkim, domain, failed);
	const char *dot;

	while (
	    found == NULL && !*failed && (dot = strchr(domain, '.')) != NULL) {
		domain = dot + 1;
		found = look(dkim, domain, failed);
	}
	return found;
}

/* -- signing -- */

/* Of the text its last line end goes. */
static bool
add_field(struct dkim_answer *a, struct buf *text)
{
	const char *field;

	if (text->len > 0 && text->data[text->len - 1] == '\n')
		text->len--;
	field = buf_text(text);
	if (field == NULL || strlen(field) != text->len ||
	    !signature_is_field(field))
		return false;
	memcpy(a->fields[a->n++], field, text->len + 1);
	return true;
}

static bool
sign(const struct slot *slot, const struct dkim_facts *facts,
    struct dkim_answer *a)
{
	int64_t now = clock_now();
	bool done = true;

	for (size_t i = 0; done && i < slot->n; i++) {
		struct buf text = BUF_INIT(SIGNATURE_MAX + 1);

		done = dkim_sign(facts, slot->domain, slot->keys[i].selector,
			   now, slot->keys[i].key, &text) &&
		    add_field(a, &text);
		buf_free(&text);
	}
	ERR_clear_error();
	return done;
}

/* Another folder may stand in its place by now. */
static bool
is_there(int dkim, const char *keys_dir)
{
	struct stat there, here;
	char path[4096];

	return snprintf(path, sizeof(path), "%s/dkim", keys_dir) <
	    (int)sizeof(path) &&
	    fstatat(AT_FDCWD, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(dkim, &here) == 0 && there.st_ino == here.st_ino &&
	    there.st_dev == here.st_dev;
}

static void
answer_for(const char *keys_dir, const struct dkim_facts *facts,
    const char *domain, struct dkim_answer *a)
{
	static int dkim = -1;
	const struct slot *slot = NULL;

	if (dkim != -1 && !is_there(dkim, keys_dir)) {
		close(dkim);
		dkim = -1;
	}
	if (dkim == -1)
		dkim = selectors_open(keys_dir, false);
	if (dkim != -1) {
		slot = find(dkim, domain, &a->failed);
	} else if (errno != ENOENT) {
		tell_failure(domain);
		a->failed = true;
	}
	if (a->failed)
		a->reason = "a key cannot be read";
	else if (slot == NULL)
		a->reason = "no key";
	else if (!sign(slot, facts, a)) {
		a->n = 0;
		a->reason = "too many fields to be signed";
	}
}

void
dkim_answer(
    const char *keys_dir, const struct dkim_facts *facts, struct dkim_answer *a)
{
	char domain[DNS_NAME_MAX + 1];
	const char *at = strrchr(facts->from, '@');

	a->failed = false;
	a->n = 0;
	a->reason = dkim_facts_check(facts);
	if (a->reason != NULL)
		log_event(LEVEL_WARNING, "not signed",
		    log_text("role", "role-queue"),
		    log_text("reason", a->reason));
	else if (at == NULL || !selectors_domain(at + 1, domain))
		a->reason = "no domain";
	else
		answer_for(keys_dir, facts, domain, a);
}
