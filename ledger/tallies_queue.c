/* SPDX-License-Identifier: ISC */
/* role-queue: what logins send. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/cursor.h"
#include "common/protocol.h"
#include "ledger/ledger.h"
#include "ledger/tallies.h"

enum { RATES_MAX = 128 }; /* octets of three rates */

/* A question in several packets; queue has one connection. */
static struct {
	const struct peer *peer; /* NULL: none has begun */
	uint64_t serial, messages;
	char user[BUDGETS_USER_MAX + 1];
	struct budgets_limits limits;
	uint64_t *recipients;
	size_t n, room;
} question;

static bool
add_recipient(const char *address)
{
	size_t room = question.room > 0 ? 2 * question.room : 64;
	uint64_t *grown;

	if (question.n == BUDGETS_RECIPIENTS_MAX)
		return false;
	if (question.n == question.room) {
		grown = reallocarray(question.recipients, room, sizeof(*grown));
		if (grown == NULL)
			return false;
		question.recipients = grown;
		question.room = room;
	}
	question.recipients[question.n++] =
	    budgets_recipient(question.user, address);
	return true;
}

bool
tallies_read_limits(const char *text, struct budgets_limits *limits)
{
	char copy[RATES_MAX], *rest = copy;

	*limits = tallies_budgets();
	if (text == NULL)
		return true;
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return false;
	for (int i = 0; i < BUDGETS_TALLIES; i++) {
		const char *word = strsep(&rest, " ");

		if (word == NULL ||
		    (strcmp(word, "-") != 0 &&
			!config_parse_rate(word, &limits->tallies[i])))
			return false;
	}
	return rest == NULL;
}

static void
answer(struct peer *peer)
{
	static const char *const names[] = {[BUDGETS_MESSAGES] = "messages",
	    [BUDGETS_RECIPIENTS] = "recipients",
	    [BUDGETS_NEW] = "new-recipients"};
	static struct packet answer;
	struct budgets_over over;
	bool within = budgets_spend(question.user, (unsigned)question.messages,
	    question.recipients, question.n, &question.limits, clock_now(),
	    &over);

	packet_start(&answer, "budget");
	packet_number(&answer, "serial", question.serial);
	packet_text(&answer, "verdict", within ? "ok" : "over");
	if (!within) {
		packet_text(&answer, "what", names[over.what]);
		packet_number(&answer, "count", over.count);
		packet_number(&answer, "limit", over.limit);
	}
	peer_send(peer, &answer);
	ledger_changed();
}

/* The attributes in front of the recipients; they are behind the cursor. */
struct head {
	const char *serial, *user, *messages, *limits, *more;
};

static bool
take_number(const char *text, uint64_t max, uint64_t *n)
{
	struct cursor c = cursor_over(text, strlen(text));

	*n = cursor_decimal(&c);
	return cursor_done(&c) && *n <= max;
}

/* In their order, each once; and then nothing but "to". */
static bool
read_attributes(
    const struct packet *p, struct head *head, bool (*to)(const char *address))
{
	static const char *const order[] = {
	    "serial", "user", "messages", "limits", "more", "to"};
	const char **const where[] = {&head->serial, &head->user,
	    &head->messages, &head->limits, &head->more};
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	size_t at = 0;

	while (packet_next(&c, &name, &value)) {
		while (at < 5 && strcmp(name, order[at]) != 0)
			at++;
		if (strcmp(name, order[at]) != 0)
			return false;
		if (at < 5)
			*where[at++] = value;
		else if (strlen(value) > PROTOCOL_ADDRESS_MAX ||
		    (to != NULL && !to(value)))
			return false;
	}
	return cursor_done(&c);
}

static bool
begin(const struct peer *peer, const struct head *head)
{
	uint64_t serial, messages;

	if (head->serial == NULL || head->user == NULL ||
	    head->messages == NULL || strlen(head->user) > BUDGETS_USER_MAX ||
	    !take_number(head->serial, UINT64_MAX, &serial) ||
	    !take_number(head->messages, UINT16_MAX, &messages))
		return false;
	if (question.peer == peer)
		return question.serial == serial &&
		    strcmp(question.user, head->user) == 0;
	question.peer = peer;
	question.serial = serial;
	question.messages = messages;
	question.n = 0;
	snprintf(question.user, sizeof(question.user), "%s", head->user);
	return tallies_read_limits(head->limits, &question.limits);
}

bool
tallies_queue_packet(struct peer *peer, struct packet *p)
{
	struct head head = {NULL, NULL, NULL, NULL, NULL};

	if (!packet_is(p, "budget") || !read_attributes(p, &head, NULL) ||
	    !begin(peer, &head) || !read_attributes(p, &head, add_recipient))
		return false;
	if (head.more != NULL)
		return strcmp(head.more, "1") == 0;
	answer(peer);
	question.peer = NULL;
	return true;
}

void
tallies_gone(const struct peer *peer)
{
	if (question.peer == peer)
		question.peer = NULL;
}
