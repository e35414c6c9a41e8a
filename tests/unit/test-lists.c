/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/dns_async.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/netaddr.h"
#include "smtpd/lists.h"
#include "smtpd/lists_memory.h"
#include "smtpd/lists_zones.h"

/*
 * The lists in a time of their own, with a DNS that answers as it is told:
 * the functions of common/loop.c and common/dns_async.c that are used are
 * those below.
 */

enum { TIMERS_MAX = 64, QUESTIONS_MAX = 4096 };

static int64_t now;
static struct timer *timers[TIMERS_MAX];

int64_t __wrap_clock_monotonic_ms(void);
int64_t
__wrap_clock_monotonic_ms(void)
{
	return now;
}

void
loop_timer_stop(struct timer *t)
{
	if (t->slot > 0)
		timers[t->slot - 1] = NULL;
	t->slot = 0;
}

int
loop_timer(struct timer *t, int64_t after_ms)
{
	size_t i = 0;

	loop_timer_stop(t);
	while (timers[i] != NULL)
		assert_true(++i < TIMERS_MAX);
	timers[i] = t;
	t->slot = i + 1;
	t->due = now + after_ms;
	return 0;
}

void
loop_init(void)
{
}

void
loop_after_fork(void)
{
}

int
loop_run(void)
{
	fail();
	return 0;
}

void
loop_stop(int exit_code)
{
	(void)exit_code;
}

/* -- the DNS -- */

struct dns_question {
	char name[DNS_NAME_MAX + 1];
	uint16_t type;
	int64_t deadline;
	dns_answered *answered;
	void *context;
};

static struct dns_question *questions[QUESTIONS_MAX];
static size_t nquestions;
static unsigned asked; /* so far */
static bool no_room;

struct dns_async *
dns_async_open(const struct config *config, size_t most)
{
	(void)config;
	assert_true(most > 0);
	return (struct dns_async *)questions;
}

struct dns_async *
dns_async_over(struct dns *dns, size_t most)
{
	(void)dns;
	(void)most;
	return NULL;
}

void
dns_async_close(struct dns_async *a)
{
	(void)a;
	assert_int_equal(nquestions, 0);
}

struct dns_question *
dns_async_ask(struct dns_async *a, const char *name, uint16_t type,
    int64_t deadline, dns_answered *answered, void *context)
{
	struct dns_question *q;

	(void)a;
	asked++;
	if (no_room || nquestions == QUESTIONS_MAX)
		return NULL;
	q = calloc(1, sizeof(*q));
	assert_non_null(q);
	strcpy(q->name, name);
	q->type = type;
	q->deadline = deadline;
	q->answered = answered;
	q->context = context;
	questions[nquestions++] = q;
	return q;
}

void
dns_async_cancel(struct dns_question *q)
{
	for (size_t i = 0; i < nquestions; i++)
		if (questions[i] == q) {
			questions[i] = questions[--nquestions];
			free(q);
		}
}

/* The records of an answer, and for how long. */
static void
answer_with(struct dns_question *q, enum dns_status status, const char *text,
    uint32_t ttl)
{
	static unsigned char packet[64];
	struct dns_answer a = {.packet = packet, .ttl = ttl};
	struct sockaddr_storage address = {0};
	dns_answered *answered = q->answered;
	void *context = q->context;
	uint16_t type = q->type;

	dns_async_cancel(q);
	if (status == DNS_FOUND) {
		a.n = 1;
		a.records[0].type = type;
		a.records[0].len = 4;
		assert_true(netaddr_parse(text, 0, &address));
		memcpy(packet, (unsigned char *)&address + 4, 4);
	}
	answered(context, status, status == DNS_FOUND ? &a : NULL);
}

static struct dns_question *
question(const char *name)
{
	for (size_t i = 0; i < nquestions; i++)
		if (strcmp(questions[i]->name, name) == 0)
			return questions[i];
	return NULL;
}

static void
says(const char *name, const char *text)
{
	assert_non_null(question(name));
	if (text == NULL)
		answer_with(question(name), DNS_NO_NAME, NULL, 0);
	else
		answer_with(question(name), DNS_FOUND, text, 300);
}

/* What is due until then, silence of the DNS included. */
static void
pass(int64_t ms)
{
	int64_t end = now + ms;

	for (;;) {
		struct timer *t = NULL;
		struct dns_question *q = NULL;

		for (size_t i = 0; i < TIMERS_MAX; i++)
			if (timers[i] != NULL &&
			    (t == NULL || timers[i]->due < t->due))
				t = timers[i];
		for (size_t i = 0; i < nquestions; i++)
			if (q == NULL || questions[i]->deadline < q->deadline)
				q = questions[i];
		if (q != NULL && q->deadline <= end &&
		    (t == NULL || q->deadline <= t->due)) {
			now = q->deadline;
			answer_with(q, DNS_TEMPORARY, NULL, 0);
		} else if (t != NULL && t->due <= end) {
			now = t->due;
			loop_timer_stop(t);
			t->fire(t);
		} else {
			break;
		}
	}
	now = end;
}

/* -- the house -- */

static struct config config;
static struct lists *lists;
static struct lists_result told;
static unsigned calls;

static void
done(void *context, const struct lists_result *result)
{
	(void)context;
	told = *result;
	calls++;
}

/* Two lists: bl.test, 3, and other.test, 1. */
static int
begin(void **state)
{
	static struct config_zone items[2];

	(void)state;
	items[0] = (struct config_zone){.name = (char *)"bl.test", .score = 3};
	items[1] =
	    (struct config_zone){.name = (char *)"other.test", .score = 1};
	config = (struct config){.lists = {.n = 2, .items = items},
	    .refuse_score = 10,
	    .list_timeout = 5};
	now = 1000000;
	asked = calls = 0;
	log_threshold(LEVEL_ERROR);
	lists = lists_open(&config);
	return lists == NULL;
}

static int
end(void **state)
{
	(void)state;
	pass(5000); /* who waits is told */
	lists_close(lists);
	for (size_t i = 0; i < TIMERS_MAX; i++)
		assert_null(timers[i]);
	return 0;
}

static struct lists_inquiry *
ask(const char *text)
{
	struct sockaddr_storage address;

	assert_true(netaddr_parse(text, 0, &address));
	return lists_ask(lists, &address, done, NULL, &told);
}

#define ZEROS_10 "0.0.0.0.0.0.0.0.0.0."

/* What the zone says of 127.0.0.1 and 127.0.0.2; in IPv6 of neither. */
static void
trial(const char *zone, const char *one, const char *two)
{
	static const char mapped[] =
	    ".0.0.0.0.0.f.7.f.f.f.f." ZEROS_10 ZEROS_10;
	char name[DNS_NAME_MAX + 1];

	for (int i = 1; i <= 2; i++) {
		snprintf(name, sizeof(name), "%d%s%s", i, mapped, zone);
		says(name, NULL);
	}
	snprintf(name, sizeof(name), "1.0.0.127.%s", zone);
	says(name, one);
	snprintf(name, sizeof(name), "2.0.0.127.%s", zone);
	says(name, two);
}

static void
trials_are_good(void)
{
	trial("bl.test", NULL, "127.0.0.2");
	trial("other.test", NULL, "127.0.0.2");
}

/* -- tests -- */

static void
test_nobody_is_listed_before_the_trial(void **state)
{
	(void)state;
	assert_non_null(ask("192.0.2.1"));
	says("1.2.0.192.bl.test", "127.0.0.2");
	says("1.2.0.192.other.test", NULL);
	assert_int_equal(calls, 0); /* the zones are not tried yet */
	trials_are_good();
	assert_int_equal(calls, 1);
	assert_int_equal(told.score, 3);
	assert_null(ask("192.0.2.1"));
	assert_int_equal(told.score, 3);
}

/* Nor while it cannot be tried. */
static void
test_nobody_is_listed_without_a_trial(void **state)
{
	(void)state;
	lists_close(lists);
	no_room = true;
	lists = lists_open(&config);
	no_room = false;
	assert_non_null(ask("192.0.2.1"));
	says("1.2.0.192.bl.test", "127.0.0.2");
	says("1.2.0.192.other.test", NULL);
	assert_int_equal(calls, 1);
	assert_int_equal(told.score, 0);
	pass(60000);
	trials_are_good();
	assert_non_null(ask("192.0.2.1"));
	says("1.2.0.192.bl.test", "127.0.0.2");
	says("1.2.0.192.other.test", NULL);
	assert_int_equal(told.score, 3);
}

static void
test_answers_have_their_time(void **state)
{
	unsigned before;

	(void)state;
	trials_are_good();
	assert_non_null(ask("192.0.2.1"));
	answer_with(question("1.2.0.192.bl.test"), DNS_FOUND, "127.0.0.2", 20);
	says("1.2.0.192.other.test", NULL);
	before = asked;
	pass(19000);
	assert_null(ask("192.0.2.1"));
	assert_int_equal(asked, before);
	pass(2000);
	assert_non_null(ask("192.0.2.1"));
	assert_int_equal(asked, before + 2);
}

static void
test_the_deadline(void **state)
{
	(void)state;
	trials_are_good();
	assert_non_null(ask("192.0.2.1"));
	says("1.2.0.192.other.test", "127.0.0.9");
	pass(4999);
	assert_int_equal(calls, 0);
	pass(1);
	assert_int_equal(calls, 1);
	assert_int_equal(told.score, 1);
}

/* Three clients in a row wait, then none, until a trial is answered. */
static void
test_silent_lists(void **state)
{
	(void)state;
	trials_are_good();
	for (int i = 0; i < 3; i++) {
		char text[NETADDR_TEXT_MAX], name[DNS_NAME_MAX + 1];

		snprintf(text, sizeof(text), "192.0.2.%d", i);
		snprintf(name, sizeof(name), "%d.2.0.192.other.test", i);
		assert_non_null(ask(text));
		says(name, NULL);
		pass(5000);
	}
	assert_int_equal(calls, 3);
	assert_non_null(ask("192.0.2.9"));
	assert_null(question("9.2.0.192.bl.test"));
	says("9.2.0.192.other.test", NULL);
	assert_int_equal(calls, 4);
	pass(60000); /* a trial begins, is not answered, and another begins */
	assert_non_null(question("1.0.0.127.bl.test"));
	pass(6000);
	assert_null(question("1.0.0.127.bl.test"));
	pass(60000);
	trial("bl.test", NULL, "127.0.0.2");
	assert_non_null(ask("192.0.2.10"));
	assert_non_null(question("10.2.0.192.bl.test"));
}

/* A flood, most of whose packets are lost, turns no list off. */
static void
test_lost_packets_are_no_silence(void **state)
{
	char text[NETADDR_TEXT_MAX];

	(void)state;
	trials_are_good();
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i);
		assert_non_null(ask(text));
	}
	pass(4000);
	says("7.2.0.192.bl.test", NULL);
	says("7.2.0.192.other.test", NULL);
	pass(1000);
	assert_int_equal(calls, 100);
	assert_non_null(ask("192.0.2.200"));
	assert_non_null(question("200.2.0.192.bl.test"));
}

/* And it is looked at again. */
static void
test_ignored_lists(void **state)
{
	(void)state;
	trial("bl.test", "127.0.0.2", "127.0.0.2");
	trial("other.test", NULL, "127.0.0.2");
	assert_non_null(ask("192.0.2.1"));
	assert_null(question("1.2.0.192.bl.test"));
	says("1.2.0.192.other.test", "127.0.0.2");
	assert_int_equal(told.score, 1);
	pass(599999);
	assert_null(question("1.0.0.127.bl.test"));
	pass(1);
	trial("bl.test", "127.0.0.2", "127.0.0.2"); /* no better */
	pass(600000);
	trial("bl.test", NULL, "127.0.0.2");
	assert_non_null(ask("192.0.2.2"));
	says("2.2.0.192.bl.test", "127.0.0.2");
	says("2.2.0.192.other.test", NULL);
	assert_int_equal(told.score, 3);
}

/* One that was good is tried once an hour. */
static void
test_lists_that_become_bad(void **state)
{
	(void)state;
	trials_are_good();
	pass(3600 * 1000);
	trial("bl.test", "127.0.0.2", "127.0.0.2");
	assert_non_null(ask("192.0.2.1"));
	assert_null(question("1.2.0.192.bl.test"));
}

static void
test_who_leaves_is_not_told(void **state)
{
	struct lists_inquiry *first, *second;

	(void)state;
	trials_are_good();
	first = ask("192.0.2.1");
	second = ask("192.0.2.1");
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(asked, 8 + 2);
	lists_cancel(first);
	says("1.2.0.192.bl.test", NULL);
	says("1.2.0.192.other.test", NULL);
	assert_int_equal(calls, 1);
	lists_cancel(NULL);
}

/* Whoever asks about more than can be kept. */
static void
test_memory_is_bounded(void **state)
{
	struct lists_memory *m = calloc(1, sizeof(*m));
	struct sockaddr_storage a;
	struct sockaddr_in *in = (struct sockaddr_in *)&a;
	struct listed *held, *l;

	(void)state;
	assert_non_null(m);
	assert_true(netaddr_parse("10.0.0.0", 0, &a));
	held = lists_recall(m, &a);
	held->look_up = (struct list_look_up *)m;
	for (uint32_t i = 1; i < 3 * LISTS_ADDRESSES_MAX; i++) {
		in->sin_addr.s_addr = htonl(UINT32_C(0x0a000000) + i);
		l = lists_recall(m, &a);
		assert_non_null(l);
		assert_int_equal(l->until, 0);
		l->until = i;
		assert_true(m->n <= LISTS_ADDRESSES_MAX);
	}
	assert_ptr_equal(lists_recall(m, &a), l);
	in->sin_addr.s_addr = htonl(UINT32_C(0x0a000000));
	assert_ptr_equal(lists_recall(m, &a), held); /* it is asked about */
	in->sin_addr.s_addr = htonl(UINT32_C(0x0a000001));
	assert_int_equal(lists_recall(m, &a)->until, 0); /* was forgotten */
	lists_forget(m);
	assert_int_equal(m->n, 0);
	free(m);
}

/* More questions than may be asked: those that were not count for nothing. */
static void
test_floods(void **state)
{
	char text[NETADDR_TEXT_MAX];

	(void)state;
	trials_are_good();
	for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
		snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
		(void)ask(text);
	}
	assert_int_equal(nquestions, QUESTIONS_MAX);
	pass(5000);
	assert_int_equal(calls, QUESTIONS_MAX / 2);
	assert_int_equal(nquestions, 0);
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(test_nobody_is_listed_before_the_trial),
	    TEST(test_nobody_is_listed_without_a_trial),
	    TEST(test_answers_have_their_time),
	    TEST(test_the_deadline),
	    TEST(test_silent_lists),
	    TEST(test_lost_packets_are_no_silence),
	    TEST(test_ignored_lists),
	    TEST(test_lists_that_become_bad),
	    TEST(test_who_leaves_is_not_told),
	    TEST(test_floods),
	    cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
