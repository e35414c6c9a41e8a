/* SPDX-License-Identifier: ISC */
/* credential.h: bearer tokens (RFC 7628), which a checker verifies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userdb/credential.h"
#include "userdb/jwks.h"

enum { WORDS_MAX = 4096 };

static void
add_words(struct packet *p, const char *name, const struct config_list *list)
{
	struct buf words = BUF_INIT(WORDS_MAX);

	for (size_t i = 0; i < list->n; i++)
		buf_addf(&words, "%s%s", i > 0 ? " " : "", list->items[i]);
	/* With a part of what it must have, it would have enough. */
	if (buf_text(&words) != NULL)
		packet_text(p, name, buf_text(&words));
	else
		p->failed = true;
	buf_free(&words);
}

/* The claim names him; what the client said must be the same. */
static void
good(struct login *login, const char *user)
{
	char claimed[PROTOCOL_LOGIN_MAX + 1];
	bool other;

	memcpy(claimed, login->canonical, sizeof(claimed));
	if (login_name(login, user) == FAILED) {
		login_later(login, "database");
		return;
	}
	other =
	    login->given[0] != '\0' && strcmp(claimed, login->canonical) != 0;
	if (login->given[0] == '\0')
		snprintf(login->given, sizeof(login->given), "%s", user);
	login_settle(login, login->exists && !other, "token of another user");
}

static void
checked(struct pool_job *job, const struct packet *p)
{
	struct login *login = container_of(job, struct login, job);
	const char *result, *user, *reason;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("result", PROTOCOL_NAME_MAX, &result),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &reason)};

	if (p == NULL || !packet_read(p, "token", set, 4, 0)) {
		login_later(login, "no time to verify");
		return;
	}
	if (strcmp(result, "good") == 0 && user != NULL) {
		good(login, user);
		return;
	}
	if (strcmp(result, "key") == 0)
		jwks_is_old();
	login->lacks_scope = strcmp(result, "scope") == 0;
	/* A bad token says nothing about who its bearer is. */
	login->exists = true;
	login_settle(login, false, reason);
}

static void
check(struct login *login)
{
	const struct config *c = login_directory()->config;
	struct packet *p;

	if (!config_has_oauth(c)) {
		login->exists = true;
		login_settle(login, false, "no logins with tokens");
		return;
	}
	if (jwks_current() == -1) {
		login_later(login, "no token keys");
		return;
	}
	p = pool_request(&login->job, "token");
	packet_text(p, "token", login->secret);
	packet_text(p, "issuer", c->oauth_issuer);
	add_words(p, "audiences", &c->oauth_audiences);
	add_words(p, "scopes", &c->oauth_scopes);
	packet_text(p, "claim", c->oauth_user_claim);
	login->job.done = checked;
	if (!pool_submit(&login->job, jwks_current()))
		login_later(login, "too many logins");
}

static bool
stands(const struct login *login, const struct entry *user)
{
	(void)login;
	(void)user;
	return true;
}

/* -- the refusal -- */

static void
add_json_text(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, ",\"%s\":\"", name);
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			continue;
		if (*text == '"' || *text == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
	buf_addc(out, '"');
}

static void
add_scopes(struct buf *out, const struct config *c)
{
	struct buf words = BUF_INIT(PROTOCOL_CHALLENGE_MAX);

	for (size_t i = 0; i < c->oauth_scopes.n; i++)
		buf_addf(
		    &words, "%s%s", i > 0 ? " " : "", c->oauth_scopes.items[i]);
	if (words.len > 0 && buf_text(&words) != NULL)
		add_json_text(out, "scope", buf_text(&words));
	buf_free(&words);
}

static void
add_configuration(struct buf *out, const struct config *c)
{
	struct buf url = BUF_INIT(PROTOCOL_CHALLENGE_MAX);

	if (strncmp(c->oauth_issuer, "https://", 8) != 0)
		return;
	buf_addf(&url, "%s/.well-known/openid-configuration", c->oauth_issuer);
	if (buf_text(&url) != NULL)
		add_json_text(out, "openid-configuration", buf_text(&url));
	buf_free(&url);
}

/* RFC 7628 section 3.2.2; XOAUTH2 has words of its own. */
static void
answer(const struct login *login, bool is_good, struct packet *p)
{
	const struct config *c = login_directory()->config;
	struct buf json = BUF_INIT(PROTOCOL_CHALLENGE_MAX);

	if (is_good)
		return;
	if (strcmp(login->mechanism, "XOAUTH2") == 0)
		buf_addf(&json, "{\"status\":\"%s\",\"schemes\":\"bearer\"",
		    login->lacks_scope ? "403" : "401");
	else
		buf_addf(&json, "{\"status\":\"%s\"",
		    login->lacks_scope ? "insufficient_scope"
				       : "invalid_token");
	if (config_has_oauth(c)) {
		add_scopes(&json, c);
		add_configuration(&json, c);
	}
	buf_addc(&json, '}');
	packet_text(p, "challenge",
	    buf_text(&json) != NULL ? buf_text(&json)
				    : "{\"status\":\"invalid_token\"}");
	buf_free(&json);
}

const struct credential credential_token = {
    .check = check, .stands = stands, .answer = answer};

bool
login_token(struct peer *peer, struct packet *p)
{
	const char *token, *user, *client, *mechanism;
	uint64_t tls;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("token", PROTOCOL_TOKEN_MAX, &token),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT("mechanism", PROTOCOL_NAME_MAX, &mechanism),
	    ATTRIBUTE_NUMBER("tls", &tls)};
	struct login *login;

	if (!packet_read(p, "token", set, 5, 1) || login_waiting(peer) != NULL)
		return false;
	login = login_new(peer, &credential_token, user, client, mechanism,
	    packet_detach(p, 0));
	if (login == NULL)
		return false;
	login->tls = tls == 1;
	if ((login->secret = strdup(token)) == NULL) {
		login_forget(login);
		return false;
	}
	login_go(login);
	return true;
}
