/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/protocol.h"
#include "queue/budget.h"
#include "queue/client.h"
#include "queue/queue.h"
#include "queue/signer.h"

/*
 * What a client says is to be signed, and who may have it signed.  A key
 * speaks for a domain: a login has it only where it may send as From; a
 * local user, a client of relay-from and our own reports for each domain that
 * the postmaster has made a key for.  Whoever may not send mail out gets
 * nothing signed, whatever it says.
 */

void
client_forget_facts(struct client *c)
{
	signer_free_facts(c->facts);
	free(c->unsigned_because);
	c->facts = NULL;
	c->unsigned_because = NULL;
	c->facts_open = false;
}

/* Why it is not signed, for the log.  Without memory it says nothing. */
void
client_not_signed(struct client *c, const char *reason)
{
	client_forget_facts(c);
	c->unsigned_because = strdup(reason);
}

static bool
wants_signatures(const struct client *c)
{
	return c->relays && queue.config.dkim_sign;
}

static void
weigh(struct client *c, size_t n)
{
	budget_take(BUDGET_CLIENTS, n);
	c->weight += n;
}

static bool
keep_facts(struct client *c, const char *from, const char *body,
    const char *fields, bool more)
{
	struct dkim_facts *facts = malloc(sizeof(*facts));

	if (facts == NULL) {
		client_not_signed(c, "no memory");
		return true;
	}
	if (!dkim_facts_begin(facts, from, body, fields)) {
		signer_free_facts(facts);
		return false;
	}
	c->facts = facts;
	c->facts_open = more;
	weigh(c, sizeof(*facts) + strlen(fields));
	return true;
}

bool
client_on_sign(struct client *c, struct packet *p)
{
	const char *from, *body, *fields, *reason;
	uint64_t more;
	const struct attribute facts[] = {
	    ATTRIBUTE_TEXT("from", PROTOCOL_ADDRESS_MAX, &from),
	    ATTRIBUTE_TEXT("body", DKIM_HASH_HEX, &body),
	    ATTRIBUTE_TEXT("fields", DKIM_FIELDS_PART, &fields),
	    ATTRIBUTE_NUMBER_OPTIONAL("more", &more)};
	const struct attribute nothing[] = {
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, &reason)};

	if (c->facts != NULL || c->unsigned_because != NULL ||
	    c->envelope.n > 0)
		return false;
	if (packet_read(p, "sign", nothing, 1, 0)) {
		client_not_signed(c, reason);
		return true;
	}
	return packet_read(p, "sign", facts, 4, 0) && more <= 1 &&
	    keep_facts(c, from, body, fields, more == 1);
}

bool
client_on_more(struct client *c, struct packet *p)
{
	const char *fields;
	uint64_t more;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("fields", DKIM_FIELDS_PART, &fields),
	    ATTRIBUTE_NUMBER_OPTIONAL("more", &more)};

	if (!packet_read(p, "more", set, 2, 0) || more > 1 || !c->facts_open)
		return false;
	weigh(c, strlen(fields));
	c->facts_open = more == 1;
	return dkim_facts_more(c->facts, fields);
}

/* Must userdb say whether this login may send as that? */
bool
client_asks_sender(const struct client *c)
{
	return c->facts != NULL && wants_signatures(c) &&
	    c->role == CLIENT_LOGIN;
}

static bool
leaves(const struct routing *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->routes[i].kind != ROUTE_MAILBOX &&
		    r->routes[i].kind != ROUTE_SYSTEM)
			return true;
	return false;
}

/*
 * Is it to be signed?  What stays here is not, and of what is not allowed the
 * log tells.
 */
bool
client_signs(struct client *c)
{
	if (!wants_signatures(c) || !leaves(c->routing)) {
		client_forget_facts(c);
		return false;
	}
	if (c->facts != NULL && client_asks_sender(c) &&
	    !verdict_is_success(c->routing->sender) &&
	    !verdict_is_temporary(c->routing->sender))
		client_not_signed(c, verdict_row(c->routing->sender)->name);
	return c->facts != NULL;
}

/* False: keys could not tell. */
bool
client_take_signatures(struct client *c, const struct signing *s)
{
	if (s->failed) {
		log_event(LEVEL_WARNING, "not signed",
		    log_text("id", c->reception.id),
		    log_text("reason", s->reason));
		/* A report is better unsigned than late. */
		if (c->role != CLIENT_REPORT)
			return false;
	}
	for (size_t i = 0; !s->failed && i < s->n; i++)
		if (!envelope_sign(&c->envelope, s->fields[i]))
			return false;
	if (s->failed || s->n == 0)
		client_not_signed(c, s->reason);
	return true;
}
