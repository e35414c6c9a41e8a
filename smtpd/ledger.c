/* SPDX-License-Identifier: ISC */
#include "smtpd/ledger.h"

#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum { AGAIN_MS = 10000, ANSWER_MS = 1000 };

static int ledger = -1;
static int64_t again; /* monotonic; not before */
static bool told;     /* the log has it that it is away */

static void
hang_up(void)
{
	if (ledger >= 0)
		close(ledger);
	ledger = -1;
}

/* Leave it alone for a while. */
static void
give_up(const char *reason)
{
	hang_up();
	again = clock_monotonic_ms() + AGAIN_MS;
	if (!told)
		log_event(LEVEL_WARNING, "peer lost",
		    log_text("what", "ledger"), log_text("reason", reason));
	told = true;
}

static bool
is_connected(void)
{
	if (ledger == -1 && clock_monotonic_ms() >= again) {
		ledger = ipc_connect("ledger");
		if (ledger == -1)
			give_up("cannot connect to ledger");
	}
	return ledger >= 0;
}

void
ledger_tell(const struct packet *p)
{
	enum ipc_result result = IPC_CLOSED;

	/* A connection may have ended with the ledger of before. */
	for (int i = 0; i < 2 && result != IPC_OK && is_connected(); i++) {
		result = ipc_send(ledger, p, 0);
		if (result == IPC_TIMEOUT) /* it is busy */
			return;
		if (result != IPC_OK)
			hang_up();
	}
}

bool
ledger_ask(struct packet *p)
{
	int64_t deadline = clock_monotonic_ms() + ANSWER_MS;
	struct packet answer;
	enum ipc_result result = IPC_CLOSED;

	for (int i = 0; i < 2 && is_connected(); i++) {
		result = ipc_send(ledger, p, deadline);
		if (result == IPC_OK)
			result = ipc_receive(ledger, &answer, deadline);
		if (result == IPC_OK) {
			told = false;
			*p = answer;
			return true;
		}
		/* A late answer would be taken for the next one's. */
		hang_up();
		if (result == IPC_TIMEOUT)
			break;
	}
	if (clock_monotonic_ms() >= again)
		give_up(result == IPC_TIMEOUT ? "ledger does not answer"
					      : "ledger closed the connection");
	return false;
}

void
ledger_drop(void)
{
	give_up("malformed answer from ledger");
}
