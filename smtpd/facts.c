/* SPDX-License-Identifier: ISC */
#include "smtpd/facts.h"

#include "smtpd/command.h"
#include "smtpd/session.h"

static void
gather_owned(struct session *s, struct policy_facts *f)
{
	f->sender.owned =
	    owners_may_send(s->owners, s->login, f->sender.address);
}

static void
gather_room(struct session *s, struct policy_facts *f)
{
	f->sender.room = owners_room(s->owners, f->sender.declared_size);
}

static void
gather_known(struct session *s, struct policy_facts *f)
{
	f->recipient.known = owners_recipient(s->owners, f->recipient.address,
	    address_is_null(&s->transaction.sender), &s->transaction.place);
}

/* Nobody learns by its answer who is at home here: it comes before theirs. */
static void
gather_rate(struct session *s, struct policy_facts *f)
{
	bool found = verdict_is_success(f->recipient.known);

	f->recipient.rate =
	    (struct tallies_rate){.verdict = VERDICT_RECIPIENT_OK};
	if (found || !verdict_is_temporary(f->recipient.known))
		tallies_recipient(s, found ? f->recipient.address : NULL,
		    &f->recipient.rate);
}

static bool
gather(void *context, struct policy_facts *f, enum policy_need need)
{
	static void (*const gatherers[POLICY_NEEDS])(
	    struct session *, struct policy_facts *) = {
	    [NEED_OWNED] = gather_owned,
	    [NEED_ROOM] = gather_room,
	    [NEED_KNOWN] = gather_known,
	    [NEED_RATE] = gather_rate,
	};

	if (gatherers[need] == NULL)
		return false;
	gatherers[need](context, f);
	return true;
}

static struct policy_facts
facts_of(struct session *s)
{
	return (struct policy_facts){
	    .client = &s->facts, .gather = gather, .gather_context = s};
}

struct policy_facts
facts_of_hello(struct session *s, const char *name)
{
	struct policy_facts f = facts_of(s);

	f.hello = (struct policy_hello){
	    .name = name, .fits = command_helo_fits(name)};
	return f;
}

struct policy_facts
facts_of_sender(struct session *s)
{
	struct policy_facts f = facts_of(s);

	f.sender = (struct policy_sender){.address = s->transaction.sender_text,
	    .null_path = address_is_null(&s->transaction.sender),
	    .declared_size = s->transaction.size,
	    .max_size = s->config->max_message_size};
	return f;
}

struct policy_facts
facts_of_recipient(struct session *s, const char *address)
{
	struct policy_facts f = facts_of(s);

	f.recipient = (struct policy_recipient){.address = address,
	    .accepted = s->transaction.nrecipients,
	    .max_recipients = s->config->max_recipients};
	return f;
}
