/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"
#include "ledger/budgets.h"
#include "ledger/clients.h"
#include "ledger/digest.h"
#include "ledger/familiar.h"
#include "ledger/grey.h"
#include "ledger/journal.h"
#include "ledger/mailboxes.h"

/* A clock of the test's own: every function is told the time. */
enum { START = 1800000000, MINUTE = 60, HOUR = 3600, DAY = 86400 };

static struct table *const tables[] = {&digest_table, &familiar_table,
    &clients_table, &mailboxes_table, &grey_tables[0], &grey_tables[1],
    &budgets_tables[0], &budgets_tables[1], NULL};

/* As the config has it by default. */
static struct config_rate
rate(const char *keyword)
{
	struct config_rate found = {0, 0};

	for (const struct config_keyword *k = config_keywords();
	     k->name != NULL; k++)
		if (strcmp(k->name, keyword) == 0)
			assert_true(config_parse_rate(k->fallback, &found));
	assert_true(found.count > 0);
	return found;
}

static int
fresh(void **state)
{
	(void)state;
	log_threshold(LEVEL_ERROR);
	for (size_t i = 0; tables[i] != NULL; i++)
		table_clear(tables[i]);
	clients_limits = (struct clients_limits){
	    .tallies = {[CLIENTS_CONNECTIONS] = rate("client-connections"),
		[CLIENTS_MESSAGES] = rate("client-messages"),
		[CLIENTS_RECIPIENTS] = rate("client-recipients"),
		[CLIENTS_UNKNOWN] = rate("unknown-recipients"),
		[CLIENTS_OFFENCES] = rate("offences")},
	    .network = rate("network-connections")};
	return 0;
}

/* -- buckets -- */

static const struct config_rate sixty = {60, 60};

static void
fill(struct bucket *b, const struct config_rate *r, time_t now)
{
	while (bucket_fits(b, r, 1, now))
		bucket_add(b, r, 1, now);
}

static void
bucket_of_a_burst(void **state)
{
	struct bucket b = {0, 0};

	(void)state;
	for (int i = 0; i < 60; i++) {
		assert_true(bucket_fits(&b, &sixty, 1, START));
		bucket_add(&b, &sixty, 1, START);
		assert_int_equal(bucket_count(&b, &sixty, START), i + 1);
	}
	assert_false(bucket_fits(&b, &sixty, 1, START));
	assert_int_equal(bucket_wait(&b, &sixty, 1, START), 1);
	assert_int_equal(bucket_wait(&b, &sixty, 20, START), 20);
	for (int i = 1; i < 200; i++) {
		assert_true(bucket_fits(&b, &sixty, 1, START + i));
		bucket_add(&b, &sixty, 1, START + i);
		assert_false(bucket_fits(&b, &sixty, 1, START + i));
	}
	assert_int_equal(bucket_used(&b, START + 200 + 60), 0);
}

static void
bucket_waits(void **state)
{
	(void)state;
	for (uint64_t count = 1; count < 1000; count += 7)
		for (uint64_t span = 1; span < 30 * DAY; span = span * 5 + 3) {
			const struct config_rate r = {count, span};
			struct bucket b = {0, 0};
			uint32_t wait;

			fill(&b, &r, START);
			wait = bucket_wait(&b, &r, 1, START);
			assert_true(wait > 0 && wait <= span);
			assert_false(bucket_fits(&b, &r, 1, START + wait - 1));
			assert_true(bucket_fits(&b, &r, 1, START + wait));
		}
}

/* A clock that was wrong shuts nobody out, and opens nothing. */
static void
bucket_clock_set_back(void **state)
{
	struct bucket b = {0, 0};

	(void)state;
	fill(&b, &sixty, START + 365 * DAY);
	assert_false(bucket_fits(&b, &sixty, 1, START));
	assert_true(bucket_fits(&b, &sixty, 1, START + 1));
	assert_false(bucket_fits(&b, &sixty, 2, START + 1));
	assert_true(bucket_fits(&b, &sixty, 60, START + 60));
}

static void
bucket_of_another_rate(void **state)
{
	static const struct config_rate month = {10, 30 * DAY};
	static const struct config_rate none = {0, 0};
	struct bucket b = {0, 0};

	(void)state;
	fill(&b, &month, START);
	assert_true(bucket_fits(&b, &none, 1, START));
	assert_false(bucket_fits(&b, &sixty, 1, START));
	assert_true(bucket_fits(&b, &sixty, 1, START + 1));
	/* As many as are allowed in a second, four times for who is known. */
	bucket_add(&b, &(const struct config_rate){4000000, 1}, 1, START + 2);
	assert_true(bucket_count(&b, &(const struct config_rate){4000000, 1},
			START + 2) > 0);
	/* One always fits into an empty one, whatever the arithmetic. */
	b = (struct bucket){0, 0};
	assert_true(
	    bucket_fits(&b, &(const struct config_rate){1, 1}, 1, START));
}

/* -- clients -- */

static bool
connects(const char *client, bool known, time_t now)
{
	uint32_t wait;

	return clients_connection(client, known, now, &wait) == CLIENTS_OK;
}

static bool
mails(const char *client, bool known, time_t now)
{
	uint32_t wait;

	if (clients_check(client, known, true, now, &wait) != NULL)
		return false;
	clients_recipient(client, known, true, now);
	return true;
}

static unsigned
how_many(bool (*does)(const char *, bool, time_t), const char *client,
    bool known, time_t now)
{
	unsigned n = 0;

	while (n < 100000 && does(client, known, now))
		n++;
	return n;
}

/* A large sender hands in what was waiting, over many connections at once. */
static void
legitimate_burst(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		assert_true(connects("192.0.2.1", false, START));
		assert_true(mails("192.0.2.1", false, START));
	}
}

static void
known_clients_may_do_more(void **state)
{
	(void)state;
	assert_int_equal(how_many(connects, "192.0.2.1", false, START), 60);
	assert_int_equal(how_many(connects, "192.0.2.2", true, START), 240);
	assert_int_equal(how_many(mails, "192.0.2.1", false, START), 600);
	assert_int_equal(how_many(mails, "192.0.2.2", true, START), 2400);
}

/* Bots all around it do not shut out a client that is known. */
static void
known_client_in_a_bad_network(void **state)
{
	char client[32];

	(void)state;
	for (int i = 1; i < 200; i++) {
		snprintf(client, sizeof(client), "192.0.2.%d", i);
		how_many(connects, client, false, START);
	}
	assert_false(connects("192.0.2.200", false, START));
	assert_true(connects("192.0.2.201", true, START));
}

static const char *
naming(const char *client, time_t now)
{
	uint32_t wait;

	return clients_check(client, false, false, now, &wait);
}

static void
unknown_recipients(void **state)
{
	struct clients_view view;

	(void)state;
	for (int i = 0; i < 30; i++) {
		assert_null(naming("192.0.2.1", START));
		clients_unknown("192.0.2.1", false, START);
	}
	assert_string_equal(naming("192.0.2.1", START), "unknown-recipients");
	assert_non_null(naming("192.0.2.1", START + HOUR / 2 - 1));
	assert_null(naming("192.0.2.1", START + HOUR / 2));
	assert_true(clients_view("192.0.2.1", false, &view, START + HOUR / 2));
	assert_int_equal(view.tallies[CLIENTS_UNKNOWN], 15);
}

static uint32_t
grudge(const char *client, time_t now)
{
	struct clients_view view;

	assert_true(clients_view(client, false, &view, now));
	return view.grudge;
}

static void
offend(const char *client, time_t now)
{
	for (int i = 0; i < 10; i++)
		clients_offence(client, false, "talked-first", now);
}

static void
grudges_grow_and_end(void **state)
{
	static const uint32_t lengths[] = {
	    300, 600, 1200, 2400, 4800, 9600, 14400, 14400, 14400};
	time_t now = START;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		assert_int_equal(grudge("192.0.2.1", now), 0);
		offend("192.0.2.1", now);
		assert_int_equal(grudge("192.0.2.1", now), lengths[i]);
		offend("192.0.2.1", now); /* makes it no longer */
		assert_false(connects("192.0.2.1", false, now));
		assert_int_equal(
		    grudge("192.0.2.1", now + 299), lengths[i] - 299);
		now += lengths[i];
		assert_true(connects("192.0.2.1", false, now));
	}
	now += 2 * DAY;
	offend("192.0.2.1", now);
	assert_int_equal(grudge("192.0.2.1", now), 300);
	/* The clock is set back. */
	assert_int_equal(grudge("192.0.2.1", now - 365 * DAY), 300);
	assert_int_equal(grudge("192.0.2.1", now - 365 * DAY + 300), 0);
}

static void
flood_of_clients(void **state)
{
	char client[64];
	struct clients_view view;

	(void)state;
	offend("192.0.2.1", START);
	for (int i = 0; i < 25; i++)
		clients_unknown("192.0.2.2", false, START);
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(client, sizeof(client), "2001:db8:%x:%x::1",
		    i >> 16 & 0xffff, i & 0xffff);
		clients_recipient(client, false, true, START + 1);
	}
	assert_int_equal(clients_table.n, clients_table.kind->max);
	assert_true(grudge("192.0.2.1", START + 1) > 0);
	assert_true(clients_view("192.0.2.2", false, &view, START + 1));
	assert_int_equal(view.tallies[CLIENTS_UNKNOWN], 25);
}

/* -- who is known -- */

static void
familiar(void **state)
{
	(void)state;
	familiar_memory = 36 * DAY;
	assert_false(familiar_knows("192.0.2.1", "spf:a.test", START));
	familiar_taken("192.0.2.1", "spf:a.test", START);
	assert_true(familiar_knows("192.0.2.1", NULL, START));
	assert_true(familiar_knows("198.51.100.1", "SPF:A.test", START));
	assert_false(familiar_knows("198.51.100.1", NULL, START));
	/* A client's address is no key. */
	assert_false(familiar_knows("198.51.100.1", "192.0.2.1", START));
	assert_true(familiar_knows("192.0.2.1", NULL, START + 36 * DAY));
	assert_false(familiar_knows("192.0.2.1", NULL, START + 36 * DAY + 1));
	familiar_junk("192.0.2.1", "spf:a.test", START);
	assert_false(familiar_knows("192.0.2.1", "spf:a.test", START));
}

/* A little junk among much mail is no reason. */
static void
familiar_with_some_junk(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		if (i % 10 == 9)
			familiar_junk("192.0.2.1", NULL, START + i);
		else
			familiar_taken("192.0.2.1", NULL, START + i);
	assert_true(familiar_knows("192.0.2.1", NULL, START + 1000));
	for (int i = 0; i < 100; i++)
		if (i % 3 == 0)
			familiar_taken("192.0.2.1", NULL, START + 1000 + i);
		else
			familiar_junk("192.0.2.1", NULL, START + 1000 + i);
	assert_false(familiar_knows("192.0.2.1", NULL, START + 1100));
}

/* -- mailboxes -- */

static void
mailbox_with_a_limit(void **state)
{
	const struct config_rate limit = rate("mailbox-messages");
	static const struct config_rate own = {2, HOUR}, none = {0, 0};

	(void)state;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(
		    mailboxes_wait("ann@a.test", &limit, START), 0);
		mailboxes_count("Ann@a.TEST", &limit, START);
	}
	assert_int_equal(mailboxes_wait("ann@a.test", &limit, START), 12);
	assert_int_equal(mailboxes_wait("ann@a.test", &none, START), 0);
	assert_int_equal(mailboxes_wait("bob@a.test", &limit, START), 0);
	mailboxes_count("bob@a.test", &own, START);
	mailboxes_count("bob@a.test", &own, START);
	assert_int_equal(mailboxes_wait("bob@a.test", &own, START), HOUR / 2);
}

/* -- greylist -- */

static uint32_t
grey(const char *key, const char *client, const char *sender, time_t now)
{
	const struct grey_case g = {key, client, sender, "ann@a.test"};

	return grey_wait(&g, false, now);
}

static void
greylist(void **state)
{
	(void)state;
	grey_limits.delay = 2 * MINUTE;
	grey_limits.window = DAY;
	assert_int_equal(grey("net:a", "192.0.2.1", "x@b.test", START), 120);
	assert_int_equal(
	    grey("net:a", "192.0.2.1", "x@b.test", START + 100), 20);
	assert_int_equal(
	    grey("net:a", "192.0.2.1", "y@b.test", START + 130), 120);
	assert_int_equal(
	    grey("net:b", "192.0.2.1", "x@b.test", START + 130), 120);
	/* Another of its pool, who comes in time: the key has waited. */
	assert_int_equal(
	    grey("net:a", "192.0.2.2", "x@b.test", START + 120), 0);
	assert_int_equal(
	    grey("net:a", "192.0.2.3", "z@b.test", START + 121), 0);
	assert_int_equal(
	    grey("net:a", "192.0.2.3", "z@b.test", START + 36 * DAY), 0);
	grey_unlearn("net:a");
	assert_int_equal(
	    grey("net:a", "192.0.2.3", "z@b.test", START + 36 * DAY), 120);
}

static void
greylist_too_late(void **state)
{
	(void)state;
	assert_int_equal(grey("net:c", "192.0.2.1", "x@b.test", START), 120);
	assert_int_equal(
	    grey("net:c", "192.0.2.1", "x@b.test", START + DAY + 1), 120);
	assert_int_equal(
	    grey("net:c", "192.0.2.1", "x@b.test", START + DAY + 121), 0);
	/* The clock is set back: it waits once more, and not for a year. */
	assert_int_equal(grey("net:d", "192.0.2.1", "x@b.test", START), 120);
	assert_int_equal(
	    grey("net:d", "192.0.2.1", "x@b.test", START - 365 * DAY), 120);
	assert_int_equal(
	    grey("net:d", "192.0.2.1", "x@b.test", START - 365 * DAY + 120), 0);
}

static void
flood_of_the_greylist(void **state)
{
	char sender[64];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(sender, sizeof(sender), "good%d@b.test", i);
		grey("net:good", "198.51.100.1", sender, START);
	}
	for (int i = 0; i < 400000; i++) {
		snprintf(sender, sizeof(sender), "bad%d@b.test", i);
		grey("net:bad", "192.0.2.1", sender, START + 1);
	}
	assert_int_equal(grey_tables[0].n, grey_tables[0].kind->max);
	for (int i = 0; i < 50; i++) {
		snprintf(sender, sizeof(sender), "good%d@b.test", i);
		assert_int_equal(
		    grey("net:good", "198.51.100.1", sender, START + 60), 60);
	}
}

/* -- budgets -- */

static struct budgets_limits
budgets(uint64_t messages, uint64_t recipients, uint64_t new)
{
	return (struct budgets_limits){
	    {{messages, DAY}, {recipients, DAY}, {new, DAY}}};
}

/* To n recipients from r`first` on; NULL: within; else what is over. */
static const char *
spend(const char *user, int first, int n, const struct budgets_limits *limits,
    time_t now)
{
	static const char *const names[] = {"messages", "recipients", "new"};
	uint64_t *recipients = calloc((size_t)n + 1, sizeof(*recipients));
	struct budgets_over over;
	char address[32];
	bool within;

	for (int i = 0; i < n; i++) {
		snprintf(address, sizeof(address), "r%d@b.test", first + i);
		recipients[i] = budgets_recipient(user, address);
	}
	within =
	    budgets_spend(user, 1, recipients, (size_t)n, limits, now, &over);
	free(recipients);
	if (!within)
		assert_true(over.count > over.limit);
	return within ? NULL : names[over.what];
}

static void
budget_slides(void **state)
{
	const struct budgets_limits limits = budgets(10, 100, 0);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_null(spend("ann", 0, 10, &limits, START + i * HOUR));
	assert_string_equal(
	    spend("ann", 0, 1, &limits, START + 10 * HOUR), "messages");
	assert_null(spend("bob", 0, 100, &limits, START));
	assert_string_equal(spend("bob", 0, 1, &limits, START), "recipients");
	/* Not before a day is over, and soon after it. */
	assert_string_equal(
	    spend("ann", 0, 1, &limits, START + DAY), "messages");
	assert_null(spend("ann", 0, 1, &limits, START + DAY + DAY / 7 + 8));
	/* All or nothing. */
	assert_string_equal(spend("cy", 0, 101, &limits, START), "recipients");
	assert_null(spend("cy", 0, 100, &limits, START));
}

static void
budget_of_another_span(void **state)
{
	struct budgets_limits limits = budgets(10, 1000, 0);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_null(spend("ann", 0, 1, &limits, START));
	limits.tallies[BUDGETS_MESSAGES] = (struct config_rate){6, 2 * DAY};
	assert_null(spend("ann", 0, 1, &limits, START));
	assert_string_equal(spend("ann", 0, 1, &limits, START), "messages");
}

static void
budget_of_new_recipients(void **state)
{
	const struct budgets_limits limits = budgets(0, 0, 10);
	time_t now = START;

	(void)state;
	assert_null(spend("ann", 0, 10, &limits, now));
	assert_null(spend("ann", 0, 10, &limits, now));
	assert_null(spend("ANN", 0, 10, &limits, now));
	assert_string_equal(spend("ann", 10, 1, &limits, now), "new");
	assert_null(spend("bob", 0, 10, &limits, now));
	now += 170 * DAY;
	assert_null(spend("ann", 0, 5, &limits, now));
	now += 20 * DAY;
	/* Five of them were used within half a year. */
	assert_null(spend("ann", 0, 15, &limits, now));
	assert_string_equal(spend("ann", 15, 1, &limits, now), "new");
	/* The clock is set back: they are known all the same. */
	assert_null(spend("ann", 0, 15, &limits, now - 300 * DAY));
}

/* Who writes to all the world does not make others' recipients new. */
static void
flood_of_recipients(void **state)
{
	const struct budgets_limits limits = budgets(0, 0, 1000000);
	const struct budgets_limits none = budgets(0, 0, 1);

	(void)state;
	assert_null(spend("ann", 0, 100, &limits, START));
	for (int i = 0; i < 12; i++)
		assert_null(spend(
		    "spam", i * 100000, 100000, &limits, START + i * 4 * DAY));
	assert_int_equal(budgets_tables[1].n, budgets_tables[1].kind->max);
	assert_null(spend("ann", 0, 100, &none, START + 50 * DAY));
}

/* -- restart -- */

static void
restart(int folder, time_t now)
{
	journal_end(now);
	for (size_t i = 0; tables[i] != NULL; i++)
		table_clear(tables[i]);
	journal_begin(folder, tables, now);
}

static void
all_outlive_a_restart(void **state)
{
	char path[] = "/tmp/pr-tallies-XXXXXX";
	const struct budgets_limits limits = budgets(2, 100, 3);
	const struct config_rate mailbox = {2, HOUR};
	int folder;

	(void)state;
	assert_non_null(mkdtemp(path));
	folder = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(folder >= 0);
	journal_begin(folder, tables, START);
	digest_begin();
	offend("192.0.2.1", START);
	familiar_taken("2001:db8::1", "spf:a.test", START);
	mailboxes_count("ann@a.test", &mailbox, START);
	mailboxes_count("ann@a.test", &mailbox, START);
	assert_int_equal(grey("net:a", "192.0.2.1", "x@b.test", START), 120);
	assert_null(spend("ann", 0, 3, &limits, START));
	restart(folder, START + 1);
	assert_int_equal(grudge("192.0.2.1", START + 1), 299);
	assert_true(familiar_knows("2001:db8::2", NULL, START + 1));
	assert_true(familiar_knows("192.0.2.9", "spf:a.test", START + 1));
	assert_int_equal(
	    mailboxes_wait("ann@a.test", &mailbox, START + 1), HOUR / 2 - 1);
	assert_int_equal(
	    grey("net:a", "192.0.2.1", "x@b.test", START + 120), 0);
	assert_null(spend("ann", 0, 3, &limits, START + 1));
	assert_string_equal(spend("ann", 0, 1, &limits, START + 1), "messages");
	/* And with a clock that was set back by a year. */
	restart(folder, START - 365 * DAY);
	assert_int_equal(grudge("192.0.2.1", START - 365 * DAY), 300);
	assert_int_equal(grudge("192.0.2.1", START - 365 * DAY + 300), 0);
	assert_int_equal(
	    grey("net:a", "192.0.2.9", "q@b.test", START - 365 * DAY), 0);
	journal_end(START);
	unlinkat(folder, "journal", 0);
	close(folder);
	rmdir(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(bucket_of_a_burst, fresh),
	    cmocka_unit_test_setup(bucket_waits, fresh),
	    cmocka_unit_test_setup(bucket_clock_set_back, fresh),
	    cmocka_unit_test_setup(bucket_of_another_rate, fresh),
	    cmocka_unit_test_setup(legitimate_burst, fresh),
	    cmocka_unit_test_setup(known_clients_may_do_more, fresh),
	    cmocka_unit_test_setup(known_client_in_a_bad_network, fresh),
	    cmocka_unit_test_setup(unknown_recipients, fresh),
	    cmocka_unit_test_setup(grudges_grow_and_end, fresh),
	    cmocka_unit_test_setup(flood_of_clients, fresh),
	    cmocka_unit_test_setup(familiar, fresh),
	    cmocka_unit_test_setup(familiar_with_some_junk, fresh),
	    cmocka_unit_test_setup(mailbox_with_a_limit, fresh),
	    cmocka_unit_test_setup(greylist, fresh),
	    cmocka_unit_test_setup(greylist_too_late, fresh),
	    cmocka_unit_test_setup(flood_of_the_greylist, fresh),
	    cmocka_unit_test_setup(budget_slides, fresh),
	    cmocka_unit_test_setup(budget_of_another_span, fresh),
	    cmocka_unit_test_setup(budget_of_new_recipients, fresh),
	    cmocka_unit_test_setup(flood_of_recipients, fresh),
	    cmocka_unit_test_setup(all_outlive_a_restart, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
