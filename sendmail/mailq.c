/* SPDX-License-Identifier: ISC */
#include "sendmail/send.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/listing.h"
#include "common/print.h"

enum { PATIENCE = 60000 };

static int
ask(const struct config *config, const char *socket, const char *verb)
{
	char path[4096];
	struct packet p;
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s/%s", config->run_dir, socket) >=
	    (int)sizeof(path))
		errno = ENAMETOOLONG;
	else
		fd = ipc_connect(path);
	if (fd == -1) {
		complain(EX_TEMPFAIL, "queue: %s",
		    errno == ENOENT || errno == ECONNREFUSED
			? "the mail system is not running"
			: strerror(errno));
		return -1;
	}
	packet_start(&p, verb);
	if (ipc_send(fd, &p, clock_monotonic_ms() + PATIENCE) != IPC_OK) {
		complain(EX_TEMPFAIL, "queue closed the connection");
		close(fd);
		return -1;
	}
	return fd;
}

static void
print_json_pair(const char *key, const char *text)
{
	printf("\"%s\": ", key);
	print_json_string(text);
}

/* -- as people know it -- */

enum { ADDRESS_COLUMN = 49 };

static char
mark_of(const char *state)
{
	if (strcmp(state, "active") == 0)
		return '*';
	return strcmp(state, "held") == 0 ? '!' : ' ';
}

static void
print_entry(const struct listing_message *e)
{
	time_t when = (time_t)e->time;
	struct tm tm;
	char date[32] = "";

	if (localtime_r(&when, &tm) != NULL)
		strftime(date, sizeof(date), "%a %b %e %H:%M:%S", &tm);
	printf("%-16s%c %9" PRIu64 " %-19s  ", e->id, mark_of(e->state),
	    e->size, date);
	print_clean(*e->sender != '\0' ? e->sender : "MAILER-DAEMON");
	putchar('\n');
	if (*e->reason != '\0') {
		printf("%18s(", "");
		print_clean(e->reason);
		printf(")\n");
	}
}

static void
print_recipient(const char *address)
{
	printf("%*s", ADDRESS_COLUMN, "");
	print_clean(address);
	putchar('\n');
}

/* queue names only the first of very many. */
static void
print_entry_end(uint64_t unnamed)
{
	if (unnamed > 0)
		printf(
		    "%*sand %" PRIu64 " more\n", ADDRESS_COLUMN, "", unnamed);
	putchar('\n');
}

/* -- for programs -- */

static void
print_entry_json(const struct listing_message *e, bool first)
{
	printf("%s\n  {", first ? "" : ",");
	print_json_pair("id", e->id);
	printf(", \"size\": %" PRIu64 ", \"time\": %" PRIu64 ", ", e->size,
	    e->time);
	print_json_pair("sender", e->sender);
	printf(", ");
	print_json_pair("state", e->state);
	printf(", \"attempts\": %" PRIu64 ", \"next\": %" PRIu64
	       ", \"recipients\": %" PRIu64 ", \"pending\": %" PRIu64 ", ",
	    e->attempts, e->next, e->recipients, e->pending);
	print_json_pair("reason", e->reason);
	printf(", \"waiting\": [");
}

static void
print_recipient_json(const char *address, bool first)
{
	fputs(first ? "" : ", ", stdout);
	print_json_string(address);
}

static void
print_head(bool json)
{
	if (json)
		putchar('[');
	else
		printf("%-17s %9s %-19s  %s\n", "-Queue ID-", "--Size--",
		    "---Arrival Time----", "-Sender/Recipient-------");
}

static void
print_foot(bool json, uint64_t count, uint64_t octets)
{
	if (json)
		printf("%s]\n", count > 0 ? "\n" : "");
	else if (count == 0)
		puts("Mail queue is empty");
	else
		printf("-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n",
		    (octets + 1023) / 1024, count, count == 1 ? "" : "s");
}

struct listing {
	bool json;
	uint64_t count, octets;
	uint64_t unnamed; /* recipients of the last one, not named yet */
	bool named;       /* one of them was */
};

static void
end_entry(struct listing *l)
{
	if (l->count == 0)
		return;
	if (l->json)
		printf("]}");
	else
		print_entry_end(l->unnamed);
}

static bool
take_entry(struct listing *l, const struct packet *p)
{
	struct listing_message e;

	if (!listing_read_message(p, &e))
		return false;
	if (l->count == 0)
		print_head(l->json);
	end_entry(l);
	if (l->json)
		print_entry_json(&e, l->count == 0);
	else
		print_entry(&e);
	l->count++;
	l->octets += e.size;
	l->unnamed = e.pending;
	l->named = false;
	return true;
}

static bool
take_recipient(struct listing *l, const struct packet *p)
{
	struct listing_recipient r;

	if (l->count == 0 || !listing_read_recipient(p, &r))
		return false;
	if (l->json)
		print_recipient_json(r.address, !l->named);
	else
		print_recipient(r.address);
	l->named = true;
	if (l->unnamed > 0)
		l->unnamed--;
	return true;
}

static int
print_list(int fd, bool json)
{
	struct listing l = {.json = json};
	struct packet p;

	for (;;) {
		if (ipc_receive(fd, &p, clock_monotonic_ms() + PATIENCE) !=
		    IPC_OK)
			return complain(EX_TEMPFAIL, "queue does not answer");
		packet_close(&p);
		if (packet_is(&p, "end"))
			break;
		if (!take_entry(&l, &p) && !take_recipient(&l, &p))
			return complain(
			    EX_PROTOCOL, "malformed answer from queue");
	}
	if (json && l.count == 0)
		print_head(json);
	end_entry(&l);
	print_foot(json, l.count, l.octets);
	return EX_OK;
}

int
list_queue(const struct options *o, const struct config *config)
{
	int fd = ask(config, "public/queue", "list"), code;

	if (fd == -1)
		return EX_TEMPFAIL;
	code = print_list(fd, o->json);
	close(fd);
	return code;
}

int
flush_queue(const struct options *o, const struct config *config)
{
	int fd = ask(config, "admin/queue", "flush"), code = EX_OK;
	uint64_t count;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("count", &count)};
	struct packet p;

	(void)o;
	if (fd == -1)
		return EX_TEMPFAIL;
	if (ipc_receive(fd, &p, clock_monotonic_ms() + PATIENCE) != IPC_OK ||
	    !packet_read(&p, "flushed", set, 1, 0))
		code = complain(EX_TEMPFAIL, "queue does not answer");
	close(fd);
	return code;
}
