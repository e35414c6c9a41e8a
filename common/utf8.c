/* SPDX-License-Identifier: ISC */
#include "common/utf8.h"

size_t
utf8_decode(const char *octets, size_t n, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)octets;
	size_t length, i;
	uint32_t c;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || length > n)
		return 0;
	c = p[0] & (0x7fU >> length);
	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return length;
}

bool
utf8_valid(const char *octets, size_t n)
{
	uint32_t code;
	size_t length;

	for (; n > 0; octets += length, n -= length) {
		length = utf8_decode(octets, n, &code);
		if (length == 0)
			return false;
	}
	return true;
}

bool
utf8_is_ascii(const char *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)octets[i] >= 0x80)
			return false;
	return true;
}
