/* SPDX-License-Identifier: ISC */
#include "queue/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/protocol.h"
#include "common/verdict.h"
#include "queue/admin.h"
#include "queue/attempt.h"
#include "queue/envelope.h"
#include "queue/message.h"
#include "queue/peer.h"
#include "queue/queue.h"
#include "queue/route.h"

enum client_state {
	CLIENT_IDLE,
	CLIENT_OPEN,     /* it writes the content */
	CLIENT_ENVELOPE, /* "commit" came, recipients follow */
	CLIENT_ROUTING,  /* "end" came, userdb is asked */
	CLIENT_COMMITTED /* it syncs */
};

struct client {
	struct peer peer;
	enum client_role role;
	enum client_state state;
	char *login; /* NULL: none */
	uid_t uid;   /* of CLIENT_PUBLIC */
	bool relays; /* this message may leave the house */
	struct reception reception;
	time_t opened;
	struct envelope envelope;
	enum verdict verdict;    /* the worst so far */
	size_t refused;          /* the recipient that it is about */
	struct routing *routing; /* while userdb is asked */
	struct message *message; /* once committed */
	struct listing *listing;
};

/* Answers outlive a client that hangs up. */
struct routing {
	struct client *client; /* NULL: gone */
	size_t n, unanswered;
	struct route routes[];
};

static size_t busy;
void (*clients_idle)(void);

size_t
clients_busy(void)
{
	return busy;
}

static void
set_state(struct client *c, enum client_state state)
{
	bool was = c->state != CLIENT_IDLE, is = state != CLIENT_IDLE;

	c->state = state;
	if (!was && is)
		busy++;
	if (was && !is && --busy == 0 && clients_idle != NULL)
		clients_idle();
}

static void
routing_release(struct routing *r)
{
	r->client = NULL;
	if (r->unanswered > 0)
		return;
	for (size_t i = 0; i < r->n; i++)
		route_free(&r->routes[i]);
	free(r);
}

/* Back to idle, with nothing left of a message that was not synced. */
static void
reset(struct client *c)
{
	char id[FS_ID_SIZE];

	if (c->state == CLIENT_COMMITTED && c->message != NULL) {
		message_id(c->message, id);
		if (spool_remove(&queue.spool, SPOOL_NEW, id, false) == -1)
			log_errno(LEVEL_ERROR, "cannot remove", id);
		message_drop(c->message);
	}
	c->message = NULL;
	spool_forget(&queue.spool, &c->reception);
	if (c->routing != NULL)
		routing_release(c->routing);
	c->routing = NULL;
	envelope_free(&c->envelope);
	c->relays = false;
	c->verdict = VERDICT_OK;
	set_state(c, CLIENT_IDLE);
}

static void
client_free(struct client *c)
{
	reset(c);
	listing_free(c->listing);
	free(c->login);
	free(c);
}

static void
on_closed(struct peer *peer)
{
	struct client *c = container_of(peer, struct client, peer);

	peer_end(peer);
	client_free(c);
}

static void
refuse(struct client *c, enum verdict verdict, const char *address)
{
	static struct packet p;

	packet_start(&p, "refused");
	packet_text(&p, "verdict", verdict_row(verdict)->name);
	if (address != NULL)
		packet_text(&p, "address", address);
	reset(c);
	peer_send(&c->peer, &p);
}

static enum verdict
verdict_of_errno(int reason)
{
	switch (reason) {
	case ENOSPC:
	case EDQUOT:
		return VERDICT_DISK_FULL;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return VERDICT_BUSY;
	default:
		return VERDICT_INTERNAL;
	}
}

static void
refuse_errno(struct client *c, const char *what)
{
	int reason = errno;

	log_event(LEVEL_ERROR, "cannot take message",
	    log_text("id", c->reception.id), log_text("what", what),
	    log_text("reason", strerror(reason)));
	refuse(c, verdict_of_errno(reason), NULL);
}

/* -- open -- */

/*
 * Whether this is the connection of a client that may relay: the kernel is
 * asked, not smtpd, so that a broken-in smtpd is no open relay.
 */
static bool
is_relay_client(int fd)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer), size = sizeof(int);
	int type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == -1 ||
	    type != SOCK_STREAM ||
	    getpeername(fd, (struct sockaddr *)&peer, &n) == -1 ||
	    (peer.ss_family != AF_INET && peer.ss_family != AF_INET6))
		return false;
	return config_net_contains(&queue.config.relay_from, &peer);
}

static bool
on_open(struct client *c, struct packet *p)
{
	static struct packet answer;
	uint64_t client_fd;
	const struct attribute set[] = {
	    ATTRIBUTE_NUMBER_OPTIONAL("client-fd", &client_fd)};
	int writer;

	if (!packet_read(p, "open", set, 1, p->nfds) ||
	    p->nfds != (client_fd == 1))
		return false;
	if (queue.draining) {
		refuse(c, VERDICT_BUSY, NULL);
		return true;
	}
	c->relays = c->role != CLIENT_SMTPD ||
	    (client_fd == 1 && is_relay_client(p->fds[0]));
	if (spool_receive(&queue.spool, &c->reception, &writer) == -1) {
		refuse_errno(c, "open");
		return true;
	}
	c->opened = clock_now();
	set_state(c, CLIENT_OPEN);
	packet_start(&answer, "opened");
	packet_text(&answer, "id", c->reception.id);
	packet_number(&answer, "time", (uint64_t)c->opened);
	packet_attach(&answer, writer);
	packet_attach(&answer, c->reception.reader);
	peer_send(&c->peer, &answer);
	close(writer);
	return true;
}

/* -- the envelope -- */

/* It goes into files, logs and headers: only what is an address (A8). */
static bool
is_address(const char *text)
{
	struct address address;

	return address_parse(text, ADDRESS_UTF8 | ADDRESS_BARE, &address) ==
	    NULL;
}

static void
note_verdict(struct client *c, enum verdict verdict, size_t recipient)
{
	if (verdict <= c->verdict)
		return;
	c->verdict = verdict;
	c->refused = recipient;
}

static bool
copy_texts(struct client *c, const char *sender, const char *client,
    const char *helo, const char *protocol)
{
	struct envelope *e = &c->envelope;

	e->sender = strdup(sender);
	e->client = strdup(client);
	e->helo = strdup(helo);
	e->protocol = strdup(protocol);
	if (c->login != NULL && (e->login = strdup(c->login)) == NULL)
		return false;
	return e->sender != NULL && e->client != NULL && e->helo != NULL &&
	    e->protocol != NULL;
}

static bool
on_commit(struct client *c, struct packet *p)
{
	struct envelope *e = &c->envelope;
	const char *id, *sender, *body, *client, *helo, *protocol;
	uint64_t utf8;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("id", PROTOCOL_ID_MAX, &id),
	    ATTRIBUTE_TEXT("sender", PROTOCOL_ADDRESS_MAX, &sender),
	    ATTRIBUTE_NUMBER("start", &e->start),
	    ATTRIBUTE_NUMBER("wire", &e->wire),
	    ATTRIBUTE_TEXT("body", PROTOCOL_NAME_MAX, &body),
	    ATTRIBUTE_NUMBER("utf8", &utf8),
	    ATTRIBUTE_TEXT("client", PROTOCOL_TEXT_MAX, &client),
	    ATTRIBUTE_TEXT("helo", PROTOCOL_TEXT_MAX, &helo),
	    ATTRIBUTE_TEXT("protocol", PROTOCOL_NAME_MAX, &protocol),
	};

	if (!packet_read(p, "commit", set, sizeof(set) / sizeof(set[0]), 0) ||
	    strcmp(id, c->reception.id) != 0 || utf8 > 1)
		return false;
	if (strcmp(body, "8bitmime") != 0 && strcmp(body, "7bit") != 0)
		return false;
	e->eight_bit = body[0] == '8';
	e->utf8 = utf8 == 1;
	e->uid = c->role == CLIENT_PUBLIC ? (int64_t)c->uid : -1;
	e->time = c->opened;
	set_state(c, CLIENT_ENVELOPE);
	if (!copy_texts(c, sender, client, helo, protocol))
		note_verdict(c, VERDICT_BUSY, SIZE_MAX);
	else if (sender[0] != '\0' && !is_address(sender))
		note_verdict(c, VERDICT_BAD_SENDER, SIZE_MAX);
	return true;
}

static bool
on_recipient(struct client *c, struct packet *p)
{
	const char *address;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("address", PROTOCOL_ADDRESS_MAX, &address)};

	if (!packet_read(p, "recipient", set, 1, 0))
		return false;
	if (c->envelope.n == ENVELOPE_RECIPIENTS_MAX)
		note_verdict(c, VERDICT_TOO_MANY_RECIPIENTS, SIZE_MAX);
	else if (!envelope_add_recipient(&c->envelope,
		     is_address(address) ? address : "?", c->envelope.n))
		note_verdict(c, VERDICT_BUSY, SIZE_MAX);
	else if (!is_address(address))
		note_verdict(c, VERDICT_BAD_RECIPIENT, SIZE_MAX);
	return true;
}

/* Facts of the file against what the client said of it. */
static enum verdict
check_content(struct client *c)
{
	enum { TRACE_ROOM = 65536 }; /* the headers that we put on top */
	struct envelope *e = &c->envelope;
	struct stat status;

	/* -1: a file system without leases; nobody can do better there. */
	if (fs_no_writer(c->reception.reader) == 0) {
		log_event(LEVEL_ERROR, "still written",
		    log_text("id", c->reception.id));
		return VERDICT_INTERNAL;
	}
	if (fstat(c->reception.reader, &status) == -1)
		return VERDICT_INTERNAL;
	e->content = (uint64_t)status.st_size;
	if (e->start > e->content || e->wire < e->content ||
	    e->wire - e->content > e->content)
		return VERDICT_INTERNAL;
	if (e->wire > TRACE_ROOM &&
	    e->wire - TRACE_ROOM > queue.config.max_message_size)
		return VERDICT_TOO_BIG;
	return VERDICT_OK;
}

static void commit(struct client *);

static void
on_route(void *asker, size_t index, struct route *route)
{
	struct routing *r = asker;

	r->routes[index] = *route;
	*route = (struct route){0};
	if (--r->unanswered > 0)
		return;
	if (r->client != NULL)
		commit(r->client);
	else
		routing_release(r);
}

static void
ask_routes(struct client *c)
{
	size_t n = c->envelope.n;
	struct routing *r = calloc(1, sizeof(*r) + n * sizeof(r->routes[0]));

	if (r == NULL) {
		refuse(c, VERDICT_BUSY, NULL);
		return;
	}
	*r = (struct routing){.client = c, .n = n, .unanswered = n};
	c->routing = r;
	set_state(c, CLIENT_ROUTING);
	/* Even without memory no answer comes before the last question but
	 * the last one: unanswered counts them all. */
	for (size_t i = 0; i < n; i++)
		route_ask(c->envelope.recipients[i].address, on_route, r, i);
}

static bool
on_end(struct client *c, struct packet *p)
{
	uint64_t count;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("count", &count)};
	size_t n = c->envelope.n;

	if (!packet_read(p, "end", set, 1, 0))
		return false;
	if (c->verdict == VERDICT_OK && (count != n || n == 0))
		return false;
	if (c->verdict == VERDICT_OK)
		note_verdict(c, check_content(c), SIZE_MAX);
	if (c->verdict != VERDICT_OK)
		refuse(c, c->verdict, NULL);
	else
		ask_routes(c);
	return true;
}

/* -- commit -- */

/*
 * What is known now to fail is refused now, so that no bounce is owed.  A
 * recipient that is not surely local counts as remote for who may not relay.
 */
static enum verdict
judge_route(const struct client *c, const struct route *route)
{
	switch (route->kind) {
	case ROUTE_REMOTE:
		return c->relays ? VERDICT_OK : VERDICT_RELAY_DENIED;
	case ROUTE_UNKNOWN:
		return route->verdict;
	case ROUTE_LATER:
		return c->relays && !route->no_answer ? VERDICT_OK
						      : route->verdict;
	default:
		return VERDICT_OK;
	}
}

static void
log_accepted(const struct client *c)
{
	const struct envelope *e = &c->envelope;
	char uid[24];

	snprintf(uid, sizeof(uid), "%lld", (long long)e->uid);
	log_event(LEVEL_INFO, "queued", log_text("id", c->reception.id),
	    log_address("from", e->sender),
	    log_text("client", e->client[0] != '\0' ? e->client : NULL),
	    log_text("auth", e->login),
	    log_text("uid", e->uid >= 0 ? uid : NULL),
	    log_number("size", (int64_t)e->content),
	    log_number("recipients", (int64_t)e->n));
}

static void
send_committed(struct client *c, int envelope)
{
	static struct packet p;

	packet_start(&p, "committed");
	packet_attach(&p, c->reception.reader);
	packet_attach(&p, envelope);
	peer_send(&c->peer, &p);
}

static void
commit(struct client *c)
{
	struct buf text = BUF_INIT(ENVELOPE_FILE_MAX);
	int envelope = -1, rc = -1;

	for (size_t i = 0; i < c->envelope.n; i++)
		note_verdict(c, judge_route(c, &c->routing->routes[i]), i);
	if (c->verdict != VERDICT_OK) {
		char address[PROTOCOL_ADDRESS_MAX + 1] = "";

		strncat(address, c->envelope.recipients[c->refused].address,
		    PROTOCOL_ADDRESS_MAX);
		refuse(c, c->verdict, address);
		return;
	}
	/* In the index before it has names: the scan must not take it up. */
	c->message = message_add(c->reception.id);
	errno = ENOMEM;
	if (c->message != NULL && envelope_format(&c->envelope, &text))
		rc = spool_commit(&queue.spool, &c->reception, text.data,
		    text.len, &envelope);
	c->envelope.whole = text.len;
	buf_free(&text);
	if (rc == -1) {
		int saved = errno;

		if (c->message != NULL)
			message_drop(c->message);
		c->message = NULL;
		errno = saved;
		refuse_errno(c, "commit");
		return;
	}
	c->message->state = MESSAGE_UNSYNCED;
	set_state(c, CLIENT_COMMITTED);
	send_committed(c, envelope);
	close(envelope);
}

/* Now it is ours. */
static bool
on_synced(struct client *c, struct packet *p)
{
	struct message *m = c->message;

	if (!packet_read(p, "synced", NULL, 0, 0))
		return false;
	log_accepted(c);
	c->message = NULL;
	attempt_first(m, &c->envelope, c->routing->routes);
	reset(c);
	return true;
}

static bool
on_abort(struct client *c, struct packet *p)
{
	if (!packet_read(p, "abort", NULL, 0, 0))
		return false;
	reset(c);
	return true;
}

/* -- the conversation -- */

/* mailq: everything for root and for who runs the suite, else one's own. */
static bool
on_list(struct client *c, struct packet *p)
{
	bool all = c->uid == 0 || c->uid == geteuid();

	if (c->role != CLIENT_PUBLIC || c->listing != NULL ||
	    !packet_read(p, "list", NULL, 0, 0))
		return false;
	c->listing = listing_begin(
	    &c->peer, all ? -1 : (int64_t)c->uid, true, &c->listing);
	return c->listing != NULL;
}

static const struct command {
	const char *verb;
	unsigned states; /* bits by enum client_state */
	bool (*handle)(struct client *, struct packet *);
} commands[] = {
    {"open", 1u << CLIENT_IDLE, on_open},
    {"commit", 1u << CLIENT_OPEN, on_commit},
    {"recipient", 1u << CLIENT_ENVELOPE, on_recipient},
    {"end", 1u << CLIENT_ENVELOPE, on_end},
    {"synced", 1u << CLIENT_COMMITTED, on_synced},
    {"abort", ~0u, on_abort},
    {"list", 1u << CLIENT_IDLE, on_list},
};

static bool
on_packet(struct peer *peer, struct packet *p)
{
	struct client *c = container_of(peer, struct client, peer);

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (packet_is(p, commands[i].verb))
			return (commands[i].states & 1u << c->state) != 0 &&
			    commands[i].handle(c, p);
	return false;
}

static const char *const roles[] = {
    [CLIENT_SMTPD] = "role-smtpd",
    [CLIENT_LOGIN] = "login",
    [CLIENT_PUBLIC] = "role-public",
    [CLIENT_REPORT] = "report",
};

void
client_begin(enum client_role role, int fd, const char *login)
{
	struct client *c = calloc(1, sizeof(*c));
	pid_t pid;

	if (c == NULL) {
		close(fd);
		return;
	}
	*c = (struct client){.role = role,
	    .peer = {.role = roles[role],
		.packet = on_packet,
		.closed = on_closed},
	    .reception = {.reader = -1}};
	envelope_init(&c->envelope);
	if (login != NULL && (c->login = strdup(login)) == NULL) {
		close(fd);
		free(c);
		return;
	}
	if (role == CLIENT_PUBLIC && ipc_peer(fd, &c->uid, &pid) == -1) {
		close(fd);
		client_free(c);
		return;
	}
	if (peer_begin(&c->peer, fd) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", roles[role]);
		client_free(c);
	}
}
