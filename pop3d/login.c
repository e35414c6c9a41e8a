/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/login.h"
#include "common/tls.h"
#include "common/verdict.h"
#include "pop3d/pop3.h"

bool
pop3_may_login(const struct pop3 *p)
{
	return p->plaintext_allowed || tls_is_on(&p->stream);
}

bool
pop3_takes_passwords(const struct pop3 *p)
{
	return pop3_may_login(p) &&
	    (p->config->auth_mechanisms & SASL_SET(SASL_PLAIN)) != 0;
}

/* -- what comes of a login -- */

static void
count_attempt(struct pop3 *p)
{
	if (++p->attempts >= POP3_LOGINS_MAX)
		pop3_end(p, "too many logins");
}

static void
refuse_login(struct pop3 *p, enum verdict verdict)
{
	/* userdb, who knows why, wrote the line in the log. */
	if (verdict_is_temporary(verdict))
		pop3_failure(p, "cannot look that up now, try again later");
	else
		pop3_error(p, "[AUTH] user or password is wrong");
	count_attempt(p);
}

static void
open_maildrop(struct pop3 *p, int fd)
{
	enum maildrop_result result = maildrop_begin(&p->drop, fd);

	if (result == MAILDROP_OK) {
		p->state = POP3_TRANSACTION;
		pop3_ok(p, "%llu messages", (unsigned long long)p->drop.count);
		return;
	}
	log_event(LEVEL_WARNING, "mailbox refused",
	    log_text("client", p->client), log_text("auth", p->login),
	    log_text("reason",
		result == MAILDROP_IN_USE ? "in use" : "cannot be opened"));
	p->login[0] = '\0';
	if (result == MAILDROP_IN_USE)
		pop3_error(p, "[IN-USE] another session has this mailbox");
	else if (result == MAILDROP_LATER)
		pop3_failure(p, "the mailbox cannot be opened now");
	else
		pop3_error(p, "[SYS/PERM] the mailbox cannot be opened");
	count_attempt(p);
}

void
pop3_login(struct pop3 *p, struct login *login, enum verdict verdict)
{
	int end = login->end;

	if (verdict != VERDICT_LOGIN_OK) {
		refuse_login(p, verdict);
		return;
	}
	login->end = -1;
	memcpy(p->login, login->user, sizeof(p->login));
	open_maildrop(p, end);
}

/* -- USER and PASS (RFC 1939 section 7) -- */

static bool
refuse_passwords(struct pop3 *p)
{
	if (!pop3_may_login(p))
		pop3_error(p, "[AUTH] no login in the clear from your address");
	else if (!pop3_takes_passwords(p))
		pop3_error(p, "[AUTH] log in by AUTH");
	else
		return false;
	return true;
}

void
pop3_user(struct pop3 *p, struct span args)
{
	if (refuse_passwords(p))
		return;
	memcpy(p->user, args.data, args.len);
	p->user[args.len] = '\0';
	/* Whether there is such a user is nobody's business (A26). */
	pop3_ok(p, "now the password");
}

void
pop3_pass(struct pop3 *p, struct span args)
{
	char password[POP3_COMMAND_MAX + 1];
	struct login login;

	p->saw_password = true; /* however it is answered */
	if (refuse_passwords(p))
		return;
	if (p->user[0] == '\0') {
		pop3_error(p, "USER comes first");
		return;
	}
	memcpy(password, args.data, args.len);
	password[args.len] = '\0';
	stream_wipe(&p->stream);
	pop3_login_init(p, &login);
	pop3_login(
	    p, &login, login_password(&login, "USER", p->user, password));
	explicit_bzero(password, sizeof(password));
	login_end(&login);
	p->user[0] = '\0';
}

/* -- APOP, likewise -- */

enum { DIGEST_TEXT = 32 };

static bool
is_digest(const char *text)
{
	return strlen(text) == DIGEST_TEXT &&
	    strspn(text, "0123456789abcdefABCDEF") == DIGEST_TEXT;
}

void
pop3_apop(struct pop3 *p, struct span args)
{
	char text[POP3_COMMAND_MAX + 1], *digest;
	struct login login;

	memcpy(text, args.data, args.len);
	text[args.len] = '\0';
	digest = strrchr(text, ' ');
	if (p->timestamp[0] == '\0') {
		pop3_error(p, "no APOP here");
	} else if (!pop3_may_login(p)) {
		pop3_error(p, "[AUTH] no login in the clear from your address");
	} else if (digest == NULL || digest == text || !is_digest(digest + 1)) {
		pop3_error(p, "syntax: APOP user digest");
	} else {
		*digest++ = '\0';
		p->saw_password = true;
		pop3_login_init(p, &login);
		pop3_login(p, &login,
		    login_digest(&login, "apop", text, p->timestamp, digest));
		login_end(&login);
	}
}
