/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/netaddr.h"
#include "smtpd/command.h"
#include "smtpd/content.h"
#include "smtpd/helo.h"
#include "smtpd/policy.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* -- commands -- */

static void
lines_are_checked(void **state)
{
	static const struct {
		struct span line;
		enum command_fault fault;
	} cases[] = {
	    {{"NOOP", 4}, COMMAND_FINE},
	    {{"", 0}, COMMAND_FINE},
	    {{"NOOP\tx", 6}, COMMAND_FINE},
	    {{"caf\xc3\xa9", 5}, COMMAND_FINE},
	    {{"caf\xe9", 4}, COMMAND_CONTROL},
	    {{"a\rb", 3}, COMMAND_CONTROL},
	    {{"a\x1b[m", 4}, COMMAND_CONTROL},
	    {{"a\x7f", 2}, COMMAND_CONTROL},
	    {{"a\0b", 3}, COMMAND_NUL},
	    {{"\r\0", 2}, COMMAND_NUL},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++)
		assert_int_equal(command_check(cases[i].line), cases[i].fault);
}

static void
lines_are_split(void **state)
{
	static const struct {
		const char *line, *verb, *argument;
	} cases[] = {
	    {"NOOP", "NOOP", ""},
	    {"noOp", "NOOP", ""},
	    {"MAIL FROM:<a@b>", "MAIL", "FROM:<a@b>"},
	    {"RSET  \t ", "RSET", ""},
	    {"EHLO \t a  ", "EHLO", "a"},
	    {" NOOP", "", "NOOP"},
	    {"", "", ""},
	    {"   ", "", ""},
	    {"AVERYLONGVERBINDEED x", "", "x"},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		char line[64], verb[COMMAND_VERB_MAX + 1];

		snprintf(line, sizeof(line), "%s", cases[i].line);
		assert_string_equal(
		    command_split(line, verb), cases[i].argument);
		assert_string_equal(verb, cases[i].verb);
	}
}

static void
mail_is_read(void **state)
{
	struct mail_command mail;

	(void)state;
	assert_int_equal(command_mail("FROM:<a@B>", true, &mail).smtp, 0);
	assert_string_equal(mail.sender.domain, "b");
	assert_false(mail.has_size || mail.body_8bit || mail.utf8);
	assert_int_equal(command_mail("from: <>", true, &mail).smtp, 0);
	assert_true(address_is_null(&mail.sender));
	assert_int_equal(command_mail("FROM: a@b SIZE=7", true, &mail).smtp, 0);
	assert_string_equal(mail.sender.local, "a");
	assert_int_equal(mail.size, 7);
	assert_int_equal(command_mail("FROM:<a@b>  body=8bitmime  SMTPUTF8 "
				      "size=18446744073709551615 AUTH=<>",
			     true, &mail)
			     .smtp,
	    0);
	assert_true(mail.body_8bit && mail.utf8 && mail.size == UINT64_MAX);
}

static void
bad_mail_is_refused(void **state)
{
	static const struct {
		const char *argument;
		int smtp;
		const char *enhanced;
	} cases[] = {
	    {"", 501, "5.5.4"},
	    {"<a@b>", 501, "5.5.4"},
	    {"LALA:<>", 501, "5.5.4"},
	    {"FROM <a@b>", 501, "5.5.4"},
	    {"FROM:", 501, "5.1.7"},
	    {"FROM:<a>", 501, "5.1.7"},
	    {"FROM:<a@b", 501, "5.1.7"},
	    {"FROM:a b@c", 501, "5.1.7"},
	    {"FROM:<a@b>SIZE=1", 501, "5.1.7"},
	    {"FROM:<a@b>x", 501, "5.1.7"},
	    {"FROM:<a@b> <c@d>", 555, "5.5.4"},
	    {"FROM:<a@b> FOO=1", 555, "5.5.4"},
	    {"FROM:<a@b> NOTIFY=NEVER", 555, "5.5.4"},
	    {"FROM:<a@b> RET", 501, "5.5.4"},
	    {"FROM:<a@b> RET=", 501, "5.5.4"},
	    {"FROM:<a@b> RET=BODY", 501, "5.5.4"},
	    {"FROM:<a@b> RET=FULL RET=FULL", 501, "5.5.4"},
	    {"FROM:<a@b> ENVID", 501, "5.5.4"},
	    {"FROM:<a@b> ENVID=", 501, "5.5.4"},
	    {"FROM:<a@b> ENVID=a ENVID=b", 501, "5.5.4"},
	    {"FROM:<a@b> ENVID=a+0D+0Ab", 501, "5.5.4"},
	    {"FROM:<a@b> ENVID=a+zz", 501, "5.5.4"},
	    {"FROM:<a@b> SMTPUTF8 ENVID=\xc3\xa9", 501, "5.5.4"},
	    {"FROM:<a@b> SIZE", 501, "5.5.4"},
	    {"FROM:<a@b> SIZE=", 501, "5.5.4"},
	    {"FROM:<a@b> SIZE=-1", 501, "5.5.4"},
	    {"FROM:<a@b> SIZE=1x", 501, "5.5.4"},
	    {"FROM:<a@b> SIZE=18446744073709551616", 501, "5.5.4"},
	    {"FROM:<a@b> SIZE=1 size=2", 501, "5.5.4"},
	    {"FROM:<a@b> BODY=9BIT", 501, "5.5.4"},
	    {"FROM:<a@b> BODY", 501, "5.5.4"},
	    {"FROM:<a@b> SMTPUTF8=1", 501, "5.5.4"},
	    {"FROM:<\xc3\xa9@b>", 550, "5.6.7"},
	    {"FROM:<a@\xc3\xa9>", 550, "5.6.7"},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		struct mail_command mail;
		struct reply reply =
		    command_mail(cases[i].argument, true, &mail);

		assert_int_equal(reply.smtp, cases[i].smtp);
		assert_string_equal(reply.enhanced, cases[i].enhanced);
		assert_non_null(reply.text);
	}
}

static void
rcpt_is_read(void **state)
{
	struct rcpt_command a;

	(void)state;
	assert_int_equal(command_rcpt("TO:<a@b>", false, true, &a).smtp, 0);
	assert_int_equal(command_rcpt("to: <a@b> ", false, true, &a).smtp, 0);
	assert_int_equal(
	    command_rcpt("TO:<PostMaster>", false, true, &a).smtp, 0);
	assert_string_equal(a.recipient.domain, "");
	assert_int_equal(
	    command_rcpt("TO:<\xc3\xa9@b>", true, true, &a).smtp, 0);
	assert_int_equal(
	    command_rcpt("TO:<\xc3\xa9@b>", false, true, &a).smtp, 553);
	assert_int_equal(command_rcpt("TO:<>", false, true, &a).smtp, 501);
	assert_int_equal(command_rcpt("TO:", false, true, &a).smtp, 501);
	assert_int_equal(command_rcpt("TO:<a>", false, true, &a).smtp, 501);
	assert_int_equal(command_rcpt("FROM:<a@b>", false, true, &a).smtp, 501);
	assert_int_equal(
	    command_rcpt("TO:<a@b> RET=FULL", false, true, &a).smtp, 555);
}

static void
requests_for_reports_are_read(void **state)
{
	struct mail_command mail;
	struct rcpt_command rcpt;

	(void)state;
	assert_int_equal(
	    command_mail("FROM:<> ret=hdrs envid=a+2Bb", true, &mail).smtp, 0);
	assert_int_equal(mail.ret, DSN_RET_HDRS);
	assert_string_equal(mail.envid, "a+b");
	assert_int_equal(command_mail("FROM:<>", true, &mail).smtp, 0);
	assert_int_equal(mail.ret, DSN_RET_NONE);
	assert_string_equal(mail.envid, "");
	assert_int_equal(command_rcpt("TO:<a@b> Notify=DELAY,success "
				      "orcpt=rfc822;A+20b@c",
			     false, true, &rcpt)
			     .smtp,
	    0);
	assert_int_equal(rcpt.notify, DSN_SUCCESS | DSN_DELAY);
	assert_string_equal(rcpt.orcpt, "rfc822;A b@c");
	assert_int_equal(command_rcpt("TO:<a@b>", false, true, &rcpt).smtp, 0);
	assert_int_equal(rcpt.notify, 0);
	assert_string_equal(rcpt.orcpt, "");
	assert_int_equal(
	    command_rcpt("TO:<a@b> ORCPT=utf-8;\xc3\xa9@c", true, true, &rcpt)
		.smtp,
	    0);
	assert_string_equal(rcpt.orcpt, "utf-8;\xc3\xa9@c");
}

static void
bad_requests_for_reports_are_refused(void **state)
{
	static const struct {
		const char *argument;
		bool dsn;
		int smtp;
	} cases[] = {
	    {"TO:<a@b> NOTIFY", true, 501},
	    {"TO:<a@b> NOTIFY=", true, 501},
	    {"TO:<a@b> NOTIFY=NEVER,DELAY", true, 501},
	    {"TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", true, 501},
	    {"TO:<a@b> ORCPT", true, 501},
	    {"TO:<a@b> ORCPT=", true, 501},
	    {"TO:<a@b> ORCPT=a@b", true, 501},
	    {"TO:<a@b> ORCPT=rfc822;a@b ORCPT=rfc822;a@b", true, 501},
	    {"TO:<a@b> ORCPT=rfc822;a+0AX:y", true, 501},
	    {"TO:<a@b> ORCPT=utf-8;\xc3\xa9@c", true, 501},
	    {"TO:<a@b> NOTIFY=NEVER", false, 555},
	    {"TO:<a@b> ORCPT=rfc822;a@b", false, 555},
	};
	struct mail_command mail;
	struct rcpt_command rcpt;
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		reply =
		    command_rcpt(cases[i].argument, false, cases[i].dsn, &rcpt);
		if (reply.smtp != cases[i].smtp)
			fail_msg("%s", cases[i].argument);
		assert_string_equal(reply.enhanced, "5.5.4");
	}
	assert_int_equal(
	    command_mail("FROM:<a@b> RET=FULL", false, &mail).smtp, 555);
	assert_int_equal(
	    command_mail("FROM:<a@b> ENVID=a", false, &mail).smtp, 555);
}

static void
reports_are_offered_to_whom_the_config_says(void **state)
{
	const struct policy_client anybody = {.listener = LISTENER_SMTP},
				   user = {.logged_in = true},
				   relay = {.relay_from = true},
				   early = {.listener = LISTENER_SUBMISSION};

	(void)state;
	assert_false(policy_offers_dsn(&anybody, OFFER_DSN_TRUSTED));
	assert_true(policy_offers_dsn(&user, OFFER_DSN_TRUSTED));
	assert_true(policy_offers_dsn(&relay, OFFER_DSN_TRUSTED));
	assert_true(policy_offers_dsn(&early, OFFER_DSN_TRUSTED));
	assert_true(policy_offers_dsn(&anybody, OFFER_DSN_EVERYBODY));
	assert_false(policy_offers_dsn(&user, OFFER_DSN_NOBODY));
}

static void
helo_has_bounds(void **state)
{
	char longest[257];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[255] = '\0';
	assert_true(command_helo_fits(longest));
	longest[255] = 'a';
	longest[256] = '\0';
	assert_false(command_helo_fits(longest));
	assert_false(command_helo_fits(""));
	assert_false(command_helo_fits("a b"));
	assert_true(command_helo_fits("[192.0.2.1]"));
	assert_true(command_helo_fits("WIN_PC"));
}

/* -- policy -- */

/* What an observer was told, one character a rule. */
struct heard {
	char results[32], rules[32][32], values[32][POLICY_VALUE_MAX + 1];
	size_t n;
	enum verdict verdict;
	enum policy_need missing;
	unsigned asked[POLICY_NEEDS];
};

static void
hear(void *context, const struct policy_told *told)
{
	static const char letters[] = {[RULE_IDLE] = '-',
	    [RULE_PASSES] = 'p',
	    [RULE_DECIDES] = 'D',
	    [RULE_UNKNOWN] = '?',
	    [RULE_NOT_REACHED] = '.'};
	struct heard *h = context;

	h->results[h->n] = letters[told->result];
	snprintf(h->rules[h->n], sizeof(h->rules[0]), "%s", told->rule);
	snprintf(h->values[h->n++], sizeof(h->values[0]), "%s", told->value);
	assert_true(told->keyword[0] != '\0');
	if (told->result == RULE_DECIDES)
		h->verdict = told->verdict;
}

static bool
gather(void *context, struct policy_facts *f, enum policy_need need)
{
	struct heard *h = context;

	h->asked[need]++;
	if (need == NEED_KNOWN)
		f->recipient.known = VERDICT_USER_UNKNOWN;
	return need != h->missing;
}

static const char *
result_of(const struct heard *h, const char *rule)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->rules[i], rule) == 0)
			return &h->results[i];
	fail();
	return NULL;
}

static const struct policy_client some_client = {.listener = LISTENER_SMTP};

static void
observers_hear_of_every_rule(void **state)
{
	struct heard h = {.missing = NEED_ROOM};
	struct policy_facts f = {.client = &some_client,
	    .sender = {.declared_size = 101, .max_size = 100},
	    .gather = gather,
	    .gather_context = &h,
	    .observe = hear,
	    .observe_context = &h};

	(void)state;
	assert_int_equal(policy_decide(POLICY_SENDER, &f), VERDICT_TOO_BIG);
	assert_int_equal(h.verdict, VERDICT_TOO_BIG);
	assert_int_equal(*result_of(&h, "login"), '-');
	assert_int_equal(*result_of(&h, "declared-size"), 'D');
	assert_int_equal(*result_of(&h, "room"), '.');
	for (size_t i = 0; i < h.n; i++)
		if (h.results[i] == 'D')
			assert_string_equal(
			    h.values[i], "100: 101 octets declared");
	assert_int_equal(h.asked[NEED_ROOM], 0);

	h = (struct heard){.missing = NEED_ROOM};
	f.sender.declared_size = 50;
	assert_int_equal(policy_decide(POLICY_SENDER, &f), VERDICT_SENDER_OK);
	assert_int_equal(*result_of(&h, "room"), '?');
	assert_int_equal(h.asked[NEED_ROOM], 1);
}

/* Nobody is asked twice, nor for what does not matter any more. */
static void
facts_are_gathered_when_needed(void **state)
{
	struct heard h = {.missing = NEED_NOTHING};
	struct policy_facts f = {.client = &some_client,
	    .recipient = {.accepted = 1, .max_recipients = 1},
	    .gather = gather,
	    .gather_context = &h};

	(void)state;
	assert_int_equal(
	    policy_decide(POLICY_RECIPIENT, &f), VERDICT_TOO_MANY_RECIPIENTS);
	assert_int_equal(h.asked[NEED_KNOWN], 0);
	f.recipient.accepted = 0;
	assert_int_equal(
	    policy_decide(POLICY_RECIPIENT, &f), VERDICT_USER_UNKNOWN);
	assert_int_equal(h.asked[NEED_KNOWN], 1);
}

static const struct policy_client stranger = {.listener = LISTENER_SMTP},
				  not_yet = {.listener = LISTENER_SUBMISSION},
				  user = {.listener = LISTENER_SUBMISSION,
				      .logged_in = true},
				  neighbour = {.listener = LISTENER_SMTP,
				      .relay_from = true},
				  printer = {.listener = LISTENER_SUBMISSION,
				      .relay_from = true};

#define SENDER(null, owner, declared, most, space)                             \
	{                                                                      \
		.null_path = null, .owned = owner, .declared_size = declared,  \
		.max_size = most, .room = space                                \
	}

static void
senders_are_judged(void **state)
{
	static const struct {
		const struct policy_client *client;
		struct policy_sender facts;
		enum verdict verdict;
	} cases[] = {
	    {&stranger, SENDER(false, VERDICT_SENDER_OK, 0, 100, VERDICT_OK),
		VERDICT_SENDER_OK},
	    {&stranger, SENDER(false, VERDICT_SENDER_OK, 100, 100, VERDICT_OK),
		VERDICT_SENDER_OK},
	    {&stranger, SENDER(false, VERDICT_SENDER_OK, 101, 100, VERDICT_OK),
		VERDICT_TOO_BIG},
	    {&stranger, SENDER(true, VERDICT_SENDER_OK, 0, 100, VERDICT_OK),
		VERDICT_SENDER_OK},
	    {&not_yet, SENDER(false, VERDICT_SENDER_OK, 0, 100, VERDICT_OK),
		VERDICT_LOGIN_NEEDED},
	    {&not_yet, SENDER(true, VERDICT_SENDER_OK, 0, 100, VERDICT_OK),
		VERDICT_LOGIN_NEEDED},
	    {&printer, SENDER(false, VERDICT_SENDER_OK, 0, 100, VERDICT_OK),
		VERDICT_SENDER_OK},
	    {&user, SENDER(false, VERDICT_SENDER_OK, 0, 100, VERDICT_OK),
		VERDICT_SENDER_OK},
	    {&user, SENDER(false, VERDICT_SENDER_NOT_OWNED, 0, 100, VERDICT_OK),
		VERDICT_SENDER_NOT_OWNED},
	    {&user, SENDER(false, VERDICT_INTERNAL, 0, 100, VERDICT_OK),
		VERDICT_INTERNAL},
	    {&user, SENDER(true, VERDICT_SENDER_OK, 0, 100, VERDICT_OK),
		VERDICT_SENDER_OK},
	    {&stranger, SENDER(false, VERDICT_SENDER_OK, 50, 100, VERDICT_DISK_FULL),
		VERDICT_DISK_FULL},
	    {&stranger, SENDER(false, VERDICT_SENDER_OK, 101, 100, VERDICT_DISK_FULL),
		VERDICT_TOO_BIG},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++)
		assert_int_equal(
		    policy_decide(POLICY_SENDER,
			&(struct policy_facts){.client = cases[i].client,
			    .sender = cases[i].facts}),
		    cases[i].verdict);
}

#define RECIPIENT(answer, before, most)                                        \
	{                                                                      \
		.known = answer, .accepted = before, .max_recipients = most    \
	}

static void
recipients_are_judged(void **state)
{
	static const struct {
		const struct policy_client *client;
		struct policy_recipient facts;
		enum verdict verdict;
	} cases[] = {
	    {&stranger, RECIPIENT(VERDICT_RECIPIENT_OK, 0, 2), VERDICT_RECIPIENT_OK},
	    {&stranger, RECIPIENT(VERDICT_RECIPIENT_OK, 2, 2),
		VERDICT_TOO_MANY_RECIPIENTS},
	    {&user, RECIPIENT(VERDICT_RECIPIENT_OK, 2, 2), VERDICT_TOO_MANY_RECIPIENTS},
	    {&stranger, RECIPIENT(VERDICT_RELAY_DENIED, 0, 2), VERDICT_RELAY_DENIED},
	    {&not_yet, RECIPIENT(VERDICT_RELAY_DENIED, 0, 2), VERDICT_RELAY_DENIED},
	    {&user, RECIPIENT(VERDICT_RELAY_DENIED, 0, 2), VERDICT_RECIPIENT_OK},
	    {&neighbour, RECIPIENT(VERDICT_RELAY_DENIED, 0, 2), VERDICT_RECIPIENT_OK},
	    {&user, RECIPIENT(VERDICT_USER_UNKNOWN, 0, 2), VERDICT_USER_UNKNOWN},
	    {&neighbour, RECIPIENT(VERDICT_MAILBOX_FULL, 0, 2), VERDICT_MAILBOX_FULL},
	    {&stranger, RECIPIENT(VERDICT_INTERNAL, 0, 2), VERDICT_INTERNAL},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++)
		assert_int_equal(
		    policy_decide(POLICY_RECIPIENT,
			&(struct policy_facts){.client = cases[i].client,
			    .recipient = cases[i].facts}),
		    cases[i].verdict);
}

static enum verdict
judge(struct dot_reader wire, uint64_t hops)
{
	struct policy_facts facts = {.client = &stranger,
	    .content = {.wire = &wire,
		.hops = hops,
		.max_size = 1000,
		.max_line_length = 98,
		.max_hops = 50}};

	return policy_decide(POLICY_CONTENT, &facts);
}

static void
greetings_are_judged(void **state)
{
	static const struct policy_client broken = {
	    .listener = LISTENER_SMTP, .tolerated = 1U << TOLERATE_HELO};
	static const struct {
		const struct policy_client *client;
		bool fits, is_name, is_ours;
		enum verdict verdict;
	} cases[] = {
	    {&stranger, true, true, false, VERDICT_OK},
	    {&stranger, false, false, false, VERDICT_BAD_HELO},
	    {&stranger, true, false, false, VERDICT_HELO_NO_NAME},
	    {&stranger, true, true, true, VERDICT_HELO_OURS},
	    {&broken, true, false, false, VERDICT_OK},
	    {&broken, true, true, true, VERDICT_OK},
	    {&broken, false, false, false, VERDICT_BAD_HELO},
	    {&not_yet, true, false, true, VERDICT_OK},
	    {&neighbour, true, false, true, VERDICT_OK},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++)
		assert_int_equal(
		    policy_decide(POLICY_HELLO,
			&(struct policy_facts){.client = cases[i].client,
			    .hello = {.name = "x",
				.fits = cases[i].fits,
				.is_name = cases[i].is_name,
				.is_ours = cases[i].is_ours}}),
		    cases[i].verdict);
}

static void
domains_of_senders_are_judged(void **state)
{
	static const struct policy_client spared = {.listener = LISTENER_SMTP,
	    .tolerated = 1U << TOLERATE_SENDER_DOMAIN};
	static const struct {
		const struct policy_client *client;
		bool in_dns, must_exist;
		enum verdict verdict;
	} cases[] = {
	    {&stranger, true, true, VERDICT_SENDER_NO_HOST},
	    {&stranger, false, true, VERDICT_SENDER_OK},
	    {&stranger, true, false, VERDICT_SENDER_OK},
	    {&spared, true, true, VERDICT_SENDER_OK},
	    {&neighbour, true, true, VERDICT_SENDER_OK},
	    {&user, true, true, VERDICT_SENDER_OK},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++)
		assert_int_equal(
		    policy_decide(POLICY_SENDER,
			&(struct policy_facts){.client = cases[i].client,
			    .sender = {.address = "x@y.test",
				.in_dns = cases[i].in_dns,
				.must_exist = cases[i].must_exist,
				.domain = VERDICT_SENDER_NO_HOST}}),
		    cases[i].verdict);
}

static void
reports_have_one_recipient(void **state)
{
	static const struct policy_client spared = {.listener = LISTENER_SMTP,
	    .tolerated = 1U << TOLERATE_NULL_SENDER};
	static const struct {
		const struct policy_client *client;
		bool null;
		uint64_t before;
		enum verdict verdict;
	} cases[] = {
	    {&stranger, true, 0, VERDICT_RECIPIENT_OK},
	    {&stranger, true, 1, VERDICT_ONE_RECIPIENT},
	    {&stranger, false, 1, VERDICT_RECIPIENT_OK},
	    {&spared, true, 1, VERDICT_RECIPIENT_OK},
	    {&neighbour, true, 1, VERDICT_RECIPIENT_OK},
	    {&user, true, 1, VERDICT_RECIPIENT_OK},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++)
		assert_int_equal(
		    policy_decide(POLICY_RECIPIENT,
			&(struct policy_facts){.client = cases[i].client,
			    .recipient = {.known = VERDICT_RECIPIENT_OK,
				.null_path = cases[i].null,
				.accepted = cases[i].before,
				.max_recipients = 9}}),
		    cases[i].verdict);
}

/* a: it was sent ahead of; e: behind EHLO, o: alone, g: guarded */
static void
conduct_is_judged(void **state)
{
	static const struct policy_client eager = {
	    .listener = LISTENER_SMTP, .tolerated = 1U << TOLERATE_PIPELINING};
	static const struct {
		const struct policy_client *client;
		const char *how;
		enum verdict verdict;
	} cases[] = {
	    {&stranger, "", VERDICT_OK},
	    {&stranger, "ae", VERDICT_OK},
	    {&stranger, "a", VERDICT_PIPELINING},
	    {&stranger, "aeo", VERDICT_PIPELINING},
	    {&stranger, "aeg", VERDICT_PIPELINING},
	    {&eager, "a", VERDICT_OK},
	    {&eager, "ao", VERDICT_OK},
	    {&eager, "aeg", VERDICT_PIPELINING},
	    {&neighbour, "a", VERDICT_OK},
	    {&neighbour, "aeo", VERDICT_PIPELINING},
	    {&not_yet, "a", VERDICT_OK},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		const char *how = cases[i].how;
		struct policy_facts f = {.client = cases[i].client,
		    .conduct = {.ahead = strchr(how, 'a') != NULL,
			.extended = strchr(how, 'e') != NULL,
			.alone = strchr(how, 'o') != NULL,
			.guarded = strchr(how, 'g') != NULL,
			.errors = 1,
			.max_errors = 2}};

		assert_int_equal(
		    policy_decide(POLICY_CONDUCT, &f), cases[i].verdict);
		f.conduct.errors = 2;
		if (cases[i].verdict == VERDICT_OK)
			assert_int_equal(policy_decide(POLICY_CONDUCT, &f),
			    VERDICT_TOO_MANY_ERRORS);
	}
}

static void
names_in_helo_are_told_apart(void **state)
{
	struct sockaddr_storage local;

	(void)state;
	assert_true(netaddr_parse("2001:db8::1", 0, &local));
	assert_true(helo_is_ours("mx.test.", "mx.test", &local));
	assert_true(helo_is_ours("[IPv6:2001:DB8:0::1]", "mx.test", &local));
	assert_true(helo_is_ours("[2001:db8::1]", "mx.test", &local));
	assert_false(helo_is_ours("[2001:db8::2]", "mx.test", &local));
	assert_false(helo_is_ours("amx.test", "mx.test", &local));
	assert_false(helo_is_ours("mx", "mx.test", &local));
	assert_true(helo_is_name("my_pc"));
	assert_true(helo_is_name("[192.0.2.1]"));
	assert_false(helo_is_name("[192.0.2.1]x"));
	assert_false(helo_is_name(""));
	assert_false(helo_is_name("."));
}

static void
contents_are_judged(void **state)
{
	(void)state;
	assert_int_equal(judge((struct dot_reader){.octets = 1000,
				   .longest = 100,
				   .eight_bit = true},
			     50),
	    VERDICT_OK);
	assert_int_equal(
	    judge((struct dot_reader){.octets = 1001}, 0), VERDICT_TOO_BIG);
	assert_int_equal(judge((struct dot_reader){.longest = 101}, 0),
	    VERDICT_LINE_TOO_LONG);
	assert_int_equal(judge((struct dot_reader){.bare_cr = true}, 0),
	    VERDICT_BARE_LINE_END);
	assert_int_equal(judge((struct dot_reader){.bare_lf = true}, 0),
	    VERDICT_BARE_LINE_END);
	assert_int_equal(
	    judge((struct dot_reader){.nul = true}, 0), VERDICT_NUL_OCTET);
	assert_int_equal(
	    judge((struct dot_reader){.nul = false}, 51), VERDICT_LOOP);
	assert_int_equal(
	    policy_decide(POLICY_CONTENT,
		&(struct policy_facts){.client = &stranger,
		    .content = {
					   .wire =
					       &(struct dot_reader){
						   .nul = false},
					   .header_too_big = true}}),
	    VERDICT_HEADER_TOO_BIG);
	assert_int_equal(policy_decide(POLICY_CONTENT,
			     &(struct policy_facts){.client = &stranger,
				 .content = {.wire =
						 &(struct dot_reader){
						     .nul = false},
				     .delivered = true}}),
	    VERDICT_LOOP);
	/* the connection is closed whatever else is wrong with it */
	assert_true(policy_closes(
	    judge((struct dot_reader){.octets = 2000, .bare_lf = true}, 60)));
	assert_true(policy_closes(
	    judge((struct dot_reader){.longest = 5000, .bare_cr = true}, 0)));
	assert_false(
	    policy_closes(judge((struct dot_reader){.longest = 5000}, 0)));
	assert_false(policy_closes(VERDICT_TOO_BIG));
	assert_false(policy_closes(VERDICT_LOOP));
}

/* -- who really sent it -- */

static void
only_strangers_are_asked_who_they_are(void **state)
{
	(void)state;
	assert_true(policy_is_judged(&stranger, true));
	assert_false(policy_is_judged(&stranger, false));
	assert_false(policy_is_judged(&user, true));
	assert_false(policy_is_judged(&neighbour, true));
	assert_false(policy_is_judged(&printer, true));
	assert_false(policy_is_judged(&not_yet, true));
}

static struct policy_outcome
ask(struct policy_authentic facts)
{
	struct policy_outcome outcome;

	policy_authentic(&facts, &outcome);
	return outcome;
}

#define DEFAULTS                                                               \
	.dmarc_reject = FAILURE_REJECT, .dmarc_quarantine = FAILURE_QUARANTINE

static void
dmarc_is_followed(void **state)
{
	static const struct {
		struct policy_authentic facts;
		enum verdict verdict;
		const char *junk, *because;
	} cases[] = {
	    {{.dmarc = AUTH_NONE, DEFAULTS}, VERDICT_OK, "", ""},
	    {{.dmarc = AUTH_PASS, .disposition = DMARC_REJECT, DEFAULTS},
		VERDICT_OK, "", ""},
	    {{.dmarc = AUTH_FAIL, .disposition = DMARC_REJECT, DEFAULTS},
		VERDICT_DMARC_REJECT, "", ""},
	    {{.dmarc = AUTH_FAIL, .disposition = DMARC_QUARANTINE, DEFAULTS},
		VERDICT_OK, "dmarc", ""},
	    {{.dmarc = AUTH_FAIL, .disposition = DMARC_NONE, DEFAULTS},
		VERDICT_OK, "", ""},
	    {{.dmarc = AUTH_FAIL,
		 .disposition = DMARC_REJECT,
		 .dmarc_reject = FAILURE_QUARANTINE},
		VERDICT_OK, "dmarc", "dmarc-reject"},
	    {{.dmarc = AUTH_FAIL, .disposition = DMARC_QUARANTINE}, VERDICT_OK,
		"", "dmarc-quarantine"},
	    {{.dmarc = AUTH_FAIL,
		 .disposition = DMARC_REJECT,
		 .trust = TRUST_SIGNER,
		 DEFAULTS},
		VERDICT_OK, "", "trust-signer"},
	    {{.dmarc = AUTH_PASS,
		 .disposition = DMARC_REJECT,
		 .trust = TRUST_FROM,
		 DEFAULTS},
		VERDICT_OK, "", ""},
	    /* trouble is neither a pass nor a failure */
	    {{.dmarc = AUTH_TEMPERROR, .nothing_known = true, DEFAULTS},
		VERDICT_DMARC_LATER, "", ""},
	    {{.dmarc = AUTH_TEMPERROR, .nothing_known = true}, VERDICT_OK, "",
		""},
	    {{.dmarc = AUTH_TEMPERROR,
		 .nothing_known = true,
		 .aligned = true,
		 DEFAULTS},
		VERDICT_OK, "", ""},
	    {{.dmarc = AUTH_TEMPERROR, .disposition = DMARC_REJECT, DEFAULTS},
		VERDICT_DMARC_LATER, "", ""},
	    {{.dmarc = AUTH_TEMPERROR,
		 .disposition = DMARC_REJECT,
		 .dmarc_quarantine = FAILURE_QUARANTINE},
		VERDICT_OK, "", ""},
	    {{.dmarc = AUTH_TEMPERROR, .disposition = DMARC_NONE, DEFAULTS},
		VERDICT_OK, "", ""},
	    {{.dmarc = AUTH_TEMPERROR,
		 .nothing_known = true,
		 .trust = TRUST_CLIENT,
		 DEFAULTS},
		VERDICT_OK, "", ""},
	    /* who sent that? */
	    {{.from = FROM_UNCLEAR, .dmarc = AUTH_FAIL, DEFAULTS},
		VERDICT_FROM_UNCLEAR, "", ""},
	    {{.from = FROM_UNCLEAR, .dmarc_reject = FAILURE_QUARANTINE},
		VERDICT_OK, "from", "dmarc-reject"},
	    {{.from = FROM_ABSENT,
		 .dmarc = AUTH_FAIL,
		 .disposition = DMARC_REJECT,
		 DEFAULTS},
		VERDICT_OK, "from", ""},
	};

	(void)state;
	for (size_t i = 0; i < SIZE(cases); i++) {
		struct policy_outcome o = ask(cases[i].facts);

		assert_int_equal(o.verdict, cases[i].verdict);
		assert_string_equal(
		    o.junk != NULL ? o.junk : "", cases[i].junk);
		assert_string_equal(
		    o.because != NULL ? o.because : "", cases[i].because);
		assert_true((o.because == NULL) == (o.override == NULL));
	}
}

static void
spf_is_asked_where_dmarc_does_not_pass(void **state)
{
	struct policy_authentic facts = {.spf = AUTH_FAIL, DEFAULTS};

	(void)state;
	assert_null(ask(facts).junk);
	facts.spf_fail = FAILURE_QUARANTINE;
	assert_string_equal(ask(facts).junk, "spf");
	facts.spf_fail = FAILURE_REJECT;
	assert_int_equal(ask(facts).verdict, VERDICT_SPF_FAIL);
	facts.dmarc = AUTH_PASS;
	assert_int_equal(ask(facts).verdict, VERDICT_OK);
	facts.dmarc = AUTH_FAIL;
	facts.disposition = DMARC_REJECT;
	assert_int_equal(ask(facts).verdict, VERDICT_DMARC_REJECT);
	/* who may be saved by DMARC is not refused for good by SPF */
	facts.dmarc = AUTH_TEMPERROR;
	assert_int_equal(ask(facts).verdict, VERDICT_DMARC_LATER);
	facts = (struct policy_authentic){
	    .spf = AUTH_TEMPERROR, .spf_fail = FAILURE_REJECT, DEFAULTS};
	assert_int_equal(ask(facts).verdict, VERDICT_SPF_LATER);
	facts.trust = TRUST_CLIENT;
	assert_int_equal(ask(facts).verdict, VERDICT_OK);
	facts = (struct policy_authentic){
	    .spf = AUTH_SOFTFAIL, .spf_fail = FAILURE_REJECT, DEFAULTS};
	assert_int_equal(ask(facts).verdict, VERDICT_OK);
}

/* -- the lists, the greylist -- */

static void
lists_make_junk(void **state)
{
	struct policy_authentic facts = {
	    .score = 2, .junk_score = 2, DEFAULTS};

	(void)state;
	assert_string_equal(ask(facts).junk, "lists");
	facts.trust = TRUST_SIGNER;
	assert_string_equal(ask(facts).junk, "lists");
	facts.score = 1;
	assert_null(ask(facts).junk);
	facts.score = -5;
	assert_null(ask(facts).junk);
	facts = (struct policy_authentic){.score = 9, DEFAULTS};
	assert_null(ask(facts).junk); /* junk-score 0 */
	facts = (struct policy_authentic){.score = 9,
	    .junk_score = 1,
	    .dmarc = AUTH_FAIL,
	    .disposition = DMARC_QUARANTINE,
	    DEFAULTS};
	assert_string_equal(ask(facts).junk, "dmarc");
}

static enum verdict
recipient_of(
    const struct policy_client *client, struct policy_recipient recipient)
{
	recipient.known = VERDICT_RECIPIENT_OK;
	recipient.max_recipients = 2;
	recipient.lists = "";
	return policy_decide(POLICY_RECIPIENT,
	    &(struct policy_facts){.client = client, .recipient = recipient});
}

static void
lists_refuse_strangers(void **state)
{
	static const struct policy_client partner = {
	    .listener = LISTENER_SMTP, .trusted = true};
	struct policy_recipient listed = {
	    .has_lists = true, .score = 3, .refuse_score = 3};

	(void)state;
	assert_int_equal(recipient_of(&stranger, listed), VERDICT_LISTED);
	assert_int_equal(recipient_of(&user, listed), VERDICT_RECIPIENT_OK);
	assert_int_equal(
	    recipient_of(&neighbour, listed), VERDICT_RECIPIENT_OK);
	assert_int_equal(recipient_of(&partner, listed), VERDICT_RECIPIENT_OK);
	listed.score = 2;
	assert_int_equal(recipient_of(&stranger, listed), VERDICT_RECIPIENT_OK);
	listed = (struct policy_recipient){.has_lists = true, .score = 99};
	assert_int_equal(recipient_of(&stranger, listed), VERDICT_RECIPIENT_OK);
}

static void
greylist_is_for_strangers(void **state)
{
	static const struct policy_client partner = {
	    .listener = LISTENER_SMTP, .trusted = true};
	struct policy_recipient grey = {
	    .greylist = GREYLIST_STRANGERS, .grey_wait = 10};

	(void)state;
	assert_int_equal(recipient_of(&stranger, grey), VERDICT_GREYLISTED);
	assert_int_equal(recipient_of(&user, grey), VERDICT_RECIPIENT_OK);
	assert_int_equal(recipient_of(&neighbour, grey), VERDICT_RECIPIENT_OK);
	assert_int_equal(recipient_of(&partner, grey), VERDICT_RECIPIENT_OK);
	grey.greylist = GREYLIST_NO;
	assert_int_equal(recipient_of(&stranger, grey), VERDICT_RECIPIENT_OK);
	grey.greylist = GREYLIST_SUSPECTS;
	assert_int_equal(recipient_of(&stranger, grey), VERDICT_GREYLISTED);
	grey.grey_wait = 0;
	assert_int_equal(recipient_of(&stranger, grey), VERDICT_RECIPIENT_OK);
}

/* -- content -- */

static int
new_file(void *context)
{
	int *made = context, fd = memfd_create("scratch", MFD_CLOEXEC);

	++*made;
	return fd;
}

static int
no_file(void *context)
{
	(void)context;
	errno = ENOSPC;
	return -1;
}

/* Headers and n octets, in pieces, of a file that is written at the end. */
static void
write_and_compare(size_t n, size_t piece, bool waits)
{
	static char wanted[700000], got[sizeof(wanted)];
	struct buf headers = BUF_INIT(100);
	struct content c;
	int fd = memfd_create("content", MFD_CLOEXEC), made = 0;

	for (size_t i = 0; i < n; i++)
		wanted[i + 5] = (char)('a' + i % 23);
	content_init(&c, fd, &headers);
	if (waits)
		content_wait_for_headers(&c, new_file, &made);
	else
		buf_adds(&headers, "A: b\n");
	for (size_t i = 0; i < n; i += piece)
		content_add(
		    &c, wanted + 5 + i, piece < n - i ? piece : n - i);
	if (waits)
		buf_adds(&headers, "A: b\n");
	memcpy(wanted, "A: b\n", 5);
	assert_int_equal(content_finish(&c), 0);
	assert_int_equal(pread(fd, got, sizeof(got), 0), n + 5);
	assert_memory_equal(got, wanted, n + 5);
	assert_int_equal(made, waits && n > CONTENT_MEMORY + piece);
	content_free(&c);
	buf_free(&headers);
	close(fd);
}

static void
content_stands_behind_its_headers(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 4096, CONTENT_MEMORY - 1, CONTENT_MEMORY, 600000};

	(void)state;
	for (size_t i = 0; i < SIZE(sizes); i++)
		for (size_t piece = 1000; piece <= 64000; piece += 63000) {
			write_and_compare(sizes[i], piece, false);
			write_and_compare(sizes[i], piece, true);
		}
}

static void
content_without_a_place_to_wait_fails(void **state)
{
	static const char octets[60000];
	struct buf headers = BUF_INIT(100);
	struct content c;
	int fd = memfd_create("content", MFD_CLOEXEC);

	(void)state;
	content_init(&c, fd, &headers);
	content_wait_for_headers(&c, no_file, NULL);
	for (int i = 0; i < 10; i++)
		content_add(&c, octets, sizeof(octets));
	assert_int_equal(content_finish(&c), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	content_free(&c);
	buf_free(&headers);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_checked),
	    cmocka_unit_test(lines_are_split),
	    cmocka_unit_test(mail_is_read),
	    cmocka_unit_test(bad_mail_is_refused),
	    cmocka_unit_test(rcpt_is_read),
	    cmocka_unit_test(requests_for_reports_are_read),
	    cmocka_unit_test(bad_requests_for_reports_are_refused),
	    cmocka_unit_test(reports_are_offered_to_whom_the_config_says),
	    cmocka_unit_test(helo_has_bounds),
	    cmocka_unit_test(observers_hear_of_every_rule),
	    cmocka_unit_test(facts_are_gathered_when_needed),
	    cmocka_unit_test(senders_are_judged),
	    cmocka_unit_test(recipients_are_judged),
	    cmocka_unit_test(greetings_are_judged),
	    cmocka_unit_test(domains_of_senders_are_judged),
	    cmocka_unit_test(reports_have_one_recipient),
	    cmocka_unit_test(conduct_is_judged),
	    cmocka_unit_test(names_in_helo_are_told_apart),
	    cmocka_unit_test(contents_are_judged),
	    cmocka_unit_test(only_strangers_are_asked_who_they_are),
	    cmocka_unit_test(dmarc_is_followed),
	    cmocka_unit_test(lists_make_junk),
	    cmocka_unit_test(lists_refuse_strangers),
	    cmocka_unit_test(greylist_is_for_strangers),
	    cmocka_unit_test(spf_is_asked_where_dmarc_does_not_pass),
	    cmocka_unit_test(content_stands_behind_its_headers),
	    cmocka_unit_test(content_without_a_place_to_wait_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
