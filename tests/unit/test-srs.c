/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "userdb/srs.h"

#define KEY "0123456789abcdef0123456789abcdef"
enum { DAY = 24 * 60 * 60, NOW = 1700000000 };

static struct address
parsed(const char *text)
{
	struct address name;

	assert_null(address_parse(text, ADDRESS_UTF8, &name));
	return name;
}

/* As text; "": there is none. */
static const char *
forward(const char *sender, const char *domain)
{
	static char text[ADDRESS_TEXT_MAX + 1];
	struct address name = parsed(sender), made;

	text[0] = '\0';
	if (srs_forward(KEY, NOW, &name, domain, &made))
		address_format(&made, text);
	return text;
}

static const char *
reverse_at(const char *address, int64_t now)
{
	static char text[ADDRESS_TEXT_MAX + 1];
	struct address name = parsed(address), sender;

	text[0] = '\0';
	if (srs_reverse(KEY, now, &name, &sender))
		address_format(&sender, text);
	return text;
}

/* Known answers: an address in a mailbox must be good after an update. */
static void
vectors(void **state)
{
	static const struct {
		const char *sender, *made;
	} v[] = {
	    {"ann@a.example", "SRS0=LICNS45=G3=a.example=ann@our.example"},
	    {"SRS0=h=tt=a.example=ann@b.example",
		"SRS1=U2WJRSK=b.example==h=tt=a.example=ann@our.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_string_equal(
		    forward(v[i].sender, "our.example"), v[i].made);
}

static void
there_and_back(void **state)
{
	static const char *const senders[] = {"ann@a.example",
	    "Ann.B=c+d-e@sub.a.example", "\"a b\"@a.example",
	    "\"a@b\"@a.example", "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]",
	    "\xc3\xbc@a.example", "srs0@a.example", "srs0=x=y@a.example",
	    "SRS1=x=y@a.example", "=@a.example", "\"\"@a.example"};

	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		char made[ADDRESS_TEXT_MAX + 1];

		snprintf(made, sizeof(made), "%s",
		    forward(senders[i], "our.example"));
		assert_string_not_equal(made, "");
		assert_string_equal(reverse_at(made, NOW), senders[i]);
		/* Some hosts change the case. */
		for (char *c = made; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		assert_int_equal(
		    strcasecmp(reverse_at(made, NOW), senders[i]), 0);
	}
}

static void
of_another_forwarder(void **state)
{
	char made[ADDRESS_TEXT_MAX + 1], again[ADDRESS_TEXT_MAX + 1];
	const char first[] = "SRS0+h=tt=a.example=ann@b.example";

	(void)state;
	snprintf(made, sizeof(made), "%s", forward(first, "our.example"));
	assert_non_null(strstr(made, "SRS1="));
	assert_non_null(strstr(made, "=b.example=+h=tt=a.example=ann@our."));
	assert_string_equal(reverse_at(made, NOW), first);
	/* Its day is the first forwarder's affair. */
	assert_string_equal(reverse_at(made, NOW + 400 * (int64_t)DAY), first);
	/* A third one leads to the first, too, and no longer. */
	snprintf(again, sizeof(again), "%s",
	    forward("SRS1=q=b.example=+h=tt=a.example=ann@c.example",
		"our.example"));
	assert_string_equal(again, made);
	assert_string_equal(reverse_at(again, NOW), first);
}

static void
days(void **state)
{
	char made[ADDRESS_TEXT_MAX + 1];

	(void)state;
	snprintf(
	    made, sizeof(made), "%s", forward("ann@a.example", "o.example"));
	for (int64_t age = -3; age < 2000; age++) {
		const char *back = reverse_at(made, NOW + age * DAY);
		/* Days come round again after 1,024. */
		bool good =
		    (age + 1) % 1024 >= 0 && (age + 1) % 1024 <= SRS_DAYS + 1;

		assert_string_equal(back, good ? "ann@a.example" : "");
	}
}

static void
what_is_not_ours(void **state)
{
	char made[ADDRESS_TEXT_MAX + 1];
	struct address name, sender;

	(void)state;
	snprintf(
	    made, sizeof(made), "%s", forward("ann@a.example", "o.example"));
	name = parsed(made);
	assert_false(srs_reverse("another key", NOW, &name, &sender));
	/* Any octet other than its own, but for the domain, which is ours. */
	for (size_t i = 0; name.local[i] != '\0'; i++)
		for (const char *c = "aB2=+@x."; *c != '\0'; c++) {
			char before = name.local[i];

			if ((before | 0x20) == (*c | 0x20))
				continue;
			/* The separator behind the tag may be any. */
			if (i == 4 && (*c == '+' || *c == '='))
				continue;
			name.local[i] = *c;
			assert_false(srs_reverse(KEY, NOW, &name, &sender));
			name.local[i] = before;
		}
	assert_true(srs_reverse(KEY, NOW, &name, &sender));
	/* Nor one cut short, or longer. */
	for (size_t n = strlen(name.local); n-- > 0;) {
		struct address cut = name;

		cut.local[n] = '\0';
		assert_false(srs_reverse(KEY, NOW, &cut, &sender));
	}
	strcat(name.local, "x");
	assert_false(srs_reverse(KEY, NOW, &name, &sender));
}

static void
long_senders(void **state)
{
	char sender[ADDRESS_TEXT_MAX + 1];
	const char *made;

	(void)state;
	for (int n = 1; n <= ADDRESS_LOCAL_MAX; n++) {
		snprintf(sender, sizeof(sender), "%0*d@a.example", n, 1);
		made = forward(sender, "our.example");
		/* SRS0= hash = day = a.example = */
		if (n + 5 + SRS_HASH + 1 + 2 + 1 + 9 + 1 <= ADDRESS_LOCAL_MAX)
			assert_string_equal(reverse_at(made, NOW), sender);
		else
			assert_string_equal(made, "");
	}
}

static void
looks(void **state)
{
	static const struct {
		const char *address;
		bool is;
	} v[] = {{"SRS0=a@x.y", true}, {"srs1-a@x.y", true},
	    {"SRS0+@x.y", true}, {"SRS0@x.y", false}, {"SRS2=a@x.y", false},
	    {"xSRS0=a@x.y", false}, {"srs@x.y", false}, {"s@x.y", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct address name = parsed(v[i].address);

		assert_int_equal(srs_is(&name), v[i].is);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors),
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(of_another_forwarder),
	    cmocka_unit_test(days),
	    cmocka_unit_test(what_is_not_ours),
	    cmocka_unit_test(long_senders),
	    cmocka_unit_test(looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
