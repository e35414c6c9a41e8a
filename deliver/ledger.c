/* SPDX-License-Identifier: ISC */
#include "deliver/ledger.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dns.h"
#include "common/log.h"
#include "common/protocol.h"

enum {
	STS_MS = 40000, /* ledger answers after 30 s at the latest */
	ANSWER_MS = 5000,
	SEND_MS = 1000
};

static bool
connected(struct ledger *l)
{
	if (l->fd < 0)
		l->fd = ipc_connect("ledger");
	if (l->fd < 0 && !l->told)
		log_errno(LEVEL_WARNING, "cannot connect", "ledger");
	l->told = l->fd < 0;
	return l->fd >= 0;
}

void
ledger_close(struct ledger *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/*
 * The packet there and its answer back.  A connection may have ended with the
 * ledger of before: so once more with a new one.
 */
static bool
call(struct ledger *l, int64_t ms)
{
	struct packet *p = &l->packet;
	static struct packet question;

	question = *p;
	for (int i = 0; i < 2 && connected(l); i++) {
		enum ipc_result result =
		    ipc_call(l->fd, p, clock_monotonic_ms() + ms);

		if (result == IPC_OK)
			return true;
		ledger_close(l);
		if (result == IPC_TIMEOUT)
			return false;
		*p = question;
	}
	return false;
}

static bool
malformed(struct ledger *l)
{
	log_event(LEVEL_ERROR, "malformed packet", log_text("what", "ledger"));
	packet_close(&l->packet);
	ledger_close(l);
	return false;
}

bool
ledger_sts(struct ledger *l, const char *domain, const char *id)
{
	packet_start(&l->packet, "sts");
	packet_text(&l->packet, "domain", domain);
	if (id != NULL)
		packet_text(&l->packet, "id", id);
	if (!call(l, STS_MS))
		return false;
	return (packet_is(&l->packet, "sts") && l->packet.nfds == 0) ||
	    malformed(l);
}

void
ledger_destination(
    struct ledger *l, const char *host, struct ledger_memory *memory)
{
	const char *tls, *protocol;
	uint64_t since, broken;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT_OPTIONAL("tls", PROTOCOL_NAME_MAX, &tls),
	    ATTRIBUTE_TEXT_OPTIONAL("protocol", PROTOCOL_NAME_MAX, &protocol),
	    ATTRIBUTE_NUMBER_OPTIONAL("since", &since),
	    ATTRIBUTE_NUMBER_OPTIONAL("broken", &broken),
	};
	int64_t now = (int64_t)time(NULL);

	*memory = (struct ledger_memory){.tls = false};
	packet_start(&l->packet, "destination");
	packet_text(&l->packet, "host", host);
	if (!call(l, ANSWER_MS))
		return;
	if (!packet_read(&l->packet, "destination", set,
		sizeof(set) / sizeof(set[0]), 0)) {
		(void)malformed(l);
		return;
	}
	memory->tls = tls != NULL && tls[0] == 'y';
	memory->broken = broken > 0;
	if (memory->broken && broken < (uint64_t)now)
		memory->age = now - (int64_t)broken;
}

void
ledger_remember(struct ledger *l, const struct ledger_outcome *o)
{
	struct packet *p = &l->packet;

	packet_start(p, "remember");
	packet_text(p, "host", o->host);
	if (o->tls != NULL)
		packet_text(p, "tls", o->tls);
	if (o->protocol != NULL)
		packet_text(p, "protocol", o->protocol);
	if (o->domain != NULL) {
		packet_text(p, "domain", o->domain);
		packet_text(p, "policy", o->policy);
		packet_text(p, "result", o->failed ? "failed" : "ok");
		packet_text(p, "reason", o->reason);
	}
	if (connected(l) &&
	    ipc_send(l->fd, p, clock_monotonic_ms() + SEND_MS) != IPC_OK)
		ledger_close(l);
}
