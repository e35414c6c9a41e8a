/* SPDX-License-Identifier: ISC */
#include "userdb/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "userdb/credential.h"
#include "userdb/name.h"
#include "userdb/resolve.h"

static struct directory *directory;
static struct login *logins;
static size_t nlogins;

void
login_begin(struct directory *d)
{
	directory = d;
	tally_begin();
}

struct directory *
login_directory(void)
{
	return directory;
}

size_t
login_count(void)
{
	return nlogins;
}

/*
 * Whoever checks for a program that does not say for which client has nobody
 * to count against.
 */
static bool
login_is_counted(const struct login *login)
{
	return login->end >= 0 || strcmp(login->client, LOGIN_LOCAL) != 0;
}

/* -- its life -- */

void
login_wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
login_forget(struct login *login)
{
	struct login **at = &logins;

	while (*at != login)
		at = &(*at)->next;
	*at = login->next;
	nlogins--;
	tally_withdraw(&login->tally);
	if (login->end >= 0)
		close(login->end);
	login_wipe(login->secret);
	free(login->first);
	free(login->final);
	free(login->proof);
	free(login->challenge);
	free(login->response);
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
		pool_withdraw(&login->job);
		handover_withdraw(&login->handover);
		login_forget(login);
	}
}

struct login *
login_waiting(const struct peer *peer)
{
	struct login *login = logins;

	while (login != NULL && (login->peer != peer || !login->waiting))
		login = login->next;
	return login;
}

enum found
login_name(struct login *login, const char *user)
{
	struct address name = {.local = ""};
	enum found found = resolve_login(directory, user, &name);

	if (found == FOUND)
		found = directory_user(directory, &name, &login->user);
	login->exists = found == FOUND && !login->user.disabled;
	if (name.local[0] != '\0' && name.domain[0] != '\0') {
		address_format(&name, login->canonical);
		return found;
	}
	snprintf(login->canonical, sizeof(login->canonical), "%s", user);
	name_lower(login->canonical);
	return found;
}

/*
 * A reader of POP3, which knows no folders, may name one: ann+junk is ann,
 * and her folder Junk, unless there is a user of that very name.
 */
static bool
take_folder(const char *given, char whose[PROTOCOL_LOGIN_MAX + 1])
{
	static const char detail[] = "+junk";
	const size_t n = sizeof(detail) - 1;
	struct address name;
	size_t length;

	if (name_parse(given, &name) != NULL)
		return false;
	length = strlen(name.local);
	if (length <= n || strcmp(name.local + length - n, detail) != 0)
		return false;
	name.local[length - n] = '\0';
	address_format(&name, whose);
	return true;
}

enum found
login_find(struct login *login)
{
	enum found found = login_name(login, login->given);

	login->handover.junk = false;
	memcpy(login->whose, login->given, sizeof(login->whose));
	if (found != ABSENT || login->peer->role != ROLE_POP3D ||
	    !take_folder(login->given, login->whose))
		return found;
	login->handover.junk = true;
	return login_name(login, login->whose);
}

struct login *
login_new(struct peer *peer, const struct credential *credential,
    const char *user, const char *client, const char *mechanism, int end)
{
	struct login *login = calloc(1, sizeof(*login));

	if (login == NULL) {
		if (end >= 0)
			close(end);
		return NULL;
	}
	login->peer = peer;
	login->credential = credential;
	login->end = end;
	login->job.fd = -1;
	snprintf(
	    login->given, sizeof(login->given), "%s", user != NULL ? user : "");
	snprintf(login->client, sizeof(login->client), "%s", client);
	memcpy(login->job.client, login->client, sizeof(login->job.client));
	snprintf(login->mechanism, sizeof(login->mechanism), "%s",
	    mechanism != NULL ? mechanism : "");
	login->next = logins;
	logins = login;
	nlogins++;
	return login;
}

/* -- its end -- */

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/*
 * The one line about a login, for whoever watches for guessing: what the
 * client chose stands behind its address and cannot pose as it.
 */
enum outcome { OUTCOME_GOOD, OUTCOME_FAILED, OUTCOME_REFUSED, OUTCOME_LATER };

static void
log_end(const struct login *login, enum outcome outcome, const char *reason)
{
	static const char *const events[] = {
	    "login", "login failed", "login refused", "login deferred"};
	static const char *const services[] = {[ROLE_SMTPD] = "smtpd",
	    [ROLE_POP3D] = "pop3d",
	    [ROLE_QUEUE] = "queue",
	    [ROLE_ADMIN] = "admin"};
	bool good = outcome == OUTCOME_GOOD;

	log_event(good ? LEVEL_INFO : LEVEL_WARNING, events[outcome],
	    log_text("client", login->client),
	    log_text("service", services[login->peer->role]),
	    log_text("mechanism", text_or_null(login->mechanism)),
	    log_text("tls", login->tls ? "yes" : NULL),
	    log_text("auth", good ? login->handover.user : login->given),
	    log_text(
		"folder", good && login->handover.junk ? "Junk" : NULL),
	    log_text("app", text_or_null(login->app.target)),
	    log_text("reason", reason));
}

static void
finish(struct login *login, enum verdict verdict)
{
	static struct packet p;
	bool good = verdict == VERDICT_LOGIN_OK;
	bool check = login->end < 0;
	struct peer *peer = login->peer;

	packet_start(&p, check ? "check" : "login");
	packet_text(&p, "verdict", verdict_row(verdict)->name);
	if (good)
		packet_text(&p, "user", login->handover.user);
	if (good && check && login->handover.system[0] != '\0')
		packet_text(&p, "system", login->handover.system);
	if (login->credential->answer != NULL && !check &&
	    !verdict_is_temporary(verdict))
		login->credential->answer(login, good, &p);
	login_forget(login);
	if (peer_answer(peer, &p))
		peer_idle(peer);
}

static void
fail(struct login *login, const char *reason)
{
	log_end(login, OUTCOME_FAILED, reason);
	finish(login, VERDICT_LOGIN_FAILED);
}

void
login_later(struct login *login, const char *reason)
{
	log_end(login, OUTCOME_LATER, reason);
	finish(login, VERDICT_LOGIN_LATER);
}

static void
succeed(struct login *login)
{
	log_end(login, OUTCOME_GOOD, NULL);
	finish(login, VERDICT_LOGIN_OK);
}

static void
handed_over(struct handover *h, bool taken)
{
	struct login *login = container_of(h, struct login, handover);

	if (taken)
		succeed(login);
	else
		login_later(login, "not taken over");
}

/* -- its way -- */

static void
count(struct login *login, enum tally_result result)
{
	if (login_is_counted(login))
		tally_tell(&login->tally, result);
}

void
login_store(const struct entry *e)
{
	struct store *store = directory->store;

	if (store_begin(store) != STORE_OK)
		return;
	if (directory_put(directory, e) == STORE_OK)
		(void)store_commit(store, false);
	else
		store_abort(store);
}

static void
hand_over(struct login *login, const struct entry *user)
{
	struct handover *h = &login->handover;

	address_format(&user->name, h->user);
	snprintf(h->system, sizeof(h->system), "%s", user->system);
	snprintf(h->app, sizeof(h->app), "%.*s", PROTOCOL_NAME_MAX,
	    login->app.target);
	if (login->end < 0) {
		succeed(login);
		return;
	}
	h->to = login->peer->role == ROLE_SMTPD ? TO_QUEUE : TO_MAILBOX;
	h->end = login->end;
	h->done = handed_over;
	handover_pass(h);
}

/* It was right: is it still, and is he still let in? */
static void
let_in(struct login *login)
{
	const struct credential *c = login->credential;
	struct entry user;

	switch (directory_user(directory, &login->user.name, &user)) {
	case FAILED:
		login_later(login, "database");
		return;
	case ABSENT:
		fail(login, "deleted");
		return;
	case FOUND:
		break;
	}
	if (user.disabled || !c->stands(login, &user)) {
		fail(login, "changed");
		return;
	}
	count(login, TALLY_GOOD);
	if (c->remember != NULL)
		c->remember(login, &user);
	hand_over(login, &user);
}

void
login_settle(struct login *login, bool right, const char *reason)
{
	if (right) {
		let_in(login);
		return;
	}
	count(login, login->exists ? TALLY_WRONG : TALLY_UNKNOWN);
	fail(login, login->exists ? reason : "no such login");
}

static void
counted(struct tally *t, bool allowed)
{
	struct login *login = container_of(t, struct login, tally);

	if (allowed) {
		login->credential->check(login);
		return;
	}
	log_end(login, OUTCOME_REFUSED, "too many failed logins");
	finish(login, VERDICT_LOGIN_LATER);
}

void
login_go(struct login *login)
{
	login->peer->busy = true;
	if (login->given[0] != '\0' && login_find(login) == FAILED) {
		login_later(login, "database");
		return;
	}
	login->tally.client = login->client;
	/* Nobody shares a count with all who do not say who they are. */
	login->tally.user =
	    login->given[0] != '\0' ? login->canonical : login->client;
	login->tally.done = counted;
	if (login_is_counted(login))
		tally_ask(&login->tally);
	else
		counted(&login->tally, true);
}
