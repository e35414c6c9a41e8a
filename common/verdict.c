/* SPDX-License-Identifier: ISC */
#include "common/verdict.h"

#include <stddef.h>
#include <string.h>
#include <sysexits.h>

enum { NAME_MAX_LENGTH = 31 };

static char names[VERDICT_COUNT][NAME_MAX_LENGTH + 1];

static const struct verdict_row rows[] = {
#define V(name, smtp, enhanced, exit, text)                                    \
	[VERDICT_##name] = {names[VERDICT_##name], smtp, enhanced, exit, text},
    VERDICTS(V)
#undef V
};

#define V(name, smtp, enhanced, exit, text)                                    \
	_Static_assert(sizeof(#name) <= NAME_MAX_LENGTH + 1, "name too long");
VERDICTS(V)
#undef V

/* USER_UNKNOWN is known to packets and logs as user-unknown. */
static void
form_names(void)
{
	static const char *const constants[] = {
#define V(name, smtp, enhanced, exit, text) [VERDICT_##name] = #name,
	    VERDICTS(V)
#undef V
	};

	for (size_t i = 0; i < VERDICT_COUNT; i++)
		for (size_t k = 0; constants[i][k] != '\0'; k++) {
			char c = constants[i][k];

			if (c == '_')
				c = '-';
			else if (c >= 'A' && c <= 'Z')
				c = (char)(c - 'A' + 'a');
			names[i][k] = c;
		}
}

const struct verdict_row *
verdict_row(enum verdict verdict)
{
	if (names[0][0] == '\0')
		form_names();
	if ((unsigned)verdict >= VERDICT_COUNT)
		verdict = VERDICT_INTERNAL;
	return &rows[verdict];
}

enum verdict
verdict_named(const char *name)
{
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		if (strcmp(verdict_row((enum verdict)i)->name, name) == 0)
			return (enum verdict)i;
	return VERDICT_INTERNAL;
}

bool
verdict_is_success(enum verdict verdict)
{
	return verdict_row(verdict)->smtp / 100 == 2;
}

bool
verdict_is_temporary(enum verdict verdict)
{
	return verdict_row(verdict)->smtp / 100 == 4;
}
