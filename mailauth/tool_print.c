/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>

#include "common/print.h"
#include "mailauth/tool.h"

void
print_key(bool *first, const char *key)
{
	if (!*first)
		putchar(',');
	*first = false;
	print_json_string(key);
	putchar(':');
}

void
print_pair(bool *first, const char *key, const char *text)
{
	print_key(first, key);
	print_json_string(text);
}

void
print_number(bool *first, const char *key, int64_t number)
{
	print_key(first, key);
	printf("%" PRId64, number);
}

void
print_bool(bool *first, const char *key, bool value)
{
	print_key(first, key);
	fputs(value ? "true" : "false", stdout);
}

void
print_row(const char *name, const char *text)
{
	if (text[0] == '\0')
		return;
	printf("  %-12s ", name);
	print_clean(text);
	putchar('\n');
}
