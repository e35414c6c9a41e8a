/* SPDX-License-Identifier: ISC */
#include "userdb/answers.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/verdict.h"
#include "userdb/jwks.h"
#include "userdb/login.h"
#include "userdb/name.h"
#include "userdb/resolve.h"
#include "userdb/rewrite.h"

static struct directory *directory;
static struct admin *admin;

void
answers_begin(struct directory *d, struct admin *a)
{
	directory = d;
	admin = a;
	login_begin(d);
}

/* -- smtpd -- */

/*
 * What depends on nothing but the database and the config may be kept:
 * peers_changed() ends that.
 */
static void
let_keep(struct peer *peer, struct packet *answer)
{
	peer->keeps = true;
	packet_number(answer, "keep", 1);
}

static bool
answer_verdict(struct peer *peer, const char *verb, enum verdict verdict)
{
	static struct packet answer;

	packet_start(&answer, verb);
	packet_text(&answer, "verdict", verdict_row(verdict)->name);
	(void)peer_answer(peer, &answer);
	return true;
}

/* A look-up that fails ends in the next one, which does as well. */
static bool
leads_back(const char *address, char back[PROTOCOL_ADDRESS_MAX + 1])
{
	return rewrite_back(directory, address, back) == FOUND;
}

/* The original sender: most often somebody elsewhere. */
static enum verdict
check_back(const char *back)
{
	struct resolution r;

	resolve(directory, back, &r);
	return r.kind == RESOLVED_REMOTE ? VERDICT_RECIPIENT_OK
					 : resolve_check(directory, back);
}

/* Whose mailbox it is, and how much may come into that. */
static void
add_mailbox(struct packet *answer, const struct resolution *r)
{
	packet_text(answer, "mailbox", r->target);
	if (r->limit[0] != '\0')
		packet_text(answer, "limit", r->limit);
}

/* What leads to no single mailbox is counted for none. */
static bool
answer_recipient(struct peer *peer, const char *address)
{
	static struct packet answer;
	struct resolution r;
	enum verdict verdict = VERDICT_RECIPIENT_OK;

	resolve(directory, address, &r);
	if (r.kind != RESOLVED_MAILBOX)
		verdict = resolve_check(directory, address);
	packet_start(&answer, "recipient");
	packet_text(&answer, "verdict", verdict_row(verdict)->name);
	if (r.kind == RESOLVED_MAILBOX) {
		add_mailbox(&answer, &r);
		let_keep(peer, &answer);
	} else if (verdict == VERDICT_RECIPIENT_OK &&
	    resolve_mailbox(directory, address, &r)) {
		add_mailbox(&answer, &r);
	}
	(void)peer_answer(peer, &answer);
	return true;
}

static bool
recipient(struct peer *peer, struct packet *p)
{
	const char *address;
	uint64_t null;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_NUMBER_OPTIONAL("null", &null)};
	char back[PROTOCOL_ADDRESS_MAX + 1];

	if (!packet_read(p, "recipient", set, 2, 0))
		return false;
	if (null == 1 && leads_back(address, back))
		return answer_verdict(peer, "recipient", check_back(back));
	return answer_recipient(peer, address);
}

static bool
sender(struct peer *peer, struct packet *p)
{
	const char *user, *address;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address)};

	return packet_read(p, "sender", set, 2, 0) &&
	    answer_verdict(peer, "sender",
		resolve_sender(directory, user, address));
}

/* -- queue -- */

static bool
sender_of_queue(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	const char *user, *address;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address)};
	enum verdict verdict;

	if (!packet_read(p, "sender", set, 3, 0))
		return false;
	verdict = resolve_sender(directory, user, address);
	packet_start(&answer, "sender");
	packet_number(&answer, "serial", serial);
	packet_text(&answer, "verdict", verdict_row(verdict)->name);
	(void)peer_answer(peer, &answer);
	return true;
}

/* The three that ledger asks for, in order; "-" for the config's. */
static void
add_limits(struct packet *answer, const struct entry *user)
{
	char text[PROTOCOL_LIMITS_MAX];
	const char *own[3];

	for (int i = 0; i < 3; i++) {
		own[i] = user->limits[LIMIT_LOGIN_MESSAGES + i];
		if (own[i][0] == '\0')
			own[i] = "-";
	}
	snprintf(text, sizeof(text), "%s %s %s", own[0], own[1], own[2]);
	if (strcmp(text, "- - -") != 0)
		packet_text(answer, "limits", text);
}

/* What this login may send.  Who is gone by now has what all have. */
static bool
budget(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	const char *user;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user)};
	struct address name;
	struct entry e;
	enum found found = ABSENT;

	if (!packet_read(p, "budget", set, 2, 0))
		return false;
	if (name_parse(user, &name) == NULL)
		found = directory_user(directory, &name, &e);
	packet_start(&answer, "budget");
	packet_number(&answer, "serial", serial);
	packet_text(&answer, "verdict",
	    verdict_row(found == FAILED ? VERDICT_LOOKUP_FAILED : VERDICT_OK)
		->name);
	if (found == FOUND)
		add_limits(&answer, &e);
	if (found != FAILED)
		let_keep(peer, &answer);
	(void)peer_answer(peer, &answer);
	return true;
}

enum { TARGETS_OCTETS = (ALIAS_TARGETS_MAX + 1) * (PROTOCOL_ADDRESS_MAX + 1) };

static bool
collect_target(const char *address, void *context)
{
	return buf_add(context, address, strlen(address) + 1);
}

static void
start_step(struct packet *answer, uint64_t serial, const char *kind,
    const char *target)
{
	packet_start(answer, "route");
	packet_number(answer, "serial", serial);
	packet_text(answer, "kind", kind);
	packet_text(answer, "target", target);
}

static bool
answer_step(struct peer *peer, uint64_t serial, const char *kind,
    const char *target, bool more)
{
	static struct packet answer;

	start_step(&answer, serial, kind, target);
	if (more)
		packet_number(&answer, "more", 1);
	return peer_answer(peer, &answer);
}

static void
answer_end(struct peer *peer, uint64_t serial, const char *kind,
    const struct resolution *r)
{
	static struct packet answer;

	start_step(&answer, serial, kind, r->target);
	if (r->kind == RESOLVED_MAILBOX || r->kind == RESOLVED_REMOTE)
		let_keep(peer, &answer);
	(void)peer_answer(peer, &answer);
}

static void
answer_not(struct peer *peer, uint64_t serial, enum verdict verdict)
{
	(void)answer_step(peer, serial,
	    verdict_is_temporary(verdict) ? "later" : "unknown",
	    verdict_row(verdict)->name, false);
}

/* One step through an alias that is known to end somewhere. */
static void
answer_targets(struct peer *peer, uint64_t serial, const struct resolution *r)
{
	struct buf targets = BUF_INIT(TARGETS_OCTETS);
	struct cursor c;
	const char *target;
	bool good =
	    resolve_targets(directory, r, collect_target, &targets) == FOUND &&
	    buf_ok(&targets);

	if (!good)
		answer_not(peer, serial, VERDICT_LOOKUP_FAILED);
	c = cursor_over(targets.data, targets.len);
	while (good && cursor_left(&c) > 0) {
		target = cursor_string(&c, PROTOCOL_ADDRESS_MAX);
		good = target != NULL &&
		    answer_step(
			peer, serial, "alias", target, cursor_left(&c) > 0);
	}
	buf_free(&targets);
}

static bool
route(struct peer *peer, struct packet *p)
{
	static const char *const kinds[] = {
	    [RESOLVED_MAILBOX] = "mailbox",
	    [RESOLVED_SYSTEM] = "system",
	    [RESOLVED_ALIAS] = "alias",
	    [RESOLVED_FORWARD] = "alias",
	    [RESOLVED_REMOTE] = "remote",
	    [RESOLVED_NOT] = "unknown",
	};
	const char *address;
	uint64_t serial, null;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_NUMBER_OPTIONAL("null", &null)};
	char back[PROTOCOL_ADDRESS_MAX + 1];
	struct resolution r;

	if (!packet_read(p, "route", set, 3, 0))
		return false;
	if (null == 1 && leads_back(address, back)) {
		(void)answer_step(peer, serial, "alias", back, false);
		return true;
	}
	resolve(directory, address, &r);
	if (r.kind == RESOLVED_NOT)
		answer_not(peer, serial, r.verdict);
	else if (r.kind != RESOLVED_ALIAS && r.kind != RESOLVED_FORWARD)
		answer_end(peer, serial, kinds[r.kind], &r);
	else if (resolve_check(directory, address) == VERDICT_LOOP)
		answer_not(peer, serial, VERDICT_LOOP);
	else
		answer_targets(peer, serial, &r);
	return true;
}

/* Under which sender's name mail leaves for an alias of ours. */
static bool
srs(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	const char *address, *domain, *why;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address),
	    ATTRIBUTE_TEXT("domain", ADDRESS_DOMAIN_MAX, &domain)};
	char made[PROTOCOL_ADDRESS_MAX + 1];
	enum found found;

	if (!packet_read(p, "srs", set, 3, 0))
		return false;
	found = rewrite_sender(directory, address, domain, made, &why);
	packet_start(&answer, "srs");
	packet_number(&answer, "serial", serial);
	packet_text(&answer, "verdict",
	    verdict_row(found == FAILED ? VERDICT_LOOKUP_FAILED : VERDICT_OK)
		->name);
	if (found == FOUND)
		packet_text(&answer, "address", made);
	if (found == ABSENT && why != NULL)
		packet_text(&answer, "reason", why);
	(void)peer_answer(peer, &answer);
	return true;
}

/* -- the postmaster -- */

static bool
administer(struct peer *peer, struct packet *p)
{
	static struct packet answer;
	uint64_t before = admin->changes;

	if (!admin_answer(admin, peer, p, &answer))
		return false;
	/* Whoever has heard that it is done finds it done everywhere. */
	if (admin->changes != before)
		peers_changed();
	(void)peer_answer(peer, &answer);
	return true;
}

static const struct {
	enum role role;
	const char *verb; /* NULL: any */
	bool (*answer)(struct peer *, struct packet *);
} requests[] = {
    {ROLE_SMTPD, "recipient", recipient},
    {ROLE_SMTPD, "login", login_request},
    {ROLE_SMTPD, "token", login_token},
    {ROLE_SMTPD, "digest", login_digest},
    {ROLE_SMTPD, "scram", login_scram},
    {ROLE_SMTPD, "proof", login_proof},
    {ROLE_SMTPD, "cancel", login_cancel},
    {ROLE_SMTPD, "sender", sender},
    {ROLE_POP3D, "login", login_request},
    {ROLE_POP3D, "token", login_token},
    {ROLE_POP3D, "digest", login_digest},
    {ROLE_POP3D, "scram", login_scram},
    {ROLE_POP3D, "proof", login_proof},
    {ROLE_POP3D, "cancel", login_cancel},
    {ROLE_FETCH, NULL, fetching_hear},
    {ROLE_QUEUE, "route", route},
    {ROLE_QUEUE, "sender", sender_of_queue},
    {ROLE_QUEUE, "srs", srs},
    {ROLE_QUEUE, "budget", budget},
    {ROLE_ADMIN, "check", login_check},
    {ROLE_ADMIN, NULL, administer},
};

bool
answer_request(struct peer *peer, struct packet *p)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].role == peer->role &&
		    (requests[i].verb == NULL ||
			packet_is(p, requests[i].verb)))
			return requests[i].answer(peer, p);
	return false;
}
