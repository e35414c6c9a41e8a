/* SPDX-License-Identifier: ISC */
#include "common/signature.h"

#include <string.h>

/* A fold: the line goes on behind a blank, and with more than blanks. */
static bool
goes_on(const char *line)
{
	size_t blanks = strspn(line, " \t");

	return blanks > 0 && line[blanks] != '\0' && line[blanks] != '\n';
}

bool
signature_is_field(const char *text)
{
	static const char name[] = "DKIM-Signature:";

	if (strncmp(text, name, sizeof(name) - 1) != 0 ||
	    strlen(text) > SIGNATURE_MAX)
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '\n' ? !goes_on(p + 1)
			      : c != '\t' && (c < ' ' || c > '~'))
			return false;
	}
	return true;
}

static const char *
skip_blanks(const char *p)
{
	return p + strspn(p, " \t\n");
}

void
signature_tag(
    const char *field, const char *tag, char out[SIGNATURE_TAG_MAX + 1])
{
	const char *p = strchr(field, ':');
	size_t length = strlen(tag), n = 0;

	for (out[0] = '\0'; p != NULL; p = strchr(p, ';')) {
		p = skip_blanks(p + 1);
		if (strncmp(p, tag, length) != 0)
			continue;
		p = skip_blanks(p + length);
		if (*p == '=')
			break;
	}
	for (p = p != NULL ? p + 1 : ""; *p != ';' && *p != '\0'; p++) {
		if (*p == ' ' || *p == '\t' || *p == '\n')
			continue;
		if (n == SIGNATURE_TAG_MAX) {
			n = 0;
			break;
		}
		out[n++] = *p;
	}
	out[n] = '\0';
}
