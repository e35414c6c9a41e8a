/* SPDX-License-Identifier: ISC */
#include "ledger/answers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/privileges.h"
#include "common/protocol.h"
#include "ledger/admin.h"
#include "ledger/fetching.h"
#include "ledger/ledger.h"
#include "ledger/logins.h"
#include "ledger/lookups.h"
#include "ledger/report_rows.h"
#include "ledger/tallies.h"
#include "ledger/underway.h"

/* -- userdb -- */

static void look_again(struct timer *);

enum { LOOK_AGAIN_MS = 1000 };

static struct timer again = {.fire = look_again};

static void
answer_attempt(
    struct peer *peer, uint64_t serial, const char *verdict, uint32_t wait)
{
	static struct packet answer;

	packet_start(&answer, "attempt");
	packet_number(&answer, "serial", serial);
	packet_text(&answer, "verdict", verdict);
	if (wait > 0)
		packet_number(&answer, "wait", wait);
	peer_send(peer, &answer);
}

static void
decided(void *asker, uint64_t serial, uint32_t wait)
{
	answer_attempt(asker, serial, wait == 0 ? "ok" : "refused", wait);
}

/* Something was over, or a second is. */
static void
look_again(struct timer *timer)
{
	if (underway_decide(clock_now(), decided))
		loop_timer(timer, LOOK_AGAIN_MS);
}

static bool
attempt(struct peer *peer, struct packet *p)
{
	static const char *const verdicts[] = {[UNDERWAY_GOES] = "ok",
	    [UNDERWAY_WAITS] = "wait",
	    [UNDERWAY_REFUSED] = "refused"};
	const char *client, *user;
	uint64_t serial;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("serial", &serial),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user)};
	enum underway verdict;
	uint32_t wait;

	if (!packet_read(p, "attempt", set, 3, 0))
		return false;
	verdict =
	    underway_begin(peer, serial, client, user, clock_now(), &wait);
	answer_attempt(peer, serial, verdicts[verdict], wait);
	if (verdict == UNDERWAY_WAITS)
		look_again(&again);
	return true;
}

static bool
outcome(struct peer *peer, struct packet *p)
{
	static const char *const results[] = {[LOGINS_GOOD] = "good",
	    [LOGINS_WRONG] = "wrong",
	    [LOGINS_UNKNOWN] = "unknown",
	    [LOGINS_NONE] = "none"};
	const char *client, *user, *result;
	uint64_t serial;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER_OPTIONAL("serial", &serial),
	    ATTRIBUTE_TEXT("client", PROTOCOL_NAME_MAX, &client),
	    ATTRIBUTE_TEXT("user", PROTOCOL_LOGIN_MAX, &user),
	    ATTRIBUTE_TEXT("result", PROTOCOL_NAME_MAX, &result)};

	if (!packet_read(p, "outcome", set, 4, 0))
		return false;
	for (int i = LOGINS_GOOD; i <= LOGINS_NONE; i++)
		if (strcmp(result, results[i]) == 0) {
			logins_outcome(
			    client, user, (enum logins_result)i, clock_now());
			underway_end(peer, serial);
			look_again(&again);
			return true;
		}
	return false;
}

static bool
userdb_packet(struct peer *peer, struct packet *p)
{
	bool good =
	    packet_is(p, "attempt") ? attempt(peer, p) : outcome(peer, p);

	ledger_changed();
	return good;
}

/* -- connections -- */

static void
closed(struct peer *peer)
{
	underway_gone(peer);
	report_gone(peer);
	tallies_gone(peer);
	peer_end(peer);
	free(peer);
}

static void
begin(const struct role *role, int fd,
    bool (*packet)(struct peer *, struct packet *))
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL) {
		close(fd);
		return;
	}
	*peer = (struct peer){
	    .role = role->name, .packet = packet, .closed = closed};
	if (peer_begin(peer, fd) == -1)
		free(peer);
}

static void
userdb_came(struct role *role, int fd)
{
	begin(role, fd, userdb_packet);
}

static bool
speaker_packet(struct peer *peer, struct packet *p)
{
	return packet_is(p, "row") ? smtpd_packet(peer, p)
				   : tallies_smtpd_packet(peer, p);
}

static void
smtpd_came(struct role *role, int fd)
{
	begin(role, fd, speaker_packet);
}

static void
gate_came(struct role *role, int fd)
{
	begin(role, fd, tallies_gate_packet);
}

static void
queue_came(struct role *role, int fd)
{
	begin(role, fd, tallies_queue_packet);
}

static void
deliver_came(struct role *role, int fd)
{
	lookups_begin(role->name, fd);
}

static void
fetch_came(struct role *role, int fd)
{
	fetching_worker(role->name, fd);
}

static void
admin_came(struct role *role, int fd)
{
	begin(role, fd, admin_packet);
}

struct role ledger_roles[] = {
    {.name = "role-userdb", .account = ACCOUNT_DB, .came = userdb_came},
    {.name = "role-smtpd", .account = ACCOUNT_SMTPD, .came = smtpd_came},
    {.name = "role-gate", .account = ACCOUNT_SMTPD, .came = gate_came},
    {.name = "role-queue", .account = ACCOUNT_QUEUE, .came = queue_came},
    {.name = "role-deliver", .account = ACCOUNT_DELIVER, .came = deliver_came},
    {.name = "role-fetch", .account = ACCOUNT_FETCH, .came = fetch_came},
    {.name = "role-admin", .came = admin_came},
    {.name = NULL},
};
