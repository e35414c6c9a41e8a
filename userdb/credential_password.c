/* SPDX-License-Identifier: ISC */
/* credential.h: the user's password, or one of his app passwords. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "common/base64.h"
#include "common/clock.h"
#include "userdb/app.h"
#include "userdb/credential.h"
#include "userdb/password.h"
#include "userdb/salt.h"

/* -- app passwords -- */

struct search {
	char digest[ENTRY_DIGEST_MAX + 1];
	struct entry *app;
};

static bool
compare_app(const struct entry *e, void *context)
{
	struct search *s = context;

	if (strlen(e->digest) == ENTRY_DIGEST_MAX &&
	    CRYPTO_memcmp(e->digest, s->digest, ENTRY_DIGEST_MAX) == 0)
		*s->app = *e;
	return true;
}

/* Does it look like one, and is it one of his? */
static bool
is_app(struct login *login)
{
	struct search s = {.app = &login->app};

	if (!login->exists || !app_digest(login->secret, s.digest))
		return false;
	(void)directory_apps(
	    login_directory(), &login->user.name, compare_app, &s);
	return login->app.target[0] != '\0';
}

/* -- his own -- */

/* "" for who cannot log in whatever the password. */
static const char *
hash_of(const struct login *login)
{
	return login->exists ? login->user.hash : "";
}

/*
 * Only what looks as it should is stored: who can break into a checker, which
 * reads what clients say, is not to write an entry of his own with it.
 */
static void
keep_new(struct login *login, const char *hash, const char *scram)
{
	struct scram_verifier verifier;

	if (hash != NULL && password_check_hash(hash) == NULL)
		memcpy(login->new_hash, hash, strlen(hash) + 1);
	if (scram != NULL && scram_read(scram, &verifier))
		memcpy(login->new_scram, scram, strlen(scram) + 1);
}

static void
verified(struct pool_job *job, const struct packet *p)
{
	struct login *login = container_of(job, struct login, job);
	const char *hash, *scram;
	uint64_t serial, right;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_NUMBER("right", &right),
	    ATTRIBUTE_TEXT_OPTIONAL("hash", ENTRY_HASH_MAX, &hash),
	    ATTRIBUTE_TEXT_OPTIONAL("scram", ENTRY_SCRAM_MAX, &scram)};

	if (p == NULL || !packet_read(p, "verified", set, 4, 0)) {
		login_later(login, "no time to verify");
		return;
	}
	keep_new(login, hash, scram);
	login_settle(login, right == 1, "wrong password");
}

static bool
submit(struct login *login)
{
	struct packet *p = pool_request(&login->job, "verify");
	unsigned char salt[SCRAM_SALT];
	char text[BASE64_LENGTH(SCRAM_SALT) + 1];

	packet_text(p, "hash", hash_of(login));
	packet_text(p, "password", login->secret);
	packet_number(p, "cost", login_directory()->config->password_cost);
	if (login->exists && login->user.scram[0] == '\0' &&
	    salt_of(login_directory(), login->whose, salt)) {
		base64_encode(salt, sizeof(salt), text);
		packet_text(p, "salt", text);
	}
	login->job.done = verified;
	return pool_submit(&login->job, -1);
}

static void
check(struct login *login)
{
	const char *hash = hash_of(login);

	if (is_app(login)) {
		login_settle(login, true, NULL);
		return;
	}
	login->key = cache_key(login->given, login->secret, hash);
	if (hash[0] != '\0' && cache_has(&login->key))
		login_settle(login, true, NULL);
	else if (!submit(login))
		login_later(login, "too many logins");
}

/* -- when it was right -- */

static bool
stands(const struct login *login, const struct entry *user)
{
	struct entry app = login->app;

	if (app.target[0] == '\0')
		return strcmp(user->hash, login->user.hash) == 0;
	return directory_get(login_directory(), &app) == FOUND &&
	    strcmp(app.digest, login->app.digest) == 0;
}

static void
remember_use(struct entry *app)
{
	uint64_t now = (uint64_t)clock_now();

	if (now >= app->used && now - app->used < APP_USED_S)
		return;
	app->used = now;
	login_store(app);
}

/* The hash is still the one that was verified, so what is new is his. */
static void
remember(struct login *login, struct entry *user)
{
	if (login->app.target[0] != '\0') {
		remember_use(&login->app);
		return;
	}
	if (login->new_hash[0] == '\0' && login->new_scram[0] == '\0') {
		cache_add(&login->key);
		return;
	}
	if (login->new_hash[0] != '\0')
		memcpy(user->hash, login->new_hash, sizeof(user->hash));
	if (login->new_scram[0] != '\0' && user->scram[0] == '\0')
		memcpy(user->scram, login->new_scram, sizeof(user->scram));
	login_store(user);
	login->key = cache_key(login->given, login->secret, user->hash);
	cache_add(&login->key);
}

const struct credential credential_password = {
    .check = check, .stands = stands, .remember = remember};

static bool
begin(struct login *login, const char *password, uint64_t tls)
{
	if (login == NULL)
		return false;
	login->tls = tls == 1;
	if ((login->secret = strdup(password)) == NULL) {
		login_forget(login);
		return false;
	}
	login_go(login);
	return true;
}

bool
login_request(struct peer *peer, struct packet *p)
{
	const char *user, *password, *client, *mechanism;
	uint64_t tls;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("password", PROTOCOL_PASSWORD_MAX, &password),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT_OPTIONAL("mechanism", PROTOCOL_NAME_MAX, &mechanism),
	    ATTRIBUTE_NUMBER_OPTIONAL("tls", &tls)};

	return packet_read(p, "login", set, 5, 1) &&
	    login_waiting(peer) == NULL &&
	    begin(login_new(peer, &credential_password, user, client, mechanism,
		      packet_detach(p, 0)),
		password, tls);
}

bool
login_check(struct peer *peer, struct packet *p)
{
	const char *user, *password, *client;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("password", PROTOCOL_PASSWORD_MAX, &password),
	    ATTRIBUTE_TEXT_OPTIONAL("client", PROTOCOL_NAME_MAX, &client)};

	return packet_read(p, "check", set, 3, 0) &&
	    begin(login_new(peer, &credential_password, user,
		      client != NULL ? client : LOGIN_LOCAL, NULL, -1),
		password, 0);
}
