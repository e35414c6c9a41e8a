/* SPDX-License-Identifier: ISC */
/* user.h: limits, what ledger counts against them, what queue holds. */
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

/* False where that owner does not run. */
static bool
ask(const struct config *config, const char *owner, struct packet *p,
    const char *answer)
{
	int fd = admin_connect(config, owner);
	bool answered;

	if (fd == -1)
		return false;
	answered =
	    ipc_call(fd, p, clock_monotonic_ms() + PATIENCE_MS) == IPC_OK &&
	    packet_is(p, answer);
	packet_close(p);
	close(fd);
	return answered;
}

/* -- limits -- */

static const struct config_rate *
rate_of_all(const struct config *c, enum limit limit)
{
	switch (limit) {
	case LIMIT_LOGIN_MESSAGES:
		return &c->login_messages;
	case LIMIT_LOGIN_RECIPIENTS:
		return &c->login_recipients;
	case LIMIT_LOGIN_NEW_RECIPIENTS:
		return &c->login_new_recipients;
	default:
		return &c->mailbox_messages;
	}
}

static void
put_limits(const struct config *c, const struct entry *e, bool json)
{
	char text[CONFIG_RATE_SIZE];

	if (json)
		printf(", \"limits\": {");
	for (int i = 0; i < LIMITS; i++) {
		const char *name = limit_name((enum limit)i);
		bool own = e->limits[i][0] != '\0';

		config_format_rate(rate_of_all(c, (enum limit)i), text);
		if (json)
			printf("%s\"%s\": {\"value\": \"%s\", \"own\": %s}",
			    i > 0 ? ", " : "", name, own ? e->limits[i] : text,
			    own ? "true" : "false");
		else
			printf("limit    %s %s%s\n", name,
			    own ? e->limits[i] : text,
			    own ? ", his own" : "");
	}
	if (json)
		printf("}");
}

/* -- tallies -- */

static bool
ask_tallies(const struct config *c, const struct entry *e, const char *user,
    struct packet *p)
{
	char text[PROTOCOL_LIMITS_MAX];
	const char *own[3];

	for (int i = 0; i < 3; i++) {
		own[i] = e->limits[LIMIT_LOGIN_MESSAGES + i];
		if (own[i][0] == '\0')
			own[i] = "-";
	}
	snprintf(text, sizeof(text), "%s %s %s", own[0], own[1], own[2]);
	packet_start(p, "tallies");
	packet_text(p, "user", user);
	packet_text(p, "limits", text);
	if (e->limits[LIMIT_MAILBOX_MESSAGES][0] != '\0')
		packet_text(p, "limit", e->limits[LIMIT_MAILBOX_MESSAGES]);
	return ask(c, "ledger", p, "tallies");
}

static void
put_tallies(const struct config *c, const struct entry *e, const char *user,
    bool json)
{
	static struct packet p;
	const char *name, *line, *between = "";
	struct cursor cursor;

	if (!ask_tallies(c, e, user, &p)) {
		if (json)
			printf(", \"tallies\": null");
		return;
	}
	if (json)
		printf(", \"tallies\": [");
	for (cursor = packet_cursor(&p); packet_next(&cursor, &name, &line);
	    between = ", ") {
		if (json) {
			fputs(between, stdout);
			print_json_string(line);
			continue;
		}
		fputs("used     ", stdout);
		print_clean(line);
		putchar('\n');
	}
	if (json)
		printf("]");
}

/* -- what is held -- */

struct held {
	uint64_t count, since;
	const char *reason; /* NULL: only messages, no rule */
};

static bool
ask_held(const struct config *c, const char *user, struct packet *p,
    struct held *h)
{
	const struct attribute set[] = {ATTRIBUTE_NUMBER("count", &h->count),
	    ATTRIBUTE_NUMBER_OPTIONAL("time", &h->since),
	    ATTRIBUTE_TEXT_OPTIONAL("reason", PROTOCOL_TEXT_MAX, &h->reason)};

	packet_start(p, "held");
	packet_text(p, "user", user);
	return ask(c, "queue", p, "held") && packet_read(p, "held", set, 3, 0);
}

static void
put_held_json(const struct held *h)
{
	printf(", \"held\": {\"messages\": %" PRIu64 ", \"since\": ", h->count);
	if (h->reason == NULL) {
		printf("null, \"reason\": null}");
		return;
	}
	printf("%" PRIu64 ", \"reason\": ", h->since);
	print_json_string(h->reason);
	putchar('}');
}

static void
put_held(const struct config *c, const char *user, bool json)
{
	static struct packet p;
	struct held h;
	char since[TIME_TEXT];

	if (!ask_held(c, user, &p, &h)) {
		if (json)
			printf(", \"held\": null");
		return;
	}
	if (json) {
		put_held_json(&h);
		return;
	}
	if (h.reason != NULL) {
		printf("held     all that is sent, since %s: ",
		    time_text(h.since, since));
		print_clean(h.reason);
		putchar('\n');
	}
	if (h.reason != NULL || h.count > 0)
		printf("held     %" PRIu64 " message%s%s; postrider-queue release "
		       "--login %s sends, delete discards what is held\n",
		    h.count, h.count == 1 ? "" : "s",
		    h.reason != NULL ? ", and what must be tried again" : "",
		    user);
}

void
limits_put(const struct config *c, const struct entry *e, const char *user,
    bool json)
{
	put_limits(c, e, json);
	put_tallies(c, e, user, json);
	put_held(c, user, json);
}
