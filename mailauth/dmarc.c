/* SPDX-License-Identifier: ISC */
#include "mailauth/dmarc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mailauth/dmarc_walk.h"

struct check {
	const struct mailauth *mailauth;
	const struct dmarc_query *query;
	struct dmarc_result *result;
	struct dmarc_walker walker;
	struct dmarc_walk author; /* the walk from the domain in From */
	bool walked;
};

static void conclude(struct dmarc_result *r, enum auth_result result,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
conclude(
    struct dmarc_result *r, enum auth_result result, const char *format, ...)
{
	va_list arguments;

	r->result = result;
	va_start(arguments, format);
	vsnprintf(r->reason, sizeof(r->reason), format, arguments);
	va_end(arguments);
}

/*
 * The walk up to the organization takes a question or more that most messages
 * can do without: it is made once something depends on it.
 */
static const struct dmarc_walk *
author(struct check *c)
{
	struct dmarc_result *r = c->result;

	if (c->walked)
		return &c->author;
	c->walked = true;
	dmarc_walk_from(&c->walker, r->domain, &c->author);
	if (!c->author.trouble)
		snprintf(r->organization, sizeof(r->organization), "%s",
		    dmarc_walk_organization(&c->author));
	return &c->author;
}

/* -- the policy -- */

static enum dmarc_policy
stricter(enum dmarc_policy a, enum dmarc_policy b)
{
	return a > b ? a : b;
}

/*
 * sp or np (section 4.7).  A domain does not exist when its own name is not
 * in the DNS (section 3.2.13); an alias that leads nowhere is there.
 */
static enum dmarc_policy
below_the_record(struct check *c, bool *trouble)
{
	const struct resolver *resolver = c->mailauth->resolver;
	const struct dmarc_record *record = &c->result->record;
	char target[DNS_NAME_MAX + 1];
	enum dns_status status;

	if (record->subdomains == record->missing)
		return record->subdomains;
	status = resolver->alias(resolver->context, c->result->domain, target);
	mailauth_step(c->mailauth, "dmarc: does %s exist? %s",
	    c->result->domain,
	    status == DNS_FOUND ? "yes, an alias" : dns_status_text(status));
	*trouble = dns_is_trouble(status);
	if (*trouble)
		return stricter(record->subdomains, record->missing);
	return status == DNS_NO_NAME ? record->missing : record->subdomains;
}

static void
settle_policy(struct check *c, bool *trouble)
{
	struct dmarc_result *r = c->result;

	r->policy = strcmp(r->policy_domain, r->domain) == 0
	    ? r->record.policy
	    : below_the_record(c, trouble);
	r->disposition = r->policy;
	if (r->record.testing && r->policy != DMARC_NONE)
		r->disposition = r->policy - 1;
}

/* Copies the record that was found; false: there is none to apply. */
static bool
find_policy(struct check *c)
{
	struct dmarc_result *r = c->result;
	const struct dmarc_place *place = dmarc_place_at(&c->walker, r->domain);

	if (place == NULL || !place->found)
		place = dmarc_walk_policy(author(c));
	if (place == NULL) {
		if (c->author.trouble)
			conclude(r, AUTH_TEMPERROR,
			    "the DNS does not tell the policy");
		else
			conclude(r, AUTH_NONE, "no policy is published");
		return false;
	}
	snprintf(
	    r->policy_domain, sizeof(r->policy_domain), "%s", place->domain);
	if (place->wrong != NULL) {
		conclude(r, AUTH_NONE, "%s in the record", place->wrong);
		return false;
	}
	r->record = place->record;
	r->record.rua = NULL;
	if (place->record.rua != NULL) {
		r->record.rua = strdup(place->record.rua);
		if (r->record.rua == NULL) {
			conclude(r, AUTH_TEMPERROR, "no memory");
			return false;
		}
	}
	return true;
}

/* -- alignment (section 4.10.2) -- */

enum alignment { NOT_ALIGNED, ALIGNED, UNKNOWN };

/*
 * The domain's organization is the domain or above it: it takes a walk only
 * where it could be the author's.
 */
static enum alignment
relaxed(struct check *c, const char *domain)
{
	const struct dmarc_result *r = c->result;
	const char *top = strrchr(r->domain, '.');
	struct dmarc_walk walk;

	if (author(c)->trouble)
		return dmarc_is_within(
			   domain, top == NULL ? r->domain : top + 1)
		    ? UNKNOWN
		    : NOT_ALIGNED;
	if (!dmarc_is_within(domain, r->organization))
		return NOT_ALIGNED;
	dmarc_walk_from(&c->walker, domain, &walk);
	if (walk.trouble)
		return UNKNOWN;
	return strcmp(dmarc_walk_organization(&walk), r->organization) == 0
	    ? ALIGNED
	    : NOT_ALIGNED;
}

static enum alignment
align(struct check *c, const char *identity, bool strict)
{
	static const char *const words[] = {
	    "is not aligned", "is aligned", "may be aligned"};
	char domain[DNS_NAME_MAX + 1];
	enum alignment alignment = NOT_ALIGNED;

	if (identity == NULL || !dmarc_normalise(identity, domain))
		return NOT_ALIGNED;
	if (strcmp(domain, c->result->domain) == 0)
		alignment = ALIGNED;
	else if (!strict)
		alignment = relaxed(c, domain);
	mailauth_step(c->mailauth, "dmarc: %s %s with %s (%s)", domain,
	    words[alignment], c->result->domain, strict ? "strict" : "relaxed");
	return alignment;
}

/*
 * Does one that has this result align?  *unsure: one does where the DNS did
 * not tell.
 */
static bool
any_aligned(struct check *c, const struct dmarc_identity *identities, size_t n,
    bool strict, enum auth_result result, bool *unsure)
{
	for (size_t i = 0; i < n && i < DMARC_IDENTITIES_MAX; i++) {
		enum alignment alignment;

		if (identities[i].result != result)
			continue;
		alignment = align(c, identities[i].domain, strict);
		if (alignment == ALIGNED)
			return true;
		if (alignment == UNKNOWN)
			*unsure = true;
	}
	return false;
}

/* Would it pass, had the DNS told about SPF and DKIM? */
static bool
could_pass(struct check *c)
{
	const struct dmarc_query *q = c->query;
	const struct dmarc_record *record = &c->result->record;
	bool unsure = false;

	return any_aligned(c, &q->spf, 1, record->strict_spf, AUTH_TEMPERROR,
		   &unsure) ||
	    any_aligned(c, q->dkim, q->ndkim, record->strict_dkim,
		AUTH_TEMPERROR, &unsure) ||
	    unsure;
}

static void
judge(struct check *c, bool policy_unknown)
{
	const struct dmarc_query *q = c->query;
	struct dmarc_result *r = c->result;
	bool unsure = false;

	r->spf_aligned = any_aligned(
	    c, &q->spf, 1, r->record.strict_spf, AUTH_PASS, &unsure);
	r->dkim_aligned = any_aligned(
	    c, q->dkim, q->ndkim, r->record.strict_dkim, AUTH_PASS, &unsure);
	if (r->spf_aligned || r->dkim_aligned)
		conclude(r, AUTH_PASS, "%s", "");
	else if (unsure)
		conclude(r, AUTH_TEMPERROR,
		    "the DNS does not tell the organizational domains");
	else if (could_pass(c))
		conclude(r, AUTH_TEMPERROR,
		    "the DNS does not tell about SPF or DKIM");
	else if (policy_unknown)
		conclude(r, AUTH_TEMPERROR,
		    "the DNS does not tell whether the domain exists");
	else
		conclude(r, AUTH_FAIL, "nothing that passed is aligned");
}

/* The very domain is aligned whatever the policy would say. */
static void
look_for_the_very_domain(struct check *c)
{
	const struct dmarc_query *q = c->query;
	struct dmarc_result *r = c->result;
	bool unsure = false;

	r->spf_aligned =
	    any_aligned(c, &q->spf, 1, true, AUTH_PASS, &unsure);
	r->dkim_aligned =
	    any_aligned(c, q->dkim, q->ndkim, true, AUTH_PASS, &unsure);
}

void
dmarc_check(const struct mailauth *m, const struct dmarc_query *query,
    struct dmarc_result *result)
{
	struct check c = {.mailauth = m,
	    .query = query,
	    .result = result,
	    .walker = {.mailauth = m}};
	bool trouble = false;

	*result = (struct dmarc_result){.record = {.psd = 'u'}};
	if (!dmarc_normalise(query->from, result->domain)) {
		result->domain[0] = '\0';
		conclude(result, AUTH_PERMERROR, "no domain name in From");
		return;
	}
	if (find_policy(&c)) {
		settle_policy(&c, &trouble);
		judge(&c, trouble);
	} else if (result->result == AUTH_TEMPERROR) {
		look_for_the_very_domain(&c);
	}
	dmarc_walker_free(&c.walker);
}

void
dmarc_find_organization(const struct mailauth *m, struct dmarc_result *result)
{
	struct check c = {
	    .mailauth = m, .result = result, .walker = {.mailauth = m}};

	if (result->domain[0] != '\0' && result->organization[0] == '\0')
		(void)author(&c);
	dmarc_walker_free(&c.walker);
}

void
dmarc_result_free(struct dmarc_result *result)
{
	dmarc_record_free(&result->record);
}
