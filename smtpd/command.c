/* SPDX-License-Identifier: ISC */
#include "smtpd/command.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"

static const struct reply fine = {0, "", ""};
static const struct reply no_utf8_sender = {
    550, "5.6.7", "address needs SMTPUTF8"};
static const struct reply no_utf8_recipient = {
    553, "5.6.7", "address needs SMTPUTF8"};

static struct reply
bad_parameter(const char *text)
{
	return (struct reply){501, "5.5.4", text};
}

enum command_fault
command_check(struct span line)
{
	enum command_fault fault = COMMAND_FINE;

	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if (c == '\0')
			return COMMAND_NUL;
		if ((c < ' ' && c != '\t') || c == 0x7f)
			fault = COMMAND_CONTROL;
	}
	if (!utf8_valid(line.data, line.len))
		fault = COMMAND_CONTROL;
	return fault;
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const char *
command_split(char *line, char verb[COMMAND_VERB_MAX + 1])
{
	size_t n = strlen(line), length;

	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	line[n] = '\0';
	length = strcspn(line, " \t");
	verb[0] = '\0';
	if (length <= COMMAND_VERB_MAX) {
		for (size_t i = 0; i < length; i++)
			verb[i] = upper(line[i]);
		verb[length] = '\0';
	}
	line += length;
	return line + strspn(line, " \t");
}

bool
command_is_foreign(const char *verb)
{
	static const char *const verbs[] = {"GET", "POST", "PUT", "HEAD",
	    "OPTIONS", "CONNECT", "DELETE", "TRACE", "PATCH", "PRI", NULL};

	for (size_t i = 0; verbs[i] != NULL; i++)
		if (strcmp(verb, verbs[i]) == 0)
			return true;
	return false;
}

bool
command_helo_fits(const char *argument)
{
	size_t n = strlen(argument);

	return n > 0 && n <= ADDRESS_DOMAIN_MAX &&
	    argument[strcspn(argument, " \t")] == '\0';
}

/* -- parameters of MAIL and RCPT -- */

enum { PARAMETERS_MAX = 8, WORD_MAX = 600 };

struct parameter {
	const char *keyword;
	/* Into the struct mail_command, or rcpt_command. */
	struct reply (*take)(void *, const char *value);
	bool dsn; /* one of RFC 3461 */
};

static bool
take_decimal(const char *text, uint64_t *out)
{
	struct cursor c = cursor_over(text, strlen(text));

	*out = cursor_decimal(&c);
	return cursor_done(&c);
}

static struct reply
take_size(void *command, const char *value)
{
	struct mail_command *mail = command;

	if (value == NULL || !take_decimal(value, &mail->size))
		return bad_parameter("bad value of SIZE");
	mail->has_size = true;
	return fine;
}

static struct reply
take_body(void *command, const char *value)
{
	struct mail_command *mail = command;

	if (value != NULL && strcasecmp(value, "8BITMIME") == 0)
		mail->body_8bit = true;
	else if (value == NULL || strcasecmp(value, "7BIT") != 0)
		return bad_parameter("BODY is 7BIT or 8BITMIME");
	return fine;
}

static struct reply
take_smtputf8(void *command, const char *value)
{
	struct mail_command *mail = command;

	if (value != NULL)
		return bad_parameter("SMTPUTF8 has no value");
	mail->utf8 = true;
	return fine;
}

/* RFC 4954 section 5: who submitted it first; not believed, not used. */
static struct reply
take_auth(void *command, const char *value)
{
	(void)command;
	if (value == NULL || value[0] == '\0')
		return bad_parameter("AUTH needs a value");
	return fine;
}

/* RFC 3461 section 4.3 */
static struct reply
take_ret(void *command, const char *value)
{
	struct mail_command *mail = command;

	return value != NULL && dsn_read_ret(value, &mail->ret)
	    ? fine
	    : bad_parameter("RET is FULL or HDRS");
}

/* Section 4.4 */
static struct reply
take_envid(void *command, const char *value)
{
	struct mail_command *mail = command;

	return value != NULL && dsn_read_envid(value, mail->envid)
	    ? fine
	    : bad_parameter("ENVID is at most 100 characters of xtext");
}

/* Section 4.1 */
static struct reply
take_notify(void *command, const char *value)
{
	struct rcpt_command *rcpt = command;

	return value != NULL && dsn_read_notify(value, &rcpt->notify)
	    ? fine
	    : bad_parameter(
		  "NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY");
}

/* Section 4.2; RFC 6533 section 3 */
static struct reply
take_orcpt(void *command, const char *value)
{
	struct rcpt_command *rcpt = command;

	return value != NULL && dsn_read_orcpt(value, rcpt->utf8, rcpt->orcpt)
	    ? fine
	    : bad_parameter("ORCPT is a type, \";\" and xtext, "
			    "at most 500 characters");
}

static const struct parameter mail_parameters[] = {
    {"SIZE", take_size, false},
    {"BODY", take_body, false},
    {"SMTPUTF8", take_smtputf8, false},
    {"AUTH", take_auth, false},
    {"RET", take_ret, true},
    {"ENVID", take_envid, true},
    {NULL, NULL, false},
};

static const struct parameter rcpt_parameters[] = {
    {"NOTIFY", take_notify, true},
    {"ORCPT", take_orcpt, true},
    {NULL, NULL, false},
};

/* Ends word at its "="; NULL when it has none. */
static const char *
split_value(char *word)
{
	char *equals = strchr(word, '=');

	if (equals == NULL)
		return NULL;
	*equals = '\0';
	return equals + 1;
}

/* The next word of text into out; NULL when there is no more. */
static const char *
next_word(const char *text, char out[WORD_MAX + 1])
{
	size_t n;

	text += strspn(text, " \t");
	n = strcspn(text, " \t");
	snprintf(out, WORD_MAX + 1, "%.*s", (int)n, text);
	return n == 0 ? NULL : text + n;
}

static struct reply
read_parameters(
    const char *text, const struct parameter *known, bool dsn, void *command)
{
	char word[WORD_MAX + 1];
	unsigned seen = 0;

	while ((text = next_word(text, word)) != NULL) {
		const char *value = split_value(word);
		struct reply wrong;
		unsigned i = 0;

		while (known[i].keyword != NULL &&
		    strcasecmp(known[i].keyword, word) != 0)
			i++;
		if (known[i].keyword == NULL || (known[i].dsn && !dsn))
			return (struct reply){
			    555, "5.5.4", "unsupported parameter"};
		if ((seen & 1U << i) != 0)
			return bad_parameter("parameter given twice");
		seen |= 1U << i;
		wrong = known[i].take(command, value);
		if (wrong.smtp != 0)
			return wrong;
	}
	return fine;
}

/* -- paths -- */

/*
 * With the brackets, as it should be, or without them and with spaces
 * before, as some clients have it.
 */
static const char *
read_path(
    const char *text, unsigned flags, struct address *out, const char **rest)
{
	char word[WORD_MAX + 1];
	const char *wrong;

	text += strspn(text, " \t");
	if (*text != '<') {
		*rest = next_word(text, word);
		if (*rest == NULL || strlen(word) == WORD_MAX)
			return "no address";
		return address_parse(
		    word, flags & ~(unsigned)ADDRESS_NULL, out);
	}
	wrong = address_parse_path(text, flags, out, rest);
	if (wrong == NULL && **rest != '\0' && **rest != ' ' && **rest != '\t')
		wrong = "something behind the address";
	return wrong;
}

static const char *
behind_keyword(const char *argument, const char *keyword)
{
	size_t n = strlen(keyword);

	return strncasecmp(argument, keyword, n) == 0 ? argument + n : NULL;
}

struct reply
command_mail(const char *argument, bool dsn, struct mail_command *mail)
{
	const char *text = behind_keyword(argument, "FROM:"), *bad;
	struct reply wrong;

	*mail = (struct mail_command){.has_size = false};
	if (text == NULL)
		return bad_parameter("syntax: MAIL FROM:<address>");
	bad =
	    read_path(text, ADDRESS_NULL | ADDRESS_UTF8, &mail->sender, &text);
	if (bad != NULL)
		return (struct reply){501, "5.1.7", bad};
	wrong = read_parameters(text, mail_parameters, dsn, mail);
	if (wrong.smtp == 0 && mail->sender.utf8 && !mail->utf8)
		return no_utf8_sender;
	return wrong;
}

struct reply
command_rcpt(
    const char *argument, bool utf8, bool dsn, struct rcpt_command *rcpt)
{
	const char *text = behind_keyword(argument, "TO:"), *bad;

	*rcpt = (struct rcpt_command){.utf8 = utf8};
	if (text == NULL)
		return bad_parameter("syntax: RCPT TO:<address>");
	bad = read_path(
	    text, ADDRESS_POSTMASTER | ADDRESS_UTF8, &rcpt->recipient, &text);
	if (bad != NULL)
		return (struct reply){501, "5.1.3", bad};
	if (rcpt->recipient.utf8 && !utf8)
		return no_utf8_recipient;
	return read_parameters(text, rcpt_parameters, dsn, rcpt);
}
