/* SPDX-License-Identifier: ISC */
#include "queue/budgets.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/peer.h"
#include "common/protocol.h"

enum {
	WINDOW = 64,
	PACKETS_MAX = 4096, /* kept where the socket is full */
	TRIES = 2,
	CHECK_MS = 250,
	COMPLAIN_MS = 60 * 1000,
	TEXT_MAX = ENVELOPE_RECIPIENTS_MAX * (PROTOCOL_ADDRESS_MAX + 1) +
	    PROTOCOL_LOGIN_MAX + PROTOCOL_LIMITS_MAX + 2
};

struct asking {
	struct asking *next;
	budgets_answered *answered;
	void *asker;
	uint64_t serial;
	int64_t deadline;
	unsigned tries;
	bool asked; /* else it waits for its turn */
	/* the login, its limits and the recipients, each with its NUL */
	struct buf text;
};

static struct {
	struct peer peer;
	bool connected;
	uint64_t serial;
	struct asking *first, **last; /* in the order in which they came */
	size_t asked;
	struct timer timer;
	int64_t complained; /* monotonic; 0: not yet */
} ledger = {.last = &ledger.first};

static const struct {
	const char *word, *keyword, *words;
} kinds[] = {
    [OVERRUN_MESSAGES] = {"messages", "login-messages", "messages"},
    [OVERRUN_RECIPIENTS] = {"recipients", "login-recipients", "recipients"},
    [OVERRUN_NEW_RECIPIENTS] = {"new-recipients", "login-new-recipients",
	"new recipients"},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const char *
overrun_name(enum overrun_kind kind)
{
	return kinds[kind].keyword;
}

const char *
overrun_words(enum overrun_kind kind)
{
	return kinds[kind].words;
}

static void send_some(void);

/* -- answers -- */

static void
answer(struct asking **where, const struct overrun *overrun)
{
	struct asking *a = *where;

	*where = a->next;
	if (ledger.last == &a->next)
		ledger.last = where;
	ledger.asked -= a->asked;
	a->answered(a->asker, overrun);
	buf_free(&a->text);
	free(a);
}

static void
complain(const char *reason)
{
	int64_t now = clock_monotonic_ms();

	if (ledger.complained != 0 && now - ledger.complained < COMPLAIN_MS)
		return;
	ledger.complained = now;
	log_event(LEVEL_WARNING, "not counted", log_text("what", "budgets"),
	    log_text("reason", reason));
}

static void
answer_unknown(struct asking **where, const char *reason)
{
	complain(reason);
	answer(where, &(struct overrun){.kind = OVERRUN_NONE});
}

static bool
read_answer(const struct packet *p, uint64_t *serial, struct overrun *o)
{
	const char *verdict, *what;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", serial),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &verdict),
	    ATTRIBUTE_TEXT_OPTIONAL("what", PROTOCOL_NAME_MAX, &what),
	    ATTRIBUTE_NUMBER_OPTIONAL("count", &o->count),
	    ATTRIBUTE_NUMBER_OPTIONAL("limit", &o->limit)};

	if (!packet_read(p, "budget", set, 5, 0))
		return false;
	o->kind = OVERRUN_NONE;
	if (strcmp(verdict, "ok") == 0)
		return true;
	if (strcmp(verdict, "over") != 0 || what == NULL)
		return false;
	for (int i = OVERRUN_MESSAGES; i < KINDS; i++)
		if (strcmp(kinds[i].word, what) == 0)
			o->kind = (enum overrun_kind)i;
	return o->kind != OVERRUN_NONE;
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct asking **where = &ledger.first;
	struct overrun overrun;
	uint64_t serial;

	(void)peer;
	if (!read_answer(p, &serial, &overrun))
		return false;
	while (*where != NULL &&
	    (!(*where)->asked || (*where)->serial != serial))
		where = &(*where)->next;
	if (*where == NULL)
		return false;
	answer(where, &overrun);
	send_some();
	return true;
}

/* -- the connection -- */

/* ledger may be started anew just now: the supervisor keeps its socket. */
static void
on_closed(struct peer *peer)
{
	struct asking **where = &ledger.first, *a;

	peer_end(peer);
	ledger.connected = false;
	while ((a = *where) != NULL) {
		ledger.asked -= a->asked;
		a->asked = false;
		if (a->tries < TRIES && clock_left(a->deadline) > 0)
			where = &a->next;
		else
			answer_unknown(where, "ledger closed the connection");
	}
	send_some();
}

static bool
connect_ledger(void)
{
	int fd;

	if (ledger.connected)
		return true;
	fd = ipc_connect_now("ledger");
	ledger.peer = (struct peer){.role = "ledger",
	    .packet = on_packet,
	    .closed = on_closed,
	    .most = PACKETS_MAX};
	if (fd == -1 || peer_begin(&ledger.peer, fd) == -1)
		return false;
	ledger.connected = true;
	return true;
}

static void
start_packet(struct packet *p, const struct asking *a, const char *user,
    const char *limits, bool first)
{
	packet_start(p, "budget");
	packet_number(p, "serial", a->serial);
	packet_text(p, "user", user);
	packet_number(p, "messages", first);
	if (*limits != '\0')
		packet_text(p, "limits", limits);
}

/* As many packets as it takes, all but the last with more. */
static void
send_question(struct asking *a)
{
	enum { ROOM = IPC_PACKET_MAX - 2 * PROTOCOL_ADDRESS_MAX };
	static struct packet p;
	const char *user = a->text.data, *limits = user + strlen(user) + 1;
	const char *to = limits + strlen(limits) + 1;
	const char *end = a->text.data + a->text.len;
	bool first = true;

	a->serial = ledger.serial++;
	a->tries++;
	a->asked = true;
	ledger.asked++;
	do {
		const char *until = to;
		size_t n = 256;

		while (until < end && (n += strlen(until) + 4) < ROOM)
			until += strlen(until) + 1;
		start_packet(&p, a, user, limits, first);
		if (until < end)
			packet_number(&p, "more", 1);
		for (; to < until; to += strlen(to) + 1)
			packet_text(&p, "to", to);
		peer_send(&ledger.peer, &p);
		first = false;
	} while (to < end);
}

static void
check(struct timer *t)
{
	bool late = false;

	for (struct asking **where = &ledger.first; *where != NULL;) {
		if (clock_left((*where)->deadline) > 0) {
			where = &(*where)->next;
			continue;
		}
		late = late || (*where)->asked;
		answer_unknown(where, "ledger does not answer");
	}
	/* Its answers would come to questions that nobody knows any more. */
	if (late)
		on_closed(&ledger.peer);
	if (ledger.first != NULL)
		loop_timer(t, CHECK_MS);
}

static void
send_some(void)
{
	if (ledger.first != NULL && !connect_ledger()) {
		while (ledger.first != NULL)
			answer_unknown(&ledger.first, "no ledger");
		return;
	}
	for (struct asking *a = ledger.first;
	    a != NULL && ledger.asked < WINDOW; a = a->next)
		if (!a->asked)
			send_question(a);
	if (ledger.first != NULL && ledger.timer.slot == 0) {
		ledger.timer.fire = check;
		loop_timer(&ledger.timer, CHECK_MS);
	}
}

void
budgets_ask(const struct envelope *e, const char *limits,
    budgets_answered *answered, void *asker)
{
	struct asking *a = calloc(1, sizeof(*a));
	struct buf text = BUF_INIT(TEXT_MAX);

	buf_add(&text, e->login, strlen(e->login) + 1);
	buf_add(&text, limits, strlen(limits) + 1);
	for (size_t i = 0; i < e->n; i++)
		buf_add(&text, e->recipients[i].address,
		    strlen(e->recipients[i].address) + 1);
	if (a == NULL || !buf_ok(&text)) {
		free(a);
		buf_free(&text);
		complain("no memory");
		answered(asker, &(struct overrun){.kind = OVERRUN_NONE});
		return;
	}
	*a = (struct asking){.answered = answered,
	    .asker = asker,
	    .deadline = clock_monotonic_ms() + BUDGETS_MS,
	    .text = text};
	*ledger.last = a;
	ledger.last = &a->next;
	send_some();
}
