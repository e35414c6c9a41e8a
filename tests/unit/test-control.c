/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "queue/holds.h"
#include "queue/pattern.h"
#include "queue/select.h"
#include "queue/stats.h"
#include "queue/why.h"
#include "queue/words.h"

/* What postrider-queue decides and says, without a queue. */

enum { NOW = 1800000000 }; /* 2027-01-15 08:00 UTC */

/* -- patterns -- */

static void
patterns_match(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
	    {"", "", true},
	    {"", "a", false},
	    {"*", "", true},
	    {"*", "ann@example.org", true},
	    {"ann@example.org", "Ann@EXAMPLE.org", true},
	    {"*@example.org", "ann@example.org", true},
	    {"*@example.org", "ann@example.org.evil.test", false},
	    {"*@example.org", "@example.org", true},
	    {"a?n@*", "ann@x", true},
	    {"a?n@*", "an@x", false},
	    {"?", "\xc3\xbc", true},
	    {"?\xc3\xbc", "x\xc3\xbc", true},
	    {"a\\*b", "a*b", true},
	    {"a\\*b", "axb", false},
	    {"a\\", "a\\", true},
	    {"*a*b*c", "xxaxxbxxc", true},
	    {"*a*b*c", "xxaxxcxxb", false},
	    {"user@[192.0.2.1]", "user@[192.0.2.1]", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pattern_matches(rows[i].pattern, rows[i].text) !=
		    rows[i].matches)
			fail_msg("%s %s", rows[i].pattern, rows[i].text);
	assert_true(pattern_is_wild("a*"));
	assert_true(pattern_is_wild("a\\\\?"));
	assert_false(pattern_is_wild("a\\*"));
	assert_false(pattern_is_wild("a\\"));
}

static void
patterns_of_one_text(void **state)
{
	static const char *const texts[] = {"", "a@b.c", "a*b?c\\d", "\\", "**"};
	char pattern[32], plain[32];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(
		    pattern_quote(texts[i], pattern, sizeof(pattern)));
		assert_false(pattern_is_wild(pattern));
		assert_true(pattern_matches(pattern, texts[i]));
		assert_true(pattern_plain(pattern, plain, sizeof(plain)));
		assert_string_equal(plain, texts[i]);
	}
	assert_true(pattern_quote("a*b", pattern, sizeof(pattern)));
	assert_false(pattern_matches(pattern, "axb"));
	assert_false(pattern_plain("a*", plain, sizeof(plain)));
	assert_false(pattern_quote("abc", pattern, 4));
	assert_true(pattern_quote("abc", pattern, 5));
	assert_false(pattern_plain("abc", plain, 3));
	assert_true(pattern_plain("abc", plain, 4));
}

/* The product of both lengths, not a power. */
static void
patterns_end(void **state)
{
	char pattern[801], text[401];

	(void)state;
	for (size_t i = 0; i < 800; i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[800] = '\0';
	memset(text, 'a', 399);
	strcpy(text + 399, "b");
	assert_false(pattern_matches(pattern, text));
}

/* -- words -- */

static void
ages_and_sizes(void **state)
{
	static const struct {
		int64_t seconds;
		const char *age, *duration;
	} ages[] = {
	    {-5, "0s", "0 s"},
	    {59, "59s", "59 s"},
	    {60, "1m", "60 s"},
	    {3599, "59m", "59 min"},
	    {3600, "1h", "60 min"},
	    {172799, "47h", "47 h"},
	    {172800, "2d", "2 days"},
	    {86400 * 400, "400d", "400 days"},
	};
	static const struct {
		uint64_t octets;
		const char *size;
	} sizes[] = {
	    {0, "0"},
	    {999, "999"},
	    {1000, "1.0K"},
	    {1536, "1.5K"},
	    {10188, "9.9K"},
	    {10240, "10K"},
	    {1023487, "999K"},
	    {1023488, "1.0M"},
	    {UINT64_C(5) << 30, "5.0G"},
	    {UINT64_MAX, "16E"},
	};
	char out[WORDS_SIZE];
	int64_t seconds;
	uint64_t octets;

	(void)state;
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		words_age(out, ages[i].seconds);
		assert_string_equal(out, ages[i].age);
		words_duration(out, ages[i].seconds);
		assert_string_equal(out, ages[i].duration);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		words_size(out, sizes[i].octets);
		assert_string_equal(out, sizes[i].size);
	}
	assert_true(words_read_age("90", &seconds) && seconds == 90);
	assert_true(words_read_age("2w", &seconds) && seconds == 1209600);
	assert_false(words_read_age("", &seconds));
	assert_false(words_read_age("-1", &seconds));
	assert_false(words_read_age("1y", &seconds));
	assert_false(words_read_age("1hh", &seconds));
	assert_false(words_read_age("99999999999999999999", &seconds));
	assert_false(words_read_age("999999999999999w", &seconds));
	assert_true(words_read_size("10M", &octets) && octets == 10485760);
	assert_true(words_read_size("3k", &octets) && octets == 3072);
	assert_false(words_read_size("M", &octets));
	assert_false(words_read_size("1.5M", &octets));
}

static void
points_in_time(void **state)
{
	int64_t when;

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	assert_true(words_read_time("2h", NOW, &when));
	assert_int_equal(when, NOW - 7200);
	assert_true(words_read_time("2027-01-15", NOW, &when));
	assert_int_equal(when, NOW - 8 * 3600);
	assert_true(words_read_time("2027-01-15 08:00", NOW, &when));
	assert_int_equal(when, NOW);
	assert_true(words_read_time("2027-01-15T08:00:01Z", NOW, &when));
	assert_int_equal(when, NOW + 1);
	assert_false(words_read_time("2027-13-15", NOW, &when));
	assert_false(words_read_time("2027-01-15 24:00", NOW, &when));
	assert_false(words_read_time("2027-01-15x", NOW, &when));
	assert_false(words_read_time("yesterday", NOW, &when));
}

/* -- selections -- */

static const char head[] = "postrider-envelope 2\ncontent 5000\nstart 0\n"
			   "wire 5100\ntime 1799990000\n";

static void
load(struct envelope *e, const char *sender, const char *rest)
{
	char text[4096];
	const char *why = NULL;
	unsigned line;

	snprintf(text, sizeof(text),
	    "%ssender <%s>\nbody 7bit\nutf8 0\nclient c\nhelo h\n"
	    "protocol ESMTP\n%s",
	    head, sender, rest);
	if (envelope_parse(e, text, strlen(text), &why, &line) !=
	    ENVELOPE_WHOLE)
		fail_msg("line %u: %s", line, why);
}

static bool
wants(const char *option, const char *value, const struct candidate *c)
{
	static const struct {
		const char *name;
		bool (*take)(struct selection *, const char *, const char **);
	} options[] = {
	    {"sender", select_sender},
	    {"recipient", select_recipient},
	    {"domain", select_domain},
	    {"login", select_login},
	    {"uid", select_uid},
	    {"older", select_older},
	    {"younger", select_younger},
	    {"size", select_size},
	    {"state", select_states},
	};
	struct selection s = {0};
	const char *why;
	bool wanted = false;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(options[i].name, option) == 0) {
			if (!options[i].take(&s, value, &why))
				fail_msg("%s %s: %s", option, value, why);
			wanted = selection_wants(&s, c);
		}
	selection_free(&s);
	return wanted;
}

static void
selections_choose(void **state)
{
	struct envelope e, null;
	struct candidate c = {.id = 7, .state = STATE_WAITING, .age = 7200};
	struct candidate n = {.id = 8, .state = STATE_HELD, .age = 10};

	(void)state;
	load(&e, "ann@example.org",
	    "login ann@example.org\n"
	    "recipient <all@example.org>\nrecipient <d@done.test>\nend 2\n"
	    "expanded 0 5 <b@Remote.test>\ndelivered 1 6 2.0.0 - ok\n");
	load(&null, "", "uid 0\nrecipient <x@y.test>\nend 1\n");
	c.e = &e;
	n.e = &null;
	assert_true(wants("sender", "ann@example.org", &c));
	assert_true(wants("sender", "<Ann@example.org>", &c));
	assert_true(wants("sender", "@example.org", &c));
	assert_false(wants("sender", "<>", &c));
	assert_true(wants("sender", "<>", &n));
	assert_true(wants("recipient", "b@remote.test", &c));
	assert_true(wants("recipient", "all@*", &c)); /* its alias */
	assert_false(wants("recipient", "d@done.test", &c));
	assert_true(wants("domain", "remote.TEST", &c));
	assert_true(wants("domain", "@remote.test", &c));
	assert_true(wants("domain", "*.test", &c));
	assert_false(wants("domain", "done.test", &c));
	assert_true(wants("login", "ann@*", &c));
	assert_false(wants("login", "*", &n));
	assert_true(wants("uid", "0", &n));
	assert_true(wants("uid", "root", &n));
	assert_false(wants("uid", "0", &c));
	assert_true(wants("older", "2h", &c));
	assert_false(wants("older", "7201", &c));
	assert_true(wants("younger", "2h", &c));
	assert_false(wants("younger", "1h", &c));
	assert_true(wants("size", "+5000", &c));
	assert_false(wants("size", "+5001", &c));
	assert_true(wants("size", "-5K", &c));
	assert_false(wants("size", "-4999", &c));
	assert_true(wants("state", "held,waiting", &c));
	assert_false(wants("state", "held,active", &c));
	envelope_free(&e);
	envelope_free(&null);
}

static void
selections_have_ids(void **state)
{
	struct selection s = {0};

	(void)state;
	assert_true(selection_is_empty(&s));
	assert_true(select_id(&s, "00000000000000ff"));
	assert_true(select_id(&s, "0000000000000001"));
	assert_true(select_id(&s, "00000000000000ff"));
	selection_sort(&s);
	assert_int_equal(s.n, 2);
	assert_true(selection_is_ids(&s));
	assert_true(selection_has_id(&s, 0xff));
	assert_false(selection_has_id(&s, 2));
	assert_int_equal(selection_place(&s, 0xff), 1);
	selection_free(&s);
}

static void
bad_conditions_are_refused(void **state)
{
	struct selection s = {0};
	const char *why;
	char longer[HOLD_NAME_MAX + 1];

	(void)state;
	memset(longer, 'a', HOLD_NAME_MAX);
	longer[HOLD_NAME_MAX] = '\0';
	assert_false(select_sender(&s, "", &why));
	assert_false(select_sender(&s, longer, &why));
	assert_true(select_sender(&s, "a", &why));
	assert_false(select_sender(&s, "b", &why)); /* twice */
	assert_false(select_domain(&s, "@", &why));
	assert_false(select_uid(&s, "no-such-user-here", &why));
	assert_false(select_uid(&s, "4294967295", &why));
	assert_false(select_older(&s, "soon", &why));
	assert_false(select_size(&s, "10M", &why));
	assert_false(select_size(&s, "+", &why));
	assert_false(select_states(&s, "held,", &why));
	assert_false(select_states(&s, "deferred", &why));
	selection_free(&s);
}

/* -- rules of holds -- */

static void
rules_hold(void **state)
{
	struct holds h = {0};
	struct envelope e;

	(void)state;
	load(&e, "Ann@example.org",
	    "login ann@example.org\nrecipient <x@y.test>\nend 1\n");
	assert_null(holds_reason(&h, &e));
	assert_int_equal(
	    holds_set(&h, HOLD_LOGIN, "bob@example.org", "b", 10), 0);
	assert_null(holds_reason(&h, &e));
	assert_int_equal(
	    holds_set(&h, HOLD_SENDER, "*@example.org", "all", 10), 0);
	assert_string_equal(holds_reason(&h, &e), "all");
	assert_true(holds_end(&h, HOLD_SENDER, "*@example.org"));
	assert_false(holds_end(&h, HOLD_SENDER, "*@example.org"));
	assert_int_equal(
	    holds_set(&h, HOLD_LOGIN, "ANN@example.org", "a", 10), 0);
	assert_int_equal(
	    holds_set(&h, HOLD_LOGIN, "ANN@example.org", "aa", 20), 0);
	assert_int_equal(h.n, 2);
	/* As it matches, so it is found. */
	assert_int_equal(
	    holds_set(&h, HOLD_LOGIN, "ann@example.ORG", "aa", 20), 0);
	assert_int_equal(h.n, 2);
	assert_string_equal(holds_reason(&h, &e), "aa");
	/* Released since, or before. */
	e.released = 20;
	assert_null(holds_reason(&h, &e));
	e.released = 19;
	assert_string_equal(holds_reason(&h, &e), "aa");
	assert_true(envelope_hold(&e, 30, "itself"));
	assert_string_equal(holds_reason(&h, &e), "itself");
	envelope_free(&e);
	load(&e, "", "uid 1000\nrecipient <x@y.test>\nend 1\n");
	assert_null(holds_reason(&h, &e));
	assert_int_equal(holds_set(&h, HOLD_UID, "1000", "u", 1), 0);
	assert_string_equal(holds_reason(&h, &e), "u");
	assert_true(holds_end(&h, HOLD_UID, "1000"));
	assert_int_equal(holds_set(&h, HOLD_SENDER, "", "null", 1), 0);
	assert_string_equal(holds_reason(&h, &e), "null");
	envelope_free(&e);
	holds_free(&h);
}

static void
rules_come_back(void **state)
{
	struct holds h = {0}, again = {0};
	struct buf text = BUF_INIT(65536), second = BUF_INIT(65536);

	(void)state;
	holds_set(&h, HOLD_LOGIN, "a b>\\*\n@x", "why\nnot", 5);
	holds_set(&h, HOLD_SENDER, "", "", 6);
	holds_set(&h, HOLD_UID, "1000", "\xff", 7);
	assert_true(holds_format(&h, &text));
	assert_int_equal(holds_parse(&again, text.data, text.len), 0);
	assert_int_equal(again.n, 3);
	assert_string_equal(again.rules[0].name, "a b>\\*\n@x");
	assert_string_equal(again.rules[0].reason, "why\nnot");
	assert_true(holds_format(&again, &second));
	assert_int_equal(text.len, second.len);
	assert_memory_equal(text.data, second.data, text.len);
	holds_free(&again);
	/* One that makes no sense is left out, as is one cut short. */
	buf_reset(&text);
	buf_adds(&text,
	    "postrider-holds 1\nlogin 1 <a@b.test> why\n"
	    "nobody 1 <x> y\nlogin x <c@d.test> y\n"
	    "login 2 c@d.test y\nlogin 3 <c@d.test>\n"
	    "sender 4 <e@f.test> z\nlogin 5 <g@");
	assert_int_equal(holds_parse(&again, text.data, text.len), 5);
	assert_int_equal(again.n, 2);
	holds_free(&again);
	assert_int_equal(holds_parse(&again,
			     "\x7f"
			     "ELF",
			     4),
	    1);
	assert_int_equal(again.n, 0);
	holds_free(&h);
	buf_free(&text);
	buf_free(&second);
}

/* -- sentences -- */

static void
check_message(const struct why_message *m, const char *expected)
{
	struct buf out = BUF_INIT(65536);

	why_message(&out, m, NOW);
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void
why_a_message_waits(void **state)
{
	struct envelope e;
	struct why_group groups[4];
	struct why_message m = {.id = "ID",
	    .state = STATE_WAITING,
	    .e = &e,
	    .next = NOW + 420,
	    .expires = NOW + 432000,
	    .groups = groups};

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	load(&e, "ann@example.org",
	    "recipient <a@x.test>\nrecipient <b@x.test>\n"
	    "recipient <c@y.test>\nend 3\n"
	    "deferred 0 1799999820 4.7.1 mx.x.test[192.0.2.1]:25 451 4.7.1 "
	    "try later\ndelivered 1 1799999820 2.0.0 - ok\n"
	    "delivered 2 1799999820 2.0.0 - ok\n");
	m.n = why_group(&e, groups, 4);
	assert_int_equal(m.n, 1);
	assert_int_equal(groups[0].recipients, 1);
	check_message(&m,
	    "ID waits for x.test: the last try 3 min ago said '451 4.7.1 try "
	    "later'; next try in 7 min (08:07); 2 of 3 recipients are "
	    "delivered; it is given up on 2027-01-20 08:00.");
	groups[0].place = (struct why_place){.known = true,
	    .name = "mx.x.test",
	    .state = "resting",
	    .next = NOW + 60,
	    .when = NOW - 30,
	    .code = "4.4.1",
	    .text = "no route"};
	m.state = STATE_READY;
	check_message(&m,
	    "ID waits for x.test (mx.x.test): no session could be had there; "
	    "the last try 30 s ago said '4.4.1 no route'; the next probe is in "
	    "60 s (08:01); 2 of 3 recipients are delivered; it is given up on "
	    "2027-01-20 08:00.");
	m.state = STATE_ACTIVE;
	m.attempt = (struct why_attempt){
	    .known = true, .seconds = 12, .local = 1, .remote = 2};
	check_message(&m,
	    "ID is being tried since 12 s: 1 recipient is with mailbox, 2 "
	    "recipients are with deliver; 2 of 3 recipients are delivered; it "
	    "is given up on 2027-01-20 08:00.");
	m.state = STATE_HELD;
	m.held = "spam run";
	check_message(&m,
	    "ID is held: spam run; it is tried when it is released, and not "
	    "given up before; 2 of 3 recipients are delivered.");
	envelope_free(&e);
}

static void
why_a_destination_waits(void **state)
{
	struct why_place p = {.known = true,
	    .name = "mx.x.test",
	    .state = "resting",
	    .next = NOW + 600,
	    .when = NOW - 120,
	    .code = "4.4.1",
	    .text = "no route"};
	struct why_waiting w = {.messages = 12, .oldest = NOW - 7200};
	struct buf out = BUF_INIT(4096);

	(void)state;
	why_destination(&out, "x.test", &p, &w, NOW);
	assert_string_equal(buf_text(&out),
	    "x.test (mx.x.test) takes no mail: the last try 2 min ago said "
	    "'4.4.1 no route'; the next is in 10 min (08:10); 12 messages "
	    "wait, the oldest for 2 h.");
	buf_reset(&out);
	p = (struct why_place){0};
	w = (struct why_waiting){0};
	why_destination(&out, "x.test", &p, &w, NOW);
	assert_string_equal(buf_text(&out), "x.test: no message waits.");
	buf_free(&out);
}

/* -- counting -- */

static void
messages_are_counted(void **state)
{
	struct stats s;
	struct envelope e;
	struct tally **sorted;

	(void)state;
	assert_true(stats_begin(&s));
	load(&e, "ann@example.org",
	    "login ann@example.org\nrecipient <a@X.test>\n"
	    "recipient <b@x.test>\nrecipient <c@y.test>\nend 3\n"
	    "deferred 0 6 4.0.0 - later\n");
	for (int i = 0; i < 200; i++)
		assert_true(stats_count(&s, STATE_WAITING, &e, NOW));
	envelope_free(&e);
	load(&e, "", "recipient <c@y.test>\nend 1\n");
	assert_true(stats_count(&s, STATE_HELD, &e, NOW));
	envelope_free(&e);
	assert_int_equal(s.total->messages, 201);
	assert_int_equal(s.total->octets, 201 * 5000);
	assert_int_equal(s.recipients, 601);
	assert_int_equal(s.states[STATE_HELD]->messages, 1);
	assert_int_equal(s.domains.n, 2);
	sorted = tallies_sorted(&s.domains);
	assert_string_equal(sorted[0]->name, "y.test");
	assert_int_equal(sorted[0]->messages, 201);
	assert_int_equal(sorted[1]->messages, 200); /* not twice a message */
	assert_string_equal(sorted[1]->text, "later");
	assert_int_equal(sorted[1]->ages[2], 200);
	free(sorted);
	assert_int_equal(s.sources[SOURCE_LOGIN].n, 1);
	assert_int_equal(s.sources[SOURCE_SENDER].n, 1);
	stats_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_match),
	    cmocka_unit_test(patterns_of_one_text),
	    cmocka_unit_test(patterns_end),
	    cmocka_unit_test(ages_and_sizes),
	    cmocka_unit_test(points_in_time),
	    cmocka_unit_test(selections_choose),
	    cmocka_unit_test(selections_have_ids),
	    cmocka_unit_test(bad_conditions_are_refused),
	    cmocka_unit_test(rules_hold),
	    cmocka_unit_test(rules_come_back),
	    cmocka_unit_test(why_a_message_waits),
	    cmocka_unit_test(why_a_destination_waits),
	    cmocka_unit_test(messages_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
