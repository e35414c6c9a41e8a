/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/envelope.h"

static const char sample[] = "postrider-envelope 3\n"
			     "content 100\n"
			     "start 10\n"
			     "wire 110\n"
			     "time 1700000000.000042\n"
			     "sender <a\\x20b\\x3e@example.test>\n"
			     "body 8bitmime\n"
			     "utf8 1\n"
			     "client host[192.0.2.1]\n"
			     "helo he\\x5clo\n"
			     "protocol ESMTP\n"
			     "login ann@example.test\n"
			     "uid 1000\n"
			     "ret hdrs\n"
			     "envid QQ 314\\x5c159\n"
			     "junk dmarc\n"
			     "dkim DKIM-Signature: v=1; a=rsa-sha256;\\x0a"
			     "\\x09d=b.test; s=x\n"
			     "dkim DKIM-Signature: v=1; a=ed25519-sha256\n"
			     "recipient <x@example.test>"
			     " notify=success,delay"
			     " orcpt=x400;/a\\x20b\\x3e/\n"
			     "recipient <\xc3\xbc@example.test>"
			     " orcpt=utf-8;\xc3\xbc@example.test\n"
			     "end 2\n";

/* As release 0.3 wrote it. */
static const char version_2[] = "postrider-envelope 2\n"
				"content 100\n"
				"start 10\n"
				"wire 110\n"
				"time 5\n"
				"sender <>\n"
				"body 7bit\n"
				"utf8 0\n"
				"client \n"
				"helo \n"
				"protocol ESMTP\n"
				"login x@example.test\n"
				"ret full\n"
				"envid y\n"
				"recipient <x@example.test> notify=never\n"
				"end 1\n"
				"deferred 0 6 4.2.2 - mailbox full\n"
				"attempt 6 300\n";

/* As releases before 0.3 wrote it. */
static const char version_1[] = "postrider-envelope 1\n"
				"content 100\n"
				"start 10\n"
				"wire 110\n"
				"time 5\n"
				"sender <>\n"
				"body 7bit\n"
				"utf8 0\n"
				"client \n"
				"helo \n"
				"protocol ESMTP\n"
				"recipient <x@example.test>\n"
				"end 1\n"
				"deferred 0 6 4.2.2 - mailbox full\n"
				"attempt 6 300\n";

static const char outcomes[] =
    "expanded 0 1700000001 <y@example.test> <z@example.test>\n"
    "delivered 2 1700000002 2.0.0 mailbox:y@example.test ok\n"
    "deferred 1 1700000002 4.2.2 - mailbox full\n"
    "failed 3 1700000002 5.1.1 mx[1.2.3.4]:25 550 no\\x0a such user\n"
    "bounced 3 1700000003 0123456789abcdef\n"
    "held 1700000003 no\\x0a reason\n"
    "released 1700000003\n"
    "held 1700000004 spam run\n"
    "warned 1700000003 1\n"
    "relayed 1 1700000003 2.0.0 mx[1.2.3.4]:25 ok\n"
    "told 1700000003 0 1\n"
    "attempt 1700000003 1700000303\n";

static enum envelope_result
parse(struct envelope *e, const void *octets, size_t n)
{
	const char *why = NULL;
	unsigned line;
	enum envelope_result result;
	/* Exactly as long as it is, for the sanitizer. */
	char *copy = malloc(n > 0 ? n : 1);

	assert_non_null(copy);
	memcpy(copy, octets, n);
	result = envelope_parse(e, copy, n, &why, &line);
	free(copy);
	assert_non_null(why);
	return result;
}

static void
reads_everything(void **state)
{
	struct envelope e;
	char text[sizeof(sample) + sizeof(outcomes)];

	(void)state;
	snprintf(text, sizeof(text), "%s%s", sample, outcomes);
	assert_int_equal(parse(&e, text, strlen(text)), ENVELOPE_WHOLE);
	assert_int_equal(e.content, 100);
	assert_int_equal(e.start, 10);
	assert_int_equal(e.wire, 110);
	assert_string_equal(e.sender, "a b>@example.test");
	assert_string_equal(e.helo, "he\\lo");
	assert_string_equal(e.login, "ann@example.test");
	assert_int_equal(e.uid, 1000);
	assert_true(e.eight_bit && e.utf8 && e.outcomes);
	assert_int_equal(e.n, 4);
	assert_int_equal(e.recipients[0].state, RECIPIENT_EXPANDED);
	assert_int_equal(e.ret, DSN_RET_HDRS);
	assert_string_equal(e.envid, "QQ 314\\159");
	assert_string_equal(e.junk, "dmarc");
	assert_int_equal(e.nsignatures, 2);
	assert_string_equal(e.signatures[0],
	    "DKIM-Signature: v=1; a=rsa-sha256;\n\td=b.test; s=x");
	assert_string_equal(
	    e.signatures[1], "DKIM-Signature: v=1; a=ed25519-sha256");
	assert_int_equal(e.recipients[0].notify, DSN_SUCCESS | DSN_DELAY);
	assert_string_equal(e.recipients[0].orcpt, "x400;/a b>/");
	assert_int_equal(e.recipients[1].notify, 0);
	assert_string_equal(
	    e.recipients[1].orcpt, "utf-8;\xc3\xbc@example.test");
	assert_true(e.recipients[1].warned && e.recipients[1].told);
	assert_true(e.recipients[0].told && !e.recipients[0].warned);
	assert_int_equal(e.recipients[1].state, RECIPIENT_DELIVERED);
	assert_true(e.recipients[1].relayed && !e.recipients[2].relayed);
	assert_string_equal(e.recipients[1].text, "ok");
	assert_string_equal(e.held, "spam run");
	assert_int_equal(e.held_since, 1700000004);
	assert_null(e.recipients[2].orcpt);
	assert_int_equal(e.recipients[2].state, RECIPIENT_DELIVERED);
	assert_int_equal(e.recipients[2].parent, 0);
	assert_int_equal(e.recipients[2].depth, 1);
	assert_int_equal(e.recipients[3].state, RECIPIENT_BOUNCED);
	assert_ptr_equal(envelope_original(&e, 3), &e.recipients[0]);
	assert_int_equal(e.attempts, 1);
	assert_int_equal(e.next, 1700000303);
	assert_int_equal(e.time, 1700000000);
	assert_int_equal(e.micros, 42);
	assert_int_equal(e.whole, strlen(text));
	envelope_free(&e);
}

static void
reads_the_versions_before(void **state)
{
	struct envelope e;

	(void)state;
	assert_int_equal(
	    parse(&e, version_2, strlen(version_2)), ENVELOPE_WHOLE);
	assert_string_equal(e.envid, "y");
	assert_int_equal(e.recipients[0].notify, DSN_NEVER);
	assert_int_equal(e.nsignatures, 0);
	assert_null(e.junk);
	assert_int_equal(e.next, 300);
	envelope_free(&e);
	assert_int_equal(
	    parse(&e, version_1, strlen(version_1)), ENVELOPE_WHOLE);
	assert_string_equal(e.recipients[0].text, "mailbox full");
	assert_int_equal(e.recipients[0].notify, 0);
	assert_null(e.recipients[0].orcpt);
	assert_null(e.recipients[0].relay);
	assert_int_equal(e.ret, DSN_RET_NONE);
	assert_null(e.envid);
	assert_null(e.junk);
	assert_null(e.held);
	assert_int_equal(e.next, 300);
	envelope_free(&e);
}

static void
lines_of_reports_and_holds_come_back(void **state)
{
	const size_t both[] = {0, 1};
	struct envelope e;
	struct buf b = BUF_INIT(65536);

	(void)state;
	buf_adds(&b, sample);
	envelope_warned_line(&b, 7, both, 2);
	envelope_told_line(&b, 8, both + 1, 1);
	envelope_held_line(&b, 9, "a\nb");
	assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
	assert_true(e.recipients[0].warned && e.recipients[1].warned);
	assert_true(!e.recipients[0].told && e.recipients[1].told);
	assert_string_equal(e.held, "a\nb");
	assert_int_equal(e.held_since, 9);
	assert_true(envelope_hold(&e, 10, "again"));
	assert_string_equal(e.held, "again");
	envelope_free(&e);
	envelope_released_line(&b, 11);
	assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
	assert_null(e.held);
	assert_int_equal(e.released, 11);
	envelope_free(&e);
	buf_free(&b);
}

/* 0 an alias to 2 and 3, 2 one to 4; 1 is nobody's member. */
static void
requeued_begins_anew(void **state)
{
	static const char head[] =
	    "recipient <all@example.test>\nrecipient <x@example.test>\nend 2\n"
	    "expanded 0 7 <a@example.test> <b@example.test>\n"
	    "expanded 2 7 <c@example.test>\n"
	    "deferred 1 8 4.2.2 - full\ndeferred 4 8 4.2.2 - full\n";
	struct envelope e;
	struct buf b = BUF_INIT(65536);
	size_t start = (size_t)(strstr(version_1, "recipient") - version_1);

	(void)state;
	buf_add(&b, version_1, start);
	buf_adds(&b, head);
	buf_adds(&b, "attempt 8 9\n");
	envelope_requeued_line(&b, 10);
	assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
	assert_int_equal(e.attempts, 0);
	assert_int_equal(e.next, 0);
	assert_int_equal(e.recipients[0].state, RECIPIENT_PENDING);
	assert_int_equal(e.recipients[1].state, RECIPIENT_PENDING);
	assert_null(e.recipients[1].text);
	for (size_t i = 2; i < 5; i++)
		assert_true(e.recipients[i].gone &&
		    e.recipients[i].state == RECIPIENT_EXPANDED);
	envelope_free(&e);
	/* Looked up again, and requeued again: who is gone stays so. */
	buf_adds(&b, "expanded 0 11 <c@example.test>\n");
	envelope_requeued_line(&b, 12);
	assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
	assert_int_equal(e.recipients[0].state, RECIPIENT_PENDING);
	for (size_t i = 2; i < 6; i++)
		assert_true(e.recipients[i].gone);
	assert_false(envelope_has_leaf(&e, "c@example.test"));
	envelope_free(&e);
	buf_reset(&b);
	/* One member has it: the aliases above stay what they are. */
	buf_add(&b, version_1, start);
	buf_adds(&b, head);
	buf_adds(&b, "delivered 4 9 2.0.0 - ok\n");
	envelope_requeued_line(&b, 10);
	assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
	assert_int_equal(e.recipients[0].state, RECIPIENT_EXPANDED);
	assert_int_equal(e.recipients[2].state, RECIPIENT_EXPANDED);
	assert_int_equal(e.recipients[3].state, RECIPIENT_PENDING);
	assert_int_equal(e.recipients[4].state, RECIPIENT_DELIVERED);
	for (size_t i = 0; i < 5; i++)
		assert_false(e.recipients[i].gone);
	envelope_free(&e);
	buf_free(&b);
}

static void
writes_what_it_reads(void **state)
{
	struct envelope e;
	struct buf b = BUF_INIT(65536);

	(void)state;
	assert_int_equal(parse(&e, sample, strlen(sample)), ENVELOPE_WHOLE);
	assert_true(envelope_format(&e, &b));
	assert_string_equal(buf_text(&b), sample);
	buf_free(&b);
	envelope_free(&e);
}

/* Held from the beginning, which is no outcome: nobody was told 250 yet. */
static void
is_held_from_the_beginning(void **state)
{
	static const char held[] = "postrider-envelope 4\ncontent 1\nstart 0\n"
				   "wire 2\ntime 7.000000\nsender <>\n"
				   "body 7bit\nutf8 0\nclient c\nhelo h\n"
				   "protocol SMTP\njunk filter\n"
				   "hold a virus? \\x0a\n"
				   "recipient <a@b.example>\nend 1\n";
	struct envelope e;
	struct buf b = BUF_INIT(65536);

	(void)state;
	assert_int_equal(parse(&e, held, strlen(held)), ENVELOPE_WHOLE);
	assert_string_equal(e.held, "a virus? \n");
	assert_int_equal(e.held_since, 7);
	assert_false(e.outcomes);
	assert_true(envelope_format(&e, &b));
	assert_string_equal(buf_text(&b), held);
	envelope_release(&e, 8);
	assert_null(e.held);
	buf_free(&b);
	envelope_free(&e);
}

/* Every prefix of the first part is torn; of the second, whole so far. */
static void
truncated_at_every_octet(void **state)
{
	struct envelope e;
	char text[sizeof(sample) + sizeof(outcomes)];
	size_t length, whole = strlen(sample);

	(void)state;
	snprintf(text, sizeof(text), "%s%s", sample, outcomes);
	length = strlen(text);
	for (size_t n = 0; n < strlen(sample) - 1; n++)
		assert_int_equal(parse(&e, text, n), ENVELOPE_TORN);
	/* Only an editor leaves the end line whole and its line end out. */
	assert_int_equal(parse(&e, text, strlen(sample) - 1), ENVELOPE_WHOLE);
	assert_true(e.unended);
	envelope_free(&e);
	for (size_t n = strlen(sample); n <= length; n++) {
		if (text[n - 1] == '\n')
			whole = n;
		assert_int_equal(parse(&e, text, n), ENVELOPE_WHOLE);
		assert_int_equal(e.whole, whole);
		envelope_free(&e);
	}
}

/* The length reached the disk, the octets did not. */
static void
zeros_from_every_octet(void **state)
{
	struct envelope e;
	char text[sizeof(sample) + sizeof(outcomes)];
	size_t length;

	(void)state;
	for (size_t n = 0; n <= strlen(sample) + strlen(outcomes); n++) {
		snprintf(text, sizeof(text), "%s%s", sample, outcomes);
		length = strlen(text);
		memset(text + n, 0, length - n);
		assert_int_equal(parse(&e, text, length),
		    n < strlen(sample) ? ENVELOPE_TORN : ENVELOPE_WHOLE);
		envelope_free(&e);
	}
}

/* Any octet anywhere: never a crash, never a control character taken in. */
static void
damaged_octets(void **state)
{
	struct envelope e;
	char text[sizeof(sample) + sizeof(outcomes)];
	size_t length;

	(void)state;
	snprintf(text, sizeof(text), "%s%s", sample, outcomes);
	length = strlen(text);
	srand(3);
	for (int round = 0; round < 20000; round++) {
		size_t at = (size_t)rand() % length;
		char before = text[at];

		text[at] = (char)(rand() % 256);
		if (parse(&e, text, length) == ENVELOPE_WHOLE) {
			assert_true(e.start <= e.content);
			for (size_t i = 0; i < e.n; i++) {
				const char *p = e.recipients[i].address;

				assert_true(e.recipients[i].parent <= i);
				for (; *p != '\0'; p++)
					assert_true((unsigned char)*p >= ' ');
			}
			envelope_free(&e);
		}
		text[at] = before;
	}
}

static void
refuses(void **state)
{
	static const struct {
		const char *what, *by;
	} changes[] = {
	    {"postrider-envelope 3", "postrider-envelope 5"},
	    {"postrider-envelope 3", "postrider-envelope 0"},
	    {"postrider-envelope 3", "postrider-envelope "},
	    {"postrider-envelope 3", "postrider-envelope 3 "},
	    {"postrider-envelope 3", "Postrider-envelope 3"},
	    {"ret hdrs", "ret body"},
	    {"dkim DKIM-Signature: v=1; a=e", "dkim DKIM-Signature; v=1; a=e"},
	    {"dkim DKIM-Signature: v=1; a=e",
		"dkim DKIM-Signature: v=1\\x0aa=e"},
	    {"dkim DKIM-Signature: v=1; a=e",
		"dkim DKIM-Signature: v=1\\x0a\\x0a a=e"},
	    {"dkim DKIM-Signature: v=1; a=e",
		"dkim DKIM-Signature: v=1\\x0a \\x0a a=e"},
	    {"dkim DKIM-Signature: v=1; a=e",
		"dkim DKIM-Signature: v=1\\x0d\\x0a a=e"},
	    {"dkim DKIM-Signature: v=1; a=e",
		"dkim DKIM-Signature: \xc3\xbc=e"},
	    {"junk dmarc", "dkim DKIM-Signature: a=x\njunk dmarc"},
	    {"junk dmarc", "dkim DKIM-Signature: a=x"},
	    {"envid QQ 314", "envid QQ\\x0a314"},
	    {"envid QQ 314", "envid \xc3\xbc"},
	    {"junk dmarc", "junk "},
	    {"junk dmarc", "junk dmarc fail"},
	    {"junk dmarc", "junk Dmarc"},
	    {"junk dmarc", "junk a1234567890123456789012345678901x"},
	    {"junk dmarc", "junk dmarc\njunk dmarc"},
	    {"notify=success,delay", "notify=success,never"},
	    {"notify=success,delay", "notify=success,success"},
	    {"notify=success,delay", "notify=success,"},
	    {"notify=success,delay", "notify="},
	    {"notify=success,delay", "notify=delay notify=delay"},
	    {" notify=success,delay", " tell=success,delay"},
	    {" notify=success,delay", "notify=success,delay"},
	    {"orcpt=x400;", "orcpt=x400"},
	    {"orcpt=x400;", "orcpt=;"},
	    {"orcpt=x400;/a\\x20b\\x3e/", "orcpt=x400;"},
	    {"orcpt=x400;/a\\x20b", "orcpt=x400;/a\\x0ab"},
	    {"orcpt=x400;/a\\x20b", "orcpt=x400;/a b"},
	    {"orcpt=x400;/a\\x20b", "orcpt=x400;/a\xc3\xbc"},
	    {"warned 1700000003 1", "warned 1700000003"},
	    {"warned 1700000003 1", "warned 1700000003 4"},
	    {"warned 1700000003 1", "warned 1700000003 1 "},
	    {"told 1700000003 0 1", "told 1700000003 0 9"},
	    {"held 1700000003 ", "held 1700000003"},
	    {"held 1700000003 ", "held x "},
	    {"released 1700000003", "released 1700000003 1"},
	    {"released 1700000003", "requeued"},
	    {"released 1700000003", "requeued 1700000003 1"},
	    {"relayed 1", "relayed 0"}, /* an alias */
	    {"relayed 1", "relayed 4"},
	    {"content 100", "content -1"},
	    {"content 100", "content 99999999999999999999"},
	    {"content 100", "content 5"}, /* start lies behind it */
	    {"content 100", "content 100 "},
	    {"body 8bitmime", "body binary"},
	    {"utf8 1", "utf8 2"},
	    {"<x@example.test>", "x@example.test"},
	    {"<x@example.test>", "<x@example.test> "},
	    {"<x@example.test>", "<>"},
	    {"<x@example.test>", "<x\\x0a@example.test>"},
	    {"<x@example.test>", "<x\\x00@example.test>"},
	    {"<x@example.test>", "<x\\xZZ@example.test>"},
	    {"helo he\\x5clo\n", "helo he\x1blo\n"},
	    {"helo he\\x5clo\n", ""},
	    {"helo he\\x5clo\n", "helo a\nhelo b\n"},
	    {"end 2", "end 3"},
	    {"end 2", "end 0"},
	    {"uid 1000\n", "uid 4294967296\n"},
	    {"expanded 0", "expanded 9"},
	    {"expanded 0", "expanded 18446744073709551616"},
	    {"delivered 2", "delivered 0"}, /* an alias */
	    {"delivered 2", "delivered 4"},
	    {"delivered 2", "swallowed 2"},
	    {"4.2.2 - ", "4.2.2.2.2.2.2.2.2 - "},
	    {"deferred 1 1700000002 4.2.2 -", "deferred 1 1700000002"},
	    {"attempt 1700000003", "attempt 99999999999999999"},
	    {"attempt 1700000003 1700000303", "attempt 1700000003"},
	    {"bounced 3 1700000003 ", "bounced 3"},
	};
	struct envelope e;
	char whole[sizeof(sample) + sizeof(outcomes)];
	char text[sizeof(whole) + 64];

	(void)state;
	snprintf(whole, sizeof(whole), "%s%s", sample, outcomes);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *at = strstr(whole, changes[i].what);

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole),
		    whole, changes[i].by, at + strlen(changes[i].what));
		if (parse(&e, text, strlen(text)) != ENVELOPE_BAD)
			fail_msg("\"%s\" was taken", changes[i].by);
	}
}

static void
outcome_lines_come_back(void **state)
{
	static const char *const texts[] = {"", "plain", "two words",
	    "back\\slash", "line\nend\r\t\x1b[2J", "\xff\xfe\xc3",
	    "gr\xc3\xbc\xc3\x9f", "\\x41"};
	struct outcome o = {.when = 1700000001, .dsn = "4.0.0"};
	struct envelope e;
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		buf_reset(&b);
		buf_adds(&b, sample);
		o.relay = texts[i];
		o.text = texts[i];
		envelope_outcome_line(&b, 1, &o);
		assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
		assert_string_equal(e.recipients[1].text, texts[i]);
		if (texts[i][0] != '\0')
			assert_string_equal(e.recipients[1].relay, texts[i]);
		envelope_free(&e);
	}
	buf_free(&b);
}

static void
long_texts_are_cut_between_characters(void **state)
{
	char text[4096];
	struct outcome o = {.when = 1, .dsn = "4.0.0", .text = text};
	struct envelope e;
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'a', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		buf_reset(&b);
		buf_adds(&b, sample);
		envelope_outcome_line(&b, 1, &o);
		assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
		assert_in_range(strlen(e.recipients[1].text),
		    ENVELOPE_TEXT_MAX - 3, ENVELOPE_TEXT_MAX);
		/* A character cut in two would have been escaped. */
		assert_null(strstr(buf_text(&b) + strlen(sample), "\\x"));
		envelope_free(&e);
	}
	buf_free(&b);
}

static void
expansion_comes_back_and_loops_are_seen(void **state)
{
	struct envelope e;
	struct buf b = BUF_INIT(1 << 20);
	struct outcome o = {.state = RECIPIENT_EXPANDED, .when = 5};

	(void)state;
	assert_int_equal(parse(&e, sample, strlen(sample)), ENVELOPE_WHOLE);
	assert_true(envelope_has_leaf(&e, "x@example.test"));
	assert_true(envelope_note(&e, 0, &o));
	assert_false(envelope_has_leaf(&e, "x@example.test"));
	assert_true(envelope_add_recipient(&e, "q r>s@example.test", 0));
	assert_true(envelope_add_recipient(&e, "x@example.test", 0));
	assert_false(envelope_loops(&e, 2));
	assert_true(envelope_loops(&e, 3));
	buf_adds(&b, sample);
	envelope_expanded_line(&b, &e, 0, 2);
	envelope_free(&e);
	assert_int_equal(parse(&e, b.data, b.len), ENVELOPE_WHOLE);
	assert_int_equal(e.n, 4);
	assert_string_equal(e.recipients[2].address, "q r>s@example.test");
	envelope_truncate(&e, 2);
	assert_true(envelope_add_recipient(&e, "t@example.test", 1));
	assert_int_equal(e.n, 3);
	envelope_free(&e);
	buf_free(&b);
}

static void
requests_follow_aliases(void **state)
{
	const struct dsn_recipient all = {
	    DSN_SUCCESS | DSN_FAILURE, "rfc822;First@x.test"};
	const struct dsn_recipient success = {DSN_SUCCESS, NULL};
	const struct dsn_recipient never = {DSN_NEVER, NULL};
	char orcpt[DSN_ORCPT_MAX + 1];
	struct envelope e;

	(void)state;
	assert_int_equal(parse(&e, sample, strlen(sample)), ENVELOPE_WHOLE);
	assert_true(envelope_ask(&e, 0, &all));
	assert_true(envelope_ask(&e, 1, &never));
	/* 0 leads to 2, which leads to 3 and 4; 1 leads to 5 */
	assert_true(envelope_add_recipient(&e, "one@x.test", 0));
	assert_int_equal(envelope_notify(&e, 2), all.notify);
	assert_true(envelope_add_recipient(&e, "a@x.test", 2));
	assert_int_equal(envelope_notify(&e, 3), all.notify);
	assert_true(envelope_add_recipient(&e, "b@x.test", 2));
	assert_true(envelope_add_recipient(&e, "c@x.test", 1));
	assert_int_equal(envelope_notify(&e, 2), all.notify);
	assert_int_equal(envelope_notify(&e, 3), DSN_FAILURE);
	assert_int_equal(envelope_notify(&e, 4), DSN_FAILURE);
	assert_int_equal(envelope_notify(&e, 5), DSN_NEVER);
	assert_true(envelope_orcpt(&e, 4, orcpt));
	assert_string_equal(orcpt, "rfc822;First@x.test");
	assert_true(envelope_orcpt(&e, 5, orcpt));
	assert_string_equal(orcpt, "utf-8;\xc3\xbc@example.test");
	assert_true(envelope_ask(&e, 0, &success));
	assert_int_equal(envelope_notify(&e, 0), DSN_SUCCESS);
	/* Nothing is left of it, which does not mean that nothing was said. */
	assert_int_equal(envelope_notify(&e, 4), DSN_NEVER);
	assert_true(envelope_orcpt(&e, 4, orcpt));
	assert_string_equal(orcpt, "rfc822;x@example.test");
	envelope_truncate(&e, 4);
	assert_int_equal(envelope_notify(&e, 3), DSN_SUCCESS);
	envelope_free(&e);
}

static void
recipients_are_bounded(void **state)
{
	struct envelope e;

	(void)state;
	envelope_init(&e);
	for (size_t i = 0; i < ENVELOPE_RECIPIENTS_MAX; i++)
		assert_true(envelope_add_recipient(&e, "a@b", i));
	assert_false(envelope_add_recipient(&e, "a@b", e.n));
	assert_int_equal(e.n, ENVELOPE_RECIPIENTS_MAX);
	envelope_free(&e);
}

/* All but where it came from; what is bad there is bad all the same. */
static void
reads_in_brief(void **state)
{
	static const char bad[] = "postrider-envelope 2\ncontent 1\nstart 0\n"
				  "wire 1\ntime 1.000000\nsender <>\n"
				  "body 7bit\nutf8 0\nclient \\xzz\n";
	struct envelope whole, brief;
	struct buf a = BUF_INIT(65536), b = BUF_INIT(65536);

	(void)state;
	assert_int_equal(parse(&whole, sample, strlen(sample)), ENVELOPE_WHOLE);
	assert_int_equal(envelope_parse_brief(&brief, sample, strlen(sample)),
	    ENVELOPE_WHOLE);
	assert_non_null(whole.client);
	assert_null(brief.client);
	assert_null(brief.helo);
	assert_null(brief.protocol);
	brief.client = strdup(whole.client);
	brief.helo = strdup(whole.helo);
	brief.protocol = strdup(whole.protocol);
	assert_int_equal(brief.nsignatures, 0);
	for (size_t i = 0; i < whole.nsignatures; i++)
		assert_true(envelope_sign(&brief, whole.signatures[i]));
	assert_false(envelope_sign(&brief, "one too many"));
	assert_true(envelope_format(&whole, &a) && envelope_format(&brief, &b));
	assert_string_equal(buf_text(&a), buf_text(&b));
	buf_free(&a);
	buf_free(&b);
	envelope_free(&whole);
	envelope_free(&brief);
	assert_int_equal(
	    envelope_parse_brief(&brief, bad, strlen(bad)), ENVELOPE_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_everything),
	    cmocka_unit_test(reads_the_versions_before),
	    cmocka_unit_test(reads_in_brief),
	    cmocka_unit_test(lines_of_reports_and_holds_come_back),
	    cmocka_unit_test(requeued_begins_anew),
	    cmocka_unit_test(writes_what_it_reads),
	    cmocka_unit_test(is_held_from_the_beginning),
	    cmocka_unit_test(truncated_at_every_octet),
	    cmocka_unit_test(zeros_from_every_octet),
	    cmocka_unit_test(damaged_octets),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(outcome_lines_come_back),
	    cmocka_unit_test(long_texts_are_cut_between_characters),
	    cmocka_unit_test(expansion_comes_back_and_loops_are_seen),
	    cmocka_unit_test(requests_follow_aliases),
	    cmocka_unit_test(recipients_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
