/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "build.h"
#include "supervisor/services.h"
#include "supervisor/throttle.h"

static void
test_doubles_to_a_minute(void **state)
{
	static const int64_t delays[] = {
	    1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	struct throttle t = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
		assert_int_equal(throttle_next(&t, 5), delays[i]);
}

static void
test_long_life_forgives(void **state)
{
	struct throttle t = {0};

	(void)state;
	assert_int_equal(throttle_next(&t, 60000), 0);
	assert_int_equal(throttle_next(&t, 59999), 1000);
	assert_int_equal(throttle_next(&t, 100), 2000);
	assert_int_equal(throttle_next(&t, 3600000), 0);
	assert_int_equal(throttle_next(&t, 100), 1000);
}

/* -- the tables fit each other -- */

static const char *
folder_of(const struct service *s)
{
	return strcmp(s->name, "smtp-gate") == 0 ? "gate" : s->name;
}

static void
test_every_role_has_a_folder(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct service *s = services; s->name != NULL; s++, n++) {
		assert_non_null(s->account);
		assert_non_null(role_folder_find(folder_of(s)));
		assert_true(s->grace_s > 0);
		for (int i = 0; i < SERVICE_ROLES_MAX && s->roles[i] != NULL;
		     i++)
			assert_non_null(role_folder_find(s->roles[i]));
	}
	assert_true(n > 0 && n <= SERVICES_MAX);
	assert_null(role_folder_find("nowhere"));
}

/* protocol.h: a request never goes back to who is below. */
static void
test_sockets_of_protocol(void **state)
{
	static const char *const pairs[][2] = {{"smtpd", "userdb"},
	    {"smtpd", "queue"}, {"pop3d", "userdb"}, {"deliver", "queue"},
	    {"userdb", "queue"}, {"userdb", "mailbox"}, {"queue", "userdb"},
	    {"queue", "mailbox"}, {"userdb", "ledger"}, {"deliver", "ledger"},
#ifdef HAVE_CURL
	    {"fetch", "ledger"}, {"fetch", "userdb"},
#endif
	    {"admin", "userdb"}, {"admin", "queue"}, {"admin", "ledger"},
	    {"smtpd", "keys"}, {"pop3d", "keys"}, {"deliver", "keys"},
	    {"queue", "keys"}, {"smtpd", "ledger"},
	    {"gate", "smtpd"}, {"gate", "ledger"}, {"queue", "ledger"},
	    {"admin", "keys"}, {"public", "queue"}};
	size_t found = 0, all = 0;

	(void)state;
	for (const struct service *s = services; s->name != NULL; s++)
		for (int i = 0; i < SERVICE_ROLES_MAX && s->roles[i] != NULL;
		     i++, all++)
			for (size_t p = 0; p < sizeof(pairs) / sizeof(pairs[0]);
			     p++)
				found +=
				    strcmp(pairs[p][0], s->roles[i]) == 0 &&
				    strcmp(pairs[p][1], s->name) == 0;
	assert_int_equal(found, sizeof(pairs) / sizeof(pairs[0]));
	assert_int_equal(all, found);
}

/* Each kind of listener is served, and by one service. */
static void
test_every_listener_is_served(void **state)
{
	(void)state;
	for (int kind = 0; kind < LISTENER_KINDS; kind++) {
		int n = 0;

		for (const struct service *s = services; s->name != NULL; s++)
			n += (s->listeners & 1U << kind) != 0;
		assert_int_equal(n, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_doubles_to_a_minute),
	    cmocka_unit_test(test_long_life_forgives),
	    cmocka_unit_test(test_every_role_has_a_folder),
	    cmocka_unit_test(test_sockets_of_protocol),
	    cmocka_unit_test(test_every_listener_is_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
