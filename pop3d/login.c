/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* explicit_bzero */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/verdict.h"
#include "pop3d/pop3.h"

/* userdb's workers hash slowly, and there may be many before us. */
enum { USERDB_MS = 60000 };

static bool
refuse_without_tls(struct pop3 *p)
{
	if (p->plaintext_allowed)
		return false;
	pop3_error(p, "[AUTH] no login in the clear from your address");
	return true;
}

void
pop3_user(struct pop3 *p, struct span args)
{
	if (refuse_without_tls(p))
		return;
	memcpy(p->user, args.data, args.len);
	p->user[args.len] = '\0';
	/* Whether there is such a user is nobody's business (A26). */
	pop3_ok(p, "now the password");
}

/* -- asking userdb -- */

static bool
call_userdb(struct pop3 *p, struct packet *packet)
{
	int64_t deadline = clock_monotonic_ms() + USERDB_MS;
	enum ipc_result result;

	if (p->userdb == -1)
		p->userdb = ipc_connect("userdb");
	if (p->userdb == -1)
		return false;
	result = ipc_call(p->userdb, packet, deadline);
	if (result == IPC_OK)
		return true;
	close(p->userdb);
	p->userdb = -1;
	return false;
}

/*
 * Send the credentials with one end of our pair.  The verdict; on success
 * the other end leads to the user's mailbox.
 */
static enum verdict
ask_userdb(struct pop3 *p, const char *password, int end)
{
	static struct packet packet;
	const char *name, *login = NULL;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_TEXT_OPTIONAL("user", PROTOCOL_LOGIN_MAX, &login)};
	enum verdict verdict = VERDICT_LOGIN_LATER;

	packet_start(&packet, "login");
	packet_text(&packet, "user", p->user);
	packet_text(&packet, "password", password);
	packet_text(&packet, "client", p->client);
	packet_attach(&packet, end);
	if (!call_userdb(p, &packet))
		log_event(LEVEL_WARNING, "peer lost",
		    log_text("what", "userdb"), log_text("client", p->client),
		    log_text("auth", p->user),
		    log_text("reason", strerror(errno)));
	else if (packet_read(&packet, "login", set, 2, 0))
		verdict = verdict_named(name);
	else
		packet_close(&packet);
	if (verdict_is_success(verdict))
		snprintf(p->login, sizeof(p->login), "%s",
		    login != NULL ? login : p->user);
	explicit_bzero(&packet, sizeof(packet));
	return verdict;
}

/* -- what comes of it -- */

static void
refuse_login(struct pop3 *p, enum verdict verdict)
{
	/* userdb, who knows why, wrote the line in the log. */
	if (verdict_is_temporary(verdict))
		pop3_failure(p, "cannot look that up now, try again later");
	else
		pop3_error(p, "[AUTH] user or password is wrong");
	if (++p->attempts >= POP3_LOGINS_MAX)
		pop3_end(p, "too many logins");
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
	if (++p->attempts >= POP3_LOGINS_MAX)
		pop3_end(p, "too many logins");
}

void
pop3_pass(struct pop3 *p, struct span args)
{
	char password[POP3_COMMAND_MAX + 1];
	enum verdict verdict;
	int ends[2];

	if (refuse_without_tls(p))
		return;
	if (p->user[0] == '\0') {
		pop3_error(p, "USER comes first");
		return;
	}
	p->saw_password = true;
	if (ipc_pair(ends) == -1) {
		log_errno(LEVEL_ERROR, "cannot make", "socket pair");
		pop3_failure(p, "no room now, try again later");
		return;
	}
	memcpy(password, args.data, args.len);
	password[args.len] = '\0';
	verdict = ask_userdb(p, password, ends[1]);
	explicit_bzero(password, sizeof(password));
	close(ends[1]);
	if (verdict_is_success(verdict)) {
		open_maildrop(p, ends[0]);
	} else {
		close(ends[0]);
		refuse_login(p, verdict);
	}
	p->user[0] = '\0';
}
