/* SPDX-License-Identifier: ISC */
#include "smtpd/gate_refusal.h"

#include <stdio.h>
#include <string.h>

enum { LINE_OCTETS = 1024 };

struct exchange {
	struct refusal *refusal;
	const char *hostname;
	const char *argument;
	char *reply;
};

static enum refusal_step
answer(struct exchange *x, int smtp, const char *enhanced, const char *text)
{
	snprintf(
	    x->reply, REFUSAL_REPLY_MAX, "%d %s %s\r\n", smtp, enhanced, text);
	return REFUSAL_GOES_ON;
}

static enum refusal_step
greet(struct exchange *x, bool extended)
{
	struct refusal *r = x->refusal;

	if (!command_helo_fits(x->argument))
		return answer(x, 501, "5.5.4", "say your host name");
	snprintf(r->helo, sizeof(r->helo), "%s", x->argument);
	r->open = false;
	snprintf(x->reply, REFUSAL_REPLY_MAX,
	    extended ? "250-%s\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
		     : "250 %s\r\n",
	    x->hostname);
	return REFUSAL_GOES_ON;
}

static enum refusal_step
helo(struct exchange *x)
{
	return greet(x, false);
}

static enum refusal_step
ehlo(struct exchange *x)
{
	return greet(x, true);
}

static enum refusal_step
mail(struct exchange *x)
{
	struct refusal *r = x->refusal;
	struct mail_command command;
	struct reply wrong = command_mail(x->argument, false, &command);

	if (r->helo[0] == '\0')
		return answer(x, 503, "5.5.1", "say HELO or EHLO first");
	if (wrong.smtp != 0)
		return answer(x, wrong.smtp, wrong.enhanced, wrong.text);
	address_format(&command.sender, r->from);
	r->open = true;
	return answer(x, 250, "2.1.0", "sender ok");
}

static enum refusal_step
rcpt(struct exchange *x)
{
	struct refusal *r = x->refusal;
	struct rcpt_command command;
	struct reply wrong;

	if (!r->open)
		return answer(x, 503, "5.5.1", "say MAIL first");
	wrong = command_rcpt(x->argument, false, false, &command);
	if (wrong.smtp != 0)
		return answer(x, wrong.smtp, wrong.enhanced, wrong.text);
	address_format(&command.recipient, r->to);
	(void)answer(x, r->smtp, r->enhanced, r->text);
	return REFUSAL_RECIPIENT;
}

static enum refusal_step
data(struct exchange *x)
{
	return answer(x, 554, "5.5.1", "no valid recipients");
}

static enum refusal_step
rset(struct exchange *x)
{
	x->refusal->open = false;
	return answer(x, 250, "2.0.0", "ok");
}

static enum refusal_step
noop(struct exchange *x)
{
	return answer(x, 250, "2.0.0", "ok");
}

static enum refusal_step
quit(struct exchange *x)
{
	(void)answer(x, 221, "2.0.0", "bye");
	return REFUSAL_OVER;
}

static enum refusal_step
unknown(struct exchange *x)
{
	return answer(x, 502, "5.5.1", "command not implemented");
}

static enum refusal_step
run(struct exchange *x, const char *verb)
{
	static const struct {
		const char *verb;
		enum refusal_step (*run)(struct exchange *);
	} commands[] = {{"HELO", helo}, {"EHLO", ehlo}, {"MAIL", mail},
	    {"RCPT", rcpt}, {"DATA", data}, {"RSET", rset}, {"NOOP", noop},
	    {"QUIT", quit}, {NULL, unknown}};
	size_t i = 0;

	while (commands[i].verb != NULL && strcmp(commands[i].verb, verb) != 0)
		i++;
	return commands[i].run(x);
}

enum refusal_step
refusal_line(struct refusal *r, const char *hostname, struct span line,
    char reply[REFUSAL_REPLY_MAX])
{
	char text[LINE_OCTETS + 1], verb[COMMAND_VERB_MAX + 1];
	struct exchange x = {
	    .refusal = r, .hostname = hostname, .reply = reply};

	if (line.len > LINE_OCTETS || command_check(line) != COMMAND_FINE) {
		(void)answer(&x, 500, "5.5.2", "bad character in command");
		return REFUSAL_OVER;
	}
	memcpy(text, line.data, line.len);
	text[line.len] = '\0';
	x.argument = command_split(text, verb);
	if (command_is_foreign(verb)) {
		(void)answer(&x, 554, "5.5.1", "this is SMTP");
		return REFUSAL_OVER;
	}
	if (++r->lines > REFUSAL_LINES_MAX) {
		(void)answer(&x, 421, "4.7.0", "too many commands");
		return REFUSAL_OVER;
	}
	return run(&x, verb);
}
