/* SPDX-License-Identifier: ISC */
/* user.h: failed logins, which ledger counts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/print.h"
#include "userdb/user.h"

enum { PATIENCE_MS = 5000 };

/* False where nobody counts: ledger does not run. */
static bool
ask(const struct config *config, const char *user, struct packet *p)
{
	int fd = admin_connect(config, "ledger");
	bool answered;

	if (fd == -1)
		return false;
	packet_start(p, "failures");
	packet_text(p, "user", user);
	answered =
	    ipc_call(fd, p, clock_monotonic_ms() + PATIENCE_MS) == IPC_OK &&
	    packet_is(p, "failures");
	packet_close(p);
	close(fd);
	return answered;
}

/* "SECONDS CLIENT" */
static void
put_one(const char *value, bool json, bool first)
{
	char *client;
	uint64_t when = strtoull(value, &client, 10);
	char time[TIME_TEXT];

	client += strspn(client, " ");
	if (json) {
		printf("%s{\"time\": %" PRIu64 ", \"client\": ",
		    first ? "" : ", ", when);
		print_json_string(client);
		printf("}");
		return;
	}
	printf("failed   from %s, %s\n", client, time_text(when, time));
}

static void
put_all(const struct packet *p, bool json)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	bool first = true;

	while (packet_next(&c, &name, &value)) {
		if (strcmp(name, "failed") != 0)
			continue;
		put_one(value, json, first);
		first = false;
	}
}

static uint64_t
number_named(const struct packet *p, const char *wanted)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value;

	while (packet_next(&c, &name, &value))
		if (strcmp(name, wanted) == 0)
			return strtoull(value, NULL, 10);
	return 0;
}

void
failures_put(const struct config *config, const char *user, bool json)
{
	static struct packet p;
	uint64_t wait;

	if (!ask(config, user, &p)) {
		if (json)
			printf(", \"failed_logins\": null");
		return;
	}
	wait = number_named(&p, "wait");
	if (json) {
		printf(", \"failed_logins\": %" PRIu64 ", \"wait\": %" PRIu64
		       ", \"failed\": [",
		    number_named(&p, "count"), wait);
		put_all(&p, true);
		printf("]");
		return;
	}
	printf("failures %" PRIu64 "%s\n", number_named(&p, "count"),
	    wait > 0 ? ", strange addresses have to wait" : "");
	put_all(&p, false);
}
