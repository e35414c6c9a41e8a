/* SPDX-License-Identifier: ISC */
#include "userdb/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/verdict.h"
#include "userdb/cache.h"
#include "userdb/handover.h"
#include "userdb/hasher.h"
#include "userdb/resolve.h"

struct login {
	struct hash_job job;
	struct handover handover;
	struct login *next;
	struct peer *peer;
	struct address name;
	char given[PROTOCOL_LOGIN_MAX + 1]; /* as it was typed */
	char hash[ENTRY_HASH_MAX + 1];      /* what is being verified */
	struct cache_key key;
	int end; /* -1: only checked */
};

static struct directory *directory;
static struct login *logins;
static size_t nlogins;

void
login_begin(struct directory *d)
{
	directory = d;
}

size_t
login_count(void)
{
	return nlogins;
}

static void
forget(struct login *login)
{
	struct login **at = &logins;

	while (*at != login)
		at = &(*at)->next;
	*at = login->next;
	nlogins--;
	if (login->end >= 0)
		close(login->end);
	explicit_bzero(login, sizeof(*login));
	free(login);
}

void
login_gone(struct peer *peer)
{
	struct login *login, *next;

	for (login = logins; login != NULL; login = next) {
		next = login->next;
		if (login->peer != peer)
			continue;
		hash_withdraw(&login->job);
		handover_withdraw(&login->handover);
		forget(login);
	}
}

/*
 * The one line about a login, for whoever watches for guessing: what the
 * client chose stands behind its address and cannot pose as it.
 */
static void
log_end(const struct login *login, enum verdict verdict, const char *reason)
{
	static const char *const services[] = {[ROLE_SMTPD] = "smtpd",
	    [ROLE_POP3D] = "pop3d",
	    [ROLE_QUEUE] = "queue",
	    [ROLE_ADMIN] = "admin"};
	bool good = verdict == VERDICT_LOGIN_OK;

	log_event(good ? LEVEL_INFO : LEVEL_WARNING,
	    good                                  ? "login"
		: verdict == VERDICT_LOGIN_FAILED ? "login failed"
						  : "login deferred",
	    log_text("client", login->job.client),
	    log_text("service", services[login->peer->role]),
	    log_text("auth", good ? login->handover.user : login->given),
	    log_text("reason", reason));
}

static void
finish(struct login *login, enum verdict verdict, const char *reason)
{
	static struct packet p;
	const char *name = verdict_row(verdict)->name;
	bool good = verdict == VERDICT_LOGIN_OK;
	bool check = login->end < 0;
	struct peer *peer = login->peer;

	log_end(login, verdict, reason);
	packet_start(&p, check ? "check" : "login");
	packet_text(&p, "verdict", name);
	if (good)
		packet_text(&p, "user", login->handover.user);
	if (good && check && login->handover.system[0] != '\0')
		packet_text(&p, "system", login->handover.system);
	forget(login);
	if (peer_answer(peer, &p))
		peer_idle(peer);
}

static void
handed_over(struct handover *h, bool taken)
{
	struct login *login = container_of(h, struct login, handover);

	finish(login, taken ? VERDICT_LOGIN_OK : VERDICT_LOGIN_LATER,
	    taken ? NULL : "not taken over");
}

/* The password is right: is it still, and is he still let in? */
static void
let_in(struct login *login)
{
	struct handover *h = &login->handover;
	struct entry user;

	switch (directory_user(directory, &login->name, &user)) {
	case FAILED:
		finish(login, VERDICT_LOGIN_LATER, "database");
		return;
	case ABSENT:
		finish(login, VERDICT_LOGIN_FAILED, "deleted");
		return;
	case FOUND:
		break;
	}
	if (user.disabled || strcmp(user.hash, login->hash) != 0) {
		finish(login, VERDICT_LOGIN_FAILED, "changed");
		return;
	}
	cache_add(&login->key);
	address_format(&user.name, h->user);
	snprintf(h->system, sizeof(h->system), "%s", user.system);
	if (login->end < 0) {
		finish(login, VERDICT_LOGIN_OK, NULL);
		return;
	}
	h->to = login->peer->role == ROLE_SMTPD ? TO_QUEUE : TO_MAILBOX;
	h->end = login->end;
	h->done = handed_over;
	handover_pass(h);
}

static void
verified(struct hash_job *job, bool right, bool answered)
{
	struct login *login = container_of(job, struct login, job);

	if (right)
		let_in(login);
	else if (answered)
		finish(login, VERDICT_LOGIN_FAILED,
		    login->hash[0] != '\0' ? "wrong password"
					   : "no such login");
	else
		finish(login, VERDICT_LOGIN_LATER, "no time to verify");
}

/* The hash to verify: "" for who cannot log in whatever the password. */
static enum found
find_hash(struct login *login)
{
	struct entry user;
	enum found found = resolve_login(directory, login->given, &login->name);

	if (found == FOUND)
		found = directory_user(directory, &login->name, &user);
	if (found == FOUND && !user.disabled)
		memcpy(login->hash, user.hash, sizeof(login->hash));
	return found;
}

static void
begin(struct login *login, const char *password)
{
	struct hash_job *job = &login->job;

	if (find_hash(login) == FAILED) {
		finish(login, VERDICT_LOGIN_LATER, "database");
		return;
	}
	login->key = cache_key(login->given, password, login->hash);
	if (login->hash[0] != '\0' && cache_has(&login->key)) {
		let_in(login);
		return;
	}
	memcpy(job->hash, login->hash, sizeof(job->hash));
	snprintf(job->password, sizeof(job->password), "%s", password);
	job->done = verified;
	if (!hash_submit(job))
		finish(login, VERDICT_LOGIN_LATER, "too many logins");
}

static bool
start(struct peer *peer, const char *user, const char *password,
    const char *client, int end)
{
	struct login *login = calloc(1, sizeof(*login));

	if (login == NULL) {
		if (end >= 0)
			close(end);
		return false;
	}
	login->peer = peer;
	login->end = end;
	snprintf(login->given, sizeof(login->given), "%s", user);
	snprintf(login->job.client, sizeof(login->job.client), "%s", client);
	login->next = logins;
	logins = login;
	nlogins++;
	peer->busy = true;
	begin(login, password);
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
	    ATTRIBUTE_TEXT_OPTIONAL(
		"mechanism", PROTOCOL_NAME_MAX, &mechanism),
	    ATTRIBUTE_NUMBER_OPTIONAL("tls", &tls)};

	return packet_read(p, "login", set, 5, 1) &&
	    start(peer, user, password, client, packet_detach(p, 0));
}

bool
login_check(struct peer *peer, struct packet *p)
{
	const char *user, *password;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("password", PROTOCOL_PASSWORD_MAX, &password)};

	return packet_read(p, "check", set, 2, 0) &&
	    start(peer, user, password, "local", -1);
}
