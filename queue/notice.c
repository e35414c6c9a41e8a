/* SPDX-License-Identifier: ISC */
#include "queue/notice.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/utf8.h"
#include "queue/holds.h"
#include "queue/pattern.h"

/* One line of text, whatever is in it. */
static void
add_clean(struct buf *b, const char *text)
{
	size_t n = strlen(text), length;
	uint32_t code;

	for (; n > 0; text += length, n -= length) {
		length = utf8_decode(text, n, &code);
		if (length == 0 || code < ' ' ||
		    (code >= 0x7f && code <= 0x9f)) {
			buf_addc(b, '?');
			length = length == 0 ? 1 : length;
		} else {
			buf_add(b, text, length);
		}
	}
}

/* A word for the shell: what it would take apart stands in quotes. */
static void
add_word(struct buf *b, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789@%+=:,./-_";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		buf_adds(b, word);
		return;
	}
	buf_addc(b, '\'');
	for (; *word != '\0'; word++)
		if (*word == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *word);
	buf_addc(b, '\'');
}

static void
add_command(struct buf *b, const char *before, const char *word)
{
	buf_addf(b, "    %s ", before);
	add_word(b, word);
	buf_addc(b, '\n');
}

static void
add_fact(struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(b, "  %-12s ", name);
	add_clean(b, value);
	buf_addc(b, '\n');
}

/* The keyword that the reason ends with; "" if it says none. */
static void
find_keyword(const char *reason, char out[32])
{
	const char *open = strrchr(reason, '(');
	size_t n = open != NULL ? strcspn(open + 1, ")") : 0;

	out[0] = '\0';
	if (n > 0 && n < 32 && strncmp(open + 1, "login-", 6) == 0)
		strncat(out, open + 1, n);
}

static void
add_header(struct notice *n)
{
	struct buf *b = &n->text;
	char date[CLOCK_DATE_SIZE];
	bool ascii = utf8_is_ascii(n->login, strlen(n->login));

	clock_date(n->now, date);
	buf_addf(b, "Return-Path: <>\nDelivered-To: %s\n", n->to);
	n->start = b->len;
	buf_addf(b,
	    "Date: %s\nFrom: Mail Delivery System <MAILER-DAEMON@%s>\n"
	    "To: <%s>\nSubject: Mail is held",
	    date, n->hostname, n->to);
	if (ascii) {
		buf_adds(b, ": ");
		add_clean(b, n->login);
	}
	buf_addf(b,
	    "\nMessage-ID: <%s@%s>\nAuto-Submitted: auto-generated\n"
	    "MIME-Version: 1.0\nContent-Type: text/plain; charset=%s\n"
	    "Content-Transfer-Encoding: %s\n\n",
	    n->own_id, n->hostname, n->eight_bit ? "utf-8" : "us-ascii",
	    n->eight_bit ? "8bit" : "7bit");
}

static void
add_facts(struct notice *n)
{
	struct buf *b = &n->text;
	char date[CLOCK_DATE_SIZE];

	clock_date((time_t)n->since, date);
	buf_adds(b,
	    "A login has sent more than it may.  What it sends from now on is "
	    "held:\nnothing of it is lost, and nothing of it goes out before "
	    "you say so.\nWhat it sent before is on its way, or held, too, where it "
	    "has to be tried again.\n\n");
	add_fact(b, "login", n->login);
	add_fact(b, "why", n->reason);
	add_fact(b, "since", date);
	add_fact(b, "message", n->message);
	add_fact(b, "from", n->sender);
	add_fact(b, "client", n->client);
	add_fact(b, "app password", n->app);
	buf_addf(b,
	    "\nUp to %" PRIu64 " messages are held (login-held); then the "
	    "client is told to try again\nlater.\n",
	    n->most);
}

static void
add_advice(struct notice *n)
{
	struct buf *b = &n->text;
	char pattern[HOLD_NAME_MAX + 1], keyword[32];

	if (!pattern_quote(n->login, pattern, sizeof(pattern)))
		pattern[0] = '\0';
	find_keyword(n->reason, keyword);
	buf_adds(b, "\nLook at it:\n\n");
	add_command(b, "postrider-user show", n->login);
	add_command(b, "postrider-queue list --login", pattern);
	buf_adds(b, "\nIf it is not the user's own, somebody has the password; "
		    "first set another:\n\n");
	add_command(b, "postrider-user passwd", n->login);
	if (n->app != NULL) {
		buf_adds(b, "    postrider-user passwd --revoke --app ");
		add_word(b, n->app);
		buf_addc(b, ' ');
		add_word(b, n->login);
		buf_addc(b, '\n');
	}
	buf_adds(b, "\nThen throw away what is held:\n\n");
	add_command(
	    b, "postrider-queue delete --state held --login", pattern);
	buf_adds(b, "\nSend what is still held, and let the login go on, with "
		    "its count at 0:\n\n");
	add_command(b, "postrider-queue release --login", pattern);
	if (keyword[0] == '\0')
		return;
	buf_adds(b, "\nLet this login send more, a number in a time (0: "
		    "without a limit):\n\n");
	buf_adds(b, "    postrider-user limit ");
	add_word(b, n->login);
	buf_addf(b, " %s 5000/1d\n", keyword);
}

static bool
is_ascii(const char *text)
{
	return text == NULL || utf8_is_ascii(text, strlen(text));
}

bool
notice_compose(struct notice *n)
{
	n->text = BUF_INIT(NOTICE_MAX);
	n->eight_bit = !is_ascii(n->login) || !is_ascii(n->reason) ||
	    !is_ascii(n->client) || !is_ascii(n->sender);
	add_header(n);
	add_facts(n);
	add_advice(n);
	n->wire = n->text.len;
	for (size_t i = 0; i < n->text.len; i++)
		n->wire += n->text.data[i] == '\n';
	return buf_ok(&n->text);
}
