/* SPDX-License-Identifier: ISC */
/* admin.h: users added, changed, deleted and found. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/base64.h"
#include "common/clock.h"
#include "common/privileges.h"
#include "common/scram.h"
#include "userdb/admin.h"
#include "userdb/name.h"
#include "userdb/password.h"
#include "userdb/resolve.h"

enum { WHY_MAX = 512 };

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

bool
admin_find_user(
    struct admin *a, const char *text, struct entry *e, struct packet *answer)
{
	struct address name;

	if (resolve_login(a->directory, text, &name) == FAILED)
		return !admin_fail_lookup(answer);
	switch (directory_user(a->directory, &name, e)) {
	case FOUND:
		return true;
	case ABSENT:
		return !admin_fail(answer, EX_NOUSER, "%s: no such user", text);
	case FAILED:
		break;
	}
	return !admin_fail_lookup(answer);
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

const char *
admin_check_password(const struct entry *e)
{
	char octets[ENTRY_SECRET_MAX + 1];
	struct scram_verifier verifier;
	size_t n;

	if (e->scram[0] != '\0' && !scram_read(e->scram, &verifier))
		return "not a SCRAM-SHA-256 verifier";
	if (e->secret[0] == '\0')
		return NULL;
	if (!base64_decode(e->secret, strlen(e->secret), octets, &n))
		return "a secret is in base64";
	octets[n] = '\0';
	return strlen(octets) == n ? password_check(octets)
				   : "a NUL in the secret";
}

static void
copy_text(char *to, size_t max, const char *text)
{
	snprintf(to, max, "%s", text != NULL ? text : "");
}

bool
admin_user_add(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct entry e = {.type = ENTRY_USER};
	const char *address, *hash, *scram, *system, *wrong;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT_OPTIONAL("hash", ENTRY_HASH_MAX, &hash),
	    ATTRIBUTE_TEXT_OPTIONAL("scram", ENTRY_SCRAM_MAX, &scram),
	    ATTRIBUTE_TEXT_OPTIONAL("system", ENTRY_SYSTEM_MAX, &system)};
	char canonical[ADDRESS_TEXT_MAX + 1], why[WHY_MAX];
	enum store_result result;
	bool appointed = false;

	if (!packet_read(p, "user-add", set, 4, 0))
		return false;
	if ((wrong = name_parse(address, &e.name)) != NULL ||
	    (e.name.domain[0] == '\0' &&
		directory_first_domain(d, e.name.domain) == FAILED) ||
	    (wrong = name_check_mailbox(&e.name)) != NULL)
		return admin_fail(answer, EX_DATAERR, "%s: %s", address,
		    wrong != NULL ? wrong : "cannot be looked up");
	copy_text(e.hash, sizeof(e.hash), hash);
	copy_text(e.scram, sizeof(e.scram), scram);
	copy_text(e.system, sizeof(e.system), system);
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
	return admin_finish(a, result, answer);
}

static bool
count_app(const struct entry *e, void *context)
{
	(void)e;
	++*(size_t *)context;
	return true;
}

/* What the new password leaves as it was, or takes away. */
static void
note_password(struct directory *d, const struct entry *old, bool keeps_secret,
    struct packet *answer)
{
	size_t apps = 0;

	(void)directory_apps(d, &old->name, count_app, &apps);
	if (apps > 0)
		admin_note(answer,
		    "%zu app password%s still valid; postrider-user show "
		    "lists them",
		    apps, apps == 1 ? " is" : "s are");
	if (old->secret[0] != '\0' && !keeps_secret)
		admin_note(answer,
		    "the new password is not kept reversibly: no more "
		    "CRAM-MD5 and APOP");
}

bool
admin_user_set(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct entry e, old;
	const char *address, *hash, *scram, *secret, *disabled, *wrong;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT_OPTIONAL("hash", ENTRY_HASH_MAX, &hash),
	    ATTRIBUTE_TEXT_OPTIONAL("scram", ENTRY_SCRAM_MAX, &scram),
	    ATTRIBUTE_TEXT_OPTIONAL("secret", ENTRY_SECRET_MAX, &secret),
	    ATTRIBUTE_TEXT_OPTIONAL("disabled", 1, &disabled)};
	enum store_result result;

	if (!packet_read(p, "user-set", set, 5, 0) ||
	    (hash == NULL && (scram != NULL || secret != NULL)))
		return false;
	if (!admin_find_user(a, address, &e, answer))
		return true;
	old = e;
	if (hash != NULL) {
		copy_text(e.hash, sizeof(e.hash), hash);
		copy_text(e.scram, sizeof(e.scram), scram);
		copy_text(e.secret, sizeof(e.secret), secret);
		if ((wrong = password_check_hash(hash)) != NULL ||
		    (wrong = admin_check_password(&e)) != NULL)
			return admin_fail(answer, EX_DATAERR, "%s", wrong);
	}
	if (disabled != NULL)
		e.disabled = disabled[0] == '1';
	e.changed = (uint64_t)clock_now();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	if (hash != NULL)
		note_password(d, &old, secret != NULL, answer);
	return admin_finish(a, directory_put(d, &e), answer);
}

/* A limit of his own, or with "" the config's again. */
bool
admin_user_limit(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	struct config_rate rate;
	struct entry e;
	const char *address, *name, *value;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT("name", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_TEXT("value", ENTRY_LIMIT_MAX, &value)};
	enum store_result result;
	enum limit limit;

	if (!packet_read(p, "user-limit", set, 3, 0) ||
	    !limit_named(name, &limit) ||
	    (value[0] != '\0' && !config_parse_rate(value, &rate)))
		return false;
	if (!admin_find_user(a, address, &e, answer))
		return true;
	copy_text(e.limits[limit], sizeof(e.limits[limit]), value);
	e.changed = (uint64_t)clock_now();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	return admin_finish(a, directory_put(d, &e), answer);
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

bool
admin_user_del(struct admin *a, const struct packet *p, struct packet *answer)
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
	if (!admin_find_user(a, address, &e, answer))
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
	if ((result = directory_delete(d, &e)) == STORE_OK &&
	    (result = admin_delete_apps(d, &e)) == STORE_OK &&
	    (result = admin_delete_grants(d, &e.name)) == STORE_OK)
		result = succeed_postmaster(d, canonical, answer);
	return admin_finish(a, result, answer);
}

/* For who has been let in by somebody else. */
bool
admin_user_find(struct admin *a, const struct packet *p, struct packet *answer)
{
	const char *user;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user)};
	char canonical[ADDRESS_TEXT_MAX + 1];
	struct entry e;

	if (!packet_read(p, "find", set, 1, 0))
		return false;
	if (!admin_find_user(a, user, &e, answer))
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
