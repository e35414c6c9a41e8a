/* SPDX-License-Identifier: ISC */
#include "deliver/caps.h"

#include <string.h>
#include <strings.h>

#include "common/sasl.h"

static bool
is(struct span word, const char *text)
{
	return word.len == strlen(text) &&
	    strncasecmp(word.data, text, word.len) == 0;
}

/* The next word, and the rest behind it. */
static struct span
next_word(struct span *rest)
{
	struct span word;
	size_t i = 0;

	while (i < rest->len && rest->data[i] == ' ')
		i++;
	word = (struct span){rest->data + i, 0};
	while (i + word.len < rest->len && rest->data[i + word.len] != ' ')
		word.len++;
	i += word.len;
	*rest = (struct span){rest->data + i, rest->len - i};
	return word;
}

static uint64_t
number(struct span s)
{
	struct cursor c = cursor_over(s.data, s.len);
	uint64_t value = cursor_decimal(&c);

	return cursor_done(&c) ? value : 0;
}

static void
read_limits(struct caps *caps, struct span rest)
{
	struct span word;

	while ((word = next_word(&rest)).len > 0) {
		const char *equals = memchr(word.data, '=', word.len);
		struct span name, value;

		if (equals == NULL)
			continue;
		name = (struct span){word.data, (size_t)(equals - word.data)};
		value = (struct span){equals + 1, word.len - name.len - 1};
		if (is(name, "RCPTMAX"))
			caps->recipients_limit = number(value);
		else if (is(name, "MAILMAX"))
			caps->transactions_limit = number(value);
	}
}

static unsigned
read_mechanisms(struct span rest)
{
	struct span word;
	unsigned set = 0;

	while ((word = next_word(&rest)).len > 0) {
		enum sasl_mechanism m = sasl_named(word.data, word.len);

		if (m != SASL_MECHANISMS)
			set |= SASL_SET(m);
	}
	return set;
}

void
caps_read(struct caps *caps, const struct reply *r)
{
	const char *at = NULL;
	struct span line, word;

	*caps = (struct caps){.pipelining = false};
	if (!reply_next(r, &at, &line)) /* the server's name and greeting */
		return;
	while (reply_next(r, &at, &line)) {
		word = next_word(&line);
		if (is(word, "PIPELINING"))
			caps->pipelining = true;
		else if (is(word, "8BITMIME"))
			caps->eight_bit = true;
		else if (is(word, "SMTPUTF8"))
			caps->utf8 = true;
		else if (is(word, "DSN"))
			caps->dsn = true;
		else if (is(word, "STARTTLS"))
			caps->starttls = true;
		else if (is(word, "AUTH")) {
			caps->login = true;
			caps->auth |= read_mechanisms(line);
		} else if (is(word, "LIMITS"))
			read_limits(caps, line);
		else if (is(word, "SIZE")) {
			caps->size = true;
			caps->size_limit = number(next_word(&line));
		}
	}
}
