/* SPDX-License-Identifier: ISC */
/* admin.h: aliases added and deleted. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "userdb/admin.h"
#include "userdb/name.h"
#include "userdb/resolve.h"

enum { WHY_MAX = 512 };

/* The alias's name, first in a request; a bare one is of the first domain. */
static bool
read_alias(struct admin *a, struct cursor *c, struct entry *e,
    struct packet *answer, bool *malformed)
{
	const char *name, *value, *wrong;

	*malformed = !packet_next(c, &name, &value) ||
	    strcmp(name, "alias") != 0 || strlen(value) > PROTOCOL_ADDRESS_MAX;
	if (*malformed)
		return false;
	memset(e, 0, sizeof(*e));
	e->type = ENTRY_ALIAS;
	if ((wrong = name_parse_alias(value, &e->name)) != NULL)
		return !admin_fail(answer, EX_DATAERR, "%s: %s", value, wrong);
	if (e->name.domain[0] == '\0' &&
	    directory_first_domain(a->directory, e->name.domain) == FAILED)
		return !admin_fail_store(answer, STORE_FAILED);
	return true;
}

/* A target; a bare one is of the alias's domain. */
static const char *
read_target(struct admin *a, const char *value, struct entry *e)
{
	struct address target;
	const char *wrong =
	    address_parse(value, ADDRESS_UTF8 | ADDRESS_BARE, &target);

	if (wrong != NULL)
		return wrong;
	if (target.domain[0] == '\0')
		snprintf(
		    target.domain, sizeof(target.domain), "%s", e->name.domain);
	if (directory_domain(a->directory, target.domain) == FOUND)
		name_lower(target.local);
	address_format(&target, e->target);
	return NULL;
}

static bool
count_target(const struct entry *e, void *context)
{
	(void)e;
	return ++*(size_t *)context < ALIAS_TARGETS_MAX;
}

/* One target, within the transaction; false with the reason in the answer. */
static bool
add_target(
    struct admin *a, struct entry *e, const char *value, struct packet *answer)
{
	struct directory *d = a->directory;
	const char *wrong = read_target(a, value, e);
	struct entry known = *e;
	enum store_result result;
	char why[WHY_MAX];
	size_t count = 0;

	if (wrong != NULL)
		return !admin_fail(answer, EX_DATAERR, "%s: %s", value, wrong);
	if (!admin_may_add(d, e, why, sizeof(why)))
		return !admin_fail(answer, EX_DATAERR, "%s: %s", value, why);
	if (directory_get(d, &known) == FOUND)
		return true;
	(void)directory_targets(d, &e->name, count_target, &count);
	if (count >= ALIAS_TARGETS_MAX)
		return !admin_fail(answer, EX_DATAERR,
		    "%s: an alias has at most %d targets", value,
		    ALIAS_TARGETS_MAX);
	e->created = e->changed = (uint64_t)clock_now();
	result = directory_put(d, e);
	if (result != STORE_OK)
		return !admin_fail_store(answer, result);
	if (resolve_loops(d, &e->name, e->target) != ABSENT)
		return !admin_fail(answer, EX_DATAERR,
		    "%s: it would lead back to itself", value);
	if (resolve_check(d, e->target) == VERDICT_USER_UNKNOWN)
		admin_note(answer, "%s does not exist yet", e->target);
	return true;
}

static bool
del_target(
    struct admin *a, struct entry *e, const char *value, struct packet *answer)
{
	const char *wrong = read_target(a, value, e);
	enum store_result result;

	if (wrong != NULL)
		return !admin_fail(answer, EX_DATAERR, "%s: %s", value, wrong);
	result = directory_delete(a->directory, e);
	if (result == STORE_ABSENT)
		return !admin_fail(answer, EX_NOUSER,
		    "%s: the alias has no such target", e->target);
	return result == STORE_OK || !admin_fail_store(answer, result);
}

static bool
take_one(const struct entry *e, void *context)
{
	*(struct entry *)context = *e;
	return false;
}

static bool
del_all(struct admin *a, struct entry *e, struct packet *answer)
{
	struct directory *d = a->directory;
	struct address name = e->name;
	enum store_result result;
	enum found found;
	bool any = false;

	while ((found = directory_targets(d, &name, take_one, e)) == FOUND) {
		any = true;
		if ((result = directory_delete(d, e)) != STORE_OK)
			return !admin_fail_store(answer, result);
	}
	if (found == FAILED)
		return !admin_fail_store(answer, STORE_FAILED);
	return any || !admin_fail(answer, EX_NOUSER, "no such alias");
}

/* Change all the targets that a request names, or none. */
static bool
change(struct admin *a, const struct packet *p, struct packet *answer,
    bool (*one)(struct admin *, struct entry *, const char *, struct packet *),
    bool (*all)(struct admin *, struct entry *, struct packet *))
{
	struct store *store = a->directory->store;
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	enum store_result result;
	struct entry e;
	bool malformed, good = true, any = false;

	if (!read_alias(a, &c, &e, answer, &malformed))
		return !malformed;
	if ((result = store_begin(store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	while (good && packet_next(&c, &name, &value)) {
		if (strcmp(name, "target") != 0)
			break;
		any = true;
		good = one(a, &e, value, answer);
	}
	if (!good || !cursor_done(&c) || (!any && all == NULL)) {
		store_abort(store);
		return !good;
	}
	if (!any && !all(a, &e, answer)) {
		store_abort(store);
		return true;
	}
	result = store_commit(store, true);
	a->changes++;
	return result == STORE_OK || admin_fail_store(answer, result);
}

bool
admin_alias_add(struct admin *a, const struct packet *p, struct packet *answer)
{
	return change(a, p, answer, add_target, NULL);
}

bool
admin_alias_del(struct admin *a, const struct packet *p, struct packet *answer)
{
	return change(a, p, answer, del_target, del_all);
}
