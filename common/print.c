/* SPDX-License-Identifier: ISC */
#include "common/print.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

/* Octets of ASCII that stand for themselves: most of what is printed. */
static size_t
plain(const char *text, bool json)
{
	size_t n = 0;

	while (text[n] >= ' ' && text[n] < 0x7f &&
	    !(json && (text[n] == '"' || text[n] == '\\')))
		n++;
	return n;
}

void
print_clean(const char *text)
{
	size_t n = strlen(text), length;
	uint32_t code;

	for (; n > 0; text += length, n -= length) {
		length = plain(text, false);
		if (length > 0) {
			fwrite(text, 1, length, stdout);
			continue;
		}
		length = utf8_decode(text, n, &code);
		if (length > 0 && code >= ' ' && (code < 0x7f || code > 0x9f)) {
			fwrite(text, 1, length, stdout);
		} else {
			putchar('?');
			length = length > 0 ? length : 1;
		}
	}
}

void
print_json_string(const char *text)
{
	size_t n = strlen(text), length;
	uint32_t code;

	putchar('"');
	for (; n > 0; text += length, n -= length) {
		length = plain(text, true);
		if (length > 0) {
			fwrite(text, 1, length, stdout);
			continue;
		}
		length = utf8_decode(text, n, &code);
		if (length == 0) {
			fputs("\\ufffd", stdout);
			length = 1;
		} else if (code == '"' || code == '\\') {
			printf("\\%c", (int)code);
		} else if (code < ' ' || (code >= 0x7f && code <= 0x9f)) {
			printf("\\u%04x", (unsigned)code);
		} else {
			fwrite(text, 1, length, stdout);
		}
	}
	putchar('"');
}
