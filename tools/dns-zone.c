/* SPDX-License-Identifier: ISC */
#include "tools/dns-zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/dns_read.h"
#include "common/print.h"

enum { TTL_S = 3600, STRING_MAX = 255, DATA_MAX = 32768 };

void
zone_begin(struct zone *z)
{
	if (z->json)
		putchar('[');
}

void
zone_end(struct zone *z)
{
	if (z->json)
		puts("]");
}

void
zone_gap(struct zone *z)
{
	if (!z->json)
		putchar('\n');
}

void
zone_note(struct zone *z, const char *format, ...)
{
	struct buf text = BUF_INIT(DATA_MAX);
	va_list arguments;

	va_start(arguments, format);
	buf_addv(&text, format, arguments);
	va_end(arguments);
	if (!z->json && buf_text(&text) != NULL) {
		char *rest = text.data, *line;

		while ((line = strsep(&rest, "\n")) != NULL) {
			fputs("; ", stdout);
			print_clean(line);
			putchar('\n');
		}
	}
	buf_free(&text);
}

bool
zone_has(const struct zone *z, const char *name)
{
	size_t n = strlen(name), domain = strlen(z->domain);

	return n >= domain && dns_name_equal(name + n - domain, z->domain) &&
	    (n == domain || name[n - domain - 1] == '.');
}

static void
print_pair(const char *before, const char *name, const char *value)
{
	printf("%s\"%s\": ", before, name);
	print_json_string(value);
}

/* fragment: as a zone file has it; plain: without quotes. */
static void
print_record(struct zone *z, const char *owner, const char *type,
    const char *fragment, const char *plain)
{
	if (z->json) {
		print_pair(z->any ? ",\n{" : "{", "name", owner);
		print_pair(", ", "type", type);
		print_pair(", ", "data", plain);
		printf(
		    ", \"here\": %s}", zone_has(z, owner) ? "true" : "false");
	} else {
		printf("%s%s. %d IN %s %s\n", zone_has(z, owner) ? "" : ";",
		    owner, TTL_S, type, fragment);
	}
	z->any = true;
}

void
zone_record(struct zone *z, const char *owner, const char *type,
    const char *format, ...)
{
	struct buf data = BUF_INIT(DATA_MAX);
	va_list arguments;

	va_start(arguments, format);
	buf_addv(&data, format, arguments);
	va_end(arguments);
	if (buf_text(&data) != NULL)
		print_record(z, owner, type, data.data, data.data);
	buf_free(&data);
}

static void
add_octet(struct buf *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		buf_addf(out, "\\%c", c);
	else if (c < ' ' || c >= 0x7f)
		buf_addf(out, "\\%03u", c);
	else
		buf_addc(out, (char)c);
}

void
zone_text(struct zone *z, const char *owner, const char *text)
{
	struct buf data = BUF_INIT(DATA_MAX);

	for (size_t i = 0; text[i] != '\0'; i++) {
		if (i % STRING_MAX == 0)
			buf_adds(&data, i == 0 ? "\"" : "\" \"");
		add_octet(&data, (unsigned char)text[i]);
	}
	buf_addc(&data, '"');
	if (buf_text(&data) != NULL)
		print_record(z, owner, "TXT", data.data, text);
	buf_free(&data);
}
