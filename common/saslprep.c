/* SPDX-License-Identifier: ISC */
#include "common/saslprep.h"

#include <string.h>

#include "common/utf8.h"

struct range {
	uint32_t first, last;
};

/* RFC 3454, tables C.1.2, B.1, C.2.2 and C.3 to C.9. */
static const struct range spaces[] = {{0xa0, 0xa0}, {0x1680, 0x1680},
    {0x2000, 0x200b}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
static const struct range nothing[] = {{0xad, 0xad}, {0x34f, 0x34f},
    {0x1806, 0x1806}, {0x180b, 0x180d}, {0x200c, 0x200d}, {0x2060, 0x2060},
    {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};
static const struct range prohibited[] = {{0, 0x1f}, {0x7f, 0x9f},
    {0x340, 0x341}, {0x6dd, 0x6dd}, {0x70f, 0x70f}, {0x180e, 0x180e},
    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2061, 0x2063}, {0x206a, 0x206f},
    {0x2ff0, 0x2ffb}, {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfff9, 0xfffd},
    {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
    {0xf0000, 0x10ffff}};

#define IN(code, table) is_in(code, table, sizeof(table) / sizeof((table)[0]))

static bool
is_in(uint32_t code, const struct range *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (code >= table[i].first && code <= table[i].last)
			return true;
	return false;
}

/* The last two of every plane are no characters. */
static bool
is_prohibited(uint32_t code)
{
	return (code & 0xfffe) == 0xfffe || IN(code, prohibited);
}

bool
saslprep(const char *text, size_t n, char *out, size_t max)
{
	size_t made = 0;

	while (n > 0) {
		uint32_t code;
		size_t length = utf8_decode(text, n, &code), as = length;
		const char *octets = text;

		if (length == 0 || is_prohibited(code))
			return false;
		text += length;
		n -= length;
		if (IN(code, spaces)) {
			octets = " ";
			as = 1;
		} else if (IN(code, nothing)) {
			continue;
		}
		if (as > max - made)
			return false;
		memcpy(out + made, octets, as);
		made += as;
	}
	out[made] = '\0';
	return made > 0;
}
