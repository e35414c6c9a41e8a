/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "mailauth/dmarc.h"

/* -- records (RFC 9989 section 4.7) -- */

struct record_row {
	const char *text, *wrong;
	enum dmarc_policy p, sp, np;
};

#define N DMARC_NONE
#define Q DMARC_QUARANTINE
#define R DMARC_REJECT

static void
records(void **state)
{
	static const char other[] = "no DMARC record";
	static const struct record_row rows[] = {
	    {"v=DMARC1; p=none", NULL, N, N, N},
	    {"v=DMARC1;p=reject", NULL, R, R, R},
	    {"v=DMARC1;p=reject;", NULL, R, R, R},
	    {"  v = DMARC1 ;\tp = quarantine ; ", NULL, Q, Q, Q},
	    {"v=DMARC1; p=reject; sp=none", NULL, R, N, N},
	    {"v=DMARC1; p=none; np=reject", NULL, N, N, R},
	    {"v=DMARC1; p=reject; sp=quarantine; np=none", NULL, R, Q, N},
	    {"v=DMARC1; sp=none; adkim=s; p=reject", NULL, R, N, N},
	    {"V=DMARC1; P=Reject; SP=NONE", NULL, R, N, N},
	    /* the version is to the letter, and first */
	    {"", other, N, N, N},
	    {"v=dmarc1; p=reject", other, N, N, N},
	    {"v=DMARC1x; p=reject", other, N, N, N},
	    {"v=DMARC1 p=reject", other, N, N, N},
	    {"v=DMARC2; p=reject", other, N, N, N},
	    {"v=; p=reject", other, N, N, N},
	    {"p=reject; v=DMARC1", other, N, N, N},
	    {"; v=DMARC1; p=reject", other, N, N, N},
	    {"v=spf1 -all", other, N, N, N},
	    {"vDMARC1; p=reject", other, N, N, N},
	    /* unknown, historic and broken tags are passed over */
	    {"v=DMARC1; p=reject; pct=0; ri=60; rf=afrf; x=y", NULL, R, R, R},
	    {"v=DMARC1; nonsense; =; p=reject; ;; a", NULL, R, R, R},
	    {"v=DMARC1; p=reject; p=none", NULL, R, R, R},
	    {"v=DMARC1; p=reject; v=DMARC1", NULL, R, R, R},
	    {"v=DMARC1; p=reject; fo=9:z; ruf=nobody", NULL, R, R, R},
	    /* without a good policy: none, where somebody wants reports */
	    {"v=DMARC1", "no policy", N, N, N},
	    {"v=DMARC1; adkim=s", "no policy", N, N, N},
	    {"v=DMARC1; sp=reject", "no policy", N, N, N},
	    {"v=DMARC1; rua=mailto:a@b.test", NULL, N, N, N},
	    {"v=DMARC1; sp=reject; rua=mailto:a@b.test", NULL, N, R, R},
	    {"v=DMARC1; p=block; rua=mailto:a@b.test!10m", NULL, N, N, N},
	    {"v=DMARC1; p=reject; sp=x; rua=https://a.test/", NULL, N, N, N},
	    {"v=DMARC1; p=reject; np=; rua=x, mailto:", NULL, N, N, N},
	    {"v=DMARC1; p=", "no valid policy", N, N, N},
	    {"v=DMARC1; p=reject; sp=x", "no valid policy", N, N, N},
	    {"v=DMARC1; p=reject; np=x; rua=", "no valid policy", N, N, N},
	    {"v=DMARC1; p=x; rua=a@b.test", "no valid policy", N, N, N},
	    {"v=DMARC1; p=x; rua=<mailto:a@b>", "no valid policy", N, N, N},
	    {"v=DMARC1; p=x; rua=mailto:a b@c", "no valid policy", N, N, N},
	    {"v=DMARC1; p=x; rua=mailto:%zz@c", "no valid policy", N, N, N},
	    {"v=DMARC1; p=x; rua=1a:b", "no valid policy", N, N, N},
	    {"v=DMARC1; p=x; rua=mailto:a@b\xff", "no valid policy", N, N, N},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct record_row *row = &rows[i];
		struct dmarc_record r;
		bool is_dmarc;
		const char *wrong =
		    dmarc_record_parse(row->text, &r, &is_dmarc);

		if ((wrong == NULL) != (row->wrong == NULL) ||
		    (wrong != NULL && strcmp(wrong, row->wrong) != 0) ||
		    r.policy != row->p || r.subdomains != row->sp ||
		    r.missing != row->np)
			fail_msg("%s: %s, p=%s sp=%s np=%s", row->text,
			    wrong == NULL ? "good" : wrong,
			    dmarc_policy_name(r.policy),
			    dmarc_policy_name(r.subdomains),
			    dmarc_policy_name(r.missing));
		assert_int_equal(is_dmarc,
		    row->wrong == NULL || strcmp(row->wrong, other) != 0);
		dmarc_record_free(&r);
	}
}

static void
other_tags(void **state)
{
	struct dmarc_record r;
	bool is_dmarc;

	(void)state;
	assert_null(dmarc_record_parse("v=DMARC1; p=none", &r, &is_dmarc));
	assert_int_equal(r.psd, 'u');
	assert_false(r.strict_dkim || r.strict_spf || r.testing);
	assert_null(r.rua);
	assert_null(dmarc_record_parse(
	    "v=DMARC1; p=none; psd=Y; adkim=S; aspf=s; t=y; "
	    "rua= mailto:A@B.test!5m , https://c.test/%20 ; psd=n",
	    &r, &is_dmarc));
	assert_int_equal(r.psd, 'y');
	assert_true(r.strict_dkim && r.strict_spf && r.testing);
	assert_string_equal(r.rua, "mailto:A@B.test!5m , https://c.test/%20");
	dmarc_record_free(&r);
	/* a bad value is the default */
	assert_null(dmarc_record_parse(
	    "v=DMARC1; p=none; psd=x; adkim=strict; aspf=; t=yes", &r,
	    &is_dmarc));
	assert_int_equal(r.psd, 'u');
	assert_false(r.strict_dkim || r.strict_spf || r.testing);
}

/* -- a DNS of a few lines -- */

#define TROUBLE "trouble" /* instead of an answer */
#define EXISTS  "exists"  /* the name, without a TXT record */

struct zone {
	const char *name, *text;
};

struct fake {
	const struct zone *zone; /* ends without a name */
	char asked[1024];        /* each name and a blank */
	size_t heard;            /* of it when the check was done */
};

static enum dns_status
fake_txt(void *context, const char *name, char ***texts, size_t *n)
{
	struct fake *fake = context;
	static const char *found[8];

	assert_true(
	    strlen(fake->asked) + strlen(name) + 2 < sizeof(fake->asked));
	strcat(strcat(fake->asked, name), " ");
	*n = 0;
	for (const struct zone *z = fake->zone; z->name != NULL; z++) {
		if (strcmp(z->name, name) != 0)
			continue;
		if (strcmp(z->text, TROUBLE) == 0)
			return DNS_TEMPORARY;
		assert_true(*n < 8);
		found[(*n)++] = z->text;
	}
	if (*n == 0)
		return DNS_NO_NAME;
	*texts = malloc(*n * sizeof(**texts));
	for (size_t i = 0; i < *n; i++)
		(*texts)[i] = (char *)(uintptr_t)found[i];
	return DNS_FOUND;
}

static enum dns_status
fake_alias(void *context, const char *name, char target[DNS_NAME_MAX + 1])
{
	struct fake *fake = context;

	(void)target;
	for (const struct zone *z = fake->zone; z->name != NULL; z++)
		if (strcmp(z->name, name) == 0)
			return strcmp(z->text, TROUBLE) == 0 ? DNS_BROKEN
							     : DNS_NO_DATA;
	return DNS_NO_NAME;
}

static struct dmarc_result result;
static struct fake fake;

static void
check(const struct zone *zone, const struct dmarc_query *query)
{
	struct resolver resolver = {
	    .txt = fake_txt, .alias = fake_alias, .context = &fake};
	struct mailauth m = {.resolver = &resolver};

	fake = (struct fake){.zone = zone};
	dmarc_result_free(&result);
	dmarc_check(&m, query, &result);
	fake.heard = strlen(fake.asked);
	dmarc_find_organization(&m, &result);
	fake.asked[fake.heard] = '\0';
}

/* identities: NULL, or "domain" that passed. */
static void
check_passed(const struct zone *zone, const char *from, const char *spf,
    const char *dkim)
{
	struct dmarc_query query = {.from = from,
	    .spf = {spf == NULL ? "" : spf,
		spf == NULL ? AUTH_NONE : AUTH_PASS},
	    .dkim = {{dkim, AUTH_PASS}},
	    .ndkim = dkim == NULL ? 0 : 1};

	check(zone, &query);
}

static void
expect(enum auth_result expected, const char *policy_domain,
    const char *organization, enum dmarc_policy disposition)
{
	if (result.result != expected ||
	    strcmp(result.policy_domain, policy_domain) != 0 ||
	    strcmp(result.organization, organization) != 0 ||
	    result.disposition != disposition)
		fail_msg("%s: %s at \"%s\" organization \"%s\" %s (%s); "
			 "asked %s",
		    result.domain, auth_result_name(result.result),
		    result.policy_domain, result.organization,
		    dmarc_policy_name(result.disposition), result.reason,
		    fake.asked);
}

/* -- the walk (section 4.10) -- */

static void
at_most_eight_questions(void **state)
{
	static const struct zone empty[] = {{NULL, NULL}};

	(void)state;
	check_passed(empty, "a.b.c.d.e.f.g.h.i.j.mail.example.com", NULL, NULL);
	expect(
	    AUTH_NONE, "", "a.b.c.d.e.f.g.h.i.j.mail.example.com", DMARC_NONE);
	assert_string_equal(fake.asked,
	    "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com "
	    "_dmarc.g.h.i.j.mail.example.com _dmarc.h.i.j.mail.example.com "
	    "_dmarc.i.j.mail.example.com _dmarc.j.mail.example.com "
	    "_dmarc.mail.example.com _dmarc.example.com _dmarc.com ");
	check_passed(empty, "a.b.c.d.e.f.example.com", NULL, NULL);
	assert_string_equal(fake.asked,
	    "_dmarc.a.b.c.d.e.f.example.com _dmarc.b.c.d.e.f.example.com "
	    "_dmarc.c.d.e.f.example.com _dmarc.d.e.f.example.com "
	    "_dmarc.e.f.example.com _dmarc.f.example.com _dmarc.example.com "
	    "_dmarc.com ");
	check_passed(empty, "x.a.b.c.d.e.f.example.com", NULL, NULL);
	assert_memory_equal(fake.asked,
	    "_dmarc.x.a.b.c.d.e.f.example.com _dmarc.b.c.d.e.f.example.com ",
	    62);
}

static void
examples(void **state)
{
	static const struct zone simple[] = {
	    {"_dmarc.example.com", "v=DMARC1; p=reject"},
	    {"_dmarc.signing.example.com", "v=DMARC1; p=reject"}, {NULL, NULL}};
	static const struct zone bank[] = {
	    {"_dmarc.bank.example", "v=DMARC1; p=reject; psd=y"},
	    {"_dmarc.giant.bank.example", "v=DMARC1; p=quarantine"},
	    {NULL, NULL}};

	(void)state;
	/* B.4.1 */
	check_passed(
	    simple, "example.com", "example.com", "signing.example.com");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
	assert_true(result.spf_aligned && result.dkim_aligned);
	assert_string_equal(fake.asked,
	    "_dmarc.example.com _dmarc.com _dmarc.signing.example.com ");
	/* B.4.2 */
	check_passed(simple, "a.b.c.d.e.f.g.h.i.j.k.example.com", "example.com",
	    "signing.example.com");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
	assert_true(result.spf_aligned && result.dkim_aligned);
	/* B.4.3 */
	check_passed(bank, "giant.bank.example", "mail.giant.bank.example",
	    "mail.mega.bank.example");
	expect(AUTH_PASS, "giant.bank.example", "giant.bank.example",
	    DMARC_QUARANTINE);
	assert_true(result.spf_aligned && !result.dkim_aligned);
	assert_null(strstr(fake.asked, "_dmarc.example "));
}

static void
no_walk_where_nothing_depends_on_it(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.mail.example.com", "v=DMARC1; p=reject"}, {NULL, NULL}};

	(void)state;
	check_passed(
	    zone, "mail.example.com", "mail.example.com", "mail.example.com");
	expect(AUTH_PASS, "mail.example.com", "mail.example.com",
	    DMARC_REJECT);
	assert_string_equal(fake.asked, "_dmarc.mail.example.com ");
	check_passed(zone, "mail.example.com", NULL, NULL);
	expect(AUTH_FAIL, "mail.example.com", "mail.example.com",
	    DMARC_REJECT);
	assert_string_equal(fake.asked, "_dmarc.mail.example.com ");
	check_passed(zone, "mail.example.com", "example.com", NULL);
	expect(AUTH_FAIL, "mail.example.com", "mail.example.com",
	    DMARC_REJECT);
	assert_string_equal(fake.asked,
	    "_dmarc.mail.example.com _dmarc.example.com _dmarc.com ");
}

static void
where_the_record_is(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine"},
	    {"_dmarc.b.example.com", "v=DMARC1; p=none"},
	    {"_dmarc.two.example.com", "v=DMARC1; p=none"},
	    {"_dmarc.two.example.com", "v=DMARC1; p=none"},
	    {"_dmarc.own.example.com", "v=DMARC1; p=reject; psd=n"},
	    {"_dmarc.odd.example.com", "other text"},
	    {"_dmarc.bare.example.com", "v=DMARC1; adkim=s"},
	    {"_dmarc.bank.example", "v=DMARC1; p=reject; sp=none; psd=y"},
	    {NULL, NULL}};

	(void)state;
	check_passed(zone, "b.example.com", NULL, NULL);
	expect(AUTH_FAIL, "b.example.com", "example.com", DMARC_NONE);
	/* not an intermediate one */
	check_passed(zone, "a.b.example.com", NULL, "example.com");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_QUARANTINE);
	/* several are none, and those above count */
	check_passed(zone, "two.example.com", NULL, NULL);
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_QUARANTINE);
	check_passed(zone, "odd.example.com", NULL, NULL);
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_QUARANTINE);
	/* psd=n ends it, from below and from above */
	check_passed(zone, "a.own.example.com", NULL, "example.com");
	expect(AUTH_FAIL, "own.example.com", "own.example.com", DMARC_REJECT);
	check_passed(zone, "example.com", NULL, "own.example.com");
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_REJECT);
	/* a record without a policy is the end as well */
	check_passed(zone, "bare.example.com", NULL, "bare.example.com");
	expect(AUTH_NONE, "bare.example.com", "example.com", DMARC_NONE);
	/* of a public suffix, for who has none */
	check_passed(
	    zone, "mail.giant.bank.example", NULL, "giant.bank.example");
	expect(AUTH_PASS, "bank.example", "giant.bank.example", DMARC_NONE);
	check_passed(
	    zone, "giant.bank.example", "bank.example", "mega.bank.example");
	expect(AUTH_FAIL, "bank.example", "giant.bank.example", DMARC_NONE);
	/* a public suffix that sends mail itself */
	check_passed(zone, "bank.example", NULL, "mail.bank.example");
	expect(AUTH_FAIL, "bank.example", "bank.example", DMARC_REJECT);
	/* nothing above: no public suffix list says otherwise */
	check_passed((const struct zone[]){{"_dmarc.mail.example.org",
					       "v=DMARC1; p=reject"},
			 {NULL, NULL}},
	    "mail.example.org", "bounce.example.org", "example.org");
	expect(AUTH_FAIL, "mail.example.org", "mail.example.org", DMARC_REJECT);
}

/* One label below the suffix, although the walk skipped that place. */
static void
below_a_suffix_that_is_far_up(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.c.d.e.f.g.h.i", "v=DMARC1; p=reject; psd=y"},
	    {NULL, NULL}};

	(void)state;
	check_passed(zone, "x.a.b.c.d.e.f.g.h.i", NULL, NULL);
	expect(AUTH_FAIL, "c.d.e.f.g.h.i", "b.c.d.e.f.g.h.i", DMARC_REJECT);
}

static void
strict_alignment(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.example.com", "v=DMARC1; p=reject; adkim=s"},
	    {"_dmarc.example.org", "v=DMARC1; p=reject; aspf=s"}, {NULL, NULL}};

	(void)state;
	check_passed(zone, "example.com", NULL, "a.example.com");
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_REJECT);
	check_passed(zone, "example.com", "a.example.com", NULL);
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
	check_passed(zone, "a.example.com", NULL, "a.example.com");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
	check_passed(zone, "example.org", "a.example.org", "example.com");
	expect(AUTH_FAIL, "example.org", "example.org", DMARC_REJECT);
	check_passed(zone, "example.org", NULL, "a.example.org");
	expect(AUTH_PASS, "example.org", "example.org", DMARC_REJECT);
	/* only whole labels make a sub-domain */
	check_passed(zone, "example.org", NULL, "badexample.org");
	expect(AUTH_FAIL, "example.org", "example.org", DMARC_REJECT);
}

static void
domains_that_do_not_exist(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.example.com",
		"v=DMARC1; p=reject; sp=none; np=quarantine"},
	    {"there.example.com", EXISTS}, {"silent.example.com", TROUBLE},
	    {NULL, NULL}};

	(void)state;
	check_passed(zone, "example.com", NULL, NULL);
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_REJECT);
	check_passed(zone, "there.example.com", NULL, NULL);
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_NONE);
	check_passed(zone, "not.example.com", NULL, NULL);
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_QUARANTINE);
	/* who knows; and it makes no difference to what passes */
	check_passed(zone, "silent.example.com", NULL, NULL);
	expect(AUTH_TEMPERROR, "example.com", "example.com", DMARC_QUARANTINE);
	check_passed(zone, "silent.example.com", NULL, "example.com");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_QUARANTINE);
}

static void
testing_is_one_step_less(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.r.test", "v=DMARC1; p=reject; t=y"},
	    {"_dmarc.q.test", "v=DMARC1; p=quarantine; t=Y"},
	    {"_dmarc.n.test", "v=DMARC1; p=none; sp=reject; t=y"},
	    {NULL, NULL}};

	(void)state;
	check_passed(zone, "r.test", NULL, NULL);
	expect(AUTH_FAIL, "r.test", "r.test", DMARC_QUARANTINE);
	assert_int_equal(result.policy, DMARC_REJECT);
	check_passed(zone, "q.test", NULL, NULL);
	expect(AUTH_FAIL, "q.test", "q.test", DMARC_NONE);
	check_passed(zone, "n.test", NULL, NULL);
	expect(AUTH_FAIL, "n.test", "n.test", DMARC_NONE);
	check_passed(zone, "a.n.test", NULL, NULL);
	expect(AUTH_FAIL, "n.test", "n.test", DMARC_QUARANTINE);
}

static void
dns_trouble(void **state)
{
	static const struct zone zone[] = {{"_dmarc.dead.test", TROUBLE},
	    {"_dmarc.example.com", "v=DMARC1; p=reject"},
	    {"_dmarc.slow.example.com", TROUBLE}, {"_dmarc.com", "nothing"},
	    {"_dmarc.own.org", "v=DMARC1; p=quarantine"},
	    {"_dmarc.strict.org", "v=DMARC1; p=reject; adkim=s; aspf=s"},
	    {"_dmarc.org", TROUBLE}, {NULL, NULL}};

	(void)state;
	check_passed(zone, "dead.test", "dead.test", "dead.test");
	expect(AUTH_TEMPERROR, "", "", DMARC_NONE);
	assert_true(result.spf_aligned && result.dkim_aligned);
	check_passed(zone, "a.dead.test", NULL, NULL);
	expect(AUTH_TEMPERROR, "", "", DMARC_NONE);
	assert_false(result.spf_aligned || result.dkim_aligned);
	/* one that is not the very domain depends on the policy */
	check_passed(zone, "a.dead.test", "b.dead.test", "dead.test");
	expect(AUTH_TEMPERROR, "", "", DMARC_NONE);
	assert_false(result.spf_aligned || result.dkim_aligned);
	/* above the author's own record it matters to relaxed alignment */
	check_passed(zone, "own.org", NULL, "own.org");
	expect(AUTH_PASS, "own.org", "", DMARC_QUARANTINE);
	check_passed(zone, "own.org", NULL, "mail.own.org");
	expect(AUTH_TEMPERROR, "own.org", "", DMARC_QUARANTINE);
	check_passed(zone, "own.org", NULL, "example.com");
	expect(AUTH_FAIL, "own.org", "", DMARC_QUARANTINE);
	check_passed(zone, "strict.org", "a.strict.org", "a.strict.org");
	expect(AUTH_FAIL, "strict.org", "", DMARC_REJECT);
	/* an identity's walk */
	check_passed(zone, "example.com", NULL, "slow.example.com");
	expect(AUTH_TEMPERROR, "example.com", "example.com", DMARC_REJECT);
	check_passed(
	    zone, "example.com", "mail.example.com", "slow.example.com");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
}

/* What SPF and DKIM could not find out, where it would have been enough. */
static void
trouble_below(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.example.com", "v=DMARC1; p=reject"}, {NULL, NULL}};
	struct dmarc_query query = {.from = "example.com",
	    .spf = {"mail.example.com", AUTH_TEMPERROR},
	    .dkim = {{"example.net", AUTH_TEMPERROR},
		{"example.com", AUTH_FAIL}},
	    .ndkim = 2};

	(void)state;
	check(zone, &query);
	expect(AUTH_TEMPERROR, "example.com", "example.com", DMARC_REJECT);
	query.spf.domain = "example.org";
	check(zone, &query);
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_REJECT);
	query.dkim[0].domain = "example.com";
	check(zone, &query);
	expect(AUTH_TEMPERROR, "example.com", "example.com", DMARC_REJECT);
	query.dkim[1].result = AUTH_PASS;
	check(zone, &query);
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
	assert_true(result.dkim_aligned && !result.spf_aligned);
}

static void
names(void **state)
{
	static const struct zone zone[] = {
	    {"_dmarc.example.com", "v=DMARC1; p=reject"},
	    {"_dmarc.xn--bcher-kva.example", "v=DMARC1; p=reject"},
	    {NULL, NULL}};
	static const char *const none[] = {"", ".", "..", "a..example.com",
	    "[192.0.2.1]", "a b.example.com", "example.com/", "\xff.example",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    ".example.com"};
	char longest[254];

	(void)state;
	check_passed(zone, "Example.COM.", NULL, "EXAMPLE.com.");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
#ifdef HAVE_IDN2
	check_passed(zone,
	    "b\xc3\xbc"
	    "cher.example",
	    NULL, "xn--BCHER-kva.example");
	expect(AUTH_PASS, "xn--bcher-kva.example", "xn--bcher-kva.example",
	    DMARC_REJECT);
#endif
	check_passed(zone, "example.com", "", "..");
	expect(AUTH_FAIL, "example.com", "example.com", DMARC_REJECT);
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		check_passed(zone, none[i], NULL, "example.com");
		expect(AUTH_PERMERROR, "", "", DMARC_NONE);
		assert_string_equal(fake.asked, "");
	}
	/* no room for "_dmarc." before it */
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 50; i < 240; i += 50)
		longest[i] = '.';
	memcpy(longest + 253 - 12, ".example.com", 13);
	check_passed(zone, longest, NULL, "example.com");
	expect(AUTH_PASS, "example.com", "example.com", DMARC_REJECT);
	assert_memory_equal(fake.asked, "_dmarc.", 7);
	assert_null(strstr(fake.asked, longest));
}

static int
free_result(void **state)
{
	(void)state;
	dmarc_result_free(&result);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records),
	    cmocka_unit_test(other_tags),
	    cmocka_unit_test(at_most_eight_questions),
	    cmocka_unit_test(examples),
	    cmocka_unit_test(no_walk_where_nothing_depends_on_it),
	    cmocka_unit_test(where_the_record_is),
	    cmocka_unit_test(below_a_suffix_that_is_far_up),
	    cmocka_unit_test(strict_alignment),
	    cmocka_unit_test(domains_that_do_not_exist),
	    cmocka_unit_test(testing_is_one_step_less),
	    cmocka_unit_test(dns_trouble),
	    cmocka_unit_test(trouble_below),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, free_result);
}
