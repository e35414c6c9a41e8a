/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/privileges.h"
#include "common/verdict.h"
#include "tests/unit/userdb-folder.h"
#include "userdb/admin.h"
#include "userdb/directory.h"
#include "userdb/entry.h"
#include "userdb/name.h"
#include "userdb/password.h"
#include "userdb/resolve.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* -- entries -- */

static void
lines_come_back_the_same(void **state)
{
	static const char *const lines[] = {
	    "domain example.org",
	    "domain example.org created=5 changed=6",
	    "user alice@example.org",
	    ("user alice@example.org hash=$6$salt$hash system=al disabled "
	     "created=18446744073709551615 changed=1"),
	    ("user alice@example.org hash=$6$x$y "
	     "scram=SCRAM-SHA-256$4096:c2FsdA==$a:b secret=c2VjcmV0 "
	     "system=al disabled created=1 changed=2"),
	    ("user alice@example.org disabled login-messages=5000/1d "
	     "login-recipients=0 login-new-recipients=1000000/30d "
	     "mailbox-messages=1/1s created=1"),
	    "alias info@example.org Case@remote.test",
	    "app alice@example.org phone digest=0a used=8 created=7",
	    "app alice@example.org Old-PC_2.b",
	    "grant alice@example.org @example.net created=3",
	    "grant alice@example.org \"a b\"@example.net",
	    "alias @example.org alice@example.org",
	    "alias \"a b\"@example.org \"c \\\" d\"@remote.test created=9",
	    "postmaster alice@example.org",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct buf line = BUF_INIT(ENTRY_LINE_MAX);
		struct buf value = BUF_INIT(STORE_VALUE_MAX);
		struct entry_key key;
		struct entry e, again;

		assert_null(entry_parse(lines[i], &e));
		entry_format(&e, &line);
		assert_string_equal(buf_text(&line), lines[i]);
		assert_true(entry_key(&e, &key));
		assert_true(entry_value(&e, &value));
		assert_true(entry_read(entry_key_span(&key),
		    (struct span){value.data, value.len}, &again));
		buf_reset(&line);
		entry_format(&again, &line);
		assert_string_equal(buf_text(&line), lines[i]);
		buf_free(&line);
		buf_free(&value);
	}
}

static void
bad_lines_are_refused(void **state)
{
	static const char *const lines[] = {"", " ", "nonsense", "domain",
	    "domain [127.0.0.1]", "domain a..b", "user", "user alice",
	    "user a/b@example.org", "user .a@example.org",
	    "user a..b@example.org", "user \"a b\"@example.org",
	    "user a@example.org x",
	    "user a@example.org hash=", "user a@example.org disabled=1",
	    "user a@example.org created", "user a@example.org created=1x",
	    "user a@example.org batch=1", "user a@example.org text=x",
	    "alias a@example.org", "alias a b@example.org",
	    "alias @ b@example.org", "alias a@example.org b",
	    "alias a@example.org b@example.org hash=x", "postmaster",
	    "alias a@example.org b@example.org used=1", "app",
	    "app a@example.org", "app a@example.org -x",
	    "app a@example.org x/y", "app a@example.org x hash=y",
	    "app a@example.org x disabled", "user a@example.org digest=x",
	    "user a@example.org login-messages", "user a@example.org login-messages=5",
	    "user a@example.org login-messages=5/1d5",
	    "user a@example.org login-messages=000000000000000000005/1d",
	    "alias a@example.org b@example.org login-messages=5/1d",
	    "user a@example.org used=1", "postmaster a@example.org created=1",
	    "grant a@example.org", "grant a@example.org b",
	    "grant a@example.org @", "grant a@example.org @[127.0.0.1]",
	    "grant a@example.org b@", "grant a b@example.org",
	    "grant a@example.org b@example.org disabled",
	    "grant @example.org b@example.org", "note x y@example.org"};
	struct entry e;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		if (entry_parse(lines[i], &e) == NULL)
			fail_msg("taken: %s", lines[i]);
}

/* Every change of a single octet, and every cut, of a stored value. */
static void
garbled_values_are_noticed(void **state)
{
	struct buf value = BUF_INIT(STORE_VALUE_MAX);
	struct entry_key key, other;
	struct entry e, got;

	(void)state;
	assert_null(entry_parse(
	    "user a@example.org hash=$6$x$y created=12 disabled", &e));
	assert_true(entry_key(&e, &key));
	assert_true(entry_value(&e, &value));
	for (size_t i = 0; i < value.len; i++) {
		assert_false(entry_read(
		    entry_key_span(&key), (struct span){value.data, i}, &got));
		for (int bit = 1; bit < 256; bit <<= 1) {
			value.data[i] = (char)(value.data[i] ^ bit);
			assert_false(entry_read(entry_key_span(&key),
			    (struct span){value.data, value.len}, &got));
			value.data[i] = (char)(value.data[i] ^ bit);
		}
	}
	/* Right, but another's. */
	assert_null(entry_parse("user b@example.org", &e));
	assert_true(entry_key(&e, &other));
	assert_false(entry_read(entry_key_span(&other),
	    (struct span){value.data, value.len}, &got));
	assert_true(entry_read(
	    entry_key_span(&key), (struct span){value.data, value.len}, &got));
	buf_free(&value);
}

static void
bad_keys_are_refused(void **state)
{
	static const struct span keys[] = {{"", 0}, {"u", 1}, {"u/", 2},
	    {"x/example.org", 13}, {"u/example.org", 13},
	    {"a/example.org/x", 15}, {"a/x", 3}, {"u/d/l\0x", 7}};
	char big[STORE_KEY_MAX];
	struct entry e;

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++)
		assert_false(entry_read_key(keys[i], &e));
	memset(big, 'x', sizeof(big));
	memcpy(big, "d/", 2);
	assert_false(entry_read_key((struct span){big, sizeof(big)}, &e));
	memcpy(big, "u/d/", 4);
	assert_false(entry_read_key((struct span){big, sizeof(big)}, &e));
}

/* -- passwords -- */

static void
passwords_are_verified(void **state)
{
	char hash[ENTRY_HASH_MAX + 1], again[ENTRY_HASH_MAX + 1];

	(void)state;
	assert_int_equal(password_hash("secret", 1, hash), 0);
	assert_int_equal(password_hash("secret", 1, again), 0);
	assert_string_not_equal(hash, again);
	assert_memory_equal(hash, "$y$", 3);
	assert_true(password_verify("secret", 1, hash));
	assert_false(password_verify("Secret", 1, hash));
	assert_false(password_verify("", 1, hash));
	assert_false(password_verify("", 1, ""));
	assert_false(password_verify("nobody's", 1, ""));
	assert_false(password_verify("*0", 1, "*0"));
	/* What others made, see crypt(5). */
	assert_true(password_verify("Hello world!", 1,
	    "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"));
	assert_true(password_verify("Hello world!", 1,
	    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFN"
	    "jnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"));
	assert_null(password_check_hash(hash));
	assert_non_null(password_check_hash("*"));
	assert_non_null(password_check_hash("!$y$x"));
	assert_non_null(password_check_hash("a b"));
	assert_non_null(password_check_hash("a:b"));
	assert_non_null(password_check_hash("$nothing$known"));
	assert_non_null(password_check(""));
	assert_non_null(password_check("a\nb"));
	assert_null(password_check("correct horse battery staple \xc3\xa9"));
}

/* -- resolution -- */

static char folder[64];
static char first_domain[] = "example.test";
static char hostname[] = "mail.example.test";
static char *domains[] = {first_domain};
static struct config config = {
    .hostname = hostname, .domains = {1, domains}, .minimum_uid = 1};
static struct directory directory;

static void
add(const char *line)
{
	struct entry e;

	assert_null(entry_parse(line, &e));
	assert_int_equal(directory_put(&directory, &e), STORE_OK);
}

/* The system has one account, unix, with a home. */
int __wrap_account_find(const char *, struct account *);

static char home[80];

int
__wrap_account_find(const char *name, struct account *account)
{
	if (strcmp(name, "unix") != 0) {
		errno = ENOENT;
		return -1;
	}
	*account = (struct account){.uid = geteuid() != 0 ? geteuid() : 4242};
	snprintf(account->home, sizeof(account->home), "%s", home);
	return 0;
}

static void
make_home(void)
{
	struct account account;

	snprintf(home, sizeof(home), "%s/home", folder);
	assert_int_equal(mkdir(home, 0700), 0);
	__wrap_account_find("unix", &account);
	assert_int_equal(chown(home, account.uid, (gid_t)-1), 0);
}

static int
set_up(void **state)
{
	static const char *const lines[] = {
	    "domain other.test",
	    "user ann@example.test",
	    "user bob@other.test",
	    "user plus+sign@example.test",
	    "user off@example.test disabled",
	    "user sys@example.test system=unix",
	    "grant ann@example.test Boss@Else.Test",
	    "grant ann@example.test @whole.test",
	    "grant off@example.test @whole.test",
	    "grant sys@example.test info@example.test",
	    "alias info@example.test ann@example.test",
	    "alias info@example.test x@remote.test",
	    "alias chain@other.test info@example.test",
	    "alias dead@example.test nobody@example.test",
	    "alias mixed@example.test nobody@example.test",
	    "alias mixed@example.test bob@other.test",
	    "alias away@example.test x@remote.test",
	    "alias off2@example.test off@example.test",
	    "alias one@example.test two@example.test",
	    "alias two@example.test three@example.test",
	    "alias three@example.test one@example.test",
	    "alias three@example.test ann@example.test",
	    "alias into@example.test one@example.test",
	    "alias self@example.test self+x@example.test",
	    "alias @other.test bob@other.test",
	    "alias diamond@example.test info@example.test",
	    "alias diamond@example.test chain@other.test",
	};
	enum store_result result;
	struct store *store;

	(void)state;
	folder_make(folder, sizeof(folder));
	make_home();
	store = store_open(folder, &result);
	assert_non_null(store);
	assert_int_equal(directory_begin(&directory, store, &config), FOUND);
	for (size_t i = 0; i < COUNT(lines); i++)
		add(lines[i]);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	store_close(directory.store);
	rmdir(home);
	folder_remove(folder);
	return 0;
}

static void
addresses_lead_somewhere(void **state)
{
	static const struct {
		const char *address;
		enum resolved kind;
		const char *target; /* for RESOLVED_NOT: the verdict */
		const char *check;  /* the verdict all the way */
	} cases[] = {
	    {"ann@example.test", RESOLVED_MAILBOX, "ann@example.test",
		"recipient-ok"},
	    {"ANN@Example.Test", RESOLVED_MAILBOX, "ann@example.test",
		"recipient-ok"},
	    {"ann+a+b@example.test", RESOLVED_MAILBOX, "ann@example.test",
		"recipient-ok"},
	    {"ann@mail.example.test", RESOLVED_MAILBOX, "ann@example.test",
		"recipient-ok"},
	    {"plus+sign@example.test", RESOLVED_MAILBOX,
		"plus+sign@example.test", "recipient-ok"},
	    {"plus@example.test", RESOLVED_NOT, "user-unknown", "user-unknown"},
	    {"sys@example.test", RESOLVED_SYSTEM, "unix", "recipient-ok"},
	    {"off@example.test", RESOLVED_NOT, "mailbox-disabled",
		"mailbox-disabled"},
	    {"off2@example.test", RESOLVED_ALIAS, NULL, "mailbox-disabled"},
	    {"info@example.test", RESOLVED_ALIAS, NULL, "recipient-ok"},
	    {"info+x@example.test", RESOLVED_ALIAS, NULL, "recipient-ok"},
	    {"chain@other.test", RESOLVED_ALIAS, NULL, "recipient-ok"},
	    {"dead@example.test", RESOLVED_ALIAS, NULL, "user-unknown"},
	    {"mixed@example.test", RESOLVED_ALIAS, NULL, "recipient-ok"},
	    {"away@example.test", RESOLVED_ALIAS, NULL, "recipient-ok"},
	    {"diamond@example.test", RESOLVED_ALIAS, NULL, "recipient-ok"},
	    {"one@example.test", RESOLVED_ALIAS, NULL, "loop"},
	    {"three@example.test", RESOLVED_ALIAS, NULL, "loop"},
	    {"into@example.test", RESOLVED_ALIAS, NULL, "loop"},
	    {"self@example.test", RESOLVED_ALIAS, NULL, "loop"},
	    {"whoever@other.test", RESOLVED_ALIAS, NULL, "recipient-ok"},
	    {"x@remote.test", RESOLVED_REMOTE, "remote.test", "relay-denied"},
	    {"x@[192.0.2.1]", RESOLVED_REMOTE, "[192.0.2.1]", "relay-denied"},
	    {"nobody@example.test", RESOLVED_NOT, "user-unknown",
		"user-unknown"},
	    {"+x@example.test", RESOLVED_NOT, "user-unknown", "user-unknown"},
	    {"\"ann@remote.test\"@example.test", RESOLVED_NOT, "user-unknown",
		"user-unknown"},
	    {"", RESOLVED_NOT, "bad-recipient", "bad-recipient"},
	    {"@example.test", RESOLVED_NOT, "bad-recipient", "bad-recipient"},
	    {"a@b@example.test", RESOLVED_NOT, "bad-recipient",
		"bad-recipient"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct resolution r;

		resolve(&directory, cases[i].address, &r);
		if (r.kind != cases[i].kind)
			fail_msg("%s: kind %d", cases[i].address, r.kind);
		if (r.kind == RESOLVED_NOT)
			assert_string_equal(
			    verdict_row(r.verdict)->name, cases[i].target);
		else if (cases[i].target != NULL)
			assert_string_equal(r.target, cases[i].target);
		if (strcmp(
			verdict_row(resolve_check(&directory, cases[i].address))
			    ->name,
			cases[i].check) != 0)
			fail_msg(
			    "%s: not %s", cases[i].address, cases[i].check);
	}
}

static void
expect_forward(const char *address, const char *target)
{
	struct resolution r;

	resolve(&directory, address, &r);
	if (target == NULL) {
		assert_int_equal(r.kind, RESOLVED_NOT);
		return;
	}
	assert_int_equal(r.kind, RESOLVED_FORWARD);
	assert_string_equal(r.target, target);
}

static void
there_is_a_postmaster(void **state)
{
	static char itself[] = "postmaster@example.test";
	static char missing[] = "missing@example.test";
	static char boss[] = "Boss@remote.test";
	struct resolution r;

	(void)state;
	expect_forward("Postmaster", NULL);
	expect_forward("postmaster@example.test", NULL);
	assert_int_equal(
	    directory_set_note(&directory, "postmaster", "bob@other.test"),
	    STORE_OK);
	expect_forward("Postmaster", "bob@other.test");
	expect_forward("PostMaster@example.test", "bob@other.test");
	expect_forward("postmaster@other.test", "bob@other.test");
	expect_forward("root@mail.example.test", "bob@other.test");
	expect_forward("abuse@example.test", "bob@other.test");
	config.postmaster = missing;
	expect_forward("postmaster@example.test", "bob@other.test");
	config.postmaster = itself;
	expect_forward("postmaster@example.test", "bob@other.test");
	expect_forward("abuse@other.test", "bob@other.test");
	config.postmaster = boss;
	expect_forward("postmaster@example.test", "Boss@remote.test");
	config.postmaster = NULL;
	add("alias postmaster@example.test ann@example.test");
	resolve(&directory, "postmaster@example.test", &r);
	assert_int_equal(r.kind, RESOLVED_ALIAS);
	expect_forward("postmaster@other.test", "postmaster@example.test");
	assert_int_equal(resolve_check(&directory, "abuse@other.test"),
	    VERDICT_RECIPIENT_OK);
	/* A domain that catches all leaves the postmaster alone. */
	config.postmaster = itself;
	assert_int_equal(resolve_check(&directory, "postmaster@other.test"),
	    VERDICT_RECIPIENT_OK);
	config.postmaster = NULL;
}

static void
senders_own_what_leads_to_them(void **state)
{
	static const struct {
		const char *login, *address;
		enum verdict verdict;
	} cases[] = {
	    {"ann@example.test", "ann@example.test", VERDICT_SENDER_OK},
	    {"ann@example.test", "ANN+x@example.test", VERDICT_SENDER_OK},
	    {"ann@example.test", "", VERDICT_SENDER_OK},
	    {"ann@example.test", "diamond@example.test", VERDICT_SENDER_OK},
	    {"ann@example.test", "bob@other.test", VERDICT_SENDER_NOT_OWNED},
	    {"ann@example.test", "x@remote.test", VERDICT_SENDER_NOT_OWNED},
	    {"bob@other.test", "x@other.test", VERDICT_SENDER_OK},
	    {"sys@example.test", "sys@example.test", VERDICT_SENDER_OK},
	    {"sys@example.test", "ann@example.test", VERDICT_SENDER_NOT_OWNED},
	    {"off@example.test", "off@example.test", VERDICT_SENDER_NOT_OWNED},
	    {"nobody@example.test", "nobody@example.test",
		VERDICT_SENDER_NOT_OWNED},
	    {"x@remote.test", "x@remote.test", VERDICT_SENDER_NOT_OWNED},
	    {"ann@example.test", "<>", VERDICT_BAD_SENDER},
	    {"ann@example.test", "boss@else.test", VERDICT_SENDER_OK},
	    {"ann@example.test", "BOSS+x@ELSE.test", VERDICT_SENDER_OK},
	    {"ann@example.test", "bos@else.test", VERDICT_SENDER_NOT_OWNED},
	    {"ann@example.test", "boss@sub.else.test",
		VERDICT_SENDER_NOT_OWNED},
	    {"ann@example.test", "whoever+x@whole.test", VERDICT_SENDER_OK},
	    {"ann@example.test", "x@sub.whole.test", VERDICT_SENDER_NOT_OWNED},
	    {"ann@example.test", "x@whole.test.else", VERDICT_SENDER_NOT_OWNED},
	    {"bob@other.test", "x@whole.test", VERDICT_SENDER_NOT_OWNED},
	    {"off@example.test", "x@whole.test", VERDICT_SENDER_NOT_OWNED},
	    {"sys@example.test", "info@example.test", VERDICT_SENDER_OK},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (resolve_sender(&directory, cases[i].login,
			cases[i].address) != cases[i].verdict)
			fail_msg("%s as %s", cases[i].login, cases[i].address);
}

/* -- imports -- */

static bool
ask(struct admin *a, struct packet *p)
{
	static struct packet answer;
	bool done =
	    admin_answer(a, a, p, &answer) && packet_is(&answer, "done");

	*p = answer;
	return done;
}

static void
imports_are_undone_step_by_step(void **state)
{
	static struct packet p;
	struct admin a;
	char text[64], number[16];
	size_t steps = 0;

	(void)state;
	admin_begin(&a, &directory);
	packet_start(&p, "import-begin");
	assert_true(ask(&a, &p));
	for (unsigned i = 0; i < 1000; i += 100) {
		packet_start(&p, "import");
		for (unsigned j = i; j < i + 100; j++) {
			snprintf(number, sizeof(number), "%u", j + 1);
			snprintf(text, sizeof(text), "user u%u@other.test", j);
			packet_text(&p, "line", number);
			packet_text(&p, "text", text);
		}
		assert_true(ask(&a, &p));
	}
	assert_int_equal(resolve_check(&directory, "u5@other.test"),
	    VERDICT_RECIPIENT_OK); /* caught by all */
	admin_gone(&a, &a);
	/* Another process finds it in the middle of being undone. */
	assert_true(admin_sweep(&a));
	assert_int_equal(
	    directory_begin(&directory, directory.store, &config), FOUND);
	assert_true(directory.pending[0] != '\0');
	admin_begin(&a, &directory);
	packet_start(&p, "import-begin");
	assert_false(ask(&a, &p));
	assert_true(packet_is(&p, "busy"));
	while (admin_sweep(&a))
		steps++;
	assert_true(steps >= 4);
	assert_true(directory.pending[0] == '\0');
	packet_start(&p, "import-begin");
	assert_true(ask(&a, &p));
	packet_start(&p, "import");
	packet_text(&p, "line", "1");
	packet_text(&p, "text", "user u5@other.test");
	assert_true(ask(&a, &p));
	packet_start(&p, "import-end");
	assert_true(ask(&a, &p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_come_back_the_same),
	    cmocka_unit_test(bad_lines_are_refused),
	    cmocka_unit_test(garbled_values_are_noticed),
	    cmocka_unit_test(bad_keys_are_refused),
	    cmocka_unit_test(passwords_are_verified),
	    cmocka_unit_test(addresses_lead_somewhere),
	    cmocka_unit_test(senders_own_what_leads_to_them),
	    cmocka_unit_test(there_is_a_postmaster),
	    cmocka_unit_test(imports_are_undone_step_by_step),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
