/* SPDX-License-Identifier: ISC */
#include "smtpd/gate_ledger.h"

#include <string.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "common/peer.h"
#include "common/protocol.h"
#include "smtpd/gate.h"
#include "smtpd/gate_counts.h"

enum {
	PATIENCE_MS = 2000,
	REST_MS = 1000,  /* before it is connected to again */
	ASKED_MAX = 4096, /* questions without an answer */
	KEPT_MAX = 10000, /* milliseconds that a refusal is remembered for */
	KEPT = 4096
};

static void hear_end(struct peer *);
static bool hear(struct peer *, struct packet *);
static void lose_patience(struct timer *);

static struct {
	struct peer peer;
	bool connected;
	int64_t rest_until;
	uint64_t serial;
	struct guest *first, *last; /* in the order in which they asked */
	size_t asked;
	struct timer patience; /* with the first */
} ledger = {.peer = {.role = "ledger", .packet = hear, .closed = hear_end},
    .patience = {.fire = lose_patience}};

/* Each at the place of its number; who comes later takes it. */
static struct kept {
	uint64_t client;
	int64_t until;
	enum ledger_verdict verdict;
} kept[KEPT];

static struct packet packet;

/* -- what is remembered -- */

static struct kept *
place_of(uint64_t client)
{
	return &kept[(client * UINT64_C(0x9e3779b97f4a7c15) >> 32) % KEPT];
}

static void
keep(const struct sockaddr_storage *address, enum ledger_verdict verdict,
    uint64_t wait_s)
{
	uint64_t client = counts_client(address);
	int64_t ms = wait_s < KEPT_MAX / 1000 ? (int64_t)wait_s * 1000
					      : KEPT_MAX;

	if (client != 0)
		*place_of(client) = (struct kept){.client = client,
		    .until = clock_monotonic_ms() + ms,
		    .verdict = verdict};
}

enum ledger_verdict
ledger_recalls(const struct sockaddr_storage *address)
{
	uint64_t client = counts_client(address);
	const struct kept *k = place_of(client);

	return client != 0 && k->client == client &&
		clock_monotonic_ms() < k->until
	    ? k->verdict
	    : LEDGER_FINE;
}

/* -- who waits -- */

void
ledger_forget(struct guest *g)
{
	if (g->serial == 0)
		return;
	if (g->asked_before != NULL)
		g->asked_before->asked_after = g->asked_after;
	else
		ledger.first = g->asked_after;
	if (g->asked_after != NULL)
		g->asked_after->asked_before = g->asked_before;
	else
		ledger.last = g->asked_before;
	g->asked_before = g->asked_after = NULL;
	g->serial = 0;
}

static void
await(struct guest *g)
{
	g->serial = ++ledger.serial;
	g->asked = clock_monotonic_ms();
	g->asked_before = ledger.last;
	g->asked_after = NULL;
	if (ledger.last != NULL)
		ledger.last->asked_after = g;
	else
		ledger.first = g;
	ledger.last = g;
	if (ledger.patience.slot == 0)
		loop_timer(&ledger.patience, PATIENCE_MS);
}

static void
disconnect(void)
{
	struct guest *g;

	peer_end(&ledger.peer);
	ledger.connected = false;
	ledger.asked = 0;
	ledger.rest_until = clock_monotonic_ms() + REST_MS;
	while ((g = ledger.first) != NULL) {
		ledger_forget(g);
		guest_heard(g, LEDGER_FINE, false);
	}
}

static void
hear_end(struct peer *peer)
{
	(void)peer;
	disconnect();
}

static void
lose_patience(struct timer *t)
{
	int64_t left;

	if (ledger.first == NULL)
		return;
	left = ledger.first->asked + PATIENCE_MS - clock_monotonic_ms();
	if (left > 0) {
		loop_timer(t, left);
		return;
	}
	log_event(LEVEL_WARNING, "no answer", log_text("what", "ledger"));
	disconnect();
}

/* -- what it says -- */

static bool
read_verdict(const char *name, enum ledger_verdict *verdict)
{
	static const char *const names[] = {[LEDGER_FINE] = "ok",
	    [LEDGER_CLIENT_RATE] = "client-rate",
	    [LEDGER_NETWORK_RATE] = "network-rate",
	    [LEDGER_GRUDGE] = "grudge"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			*verdict = (enum ledger_verdict)i;
			return true;
		}
	return false;
}

static bool
hear(struct peer *peer, struct packet *p)
{
	uint64_t serial, wait, known;
	const char *name;
	enum ledger_verdict verdict;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("verdict", PROTOCOL_NAME_MAX, &name),
	    ATTRIBUTE_NUMBER_OPTIONAL("wait", &wait),
	    ATTRIBUTE_NUMBER_OPTIONAL("known", &known)};
	struct guest *g = ledger.first;

	(void)peer;
	if (!packet_read(p, "connection", set, 4, 0) ||
	    !read_verdict(name, &verdict) || ledger.asked == 0)
		return false;
	ledger.asked--;
	/* One that is not the first belongs to a guest that has gone. */
	if (g == NULL || g->serial != serial)
		return true;
	ledger_forget(g);
	if (verdict != LEDGER_FINE)
		keep(&g->address, verdict, wait);
	guest_heard(g, verdict, known == 1);
	return true;
}

/* -- what it is told -- */

static bool
connected(void)
{
	int fd;

	if (ledger.connected)
		return true;
	if (clock_monotonic_ms() < ledger.rest_until)
		return false;
	ledger.peer.most = ASKED_MAX;
	fd = ipc_connect_now("ledger");
	if (fd != -1 && peer_begin(&ledger.peer, fd) == 0) {
		ledger.connected = true;
		return true;
	}
	log_errno(LEVEL_WARNING, "cannot connect", "ledger");
	ledger.rest_until = clock_monotonic_ms() + REST_MS;
	return false;
}

bool
ledger_ask(struct guest *g)
{
	char client[NETADDR_TEXT_MAX];

	if (ledger.asked >= ASKED_MAX || !connected())
		return false;
	await(g);
	ledger.asked++;
	netaddr_format(&g->address, client);
	packet_start(&packet, "connection");
	packet_number(&packet, "serial", g->serial);
	packet_text(&packet, "client", client);
	peer_send(&ledger.peer, &packet);
	return true;
}

void
ledger_tell(const struct sockaddr_storage *address, const char *what)
{
	char client[NETADDR_TEXT_MAX];

	if (counts_client(address) == 0 || !connected())
		return;
	netaddr_format(address, client);
	packet_start(&packet, "bad");
	packet_text(&packet, "client", client);
	packet_text(&packet, "what", what);
	peer_send(&ledger.peer, &packet);
}
