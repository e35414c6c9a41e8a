/* SPDX-License-Identifier: ISC */
#include "smtpd/facts.h"

#include <string.h>

#include "smtpd/command.h"
#include "smtpd/grey.h"
#include "smtpd/helo.h"
#include "smtpd/sender_domain.h"
#include "smtpd/session.h"
#include "smtpd/submitted.h"

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
gather_domain(struct session *s, struct policy_facts *f)
{
	f->sender.domain = sender_domain_look_up(
	    s->dns, s->config->hostname, s->transaction.sender.domain);
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
		tallies_recipient(
		    s, found ? f->recipient.address : NULL, &f->recipient.rate);
}

/* MAIL has asked about the sender already. */
static bool
is_known_sender(const struct session *s, const char *address)
{
	const struct transaction *t = &s->transaction;

	return t->open && strcmp(t->sender_text, address) == 0;
}

static void
gather_author(struct session *s, struct policy_facts *f)
{
	const struct submitted *said = f->author.said;

	f->author.owned = VERDICT_SENDER_OK;
	for (size_t i = 0; i < said->n; i++) {
		f->author.field = said->authors[i].field;
		f->author.address = said->authors[i].address;
		if (i == SUBMITTED_AUTHORS_MAX)
			f->author.owned = VERDICT_SENDER_NOT_OWNED;
		else if (!is_known_sender(s, f->author.address))
			f->author.owned = owners_may_send(
			    s->owners, s->login, f->author.address);
		if (!verdict_is_success(f->author.owned))
			return;
	}
}

static void
gather_score(struct session *s, struct policy_facts *f)
{
	const struct lists_result *lists = client_lists(s);

	f->recipient.score = lists->score;
	f->recipient.lists = lists->names;
	f->recipient.listed = lists->text;
}

static void
gather_grey(struct session *s, struct policy_facts *f)
{
	f->recipient.grey_wait = grey_wait(s, f->recipient.address);
	f->recipient.grey_key = grey_known_key(s, NULL);
	s->transaction.grey_wait = f->recipient.grey_wait;
}

static bool
gather(void *context, struct policy_facts *f, enum policy_need need)
{
	static void (*const gatherers[POLICY_NEEDS])(
	    struct session *, struct policy_facts *) = {
	    [NEED_OWNED] = gather_owned,
	    [NEED_ROOM] = gather_room,
	    [NEED_DOMAIN] = gather_domain,
	    [NEED_KNOWN] = gather_known,
	    [NEED_RATE] = gather_rate,
	    [NEED_AUTHOR] = gather_author,
	    [NEED_SCORE] = gather_score,
	    [NEED_GREY] = gather_grey,
	};

	if (need == NEED_AUTHOR && f->author.said == NULL)
		return false;
	if (gatherers[need] != NULL)
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
facts_of_conduct(struct session *s)
{
	struct policy_facts f = facts_of(s);

	f.conduct = (struct policy_conduct){.extended = s->extended,
	    .errors = s->errors,
	    .max_errors = s->config->max_errors};
	return f;
}

struct policy_facts
facts_of_hello(struct session *s, const char *name)
{
	struct policy_facts f = facts_of(s);
	bool same_machine = s->client.local.ss_family != AF_UNSPEC &&
	    netaddr_equal(&s->client.address, &s->client.local);

	f.hello = (struct policy_hello){.name = name,
	    .fits = command_helo_fits(name),
	    .is_name = helo_is_name(name),
	    .is_ours = !same_machine &&
		helo_is_ours(name, s->config->hostname, &s->client.local)};
	return f;
}

/* A literal is no name, and the null path has none; ours we know. */
static bool
is_in_dns(const struct session *s, const char *domain)
{
	return domain[0] != '\0' && domain[0] != '[' &&
	    !config_has_domain(s->config, domain);
}

struct policy_facts
facts_of_sender(struct session *s)
{
	struct policy_facts f = facts_of(s);

	f.sender = (struct policy_sender){.address = s->transaction.sender_text,
	    .null_path = address_is_null(&s->transaction.sender),
	    .in_dns = is_in_dns(s, s->transaction.sender.domain),
	    .must_exist = s->config->sender_domain,
	    .declared_size = s->transaction.size,
	    .max_size = s->config->max_message_size};
	return f;
}

struct policy_facts
facts_of_recipient(struct session *s, const char *address)
{
	struct policy_facts f = facts_of(s);

	f.recipient = (struct policy_recipient){.address = address,
	    .null_path = address_is_null(&s->transaction.sender),
	    .accepted = s->transaction.nrecipients,
	    .max_recipients = s->config->max_recipients,
	    .has_lists = s->config->lists.n > 0,
	    .refuse_score = s->config->refuse_score,
	    .greylist = s->config->greylist};
	return f;
}

struct policy_facts
facts_of_header(struct session *s, const struct submitted *said)
{
	struct policy_facts f = facts_of(s);

	f.author =
	    (struct policy_author){
		.binds = s->config->bind_from != BIND_FROM_NO, .said = said};
	return f;
}
