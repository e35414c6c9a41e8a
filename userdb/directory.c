/* SPDX-License-Identifier: ISC */
#include "userdb/directory.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"

static enum found
found_of(enum store_result result)
{
	return result == STORE_OK    ? FOUND
	    : result == STORE_ABSENT ? ABSENT
				     : FAILED;
}

enum found
directory_begin(
    struct directory *d, struct store *store, const struct config *config)
{
	char text[PROTOCOL_ADDRESS_MAX + 1];
	enum found found;

	*d = (struct directory){.store = store, .config = config};
	found = directory_note(d, "import", text);
	if (found == FOUND)
		snprintf(d->pending, sizeof(d->pending), "%.*s", FS_ID_SIZE - 1,
		    text);
	return found == FAILED ? FAILED : FOUND;
}

/* -- looking -- */

static bool
is_visible(const struct directory *d, const struct entry *e)
{
	return e->batch[0] == '\0' || d->importing ||
	    strcmp(e->batch, d->pending) != 0;
}

static void
log_corrupt(struct span key)
{
	char text[STORE_KEY_MAX + 1];
	size_t n = key.len < STORE_KEY_MAX ? key.len : STORE_KEY_MAX;

	for (size_t i = 0; i < n; i++)
		text[i] = key.data[i] != '\0' ? key.data[i] : ' ';
	text[n] = '\0';
	log_event(LEVEL_ERROR, "database error", log_text("what", text),
	    log_text("reason", "corrupt record"));
}

enum found
directory_get(struct directory *d, struct entry *e)
{
	struct entry_key key;
	char value[STORE_VALUE_MAX];
	size_t n;
	enum found found;

	if (!entry_key(e, &key))
		return FAILED;
	found = found_of(store_get(
	    d->store, entry_key_span(&key), value, sizeof(value), &n));
	if (found != FOUND)
		return found;
	if (!entry_read(entry_key_span(&key), (struct span){value, n}, e)) {
		log_corrupt(entry_key_span(&key));
		return FAILED;
	}
	return is_visible(d, e) ? FOUND : ABSENT;
}

enum found
directory_user(struct directory *d, const struct address *name, struct entry *e)
{
	memset(e, 0, sizeof(*e));
	e->type = ENTRY_USER;
	e->name = *name;
	return directory_get(d, e);
}

enum found
directory_note(struct directory *d, const char *name, char *out)
{
	struct entry e = {.type = ENTRY_NOTE};
	enum found found;

	snprintf(e.name.local, sizeof(e.name.local), "%s", name);
	found = directory_get(d, &e);
	snprintf(out, PROTOCOL_ADDRESS_MAX + 1, "%s",
	    found == FOUND ? e.target : "");
	return found;
}

struct walk {
	struct directory *directory;
	const struct entry_key *prefix;
	bool (*found)(const struct entry *, void *);
	void *context;
	bool any, corrupt;
};

static bool
walk_one(struct span key, struct span value, void *context)
{
	struct walk *w = context;
	struct entry e;

	if (!entry_has_prefix(key, w->prefix))
		return false;
	if (!entry_read(key, value, &e)) {
		log_corrupt(key);
		w->corrupt = true;
		return true;
	}
	if (!is_visible(w->directory, &e))
		return true;
	w->any = true;
	return w->found(&e, w->context);
}

enum found
directory_each(struct directory *d, const struct entry_key *prefix,
    const struct entry_key *from,
    bool (*found)(const struct entry *, void *context), void *context)
{
	struct walk w = {d, prefix, found, context, false, false};
	enum found result = found_of(store_each(d->store,
	    entry_key_span(from != NULL ? from : prefix), walk_one, &w));

	if (result == FAILED || w.corrupt)
		return FAILED;
	return w.any ? FOUND : ABSENT;
}

/* Those of this type that belong to this name. */
static enum found
each_of(struct directory *d, enum entry_type type, const struct address *name,
    bool (*found)(const struct entry *, void *context), void *context)
{
	struct entry_key prefix;

	entry_prefix(type, name->domain, name->local, &prefix);
	prefix.octets[prefix.n++] = '\0';
	return directory_each(d, &prefix, NULL, found, context);
}

enum found
directory_targets(struct directory *d, const struct address *alias,
    bool (*found)(const struct entry *, void *context), void *context)
{
	return each_of(d, ENTRY_ALIAS, alias, found, context);
}

enum found
directory_apps(struct directory *d, const struct address *user,
    bool (*found)(const struct entry *, void *context), void *context)
{
	return each_of(d, ENTRY_APP, user, found, context);
}

enum found
directory_grants(struct directory *d, const struct address *user,
    bool (*found)(const struct entry *, void *context), void *context)
{
	return each_of(d, ENTRY_GRANT, user, found, context);
}

static bool
first_is_enough(const struct entry *e, void *context)
{
	(void)e;
	(void)context;
	return false;
}

enum found
directory_alias(struct directory *d, const struct address *alias)
{
	return directory_targets(d, alias, first_is_enough, NULL);
}

enum found
directory_domain(struct directory *d, const char *domain)
{
	struct entry e = {.type = ENTRY_DOMAIN};

	if (config_has_domain(d->config, domain))
		return FOUND;
	snprintf(e.name.domain, sizeof(e.name.domain), "%s", domain);
	return directory_get(d, &e);
}

static bool
take_domain(const struct entry *e, void *out)
{
	snprintf(out, ADDRESS_DOMAIN_MAX + 1, "%s", e->name.domain);
	return false;
}

enum found
directory_first_domain(struct directory *d, char out[ADDRESS_DOMAIN_MAX + 1])
{
	struct entry_key prefix;

	out[0] = '\0';
	if (d->config->domains.n > 0) {
		snprintf(out, ADDRESS_DOMAIN_MAX + 1, "%s",
		    d->config->domains.items[0]);
		return FOUND;
	}
	entry_prefix(ENTRY_DOMAIN, NULL, NULL, &prefix);
	return directory_each(d, &prefix, NULL, take_domain, out);
}

/* -- changing -- */

enum store_result
directory_put(struct directory *d, const struct entry *e)
{
	struct buf value = BUF_INIT(STORE_VALUE_MAX);
	struct entry_key key;
	enum store_result result = STORE_FAILED;

	if (entry_key(e, &key) && entry_value(e, &value))
		result = store_put(d->store, entry_key_span(&key),
		    (struct span){value.data, value.len});
	buf_free(&value);
	return result;
}

enum store_result
directory_delete(struct directory *d, const struct entry *e)
{
	struct entry_key key;
	enum store_result result = STORE_FAILED;

	if (entry_key(e, &key))
		result = store_delete(d->store, entry_key_span(&key));
	return result;
}

enum store_result
directory_set_note(struct directory *d, const char *name, const char *text)
{
	struct entry e = {.type = ENTRY_NOTE};
	enum store_result result;

	snprintf(e.name.local, sizeof(e.name.local), "%s", name);
	if (text == NULL) {
		result = directory_delete(d, &e);
		return result == STORE_ABSENT ? STORE_OK : result;
	}
	snprintf(e.target, sizeof(e.target), "%s", text);
	return directory_put(d, &e);
}
