/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mailauth/spf_check.h"

/* The domain whose record is looked at, for %{p}. */
struct asking {
	struct spf_check *check;
	const char *domain;
	bool counts;
	bool unsure; /* the DNS does not tell the client's names */
};

/* In place, so that a terminal or a log takes no harm. */
static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void
spf_reason(struct spf_check *c, const char *format, ...)
{
	char *reason = c->result->reason;
	va_list arguments;

	if (reason[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(c->result->reason), format, arguments);
	va_end(arguments);
	clean(reason);
}

/*
 * Section 4.6.4: asking for the client's names counts as a term.  In an
 * explanation nothing is decided any more, so that it does not.
 */
static const char *
best_name(void *context)
{
	struct asking *a = context;
	const char *name;

	if (a->counts && !a->check->named && !spf_count_term(a->check))
		return "unknown";
	name = spf_best_name(a->check, a->domain);
	a->unsure = a->check->nnames == 0 && a->check->name_trouble;
	return name;
}

static struct spf_macros
macros_of(struct spf_check *c, struct asking *a)
{
	struct spf_macros m = c->macros;

	m.domain = a->domain;
	m.name = best_name;
	m.context = a;
	return m;
}

enum spf_match
spf_target(struct spf_check *c, const char *domain, struct span spec, char *out)
{
	struct asking a = {c, domain, true, false};
	struct spf_macros m = macros_of(c, &a);
	bool is_name;

	if (!spf_count_term(c))
		return SPF_MATCH_PERMERROR;
	c->broad |= spf_names_client(spec);
	if (spec.len == 0) {
		snprintf(out, DNS_NAME_MAX + 1, "%s", domain);
		return SPF_MATCH;
	}
	is_name = spf_expand_target(&m, spec, out);
	if (c->terms > SPF_TERMS_MAX)
		return SPF_MATCH_PERMERROR;
	if (a.unsure)
		return spf_names_unknown(c);
	return is_name ? SPF_MATCH : SPF_NO_MATCH;
}

/* Section 6.2: whatever goes wrong, there is just no explanation. */
static void
explain(struct spf_check *c, const char *domain, struct span spec)
{
	const struct resolver *r = c->mailauth->resolver;
	struct asking a = {c, domain, false, false};
	struct spf_macros m = macros_of(c, &a);
	char name[DNS_NAME_MAX + 1], **texts = NULL;
	size_t n = 0;

	if (spec.len == 0 || !spf_expand_target(&m, spec, name) ||
	    r->txt(r->context, name, &texts, &n) != DNS_FOUND)
		return;
	if (n == 1)
		(void)spf_expand_explanation(&m, texts[0],
		    c->result->explanation, sizeof(c->result->explanation));
	free(texts);
}

/* Section 6.1 */
static enum auth_result
redirect(
    struct spf_check *c, const char *domain, struct span spec, bool included)
{
	char name[DNS_NAME_MAX + 1];
	enum auth_result result;

	switch (spf_target(c, domain, spec, name)) {
	case SPF_MATCH:
		break;
	case SPF_MATCH_TEMPERROR:
		return AUTH_TEMPERROR;
	default:
		spf_reason(c, "%s: redirect leads to no domain", domain);
		return AUTH_PERMERROR;
	}
	mailauth_step(c->mailauth, "spf: %s: redirect to %s", domain, name);
	result = spf_check_domain(c, name, included);
	if (result != AUTH_NONE)
		return result;
	spf_reason(c, "%s has no SPF record", name);
	return AUTH_PERMERROR;
}

static void
tell_match(struct spf_check *c, const char *domain, const struct spf_term *t,
    enum spf_match match)
{
	static const char *const words[] = {[SPF_MATCH] = "matches",
	    [SPF_NO_MATCH] = "does not match",
	    [SPF_MATCH_TEMPERROR] = "cannot be told now",
	    [SPF_MATCH_PERMERROR] = "is an error"};

	mailauth_step(c->mailauth, "spf: %s: %.*s %s", domain, (int)t->text.len,
	    t->text.data, words[match]);
}

/* Sections 4.6 and 4.7 */
static enum auth_result
evaluate(struct spf_check *c, const char *domain,
    const struct spf_record *record, bool included)
{
	const char *at = record->terms;
	const bool broad = c->broad;
	struct spf_term t;

	while (spf_record_next(&at, &t)) {
		enum spf_match match;

		if (t.kind >= SPF_REDIRECT)
			continue;
		c->broad = broad || spf_is_broad(c, &t);
		match = spf_match(c, domain, &t);
		tell_match(c, domain, &t, match);
		if (match == SPF_NO_MATCH)
			continue;
		if (match != SPF_MATCH)
			return match == SPF_MATCH_TEMPERROR ? AUTH_TEMPERROR
							    : AUTH_PERMERROR;
		if (included)
			return t.qualifier;
		snprintf(c->result->mechanism, sizeof(c->result->mechanism),
		    "%.*s", (int)t.text.len, t.text.data);
		if (t.qualifier == AUTH_FAIL)
			explain(c, domain, record->exp);
		return t.qualifier;
	}
	c->broad = broad;
	return record->redirect.len > 0 && !record->has_all
	    ? redirect(c, domain, record->redirect, included)
	    : AUTH_NEUTRAL;
}

/* Section 4.5: the only one; *many when there are others. */
static const char *
select_record(char *const *texts, size_t n, bool *many)
{
	const char *record = NULL;

	*many = false;
	for (size_t i = 0; i < n; i++) {
		if (!spf_is_record(texts[i]))
			continue;
		*many = record != NULL;
		if (*many)
			return NULL;
		record = texts[i];
	}
	return record;
}

static enum auth_result
check_texts(struct spf_check *c, const char *domain, char *const *texts,
    size_t n, bool included)
{
	struct spf_record record;
	struct span culprit;
	const char *error, *text;
	bool many;

	text = select_record(texts, n, &many);
	if (many) {
		spf_reason(c, "%s has several SPF records", domain);
		return AUTH_PERMERROR;
	}
	if (text == NULL)
		return AUTH_NONE;
	mailauth_step(c->mailauth, "spf: %s: %s", domain, text);
	error = spf_record_parse(text, &record, &culprit);
	if (error == NULL)
		return evaluate(c, domain, &record, included);
	spf_reason(c, "%s: %.*s: %s", domain,
	    culprit.len > 60 ? 60 : (int)culprit.len, culprit.data, error);
	return AUTH_PERMERROR;
}

enum auth_result
spf_check_domain(struct spf_check *c, const char *domain, bool included)
{
	const struct resolver *r = c->mailauth->resolver;
	enum auth_result result;
	char **texts = NULL;
	size_t n = 0;
	enum dns_status status = r->txt(r->context, domain, &texts, &n);

	if (dns_is_trouble(status)) {
		spf_reason(c, "%s: %s", domain, dns_status_text(status));
		return AUTH_TEMPERROR;
	}
	result = check_texts(c, domain, texts, n, included);
	free(texts);
	return result;
}
