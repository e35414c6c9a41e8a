/* SPDX-License-Identifier: ISC */
#include "userdb/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/privileges.h"
#include "userdb/name.h"
#include "userdb/srs.h"

/* Answer with this verdict: true, "that was it". */
static bool
refuse(struct resolution *r, enum verdict verdict)
{
	r->kind = RESOLVED_NOT;
	r->verdict = verdict;
	return true;
}

enum found
resolve_place(struct directory *d, struct address *name)
{
	bool host = strcasecmp(name->domain, d->config->hostname) == 0;
	char first[ADDRESS_DOMAIN_MAX + 1];
	enum found found = ABSENT;

	if (name->domain[0] != '\0')
		found = directory_domain(d, name->domain);
	if (found != ABSENT || (name->domain[0] != '\0' && !host))
		return found;
	if (directory_first_domain(d, first) == FAILED)
		return FAILED;
	snprintf(name->domain, sizeof(name->domain), "%s",
	    first[0] != '\0' ? first : d->config->hostname);
	return FOUND;
}

/* -- users of the system -- */

static bool
is_above_minimum(const struct directory *d, const struct account *account)
{
	return account->uid != 0 && account->uid >= d->config->minimum_uid;
}

/* Mailbox will not write into a home that is another's: better say so now. */
static bool
owns_home(const struct account *account)
{
	struct stat status;

	if (stat(account->home, &status) == -1)
		return errno == EACCES;
	return S_ISDIR(status.st_mode) && status.st_uid == account->uid;
}

/*
 * One that the postmaster has named gets mail whatever system-users says, by
 * the same rules.  A home may only be away for a while.
 */
static bool
is_account(struct directory *d, const char *login, struct resolution *r)
{
	struct account account;

	if (account_find(login, &account) == -1)
		return refuse(r,
		    errno == ENOENT ? VERDICT_MAILBOX_DISABLED
				    : VERDICT_LOOKUP_FAILED);
	if (!is_above_minimum(d, &account))
		return refuse(r, VERDICT_MAILBOX_DISABLED);
	if (!owns_home(&account))
		return refuse(r, VERDICT_MAILBOX_BUSY);
	r->kind = RESOLVED_SYSTEM;
	snprintf(r->target, sizeof(r->target), "%s", login);
	return true;
}

/* -- one step: each of these says whether that was it -- */

static bool
is_exactly(
    struct directory *d, const struct address *name, struct resolution *r)
{
	struct entry user;

	switch (directory_user(d, name, &user)) {
	case FAILED:
		return refuse(r, VERDICT_LOOKUP_FAILED);
	case FOUND:
		if (user.disabled)
			return refuse(r, VERDICT_MAILBOX_DISABLED);
		memcpy(r->limit, user.limits[LIMIT_MAILBOX_MESSAGES],
		    sizeof(r->limit));
		if (user.system[0] != '\0')
			return is_account(d, user.system, r);
		r->kind = RESOLVED_MAILBOX;
		address_format(name, r->target);
		return true;
	case ABSENT:
		break;
	}
	switch (directory_alias(d, name)) {
	case FAILED:
		return refuse(r, VERDICT_LOOKUP_FAILED);
	case FOUND:
		r->kind = RESOLVED_ALIAS;
		r->alias = *name;
		return true;
	case ABSENT:
		break;
	}
	return false;
}

static bool
is_named(struct directory *d, const struct address *name, struct resolution *r)
{
	struct address plain;

	return is_exactly(d, name, r) ||
	    (name_strip_detail(name, &plain) && is_exactly(d, &plain, r));
}

static bool
is_of_system(
    struct directory *d, const struct address *name, struct resolution *r)
{
	char first[ADDRESS_DOMAIN_MAX + 1];
	struct address plain = *name;
	struct account account;

	if (!d->config->system_users)
		return false;
	if (directory_first_domain(d, first) == FAILED)
		return refuse(r, VERDICT_LOOKUP_FAILED);
	if (first[0] != '\0' && strcmp(name->domain, first) != 0)
		return false;
	(void)name_strip_detail(name, &plain);
	if (account_find(plain.local, &account) == -1)
		return errno != ENOENT && refuse(r, VERDICT_LOOKUP_FAILED);
	if (!is_above_minimum(d, &account) || !owns_home(&account))
		return false;
	r->kind = RESOLVED_SYSTEM;
	snprintf(r->target, sizeof(r->target), "%s", plain.local);
	return true;
}

static bool
catches_all(
    struct directory *d, const struct address *name, struct resolution *r)
{
	struct address all = *name;

	all.local[0] = '\0';
	switch (directory_alias(d, &all)) {
	case FAILED:
		return refuse(r, VERDICT_LOOKUP_FAILED);
	case FOUND:
		r->kind = RESOLVED_ALIAS;
		r->alias = all;
		return true;
	case ABSENT:
		break;
	}
	return false;
}

/* -- the postmaster -- */

static bool
falls_to_postmaster(const struct address *name)
{
	static const char *const names[] = {
	    "postmaster", "root", "abuse", "hostmaster", "mailer-daemon"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name->local, names[i]) == 0)
			return true;
	return false;
}

/* Could this be the postmaster's address, seen from name? */
static bool
forwards_to(struct directory *d, const struct address *name, const char *text,
    bool any, struct resolution *r)
{
	struct address candidate;
	struct resolution there = {.kind = RESOLVED_NOT};

	if (address_parse(text, ADDRESS_UTF8, &candidate) != NULL)
		return false;
	switch (resolve_place(d, &candidate)) {
	case FAILED:
		return refuse(r, VERDICT_LOOKUP_FAILED);
	case FOUND:
		name_lower(candidate.local);
		if (address_equal(&candidate, name))
			return false;
		if (!is_named(d, &candidate, &there) && any &&
		    !is_of_system(d, &candidate, &there))
			(void)catches_all(d, &candidate, &there);
		if (there.kind == RESOLVED_NOT)
			return false;
		break;
	case ABSENT:
		break;
	}
	r->kind = RESOLVED_FORWARD;
	r->alias = *name;
	address_format(&candidate, r->target);
	return true;
}

static bool
is_for_postmaster(
    struct directory *d, const struct address *name, struct resolution *r)
{
	struct address first = {.local = "postmaster"};
	char text[PROTOCOL_ADDRESS_MAX + 1];

	if (!falls_to_postmaster(name))
		return false;
	if (d->config->postmaster != NULL &&
	    forwards_to(d, name, d->config->postmaster, true, r))
		return true;
	if (directory_first_domain(d, first.domain) == FAILED)
		return refuse(r, VERDICT_LOOKUP_FAILED);
	address_format(&first, text);
	if (forwards_to(d, name, text, false, r))
		return true;
	if (directory_note(d, "postmaster", text) == FAILED)
		return refuse(r, VERDICT_LOOKUP_FAILED);
	return forwards_to(d, name, text, false, r);
}

void
resolve(struct directory *d, const char *address, struct resolution *r)
{
	struct address name;

	memset(r, 0, sizeof(*r));
	if (address_parse(address,
		ADDRESS_UTF8 | ADDRESS_BARE | ADDRESS_POSTMASTER,
		&name) != NULL ||
	    name.local[0] == '\0') {
		refuse(r, VERDICT_BAD_RECIPIENT);
		return;
	}
	switch (resolve_place(d, &name)) {
	case FAILED:
		refuse(r, VERDICT_LOOKUP_FAILED);
		return;
	case ABSENT:
		r->kind = RESOLVED_REMOTE;
		snprintf(r->target, sizeof(r->target), "%s", name.domain);
		return;
	case FOUND:
		break;
	}
	name_lower(name.local);
	if (is_named(d, &name, r))
		return;
	/* A report on its way back that is none, or comes too late. */
	if (d->config->srs && srs_is(&name))
		refuse(r, VERDICT_USER_UNKNOWN);
	else if (!is_of_system(d, &name, r) &&
	    !is_for_postmaster(d, &name, r) && !catches_all(d, &name, r))
		refuse(r, VERDICT_USER_UNKNOWN);
}

struct targets {
	bool (*found)(const char *address, void *context);
	void *context;
};

static bool
give_target(const struct entry *e, void *context)
{
	const struct targets *t = context;

	return t->found(e->target, t->context);
}

enum found
resolve_targets(struct directory *d, const struct resolution *r,
    bool (*found)(const char *address, void *context), void *context)
{
	struct targets t = {found, context};

	if (r->kind == RESOLVED_ALIAS)
		return directory_targets(d, &r->alias, give_target, &t);
	if (r->kind != RESOLVED_FORWARD)
		return ABSENT;
	found(r->target, context);
	return FOUND;
}

struct only {
	size_t n;
	char address[PROTOCOL_ADDRESS_MAX + 1];
};

static bool
take_only(const char *address, void *context)
{
	struct only *only = context;

	snprintf(only->address, sizeof(only->address), "%s", address);
	return ++only->n < 2;
}

bool
resolve_mailbox(
    struct directory *d, const char *address, struct resolution *r)
{
	struct only next;

	resolve(d, address, r);
	for (int i = 0; i < RESOLVE_DEPTH_MAX; i++) {
		if (r->kind != RESOLVED_ALIAS && r->kind != RESOLVED_FORWARD)
			break;
		next.n = 0;
		if (resolve_targets(d, r, take_only, &next) != FOUND ||
		    next.n != 1)
			return false;
		resolve(d, next.address, r);
	}
	return r->kind == RESOLVED_MAILBOX || r->kind == RESOLVED_SYSTEM;
}

enum found
resolve_login(struct directory *d, const char *login, struct address *name)
{
	if (name_parse(login, name) != NULL || name->local[0] == '\0')
		return ABSENT;
	return resolve_place(d, name);
}
