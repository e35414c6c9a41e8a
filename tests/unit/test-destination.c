/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/destination.h"
#include "queue/message.h"
#include "queue/queue.h"
#include "queue/rate.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, MOST = 20 };

static const struct retry_policy usual = {
    .minimum = 300, .maximum = 4 * 3600, .lifetime = 5 * 86400};

/* What main.c has. */
struct queue queue = {.config = {.destination_concurrency = MOST}};

struct retry_policy
queue_policy(void)
{
	return usual;
}

/* -- pace -- */

static void
grow_to(struct pace *p, unsigned window)
{
	for (int i = 0; i < 1000 && p->window < window; i++)
		pace_success(p, MOST, 1);
	assert_int_equal(p->window, window);
}

static void
window_rises_by_one_a_window(void **state)
{
	struct pace p = {.window = 0};
	int successes = 0;

	(void)state;
	assert_int_equal(pace_room(&p, MOST, 1), PACE_WINDOW);
	assert_int_equal(pace_room(&p, 2, 1), 2);
	for (; p.window < MOST; successes++)
		pace_success(&p, MOST, 1);
	assert_int_equal(successes, (5 + 19) * 15 / 2);
	for (int i = 0; i < 100; i++)
		pace_success(&p, MOST, 1);
	assert_int_equal(pace_room(&p, MOST, 1), MOST);
}

static void
trouble_halves_once_for_all_that_ran(void **state)
{
	struct pace p = {.window = 0};

	(void)state;
	grow_to(&p, 16);
	/* A full window of deliveries began at 10; four fail. */
	for (int i = 0; i < 4; i++)
		pace_trouble(&p, PACE_HOST, 10, 20 + i, &usual, 0);
	assert_int_equal(p.window, 8);
	pace_trouble(&p, PACE_HOST, 30, 40, &usual, 0);
	assert_int_equal(p.window, 4);
	assert_false(pace_rests(&p));
}

static void
never_under_one(void **state)
{
	struct pace p = {.window = 0};

	(void)state;
	for (int i = 1; i < 10; i++) {
		pace_trouble(&p, PACE_RATE, i * 1000, i * 1000, &usual, 0);
		assert_true(p.window >= 1);
	}
}

static void
three_without_a_session_rest_it(void **state)
{
	struct pace p = {.window = 0};
	int64_t rest = 5 * MINUTE;

	(void)state;
	for (int i = 0; i < 2; i++)
		pace_trouble(&p, PACE_NO_SESSION, 1, 100, &usual, 0);
	assert_false(pace_rests(&p));
	pace_success(&p, MOST, 2); /* in a row, that is */
	for (int i = 0; i < 3; i++)
		pace_trouble(&p, PACE_NO_SESSION, 1, 100, &usual, 0);
	assert_true(pace_rests(&p));
	assert_int_equal(pace_room(&p, MOST, 100), 0);
	assert_int_equal(pace_room(&p, MOST, 100 + rest * 7 / 8 - 1), 0);
	/* What was under way says nothing new. */
	pace_trouble(&p, PACE_NO_SESSION, 50, 200, &usual, 0);
	assert_int_equal(p.opens, 100 + rest * 7 / 8);
	/* One probe. */
	assert_int_equal(pace_room(&p, MOST, p.opens), 1);
}

static void
rests_double_up_to_half_an_hour(void **state)
{
	static const int minutes[] = {5, 10, 20, 30, 30, 30};
	struct pace p = {.window = 0};
	int64_t now = 100;

	(void)state;
	for (int i = 0; i < 2; i++)
		pace_trouble(&p, PACE_NO_SESSION, 1, now, &usual, 0);
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		int64_t least = (int64_t)minutes[i] * MINUTE * 7 / 8;

		pace_trouble(&p, PACE_NO_SESSION, now, now, &usual, 0);
		assert_in_range(p.opens - now, least, minutes[i] * MINUTE);
		now = p.opens + 1;
	}
	pace_success(&p, MOST, now);
	assert_int_equal(pace_room(&p, MOST, now), PACE_WINDOW);
}

static void
refusals_in_a_session_count_half(void **state)
{
	struct pace p = {.window = 0};

	(void)state;
	for (int i = 0; i < 5; i++)
		pace_trouble(&p, PACE_HOST, 1, 100, &usual, 0);
	assert_false(pace_rests(&p));
	pace_trouble(&p, PACE_HOST, 1, 100, &usual, 0);
	assert_true(pace_rests(&p));
}

static void
rate_replies_pause(void **state)
{
	struct pace p = {.window = 0};
	int64_t now = 1000;

	(void)state;
	for (uint32_t pause = 1000; pause <= 256000; pause *= 2) {
		/* Five that ran at a time say so: that is once. */
		for (int i = 0; i < 5; i++)
			pace_trouble(&p, PACE_RATE, now - 10, now, &usual, 0);
		assert_int_equal(p.pause, pause);
		assert_int_equal(pace_room(&p, MOST, now + pause - 1), 0);
		assert_int_equal(
		    pace_room(&p, MOST, now + pause), 1 + (pause == 1000));
		now += (int64_t)pause + 100;
		assert_false(pace_rests(&p));
	}
	pace_trouble(&p, PACE_RATE, now, now, &usual, 0);
	assert_int_equal(p.pause, PACE_PAUSE_MOST);
	pace_start(&p, now + PACE_PAUSE_MOST);
	assert_int_equal(pace_room(&p, MOST, now + 2 * PACE_PAUSE_MOST - 1), 0);
	for (int i = 0; i < 9; i++)
		pace_success(&p, MOST, now + 1 + i);
	assert_int_equal(p.pause, 0);
	assert_true(pace_room(&p, MOST, now + 20) > 0);
}

/* -- rate replies -- */

static void
words_of_providers(void **state)
{
	static const struct {
		const char *dsn, *text;
		bool rate;
	} cases[] = {
	    /* Gmail; replies of several lines as a log shows them */
	    {"4.7.28",
		"421 4.7.28 Gmail has detected an unusual rate of unsolicited "
		"mail originating from your SPF domain. To protect our users "
		"from spam, mail sent from your domain has been temporarily "
		"rate limited. For more information, go to "
		"https://support.google.com/mail/?p=UnsolicitedRateLimitError "
		"to review our Bulk Email Senders Guidelines. - gsmtp",
		true},
	    {"4.7.0",
		"421 4.7.0 [192.0.2.1 15] Our system has detected an unusual "
		"rate of unsolicited mail originating from your IP address. "
		"To protect our users from spam, mail sent from your IP "
		"address has been temporarily rate limited. - gsmtp",
		true},
	    {"4.7.0", "421 4.7.0 Try again later, closing connection. (EHLO)",
		true},
	    {"4.2.1",
		"450 4.2.1 Peak SMTP relay limit exceeded for this customer. "
		"This is a temporary error. - gsmtp",
		true},
	    {"4.2.1",
		"450 4.2.1 The user you are trying to contact is receiving "
		"mail at a rate that prevents additional messages from being "
		"delivered. Please resend your message at a later time. - "
		"gsmtp",
		false},
	    {"4.2.1",
		"450 4.2.1 The user you are trying to contact is receiving "
		"email too quickly. Please resend your message at a later "
		"time. - gsmtp",
		false},
	    {"4.2.2",
		"452 4.2.2 The recipient's inbox is out of storage space. "
		"Please direct the recipient to "
		"https://support.google.com/mail/?p=OverQuotaTemp - gsmtp",
		false},
	    {"4.5.3", "452 4.5.3 Your message has too many recipients. - gsmtp",
		false},
	    /* Microsoft */
	    {"4.7.500",
		"451 4.7.500 Server busy. Please try again later from "
		"[192.0.2.1]. (S77719) "
		"[FR2DEU01FT008.eop-deu01.prod.protection.outlook.com]",
		true},
	    {"4.7.550",
		"451 4.7.550 Access denied, please try again later (AS550)",
		true},
	    {"4.7.650",
		"451 4.7.650 The mail server [192.0.2.1] has been temporarily "
		"rate limited due to IP reputation. For e-mail delivery "
		"information, see https://aka.ms/postmaster (S775) "
		"[Name=Protocol Filter Agent][AGT=PFA]",
		true},
	    {"4.7.652",
		"451 4.7.652 The mail server [192.0.2.1] has exceeded the "
		"maximum number of connections. (S3115)",
		true},
	    {"4.0.0",
		"421 RP-001 (SNT0-MC2-F19) Unfortunately, some messages from "
		"192.0.2.1 weren't sent. Please try again. We have limits for "
		"how many messages can be sent per hour and per day.",
		true},
	    {"4.3.2",
		"432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded",
		false},
	    {"4.7.700", "451 4.7.700 Access denied (AS700)", false},
	    {"4.7.5", "451 4.7.5 no valid certificate", false},
	    /* Yahoo and AOL */
	    {"4.7.0",
		"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily "
		"deferred due to unexpected volume or user complaints - "
		"4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
		true},
	    {"4.7.0",
		"421 4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred "
		"due to user complaints - 4.16.55.1; see "
		"http://postmaster.yahoo.com/421-ts01.html",
		true},
	    {"4.0.0",
		"421 Message from 192.0.2.1 temporarily deferred - 4.16.50",
		true},
	    {"4.0.0",
		"421 Max message per connection reached, closing transmission "
		"channel",
		true},
	    /* GMX, WEB.DE */
	    {"4.0.0",
		"421 web.de (mxweb113) Nemesis ESMTP Service not available "
		"Service unavailable Reject due to policy restrictions Please "
		"try again later. Too many messages have been received in a "
		"short period of time.",
		true},
	    {"4.0.0", "421 Rate limit reached. Please try again later", true},
	    /* Apple */
	    {"4.0.0", "421 [HCM1] Your mail from 192.0.2.1 was deferred.",
		true},
	    {"4.7.1",
		"421 4.7.1 Messages to bob@icloud.test deferred due to "
		"excessive volume. Try again later - "
		"https://support.apple.com/en-us/HT204137",
		false},
	    {"4.7.0", "421 4.7.0 me.com Error: too many errors", false},
	    /* Comcast */
	    {"4.1.0", "421 4.1.0 192.0.2.1 Throttled - try again later", true},
	    {"4.0.0",
		"421 resimta-po-18v.sys.comcast.net 192.0.2.1 Too many "
		"sessions opened",
		true},
	    /* Orange, La Poste */
	    {"4.0.0",
		"421 mwinf5c27 ME Trop de connexions, veuillez verifier votre "
		"configuration. Too many connections, slow down. OFR004_104 "
		"[104]",
		true},
	    {"4.7.1",
		"450 4.7.1 Client host rejected: Service refuse. Veuillez "
		"essayer plus tard. service refused, please try later. "
		"LPN027_503",
		true},
	    /* Yandex: one recipient's */
	    {"4.5.1",
		"451 4.5.1 The recipient <bob@yandex.test> has exceeded their "
		"message rate limit. Try again later.",
		false},
	    /* software */
	    {"4.7.0", "421 4.7.0 mx Error: too many connections from 192.0.2.1",
		true},
	    {"4.3.2", "452 4.3.2 Connection rate limit exceeded.", true},
	    {"4.0.0",
		"421 Too many concurrent SMTP connections from this IP "
		"address; please try again later.",
		true},
	    {"4.0.0",
		"451 The server has reached its limit for processing requests "
		"from your host. Please try again later.",
		true},
	    /* greylisting, full, down, or for good */
	    {"4.7.1", "450 4.7.1 <a@b.test>: Greylisted, too fast", false},
	    {"4.2.0", "450 4.2.0 Recipient address rejected: Greylisted",
		false},
	    {"4.7.1",
		"451 4.7.1 Greylisting in action, please come back in 00:04:59",
		false},
	    {"4.7.1", "451 4.7.1 Service unavailable - try again later", false},
	    {"4.7.1", "450 4.7.1 corp-001.test: not now", false},
	    {"4.5.3", "452 4.5.3 Too many recipients", false},
	    {"4.2.2", "452 4.2.2 mailbox full", false},
	    {"4.2.2", "422 4.2.2 Quota limit exceeded", false},
	    {"4.0.0", "452 Mailbox is full, sending rate too high", false},
	    {"4.3.2", "421 4.3.2 shutting down", false},
	    {"5.7.1", "554 5.7.1 rate limit exceeded", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (rate_reply(cases[i].dsn, cases[i].text) != cases[i].rate)
			fail_msg("%s", cases[i].text);
}

/* -- lanes -- */

static struct message *
message(const char *domain, uint32_t sender, unsigned attempts)
{
	static uint64_t number;
	struct domain *held = domain_hold(domain);
	struct message *m;
	char id[FS_ID_SIZE];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)++number);
	m = message_add(id);
	assert_non_null(m);
	m->sender = sender;
	m->attempts = (uint16_t)attempts;
	message_lead(m, held);
	domain_release(held);
	assert_non_null(domain_destination(held));
	return m;
}

static struct destination *
park(const char *domain, uint32_t sender, unsigned attempts, int n)
{
	struct message *m = NULL;

	for (int i = 0; i < n; i++) {
		m = message(domain, sender, attempts);
		assert_true(lanes_park(m));
		m->state = MESSAGE_READY;
	}
	return m->domain->destination;
}

static uint32_t
next_sender(struct destination *d)
{
	struct message *m = lanes_next(d);
	uint32_t sender;

	if (m == NULL)
		return 0;
	sender = m->sender;
	message_drop(m);
	return sender;
}

static void
senders_take_turns(void **state)
{
	struct destination *d = park("turns.test", 1, 1, 1000);
	const uint32_t wanted[] = {1, 2, 3, 1, 2, 3, 1, 2, 1, 2, 1, 2};

	(void)state;
	park("turns.test", 2, 1, 5);
	park("turns.test", 3, 1, 2);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(next_sender(d), wanted[i]);
	while (d->lanes.n > 0)
		assert_int_equal(next_sender(d), 1);
	assert_int_equal(next_sender(d), 0);
}

static void
a_fresh_one_goes_before_those_that_wait(void **state)
{
	struct destination *d = NULL;
	int turns = 0;

	(void)state;
	for (uint32_t sender = 1; sender <= 500; sender++)
		d = park("fresh.test", sender, 1, 1);
	(void)next_sender(d);
	park("fresh.test", 1000, 0, 1);
	for (turns = 1; next_sender(d) != 1000; turns++)
		continue;
	assert_in_range(turns, 1, 2);
	/* But any number of them does not keep the others from their turn. */
	turns = 0;
	for (uint32_t sender = 2000; d->lanes.n > 2; sender++) {
		park("fresh.test", sender, 0, 1);
		if (next_sender(d) < 1000)
			turns++;
		if (sender == 2100)
			break;
	}
	assert_in_range(turns, 20, 30);
	while (next_sender(d) != 0)
		continue;
}

static void
any_may_leave_its_lane(void **state)
{
	enum { ALL = 2000 };
	static struct message *all[ALL];
	struct destination *d;

	(void)state;
	for (uint32_t i = 0; i < ALL; i++) {
		all[i] = message("leave.test", i % 7, 1);
		assert_true(lanes_park(all[i]));
	}
	d = all[0]->domain->destination;
	srand(7);
	for (size_t n = ALL; n > 0; n--) {
		size_t i = (size_t)rand() % n;

		lanes_leave(all[i]);
		message_drop(all[i]);
		all[i] = all[n - 1];
		assert_int_equal(d->lanes.n, n - 1);
	}
	assert_null(lanes_next(d));
	assert_null(d->lanes.young);
	assert_null(d->lanes.old);
}

/* -- what it costs -- */

/* Kilobytes in memory. */
static size_t
resident(void)
{
	size_t total, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu %zu", &total, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

/*
 * At worst each is of a sender of its own, so that there are as many lanes.
 */
static void
a_million_cost_128_octets_each(void **state)
{
	enum { MILLION = 1000000 };
	static struct due_heap heap;
	size_t before = resident(), octets;
	struct message *m = NULL;

	(void)state;
	for (uint32_t i = 0; i < MILLION; i++) {
		m = message("million.test", i, 0);
		assert_true(lanes_park(m));
		assert_true(due_set(&heap, &m->due, rand()));
	}
	octets = (resident() - before) * 1024 / MILLION;
	printf("%zu octets a message\n", octets);
	assert_in_range(octets, 72, 128);
	due_free(&heap);
}

/* -- destinations -- */

static void
domains_share_their_mx_host(void **state)
{
	struct domain *a = domain_hold("a.test"), *b = domain_hold("b.test");
	struct destination *d = domain_destination(a);

	(void)state;
	assert_ptr_not_equal(d, domain_destination(b));
	domain_lead(a, "mx.provider.test");
	domain_lead(b, "mx.provider.test");
	assert_ptr_equal(a->destination, b->destination);
	assert_ptr_equal(destination_find("b.test"), b->destination);
	assert_ptr_equal(destination_find("mx.provider.test"), b->destination);
	queue.config.relay_host = strdup("[relay.test]");
	domain_lead_all();
	assert_string_equal(domain_destination(a)->name, "[relay.test]");
	assert_ptr_equal(domain_destination(a), domain_destination(b));
	free(queue.config.relay_host);
	queue.config.relay_host = NULL;
	domain_lead_all();
	domain_release(a);
	domain_release(b);
}

static void
what_is_known_is_bounded(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct domain *domain;

		snprintf(name, sizeof(name), "d%d.test", i);
		domain = domain_hold(name);
		assert_non_null(domain_destination(domain));
		domain_release(domain);
	}
	assert_null(domain_find("d0.test"));
	assert_null(destination_find("d0.test"));
	assert_non_null(domain_find("d19999.test"));
}

enum { NAMES = 100000 };

struct thing {
	struct named named;
	char name[24];
	bool met;
};

static void
meet(struct named *named, void *context)
{
	struct thing *thing = (struct thing *)named;

	(void)context;
	assert_false(thing->met);
	thing->met = true;
}

static void
no_name_waits_behind_many(void **state)
{
	static struct thing things[NAMES];
	struct name_table table = {.n = 0};

	(void)state;
	assert_null(name_table_find(&table, "n0.test"));
	for (int i = 0; i < NAMES; i++) {
		snprintf(things[i].name, sizeof(things[i].name), "n%d.test", i);
		things[i].named.name = things[i].name;
		assert_true(name_table_add(&table, &things[i].named));
	}
	for (size_t i = 0; i < table.size; i++) {
		int length = 0;

		for (struct named *t = table.buckets[i]; t != NULL;
		     t = t->chain)
			length++;
		assert_in_range(length, 0, 20);
	}
	for (int i = 0; i < NAMES; i += 2)
		name_table_remove(&table, &things[i].named);
	assert_int_equal(table.n, NAMES / 2);
	name_table_each(&table, meet, NULL);
	for (int i = 0; i < NAMES; i++) {
		bool there = name_table_find(&table, things[i].name) != NULL;

		assert_int_equal(there, i % 2 == 1);
		assert_int_equal(things[i].met, there);
	}
	free(table.buckets);
}

static struct destination *
destination(const char *name, enum standing standing)
{
	struct domain *domain = domain_hold(name);
	struct destination *d = domain_destination(domain);

	d->standing = standing;
	d->pace.window = MOST;
	domain_release(domain);
	return d;
}

/* Of nobody whose messages wait. */
static void
occupy(struct destination *d, enum stage stage, int n)
{
	for (; n > 0; n--)
		destination_move(d, STAGE_NONE, stage);
	for (; n < 0; n++)
		destination_move(d, stage, STAGE_NONE);
}

static void
workers_are_kept_for_those_that_live(void **state)
{
	struct destination *live = destination("w1.test", STANDING_PROVEN);
	struct destination *fresh = destination("w2.test", STANDING_NEW);
	struct destination *dead = destination("w3.test", STANDING_SUSPECT);
	struct destination *others = destination("w4.test", STANDING_SUSPECT);

	(void)state;
	occupy(others, STAGE_RUNNING, 19);
	assert_true(destination_may_run(dead, 40, 19, 1));
	occupy(others, STAGE_RUNNING, 1);
	assert_false(destination_may_run(dead, 40, 20, 1));
	occupy(fresh, STAGE_RUNNING, 9);
	assert_true(destination_may_run(fresh, 40, 29, 1));
	occupy(fresh, STAGE_RUNNING, 1);
	assert_false(destination_may_run(fresh, 40, 30, 1));
	assert_true(destination_may_run(live, 40, 39, 1));
	assert_false(destination_may_run(live, 40, 40, 1));
	/* No more than are left for others. */
	occupy(live, STAGE_RUNNING, 5);
	assert_true(destination_may_run(live, 40, 34, 1));
	assert_false(destination_may_run(live, 40, 35, 1));
	occupy(live, STAGE_RUNNING, -5);
	occupy(fresh, STAGE_RUNNING, -10);
	occupy(others, STAGE_RUNNING, -20);
	/* A single worker serves anybody. */
	assert_true(destination_may_run(dead, 1, 0, 1));
}

static void
those_that_live_leave_the_others_their_turn(void **state)
{
	struct destination *live = destination("t1.test", STANDING_PROVEN);
	struct destination *fresh = destination("t2.test", STANDING_NEW);
	struct destination *dead = destination("t3.test", STANDING_SUSPECT);

	(void)state;
	occupy(live, STAGE_RUNNING, 39);
	assert_true(destination_may_run(fresh, 40, 39, 1));
	assert_true(destination_may_run(dead, 40, 39, 1));
	occupy(live, STAGE_TICKET, 960);
	assert_true(destination_has_room(fresh, 1));
	assert_true(destination_has_room(dead, 1));
	occupy(live, STAGE_TICKET, -960);
	occupy(live, STAGE_RUNNING, -39);
}

static void
dead_ones_hide_no_other(void **state)
{
	struct heard bad = {.trouble = PACE_HOST,
	    .started = 1,
	    .dsn = "4.4.2",
	    .text = "lost the connection"};
	struct destination *d, *taken;
	char name[32];

	(void)state;
	taken = destination("taken.test", STANDING_SUSPECT);
	occupy(taken, STAGE_TICKET, 500);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "hide%d.test", i);
		d = park(name, 1, 0, 1);
		destination_stir(d, 1);
		destination_heard(d, &bad, 2);
	}
	assert_null(destination_turn(2));
	d = park("seek.test", 1, 0, 1);
	destination_stir(d, 2);
	assert_ptr_equal(destination_turn(2), d);
	(void)next_sender(d);
	destination_stir(d, 2);
	assert_null(destination_turn(2));
	/* Who comes from one kind to another takes along what it has. */
	destination_heard(
	    taken, &(struct heard){.good = true, .started = 2}, 2);
	assert_non_null(destination_turn(2));
	occupy(taken, STAGE_TICKET, -500);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "hide%d.test", i);
		d = destination_find(name);
		(void)next_sender(d);
		destination_stir(d, 2);
	}
	assert_null(destination_turn(2));
}

/* -- all of it, in virtual time -- */

enum { WORKERS = 50, LIVE = 8, DEAD = 8, SLOW = 2, TICK = 10 };

struct delivery {
	struct message *m;
	struct destination *d;
	int64_t started, ends;
};

struct world {
	int64_t now, back; /* when the dead are no longer */
	struct delivery running[WORKERS];
	size_t busy;
	size_t delivered, attempts_at_dead;
	int64_t last_of[4]; /* when this sender's last one was delivered */
	size_t of[4];
};

static bool
is_kind(const struct message *m, const char *kind)
{
	return strncmp(m->domain->name, kind, strlen(kind)) == 0;
}

static void
deliver_one(struct world *w, struct destination *d)
{
	struct message *m = lanes_next(d);
	struct delivery *free_one = w->running;

	assert_non_null(m);
	while (free_one->m != NULL)
		free_one++;
	destination_move(d, STAGE_NONE, STAGE_RUNNING);
	pace_start(&d->pace, w->now);
	*free_one = (struct delivery){m, d, w->now, w->now + 20};
	if (is_kind(m, "dead") && w->now < w->back)
		free_one->ends = w->now + 30 * SECOND;
	else if (is_kind(m, "slow"))
		free_one->ends = w->now + 10 * MINUTE;
	w->busy++;
	destination_stir(d, w->now);
}

static void
end_one(struct world *w, struct delivery *r)
{
	bool dead = is_kind(r->m, "dead") && r->started < w->back;
	struct heard heard = {.good = !dead,
	    .trouble = PACE_NO_SESSION,
	    .started = r->started,
	    .dsn = "4.4.1",
	    .text = "no answer"};
	struct message *m = r->m;

	r->m = NULL;
	w->busy--;
	destination_move(r->d, STAGE_RUNNING, STAGE_NONE);
	destination_heard(r->d, &heard, w->now);
	if (dead) {
		w->attempts_at_dead++;
		m->attempts++;
		assert_true(lanes_park(m));
		destination_stir(r->d, w->now);
		return;
	}
	w->delivered++;
	if (m->sender < 4) {
		w->last_of[m->sender] = w->now;
		w->of[m->sender]++;
	}
	message_drop(m);
}

static void
tick(struct world *w)
{
	struct destination *d;

	w->now += TICK;
	for (size_t i = 0; i < WORKERS; i++)
		if (w->running[i].m != NULL && w->running[i].ends <= w->now)
			end_one(w, &w->running[i]);
	for (int looks = 0; looks < 200 && w->busy < WORKERS &&
	     (d = destination_turn(w->now)) != NULL;
	     looks++)
		if (destination_may_run(d, WORKERS, w->busy, w->now))
			deliver_one(w, d);
}

static void
put(struct world *w, const char *kind, int domain, uint32_t sender, int n)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%d.test", kind, domain);
	destination_stir(park(name, sender, 0, n), w->now);
}

/*
 * Sender 1 has 100,000 messages for the living, sender 2 thousands for dead
 * and slow ones; sender 3 comes later with one for each of the living, and
 * must have it delivered as if he were alone.
 */
static void
nobody_delays_anybody_else(void **state)
{
	struct world w = {.now = 1000, .back = 3 * 60 * MINUTE};

	(void)state;
	for (int i = 0; i < LIVE; i++)
		put(&w, "live", i, 1, 100000 / LIVE);
	for (int i = 0; i < DEAD; i++)
		put(&w, "dead", i, 2, 1000);
	for (int i = 0; i < SLOW; i++)
		put(&w, "slow", i, 2, 100);
	while (w.now < 60 * SECOND)
		tick(&w);
	assert_true(w.of[1] > 10000 && w.of[1] < 100000);
	for (int i = 0; i < LIVE; i++)
		put(&w, "live", i, 3, 1);
	while (w.of[3] < LIVE && w.now < 120 * SECOND)
		tick(&w);
	assert_int_equal(w.of[3], LIVE);
	assert_in_range(w.last_of[3], 0, 60 * SECOND + SECOND / 2);
	while (w.of[1] < 100000 && w.now < 60 * MINUTE)
		tick(&w);
	assert_int_equal(w.of[1], 100000);
	/* In an hour the dead ones were bothered a few times each. */
	while (w.now < 60 * MINUTE)
		tick(&w);
	assert_in_range(w.attempts_at_dead, DEAD * 3, DEAD * 12);
	/* When they are back, a probe finds out, and all of it goes. */
	while (w.now < w.back)
		tick(&w);
	assert_int_equal(w.of[2] > 1000, false);
	while (w.of[2] < DEAD * 1000 && w.now < w.back + 60 * MINUTE)
		tick(&w);
	assert_in_range(w.of[2], DEAD * 1000, DEAD * 1000 + SLOW * 100);
	assert_in_range(
	    w.last_of[2], w.back, w.back + PACE_REST_MOST * 9 / 8 + MINUTE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(window_rises_by_one_a_window),
	    cmocka_unit_test(trouble_halves_once_for_all_that_ran),
	    cmocka_unit_test(never_under_one),
	    cmocka_unit_test(three_without_a_session_rest_it),
	    cmocka_unit_test(rests_double_up_to_half_an_hour),
	    cmocka_unit_test(refusals_in_a_session_count_half),
	    cmocka_unit_test(rate_replies_pause),
	    cmocka_unit_test(words_of_providers),
	    cmocka_unit_test(senders_take_turns),
	    cmocka_unit_test(a_fresh_one_goes_before_those_that_wait),
	    cmocka_unit_test(any_may_leave_its_lane),
	    cmocka_unit_test(domains_share_their_mx_host),
	    cmocka_unit_test(what_is_known_is_bounded),
	    cmocka_unit_test(no_name_waits_behind_many),
	    cmocka_unit_test(workers_are_kept_for_those_that_live),
	    cmocka_unit_test(those_that_live_leave_the_others_their_turn),
	    cmocka_unit_test(dead_ones_hide_no_other),
	    cmocka_unit_test(nobody_delays_anybody_else),
#ifndef SANITIZERS
	    /* Last: it leaves them. */
	    cmocka_unit_test(a_million_cost_128_octets_each),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
