/* SPDX-License-Identifier: ISC */
#include "smtpd/gate_line.h"

#include <stdbool.h>
#include <string.h>

#include "smtpd/command.h"

/* A command begins with a letter, a TLS record or a cookie with neither. */
static bool
begins_foreign(struct span octets)
{
	unsigned char first = (unsigned char)octets.data[0];

	return (first < ' ' && first != '\r' && first != '\n' &&
		   first != '\t') ||
	    first >= 0x7f;
}

static bool
has_foreign_verb(struct span line)
{
	char text[COMMAND_VERB_MAX + 2], verb[COMMAND_VERB_MAX + 1];
	size_t n = line.len < sizeof(text) - 1 ? line.len : sizeof(text) - 1;

	memcpy(text, line.data, n);
	text[n] = '\0';
	(void)command_split(text, verb);
	return command_is_foreign(verb);
}

enum gate_line
gate_line_judge(struct span octets)
{
	const char *end;

	if (octets.len == 0)
		return GATE_LINE_MORE;
	if (begins_foreign(octets))
		return GATE_LINE_FOREIGN;
	end = memchr(octets.data, '\n', octets.len);
	if (end != NULL)
		octets.len = (size_t)(end - octets.data);
	if (memchr(octets.data, '\0', octets.len) != NULL)
		return GATE_LINE_FOREIGN;
	if (octets.len >= GATE_LINE_MAX)
		return GATE_LINE_LONG;
	if (end == NULL)
		return GATE_LINE_MORE;
	return has_foreign_verb(octets) ? GATE_LINE_FOREIGN : GATE_LINE_WHOLE;
}
