/* SPDX-License-Identifier: ISC */
#include "userdb/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "userdb/app.h"
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

bool
admin_fail_lookup(struct packet *answer)
{
	return admin_fail_store(answer, STORE_FAILED);
}

bool
admin_finish(struct admin *a, enum store_result result, struct packet *answer)
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

	if ((e->hash[0] != '\0' &&
		(wrong = password_check_hash(e->hash)) != NULL) ||
	    (wrong = admin_check_password(e)) != NULL) {
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

static bool
may_add_app(struct directory *d, const struct entry *e, char *why, size_t max)
{
	struct entry known = *e;

	if (!app_is_digest(e->digest)) {
		snprintf(why, max, "no SHA-256 digest");
		return false;
	}
	if (directory_get(d, &known) != ABSENT) {
		snprintf(why, max, "there is such an app password already");
		return false;
	}
	if (directory_user(d, &e->name, &known) != FOUND) {
		snprintf(why, max, "there is no such user");
		return false;
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
	if (e->type == ENTRY_APP)
		return may_add_app(d, e, why, max);
	if (e->type == ENTRY_GRANT)
		return admin_may_grant(d, e, why, max);
	return e->type == ENTRY_USER ? may_add_user(d, e, why, max)
				     : may_add_alias(d, e, why, max);
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
		return admin_fail_lookup(answer);
	case ABSENT:
		break;
	}
	e.created = e.changed = (uint64_t)clock_now();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	return admin_finish(a, directory_put(d, &e), answer);
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
		return admin_fail_lookup(answer);
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
	return admin_finish(a, directory_delete(d, &e), answer);
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
	    [ENTRY_APP] = "app",
	    [ENTRY_GRANT] = "grant",
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
		return admin_fail_lookup(answer);
	packet_start(answer, "page");
	packet_number(answer, "changes", a->changes);
	user = directory_user(d, &name, &e);
	if (user == FOUND) {
		add_line(&e, answer);
		(void)directory_apps(d, &name, add_line, answer);
		(void)directory_grants(d, &name, add_line, answer);
	}
	alias = directory_targets(d, &name, add_line, answer);
	if (user == FAILED || alias == FAILED)
		return admin_fail_lookup(answer);
	if (user == ABSENT && alias == ABSENT)
		return admin_fail(
		    answer, EX_NOUSER, "%s: no such user or alias", address);
	return true;
}

/* -- requests -- */

static const struct {
	const char *verb;
	bool changes;
	bool (*answer)(struct admin *, const struct packet *, struct packet *);
} requests[] = {
    {"user-add", true, admin_user_add},
    {"user-set", true, admin_user_set},
    {"user-limit", true, admin_user_limit},
    {"user-del", true, admin_user_del},
    {"app-add", true, admin_app_add},
    {"app-del", true, admin_app_del},
    {"grant-add", true, admin_grant_add},
    {"grant-del", true, admin_grant_del},
    {"domain-add", true, domain_add},
    {"domain-del", true, domain_del},
    {"alias-add", true, admin_alias_add},
    {"alias-del", true, admin_alias_del},
    {"read", false, read_page},
    {"show", false, show},
    {"find", false, admin_user_find},
    {"salt", false, admin_salt},
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
