/* SPDX-License-Identifier: ISC */
#include "sendmail/caller.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

static char
to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

void
caller_full_name(const char *gecos, const char *login, char *out, size_t n)
{
	size_t used = 0;

	for (; *gecos != '\0' && *gecos != ',' && used + 1 < n; gecos++) {
		if (*gecos != '&') {
			out[used++] = *gecos;
			continue;
		}
		for (const char *p = login; *p != '\0' && used + 1 < n; p++)
			out[used++] = p == login ? to_upper(*p) : *p;
	}
	while (used > 0 && out[used - 1] == ' ')
		used--;
	out[used] = '\0';
}

void
caller_find(struct caller *caller)
{
	struct passwd *entry;
	int n;

	caller->uid = getuid();
	caller->name[0] = '\0';
	entry = getpwuid(caller->uid);
	n = entry == NULL ? -1
			  : snprintf(caller->login, sizeof(caller->login), "%s",
				entry->pw_name);
	if (n <= 0 || (size_t)n >= sizeof(caller->login))
		snprintf(caller->login, sizeof(caller->login), "%lu",
		    (unsigned long)caller->uid);
	else if (entry->pw_gecos != NULL)
		caller_full_name(entry->pw_gecos, caller->login, caller->name,
		    sizeof(caller->name));
}
