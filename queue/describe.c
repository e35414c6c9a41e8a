/* SPDX-License-Identifier: ISC */
#include "queue/describe.h"

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static const char *const statuses[] = {
    [RECIPIENT_PENDING] = "waiting",
    [RECIPIENT_DELIVERED] = "delivered",
    [RECIPIENT_FAILED] = "failed",
    [RECIPIENT_BOUNCED] = "bounced",
    [RECIPIENT_EXPANDED] = "alias",
};

const char *
describe_status(const struct recipient *r)
{
	return statuses[r->state];
}

size_t
describe_originals(const struct envelope *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		n += e->recipients[i].parent == i;
	return n;
}

const char *
describe_outcome(const struct envelope *e)
{
	const struct recipient *latest = NULL;

	for (size_t i = 0; i < e->n; i++) {
		const struct recipient *r = &e->recipients[i];

		if (r->state == RECIPIENT_PENDING && r->text != NULL &&
		    (latest == NULL || r->when > latest->when))
			latest = r;
	}
	return latest != NULL ? latest->text : "";
}

const char *
describe_reason(const struct envelope *e, const struct holds *rules)
{
	const char *held = holds_reason(rules, e);

	return held != NULL ? held : describe_outcome(e);
}

void
describe_message(
    struct packet *p, const struct description *d, const struct envelope *e)
{
	packet_start(p, "message");
	packet_text(p, "id", d->id);
	packet_number(p, "time", (uint64_t)e->time);
	packet_number(p, "size", e->content);
	packet_text(p, "sender", e->sender);
	packet_text(p, "login", or_empty(e->login));
	packet_number(p, "uid", e->uid < 0 ? UINT32_MAX : (uint64_t)e->uid);
	packet_text(p, "state", d->state);
	packet_number(p, "attempts", d->attempts);
	packet_number(p, "next", (uint64_t)d->next);
	packet_number(p, "recipients", describe_originals(e));
	packet_number(p, "pending", envelope_count(e, RECIPIENT_PENDING));
	packet_text(p, "reason", d->reason);
}

void
describe_recipient(struct packet *p, const struct envelope *e, size_t index)
{
	const struct recipient *r = &e->recipients[index];

	packet_start(p, "recipient");
	packet_number(p, "index", index);
	packet_text(p, "address", r->address);
	packet_number(p, "parent", r->parent);
	packet_text(p, "status", describe_status(r));
	packet_text(p, "dsn", r->dsn);
	packet_number(p, "when", (uint64_t)r->when);
	packet_text(p, "relay", or_empty(r->relay));
	packet_text(p, "text", or_empty(r->text));
}
