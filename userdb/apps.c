/* SPDX-License-Identifier: ISC */
/* admin.h: app passwords added and deleted, and salts told. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/base64.h"
#include "common/clock.h"
#include "userdb/admin.h"
#include "userdb/app.h"
#include "userdb/salt.h"

static bool
count_app(const struct entry *e, void *context)
{
	(void)e;
	return ++*(size_t *)context < APP_COUNT_MAX;
}

static bool
has_room(struct admin *a, const struct entry *user, struct packet *answer)
{
	size_t count = 0;

	if (directory_apps(a->directory, &user->name, count_app, &count) ==
	    FAILED)
		return !admin_fail_lookup(answer);
	return count < APP_COUNT_MAX ||
	    !admin_fail(answer, EX_DATAERR,
		"a user has at most %d app passwords", APP_COUNT_MAX);
}

static struct entry
app_of(const struct entry *user, const char *name)
{
	struct entry app = {.type = ENTRY_APP, .name = user->name};

	snprintf(app.target, sizeof(app.target), "%s", name);
	return app;
}

bool
admin_app_add(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	const char *address, *name, *digest, *wrong;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT("app", ENTRY_APP_MAX, &name),
	    ATTRIBUTE_TEXT("digest", ENTRY_DIGEST_MAX, &digest)};
	struct entry user, app, known;
	enum store_result result;

	if (!packet_read(p, "app-add", set, 3, 0) || !app_is_digest(digest))
		return false;
	if ((wrong = entry_check_app(name)) != NULL)
		return admin_fail(answer, EX_DATAERR, "%s: %s", name, wrong);
	if (!admin_find_user(a, address, &user, answer) ||
	    !has_room(a, &user, answer))
		return true;
	known = app = app_of(&user, name);
	switch (directory_get(d, &known)) {
	case FOUND:
		return admin_fail(answer, EX_DATAERR,
		    "%s: there is an app password %s already", address, name);
	case FAILED:
		return admin_fail_lookup(answer);
	case ABSENT:
		break;
	}
	snprintf(app.digest, sizeof(app.digest), "%s", digest);
	app.created = (uint64_t)clock_now();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	packet_start(answer, "done");
	return admin_finish(a, directory_put(d, &app), answer);
}

bool
admin_app_del(struct admin *a, const struct packet *p, struct packet *answer)
{
	struct directory *d = a->directory;
	const char *address, *name;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT("app", ENTRY_APP_MAX, &name)};
	struct entry user, app;
	enum store_result result;

	if (!packet_read(p, "app-del", set, 2, 0))
		return false;
	if (!admin_find_user(a, address, &user, answer))
		return true;
	app = app_of(&user, name);
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	result = directory_delete(d, &app);
	if (result == STORE_ABSENT) {
		store_abort(d->store);
		return admin_fail(answer, EX_NOUSER,
		    "%s: there is no app password %s", address, name);
	}
	packet_start(answer, "done");
	return admin_finish(a, result, answer);
}

static bool
take_one(const struct entry *e, void *context)
{
	*(struct entry *)context = *e;
	return false;
}

enum store_result
admin_delete_apps(struct directory *d, const struct entry *user)
{
	enum store_result result = STORE_OK;
	enum found found = FOUND;
	struct entry app;

	while (result == STORE_OK &&
	    (found = directory_apps(d, &user->name, take_one, &app)) == FOUND)
		result = directory_delete(d, &app);
	return found == FAILED ? STORE_FAILED : result;
}

bool
admin_salt(struct admin *a, const struct packet *p, struct packet *answer)
{
	unsigned char salt[SCRAM_SALT];
	char text[BASE64_LENGTH(SCRAM_SALT) + 1];
	const char *address;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address)};

	if (!packet_read(p, "salt", set, 1, 0))
		return false;
	if (salt_begin(a->directory) != FOUND ||
	    !salt_of(a->directory, address, salt))
		return admin_fail_lookup(answer);
	base64_encode(salt, sizeof(salt), text);
	packet_start(answer, "salt");
	packet_text(answer, "salt", text);
	return true;
}
