/* SPDX-License-Identifier: ISC */
#include "userdb/admin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/privileges.h"
#include "userdb/name.h"
#include "userdb/password.h"
#include "userdb/resolve.h"

enum { REASON_MAX = 1024 };

void
admin_begin(struct admin *a, struct directory *d)
{
	*a = (struct admin){.directory = d};
	a->changes = (uint64_t)clock_now_ms();
	import_undo(a);
}

/* -- answers -- */

bool
admin_fail(struct packet *answer, int exit_code, const char *format, ...)
{
	char reason[REASON_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	packet_start(answer, "failed");
	packet_number(answer, "exit", (uint64_t)exit_code);
	packet_text(answer, "reason", reason);
	return true;
}

bool
admin_fail_store(struct packet *answer, enum store_result result)
{
	return admin_fail(answer,
	    result == STORE_FAILED ? EX_IOERR : EX_TEMPFAIL, "%s",
	    store_reason(result));
}

void
admin_note(struct packet *answer, const char *format, ...)
{
	char note[REASON_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(note, sizeof(note), format, arguments);
	va_end(arguments);
	/* The first of very many will do. */
	if (answer->len < IPC_PACKET_MAX / 2)
		packet_text(answer, "note", note);
}

static bool
fail_lookup(struct packet *answer)
{
	return admin_fail_store(answer, STORE_FAILED);
}

/* The end of a change: of its transaction, and of its answer. */
static bool
finish(struct admin *a, enum store_result result, struct packet *answer)
{
	if (result != STORE_OK) {
		store_abort(a->directory->store);
		return admin_fail_store(answer, result);
	}
	result = store_commit(a->directory->store, true);
	if (result != STORE_OK)
		return admin_fail_store(answer, result);
	a->changes++;
	return true;
}

/* -- checks -- */

static bool
may_add_user(struct directory *d, struct entry *e, char *why, size_t max)
{
	struct entry known;
	const char *wrong;

	if (e->hash[0] != '\0' &&
	    (wrong = password_check_hash(e->hash)) != NULL) {
		snprintf(why, max, "%s", wrong);
		return false;
	}
	switch (directory_user(d, &e->name, &known)) {
	case FOUND:
		snprintf(why, max, "there is such a user already");
		return false;
	case FAILED:
		snprintf(why, max, "%s", store_reason(STORE_FAILED));
		return false;
	case ABSENT:
		break;
	}
	if (directory_alias(d, &e->name) != ABSENT) {
		snprintf(why, max, "there is an alias of that name");
		return false;
	}
	return true;
}

static bool
may_add_alias(struct directory *d, struct entry *e, char *why, size_t max)
{
	struct entry known;
	struct address target;

	if (e->name.local[0] != '\0' &&
	    directory_user(d, &e->name, &known) != ABSENT) {
		snprintf(why, max, "there is a user of that name");
		return false;
	}
	if (address_parse(e->target, ADDRESS_UTF8, &target) == NULL &&
	    directory_domain(d, target.domain) == FOUND) {
		name_lower(target.local);
		address_format(&target, e->target);
	}
	return true;
}

bool
admin_may_add(struct directory *d, struct entry *e, char *why, size_t max)
{
	if (e->type == ENTRY_DOMAIN || e->type == ENTRY_NOTE)
		return true;
	switch (directory_domain(d, e->name.domain)) {
	case ABSENT:
		snprintf(why, max,
		    "%s is not a domain of ours: first say postrider-user "
		    "domain add %s",
		    e->name.domain, e->name.domain);
		return false;
	case FAILED:
		snprintf(why, max, "%s", store_reason(STORE_FAILED));
		return false;
	case FOUND:
		break;
	}
	return e->type == ENTRY_USER ? may_add_user(d, e, why, max)
				     : may_add_alias(d, e, why, max);
}

/* Somebody that mailbox will be allowed to become. */
static bool
is_good_system_user(
    struct directory *d, const char *name, struct packet *answer)
{
	struct account account;

	if (account_find(name, &account) == -1) {
		admin_fail(
		    answer, EX_NOUSER, "%s: no such user of the system", name);
		return false;
	}
	if (account.uid == 0 || account.uid < d->config->minimum_uid) {
		admin_fail(answer, EX_NOPERM,
		    "%s: uid %lu is below minimum-uid %llu", name,
		    (unsigned long)account.uid,
		    (unsigned long long)d->config->minimum_uid);
		return false;
	}
	return true;
}

/* -- users -- */

/* The user that a request is about. */
static bool
find_user(
    struct admin *a, const char *text, struct entry *e, struct packet *answer)
{
	struct address name;

	if (resolve_login(a->directory, text, &name) == FAILED)
		return !fail_lookup(answer);
	switch (directory_user(a->directory, &name, e)) {
	case FOUND:
		return true;
	case ABSENT:
		return !admin_fail(answer, EX_NOUSER, "%s: no such user", text);
	case FAILED:
		break;
	}
	return !fail_lookup(answer);
}

enum store_result
admin_appoint(struct directory *d, const char *user, bool *appointed)
{
	char known[PROTOCOL_ADDRESS_MAX + 1];

	*appointed = false;
	switch (directory_note(d, "postmaster", known)) {
	case FOUND:
		return STORE_OK;
	case FAILED:
		return STORE_FAILED;
	case ABSENT:
		break;
	}
	*appointed = true;
	return directory_set_note(d, "postmaster", user);
}

static bool
user_add(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct entry e = {.type = ENTRY_USER};
	const char *address, *hash, *system, *wrong;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT_OPTIONAL("hash", ENTRY_HASH_MAX, &hash),
	    ATTRIBUTE_TEXT_OPTIONAL("system", ENTRY_SYSTEM_MAX, &system)};
	char canonical[ADDRESS_TEXT_MAX + 1], why[REASON_MAX];
	enum store_result result;
	bool appointed = false;

	if (!packet_read(p, "user-add", set, 3, 0))
		return false;
	if ((wrong = name_parse(address, &e.name)) != NULL ||
	    (e.name.domain[0] == '\0' &&
		directory_first_domain(d, e.name.domain) == FAILED) ||
	    (wrong = name_check_mailbox(&e.name)) != NULL)
		return admin_fail(answer, EX_DATAERR, "%s: %s", address,
		    wrong != NULL ? wrong : "cannot be looked up");
	snprintf(e.hash, sizeof(e.hash), "%s", hash != NULL ? hash : "");
	snprintf(
	    e.system, sizeof(e.system), "%s", system != NULL ? system : "");
	if (system != NULL && !is_good_system_user(d, system, answer))
		return true;
	address_format(&e.name, canonical);
	if (!admin_may_add(d, &e, why, sizeof(why)))
		return admin_fail(answer, EX_DATAERR, "%s: %s", canonical, why);
	e.created = e.changed = (uint64_t)clock_now();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	if ((result = directory_put(d, &e)) == STORE_OK)
		result = admin_appoint(d, canonical, &appointed);
	packet_start(answer, "done");
	if (appointed)
		admin_note(answer,
		    "%s, the first user, is the postmaster: mail for "
		    "postmaster, root and abuse goes there unless config or "
		    "aliases say otherwise",
		    canonical);
	return finish(a, result, answer);
}

static bool
user_set(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct entry e;
	const char *address, *hash, *disabled, *wrong;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT_OPTIONAL("hash", ENTRY_HASH_MAX, &hash),
	    ATTRIBUTE_TEXT_OPTIONAL("disabled", 1, &disabled)};
	enum store_result result;

	if (!packet_read(p, "user-set", set, 3, 0))
		return false;
	if (!find_user(a, address, &e, answer))
		return true;
	if (hash != NULL) {
		if ((wrong = password_check_hash(hash)) != NULL)
			return admin_fail(answer, EX_DATAERR, "%s", wrong);
		snprintf(e.hash, sizeof(e.hash), "%s", hash);
	}
	if (disabled != NULL)
		e.disabled = disabled[0] == '1';
	e.changed = (uint64_t)clock_now();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	return finish(a, directory_put(d, &e), answer);
}

static bool
take_user(const struct entry *e, void *context)
{
	struct entry *first = context;

	if (e->disabled)
		return true;
	*first = *e;
	return false;
}

/* The postmaster is gone: the first of those who are left. */
static enum store_result
succeed_postmaster(struct directory *d, const char *gone, struct packet *answer)
{
	char known[PROTOCOL_ADDRESS_MAX + 1];
	char successor[ADDRESS_TEXT_MAX + 1];
	struct entry first = {.type = ENTRY_USER};
	struct entry_key prefix;

	if (directory_note(d, "postmaster", known) != FOUND ||
	    strcmp(known, gone) != 0)
		return STORE_OK;
	entry_prefix(ENTRY_USER, NULL, NULL, &prefix);
	(void)directory_each(d, &prefix, NULL, take_user, &first);
	if (first.name.local[0] == '\0') {
		admin_note(answer,
		    "%s was the postmaster; there is nobody left to be", gone);
		return directory_set_note(d, "postmaster", NULL);
	}
	address_format(&first.name, successor);
	admin_note(
	    answer, "%s was the postmaster, now it is %s", gone, successor);
	return directory_set_note(d, "postmaster", successor);
}

static bool
user_del(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct entry e;
	const char *address;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address)};
	char canonical[ADDRESS_TEXT_MAX + 1];
	enum store_result result;

	if (!packet_read(p, "user-del", set, 1, 0))
		return false;
	if (!find_user(a, address, &e, answer))
		return true;
	address_format(&e.name, canonical);
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	if (e.system[0] != '\0')
		admin_note(answer, "mail stays in ~%s/Maildir", e.system);
	else
		admin_note(answer, "mail stays in %s/%s/%s",
		    d->config->mail_dir, e.name.domain, e.name.local);
	if ((result = directory_delete(d, &e)) == STORE_OK)
		result = succeed_postmaster(d, canonical, answer);
	return finish(a, result, answer);
}

/* -- domains -- */

static bool
domain_add(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct entry e = {.type = ENTRY_DOMAIN};
	const char *domain, *wrong;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("domain", ADDRESS_DOMAIN_MAX, &domain)};
	enum store_result result;

	if (!packet_read(p, "domain-add", set, 1, 0))
		return false;
	snprintf(e.name.domain, sizeof(e.name.domain), "%s", domain);
	name_lower(e.name.domain);
	if ((wrong = name_check_domain(e.name.domain)) != NULL)
		return admin_fail(answer, EX_DATAERR, "%s: %s", domain, wrong);
	switch (directory_domain(d, e.name.domain)) {
	case FOUND:
		return admin_fail(answer, EX_DATAERR,
		    "%s: is a domain of ours already", e.name.domain);
	case FAILED:
		return fail_lookup(answer);
	case ABSENT:
		break;
	}
	e.created = e.changed = (uint64_t)clock_now();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	return finish(a, directory_put(d, &e), answer);
}

static bool
stop_at_first(const struct entry *e, void *context)
{
	(void)e;
	(void)context;
	return false;
}

static bool
has_any(struct directory *d, enum entry_type type, const char *domain)
{
	struct entry_key prefix;

	entry_prefix(type, domain, "", &prefix);
	return directory_each(d, &prefix, NULL, stop_at_first, NULL) != ABSENT;
}

static bool
domain_del(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct entry e = {.type = ENTRY_DOMAIN};
	const char *domain;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("domain", ADDRESS_DOMAIN_MAX, &domain)};
	enum store_result result;

	if (!packet_read(p, "domain-del", set, 1, 0))
		return false;
	snprintf(e.name.domain, sizeof(e.name.domain), "%s", domain);
	name_lower(e.name.domain);
	if (config_has_domain(d->config, e.name.domain))
		return admin_fail(answer, EX_NOPERM,
		    "%s: is in the config, delete it there", e.name.domain);
	switch (directory_get(d, &e)) {
	case ABSENT:
		return admin_fail(
		    answer, EX_NOHOST, "%s: no such domain", e.name.domain);
	case FAILED:
		return fail_lookup(answer);
	case FOUND:
		break;
	}
	if (has_any(d, ENTRY_USER, e.name.domain))
		return admin_fail(answer, EX_NOPERM,
		    "%s: there are users in it, delete them first",
		    e.name.domain);
	if (has_any(d, ENTRY_ALIAS, e.name.domain))
		return admin_fail(answer, EX_NOPERM,
		    "%s: there are aliases in it, delete them first",
		    e.name.domain);
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	return finish(a, directory_delete(d, &e), answer);
}

/* -- reading -- */

enum { PAGE_ROOM = IPC_PACKET_MAX - 2 * ENTRY_LINE_MAX - 64 };

static bool
add_line(const struct entry *e, void *context)
{
	struct packet *answer = context;
	struct buf line = BUF_INIT(ENTRY_LINE_MAX);
	bool full = answer->len > PAGE_ROOM;

	/* Notes other than this are the database's own business. */
	if (e->type == ENTRY_NOTE && strcmp(e->name.local, "postmaster") != 0)
		return true;
	entry_format(e, &line);
	if (buf_text(&line) != NULL)
		packet_text(answer, full ? "next" : "line", buf_text(&line));
	buf_free(&line);
	return !full;
}

static bool
find_kind(const char *kind, enum entry_type *type)
{
	static const char *const kinds[] = {
	    [ENTRY_DOMAIN] = "domain",
	    [ENTRY_USER] = "user",
	    [ENTRY_ALIAS] = "alias",
	    [ENTRY_NOTE] = "note",
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0) {
			*type = (enum entry_type)i;
			return true;
		}
	return false;
}

static bool
read_page(struct admin *a, const struct packet *p, struct packet *answer)
{
	const char *kind, *from;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("kind", PROTOCOL_NAME_MAX, &kind),
	    ATTRIBUTE_TEXT_OPTIONAL("from", ENTRY_LINE_MAX, &from)};
	struct entry_key prefix, first;
	struct entry e;
	enum entry_type type;

	if (!packet_read(p, "read", set, 2, 0) || !find_kind(kind, &type))
		return false;
	entry_prefix(type, NULL, NULL, &prefix);
	first = prefix;
	if (from != NULL &&
	    (entry_parse(from, &e) != NULL || e.type != type ||
		!entry_key(&e, &first)))
		return false;
	packet_start(answer, "page");
	packet_number(answer, "changes", a->changes);
	if (directory_each(a->directory, &prefix, &first, add_line, answer) ==
	    FAILED)
		packet_number(answer, "corrupt", 1);
	return true;
}

static bool
show(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	const char *address;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address)};
	struct address name;
	struct entry e;
	enum found user, alias;

	if (!packet_read(p, "show", set, 1, 0))
		return false;
	if (name_parse_alias(address, &name) != NULL)
		return admin_fail(
		    answer, EX_DATAERR, "%s: bad address", address);
	if (name.local[0] != '\0' && resolve_login(d, address, &name) == FAILED)
		return fail_lookup(answer);
	packet_start(answer, "page");
	packet_number(answer, "changes", a->changes);
	user = directory_user(d, &name, &e);
	if (user == FOUND)
		add_line(&e, answer);
	alias = directory_targets(d, &name, add_line, answer);
	if (user == FAILED || alias == FAILED)
		return fail_lookup(answer);
	if (user == ABSENT && alias == ABSENT)
		return admin_fail(
		    answer, EX_NOUSER, "%s: no such user or alias", address);
	return true;
}

/* For who has been let in by somebody else. */
static bool
find(struct admin *a, const struct packet *p, struct packet *answer)
{
	const char *user;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user)};
	char canonical[ADDRESS_TEXT_MAX + 1];
	struct entry e;

	if (!packet_read(p, "find", set, 1, 0))
		return false;
	if (!find_user(a, user, &e, answer))
		return true;
	if (e.disabled)
		return admin_fail(answer, EX_NOUSER, "%s: disabled", user);
	address_format(&e.name, canonical);
	packet_start(answer, "found");
	packet_text(answer, "user", canonical);
	if (e.system[0] != '\0')
		packet_text(answer, "system", e.system);
	return true;
}

/* -- requests -- */

static const struct {
	const char *verb;
	bool changes;
	bool (*answer)(struct admin *, const struct packet *, struct packet *);
} requests[] = {
    {"user-add", true, user_add},
    {"user-set", true, user_set},
    {"user-del", true, user_del},
    {"domain-add", true, domain_add},
    {"domain-del", true, domain_del},
    {"alias-add", true, admin_alias_add},
    {"alias-del", true, admin_alias_del},
    {"read", false, read_page},
    {"show", false, show},
    {"find", false, find},
};

bool
admin_answer(struct admin *a, const void *who, const struct packet *request,
    struct packet *answer)
{
	if (packet_read(request, "import-begin", NULL, 0, 0))
		return import_begin(a, who, answer);
	if (packet_is(request, "import"))
		return import_lines(a, who, request, answer);
	if (packet_read(request, "import-end", NULL, 0, 0))
		return import_end(a, who, answer);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (!packet_is(request, requests[i].verb))
			continue;
		if (requests[i].changes && import_blocks(a, who, answer))
			return true;
		return requests[i].answer(a, request, answer);
	}
	return false;
}
