/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "common/netaddr.h"
#include "mailauth/spf.h"
#include "mailauth/spf_macro.h"
#include "mailauth/spf_record.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct span
span(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* -- records -- */

static void
versions(void **state)
{
	static const char *const good[] = {
	    "v=spf1", "v=spf1 ", "v=spf1 -all", "V=SpF1 a", "v=spf1  "};
	static const char *const bad[] = {"", "v=spf", "v=spf10",
	    "v=spf1\t-all", " v=spf1", "v=spf2.0/pra -all", "spf1 -all",
	    "v=spf1-all"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(spf_is_record(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(spf_is_record(bad[i]));
}

static const char *
parse(const char *terms, struct spf_record *record)
{
	static char text[1024];
	struct span culprit;

	snprintf(text, sizeof(text), "v=spf1 %s", terms);
	return spf_record_parse(text, record, &culprit);
}

static void
good_records(void **state)
{
	static const char *const rows[] = {"", "  ", "all", "-all ", "+ALL",
	    "a", "A", "?a/0", "~a/32", "a//0", "a//128", "a/24//64",
	    "a:example.org", "a:example.org.", "a:example.org/24//64",
	    "a:foo:bar/baz.example.org", "a:_x.example.xn--zckzah",
	    "a:example.a-1", "a:%{d}", "a:%{d}/24", "a:x%%", "a:x%_", "a:x%-",
	    "a:%{l1r+-._=/,}", "mx", "mx:%{S}//3", "ptr", "ptr:example.org",
	    "ip4:0.0.0.0/0", "ip4:192.0.2.1/32", "ip6:::/0", "ip6:::1",
	    "ip6:2001:db8::192.0.2.1/128", "include:example.org",
	    "exists:%{ir}.%{v}.x.example.org", "redirect=example.org",
	    "exp=x.%{d}", "REDIRECT=example.org", "unknown=", "x-y_z.1=%{t}a%%",
	    "default=all", "accredit=%{c}%{r}", "a=", "all=x"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct spf_record record;
		const char *wrong = parse(rows[i], &record);

		if (wrong != NULL)
			fail_msg("%s: %s", rows[i], wrong);
	}
}

static void
bad_records(void **state)
{
	static const char *const rows[] = {"al", "all:", "all:x.org", "all/8",
	    "-", "+-all", "--all", "*all", "b", "a:", "a:/24", "a/", "a/33",
	    "a/024", "a/00", "a//129", "a/24/64", "a//64/24", "a///64", "a/x",
	    "a/1000", "a/99999999999999999999", "ax", "a:org", "a:org.", "a:.",
	    "a:example.1", "a:192.0.2.1", "a:example.-a", "a:example.a-",
	    "a:example.org:25", "a:example..", "a:%", "a:%x.org", "a:%(d).org",
	    "a:%{}.org", "a:%{d", "a:%{x}", "a:%{d0}", "a:%{drr}", "a:%{d+r}",
	    "a:%{d 2}", "a:%{c}", "a:%{r}.org", "a:%{t}.org", "a:%{d}org",
	    "a:ex\x01.org", "a:ex\x7f.org", "a:ex\xe9.org", "a\t-all",
	    "a:example.org/24x", "mx:", "ptr:", "ptr/24", "ptr:example.org/24",
	    "ip4", "ip4:", "ip4:192.0.2", "ip4:192.0.2.256", "ip4:192.0.02.1",
	    "ip4:192.0.2.1/33", "ip4:192.0.2.1//32", "ip4:192.0.2.1:25",
	    "ip4:::1", "ip4/24", "ip4:1.2.3.4/", "ip6", "ip6:", "ip6:::1/129",
	    "ip6:1.2.3.4", "ip6:::1//64", "ip6::1", "ip6:::g", "include",
	    "include:", "include/8", "include:example.org/24", "exists",
	    "exists:", "exists:example.org/24", "redirect", "redirect:a.org",
	    "redirect=", "redirect=org", "redirect=a.org/24", "exp=", "exp:a",
	    "exp=org", "redirect=a.org redirect=b.org", "exp=a.b exp=a.b", "=",
	    "=x", "1x=y", "-x=y", "_x=y", "x=%", "x=%{z}", "x=\x80", "x:y=z",
	    "x/y=z", "a%{d}=b", "all all:"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct spf_record record;

		if (parse(rows[i], &record) == NULL)
			fail_msg("%s is taken", rows[i]);
	}
}

static void
terms(void **state)
{
	struct spf_record record;
	struct spf_term t;
	const char *at;

	(void)state;
	assert_null(parse("-a:x.org/24//64 exp=e.org ~ip6:2001:db8::/32 "
			  "redirect=r.org y=z",
	    &record));
	assert_false(record.has_all);
	assert_memory_equal(record.redirect.data, "r.org", 5);
	assert_memory_equal(record.exp.data, "e.org", 5);
	at = record.terms;
	assert_true(spf_record_next(&at, &t));
	assert_int_equal(t.kind, SPF_A);
	assert_int_equal(t.qualifier, AUTH_FAIL);
	assert_int_equal(t.prefix4, 24);
	assert_int_equal(t.prefix6, 64);
	assert_int_equal(t.target.len, 5);
	assert_int_equal(t.text.len, 15);
	assert_true(spf_record_next(&at, &t));
	assert_int_equal(t.kind, SPF_EXP);
	assert_true(spf_record_next(&at, &t));
	assert_int_equal(t.kind, SPF_IP6);
	assert_int_equal(t.qualifier, AUTH_SOFTFAIL);
	assert_int_equal(t.prefix6, 32);
	assert_true(spf_record_next(&at, &t));
	assert_int_equal(t.kind, SPF_REDIRECT);
	assert_true(spf_record_next(&at, &t));
	assert_int_equal(t.kind, SPF_UNKNOWN_MODIFIER);
	assert_false(spf_record_next(&at, &t));
}

/* -- macros (section 7.4) -- */

static unsigned names_asked;

static const char *
a_name(void *context)
{
	names_asked++;
	return context;
}

static struct sockaddr_storage client;

static struct spf_macros
macros(const char *ip)
{
	assert_true(netaddr_parse(ip, 0, &client));
	return (struct spf_macros){.local = "strong-bad",
	    .sender_domain = "email.example.com",
	    .domain = "email.example.com",
	    .helo = "mx.example.org",
	    .receiver = "mx.example.net",
	    .client = &client,
	    .now = 1234567890,
	    .name = a_name,
	    .context = "mx.example.org"};
}

struct expansion {
	const char *spec, *expected;
};

static void
expand_all(const struct spf_macros *m, const struct expansion *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char out[DNS_NAME_MAX + 1];
		bool ok = spf_expand_target(m, span(rows[i].spec), out);

		if (ok != (rows[i].expected != NULL) ||
		    (ok && strcasecmp(out, rows[i].expected) != 0))
			fail_msg("%s: %s", rows[i].spec, out);
	}
}

static void
targets(void **state)
{
	static const struct expansion rows[] = {
	    {"%{s}", "strong-bad@email.example.com"},
	    {"%{o}", "email.example.com"},
	    {"%{d}", "email.example.com"},
	    {"%{d4}", "email.example.com"},
	    {"%{d3}", "email.example.com"},
	    {"%{d2}", "example.com"},
	    {"%{d1}", "com"},
	    {"%{dr}", "com.example.email"},
	    {"%{d2r}", "example.email"},
	    {"%{l}", "strong-bad"},
	    {"%{l-}", "strong.bad"},
	    {"%{lr}", "strong-bad"},
	    {"%{lr-}", "bad.strong"},
	    {"%{l1r-}", "strong"},
	    {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
	    {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
	    {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
		"bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
	    {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
		"3.2.0.192.in-addr.strong.lp._spf.example.com"},
	    {"%{d2}.trusted-domains.example.net",
		"example.com.trusted-domains.example.net"},
	    {"%{h}.%{p}", "mx.example.org.mx.example.org"},
	    {"%{p2}.x", "example.org.x"},
	    {"%{d99999999999999999}", "email.example.com"},
	    {"%{d128}", "email.example.com"},
	    {"a%%b.c", "a%b.c"},
	    {"a%_b%-c.d", "a b%20c.d"},
	    {"%{S}", "strong-bad%40email.example.com"},
	    {"%{d}.", "email.example.com"},
	    {"%{L-}.x.", "strong.bad.x"},
	    {"%{s@}", NULL},
	    {"%{dm}", NULL},
	    {"%{d+}", "email.example.com"},
	    {"%{s1+-_}", "bad@email.example.com"},
	    {"%{D1e}", NULL},
	    {"a..b", NULL},
	    {".a.b", NULL},
	    {"..", NULL},
	};
	static const struct expansion six[] = {
	    {"%{ir}.%{v}._spf.%{d2}",
		"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0."
		"2.ip6._spf.example.com"},
	    {"%{i3}.x", "B.0.1.x"}};
	struct spf_macros m = macros("192.0.2.3");

	(void)state;
	names_asked = 0;
	expand_all(&m, rows, COUNT(rows));
	assert_int_equal(names_asked, 2); /* only for %{p} */
	m = macros("2001:db8::cb01");
	expand_all(&m, six, COUNT(six));
}

static void
explanations(void **state)
{
	static const struct expansion rows[] = {{"", ""},
	    {"See http://x.test/why?s=%{S}&i=%{i}",
		"See http://x.test/why?s=strong-bad%40email.example.com&i="
		"192.0.2.3"},
	    {"%{c} at %{t} by %{r}%_!",
		"192.0.2.3 at 1234567890 by "
		"mx.example.net !"},
	    {"100%% %{d1r}", "100% email"}, {"%{d", NULL}, {"%", NULL},
	    {"tab\there", NULL}, {"caf\xc3\xa9", NULL}, {"\x7f", NULL}};
	struct spf_macros m = macros("192.0.2.3");
	char out[8], all[400];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *expected = rows[i].expected;

		assert_int_equal(
		    spf_expand_explanation(&m, rows[i].spec, all, sizeof(all)),
		    expected != NULL);
		assert_string_equal(all, expected == NULL ? "" : expected);
	}
	assert_true(
	    spf_expand_explanation(&m, "%{d} is long", out, sizeof(out)));
	assert_string_equal(out, "email.e");
	/* what is cut off is looked at as well */
	assert_false(
	    spf_expand_explanation(&m, "%{d} is wrong %{", out, sizeof(out)));
	assert_string_equal(out, "");
}

/* RFC 8616 section 4 */
static void
local_parts_beyond_ascii(void **state)
{
	static const struct expansion rows[] = {{"%{s}", NULL},
	    {"%{l}.x", NULL}, {"%{o}", "xn--fa-hia.example"},
	    {"x.%{L1}.y", NULL}};
	struct spf_macros m = macros("192.0.2.3");
	char out[64];

	(void)state;
	m.local = "j\xc3\xb6rg";
	m.sender_domain = "xn--fa-hia.example";
	expand_all(&m, rows, COUNT(rows));
	assert_false(spf_expand_explanation(&m, "%{l}", out, sizeof(out)));
}

/* A13: of a name only the end counts, whatever it is made of. */
static void
long_names(void **state)
{
	struct spf_macros m = macros("2001:db8::1");
	char spec[8001], out[DNS_NAME_MAX + 1], label[65];

	(void)state;
	for (size_t i = 0; i < 2000; i++)
		memcpy(spec + 4 * i, "%{i}", 5);
	/* the last label of one joins the first of the next */
	assert_true(spf_expand_target(&m, span(spec), out));
	assert_true(strlen(out) >= 250 && strlen(out) <= 253);
	for (size_t i = 0; i < 1600; i++)
		memcpy(spec + 5 * i, "%{i}.", 6);
	spec[7999] = '\0';
	assert_true(spf_expand_target(&m, span(spec), out));
	assert_int_equal(strlen(out), 253);
	assert_int_equal(strspn(out, "0123456789BD."), 253);
	memset(label, 'a', 64);
	label[64] = '\0';
	snprintf(spec, sizeof(spec), "%s.org", label);
	assert_false(spf_expand_target(&m, span(spec), out));
	assert_true(spf_expand_target(&m, span(spec + 1), out));
}

/* Exactly at the bound: 253 stay, of 254 the first label goes. */
static void
names_at_the_bound(void **state)
{
	struct spf_macros m = macros("192.0.2.3");
	char spec[300], out[DNS_NAME_MAX + 1];

	(void)state;
	for (size_t n = 250; n <= 260; n++) {
		for (size_t i = 0; i < n; i++)
			spec[i] = i % 10 == 9 ? '.' : 'a';
		memcpy(spec + n - 4, ".org", 5);
		spec[n - 5] = 'a';
		assert_true(spf_expand_target(&m, span(spec), out));
		assert_string_equal(out, n <= 253 ? spec : spec + 10);
		memcpy(spec + n, ".", 2);
		assert_true(spf_expand_target(&m, span(spec), out));
		assert_int_equal(strlen(out), n <= 253 ? n : n - 10);
	}
}

/* -- the limits, over a DNS that answers every question the same -- */

struct answers {
	unsigned txt, addresses, mx, ptr;
	const char *record; /* of every domain */
	size_t nmx, nptr;
	enum dns_status address;
};

static enum dns_status
give_txt(void *context, const char *name, char ***texts, size_t *n)
{
	struct answers *a = context;
	size_t size = strlen(a->record) + 1;

	(void)name;
	a->txt++;
	*texts = malloc(sizeof(**texts) + size);
	assert_non_null(*texts);
	(*texts)[0] = (char *)(*texts + 1);
	memcpy((*texts)[0], a->record, size);
	*n = 1;
	return DNS_FOUND;
}

static enum dns_status
give_addresses(void *context, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	struct answers *a = context;

	(void)host, (void)family, (void)max;
	a->addresses++;
	*n = 0;
	if (a->address == DNS_FOUND) {
		assert_true(netaddr_parse("198.51.100.1", 0, out));
		*n = 1;
	}
	return a->address;
}

static enum dns_status
give_mx(void *context, const char *domain, struct dns_mx *out, size_t max,
    size_t *n)
{
	struct answers *a = context;

	(void)domain;
	a->mx++;
	*n = a->nmx < max ? a->nmx : max;
	for (size_t i = 0; i < *n; i++)
		snprintf(out[i].host, sizeof(out[i].host), "mx%zu.test", i);
	return *n > 0 ? DNS_FOUND : DNS_NO_DATA;
}

static enum dns_status
give_ptr(void *context, const struct sockaddr_storage *address,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n)
{
	struct answers *a = context;

	(void)address;
	a->ptr++;
	*n = a->nptr < max ? a->nptr : max;
	for (size_t i = 0; i < *n; i++)
		snprintf(names[i], DNS_NAME_MAX, "host%zu.test", i);
	return *n > 0 ? DNS_FOUND : DNS_NO_NAME;
}

static struct spf_result
check(struct answers *a, const char *sender)
{
	struct resolver resolver = {.txt = give_txt,
	    .addresses = give_addresses,
	    .mx = give_mx,
	    .ptr = give_ptr,
	    .context = a};
	struct mailauth m = {.resolver = &resolver, .now = 1};
	struct spf_query q = {
	    .helo = "mail.example.org", .sender = sender, .receiver = ""};
	struct spf_result result;

	assert_true(netaddr_parse("192.0.2.1", 0, &q.client));
	spf_check_sender(&m, &q, &result);
	return result;
}

static void
ten_terms(void **state)
{
	static const struct {
		const char *record;
		enum auth_result result;
		unsigned questions;
	} rows[] = {
	    {"v=spf1 a a a a a a a a a a ?all", AUTH_NEUTRAL, 11},
	    {"v=spf1 a a a a a a a a a a a ?all", AUTH_PERMERROR, 11},
	    {"v=spf1 include:a.test", AUTH_PERMERROR, 11},
	    {"v=spf1 redirect=a.test", AUTH_PERMERROR, 11},
	    {"v=spf1 include:a.test include:b.test include:c.test",
		AUTH_PERMERROR, 11},
	    {"v=spf1 a include:a.test redirect=b.test", AUTH_PERMERROR, 11},
	    /* %{p} asks for the client's names, and counts */
	    {"v=spf1 a a a a a a a a a a:%{p}.test ?all", AUTH_PERMERROR, 11},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct answers a = {
		    .record = rows[i].record, .address = DNS_FOUND};
		struct spf_result result = check(&a, "a@example.org");

		assert_int_equal(result.result, rows[i].result);
		assert_true(
		    a.txt + a.addresses + a.mx + a.ptr <= rows[i].questions);
		assert_int_equal(
		    result.reason[0] == '\0', rows[i].result != AUTH_PERMERROR);
	}
}

static void
two_void_look_ups(void **state)
{
	struct answers a = {
	    .record = "v=spf1 a a ?all", .address = DNS_NO_NAME};

	(void)state;
	assert_int_equal(check(&a, "a@example.org").result, AUTH_NEUTRAL);
	a = (struct answers){
	    .record = "v=spf1 a a a:x.test a a ?all", .address = DNS_NO_DATA};
	assert_int_equal(check(&a, "a@example.org").result, AUTH_PERMERROR);
	assert_int_equal(a.addresses, 3);
	a = (struct answers){.record = "v=spf1 mx exists:x.test mx a a ?all",
	    .address = DNS_NO_NAME,
	    .nmx = 10};
	assert_int_equal(check(&a, "a@example.org").result, AUTH_PERMERROR);
	assert_int_equal(a.addresses, 21);
}

static void
ten_names(void **state)
{
	struct answers a = {
	    .record = "v=spf1 mx ?all", .address = DNS_FOUND, .nmx = 10};

	(void)state;
	assert_int_equal(check(&a, "a@example.org").result, AUTH_NEUTRAL);
	assert_int_equal(a.addresses, 10);
	a = (struct answers){
	    .record = "v=spf1 mx ?all", .address = DNS_FOUND, .nmx = 1000};
	assert_int_equal(check(&a, "a@example.org").result, AUTH_PERMERROR);
	assert_int_equal(a.addresses, 0);
	/* of those the sender is not the owner: the rest is not looked at */
	a = (struct answers){.record = "v=spf1 ptr ptr ptr:x.test ?all",
	    .address = DNS_FOUND,
	    .nptr = 1000};
	assert_int_equal(check(&a, "a@example.org").result, AUTH_NEUTRAL);
	assert_int_equal(a.addresses, 10);
	assert_int_equal(a.ptr, 1);
}

static void
senders(void **state)
{
	static const struct {
		const char *sender, *explanation; /* NULL: none is asked */
	} rows[] = {{"ann@example.org", "ann@example.org"},
	    {"@example.org", "postmaster@example.org"},
	    {"", "postmaster@mail.example.org"},
	    {"\"a b\"@Example.ORG", "a b@example.org"},
	    {"\"a\\\"b@c\"@example.org", "a\"b@c@example.org"},
	    {"\"\"@example.org", "postmaster@example.org"},
	    {"ann@example.org.", "ann@example.org"}, {"ann@[192.0.2.1]", NULL},
	    {"ann", NULL}, {"ann@org", NULL}, {"ann@", NULL},
	    {"ann@a..org", NULL}, {"ann@.a.org", NULL}, {"ann@192.0.2.1", NULL},
	    {"ann@a b.org", NULL}, {"ann@a\x01.org", NULL}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct answers a = {.record = "v=spf1 -all exp=%{o}"};
		struct spf_result result;

		result = check(&a, rows[i].sender);
		if (rows[i].explanation == NULL) {
			assert_int_equal(result.result, AUTH_NONE);
			assert_int_equal(a.txt, 0);
			continue;
		}
		/* the same record answers for exp=, and is what it says */
		assert_int_equal(result.result, AUTH_FAIL);
		a.record = "v=spf1 -all exp=%{o}.x %{s}";
		result = check(&a, rows[i].sender);
		assert_int_equal(result.result, AUTH_PERMERROR);
		a.record = "v=spf1 -all exp=%{o} x=%{s}";
		result = check(&a, rows[i].sender);
		assert_non_null(strstr(result.explanation, " x="));
		assert_string_equal(
		    strstr(result.explanation, " x=") + 3, rows[i].explanation);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions),
	    cmocka_unit_test(good_records),
	    cmocka_unit_test(bad_records),
	    cmocka_unit_test(terms),
	    cmocka_unit_test(targets),
	    cmocka_unit_test(explanations),
	    cmocka_unit_test(local_parts_beyond_ascii),
	    cmocka_unit_test(long_names),
	    cmocka_unit_test(names_at_the_bound),
	    cmocka_unit_test(ten_terms),
	    cmocka_unit_test(two_void_look_ups),
	    cmocka_unit_test(ten_names),
	    cmocka_unit_test(senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
