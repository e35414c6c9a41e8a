/* SPDX-License-Identifier: ISC */
/* admin.h: what a user may send as besides his own addresses. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "userdb/admin.h"
#include "userdb/name.h"
#include "userdb/resolve.h"

static bool
count_grant(const struct entry *e, void *context)
{
	(void)e;
	return ++*(size_t *)context < GRANTS_MAX;
}

bool
admin_may_grant(
    struct directory *d, const struct entry *e, char *why, size_t max)
{
	struct entry known = *e;
	size_t count = 0;

	switch (directory_get(d, &known)) {
	case FOUND:
		return true;
	case FAILED:
		snprintf(why, max, "%s", store_reason(STORE_FAILED));
		return false;
	case ABSENT:
		break;
	}
	if (directory_user(d, &e->name, &known) != FOUND) {
		snprintf(why, max, "there is no such user");
		return false;
	}
	(void)directory_grants(d, &e->name, count_grant, &count);
	if (count >= GRANTS_MAX) {
		snprintf(why, max, "a user has at most %d grants", GRANTS_MAX);
		return false;
	}
	return true;
}

/* The user's name, first in a request. */
static bool
read_user(struct admin *a, struct cursor *c, struct entry *grant,
    struct packet *answer, bool *malformed)
{
	const char *name, *value;
	struct entry user;

	*malformed = !packet_next(c, &name, &value) ||
	    strcmp(name, "address") != 0 ||
	    strlen(value) > PROTOCOL_ADDRESS_MAX;
	if (*malformed || !admin_find_user(a, value, &user, answer))
		return false;
	*grant = (struct entry){.type = ENTRY_GRANT, .name = user.name};
	return true;
}

/* A bare name is of the user's domain. */
static const char *
read_sender(struct entry *grant, const char *value)
{
	char text[PROTOCOL_ADDRESS_MAX + 1];

	bool bare = strchr(value, '@') == NULL;

	if (value[0] == '\0')
		return "no address";
	if (snprintf(text, sizeof(text), "%s%s%s", value, bare ? "@" : "",
		bare ? grant->name.domain : "") >= (int)sizeof(text))
		return "address too long";
	return entry_set_grant(grant, text);
}

static void
note_strangers(
    struct directory *d, const struct entry *grant, struct packet *answer)
{
	const char *domain = strrchr(grant->target, '@') + 1;

	if (directory_domain(d, domain) == ABSENT)
		admin_note(answer,
		    "%s is no domain of ours: who receives mail in its name "
		    "asks its SPF record and DKIM keys",
		    domain);
}

static bool
add_one(struct admin *a, struct entry *grant, const char *value,
    struct packet *answer)
{
	struct directory *d = a->directory;
	const char *wrong = read_sender(grant, value);
	char why[256];
	enum store_result result;

	if (wrong != NULL)
		return !admin_fail(answer, EX_DATAERR, "%s: %s", value, wrong);
	if (!admin_may_grant(d, grant, why, sizeof(why)))
		return !admin_fail(answer, EX_DATAERR, "%s: %s", value, why);
	grant->created = (uint64_t)clock_now();
	if ((result = directory_put(d, grant)) != STORE_OK)
		return !admin_fail_store(answer, result);
	note_strangers(d, grant, answer);
	return true;
}

static bool
del_one(struct admin *a, struct entry *grant, const char *value,
    struct packet *answer)
{
	const char *wrong = read_sender(grant, value);
	enum store_result result;

	if (wrong != NULL)
		return !admin_fail(answer, EX_DATAERR, "%s: %s", value, wrong);
	result = directory_delete(a->directory, grant);
	if (result == STORE_ABSENT)
		return !admin_fail(
		    answer, EX_NOUSER, "%s: was not granted", grant->target);
	return result == STORE_OK || !admin_fail_store(answer, result);
}

/* Change all that a request names, or nothing. */
static bool
change(struct admin *a, const struct packet *p, struct packet *answer,
    bool (*one)(struct admin *, struct entry *, const char *, struct packet *))
{
	struct store *store = a->directory->store;
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	enum store_result result;
	struct entry grant;
	bool malformed, good = true, any = false;

	if (!read_user(a, &c, &grant, answer, &malformed))
		return !malformed;
	if ((result = store_begin(store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	while (good && packet_next(&c, &name, &value)) {
		any = strcmp(name, "sender") == 0;
		if (!any)
			break;
		good = one(a, &grant, value, answer);
	}
	if (!good || !any || !cursor_done(&c)) {
		store_abort(store);
		return !good;
	}
	return admin_finish(a, STORE_OK, answer);
}

bool
admin_grant_add(struct admin *a, const struct packet *p, struct packet *answer)
{
	return change(a, p, answer, add_one);
}

bool
admin_grant_del(struct admin *a, const struct packet *p, struct packet *answer)
{
	return change(a, p, answer, del_one);
}

static bool
take_one(const struct entry *e, void *context)
{
	*(struct entry *)context = *e;
	return false;
}

enum store_result
admin_delete_grants(struct directory *d, const struct address *user)
{
	enum store_result result = STORE_OK;
	enum found found = FOUND;
	struct entry grant;

	while (result == STORE_OK &&
	    (found = directory_grants(d, user, take_one, &grant)) == FOUND)
		result = directory_delete(d, &grant);
	return found == FAILED ? STORE_FAILED : result;
}
