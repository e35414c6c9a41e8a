/* SPDX-License-Identifier: ISC */
#include "common/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz"
			     "0123456789+/";

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
base64_decode(const char *text, size_t n, char *out, size_t *made)
{
	size_t pad = 0;

	*made = 0;
	if (n % 4 != 0)
		return false;
	while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < n; i += 4) {
		size_t unused = i + 4 == n ? pad : 0;
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k < 4 - unused ? value_of(text[i + k]) : 0;

			if (value < 0)
				return false;
			group = group << 6 | (uint32_t)value;
		}
		if ((group & ((1U << 8 * unused) - 1)) != 0)
			return false;
		for (size_t k = 0; k < 3 - unused; k++)
			out[(*made)++] = (char)(group >> (16 - 8 * k) & 0xff);
	}
	return true;
}

void
base64_encode(const void *octets, size_t n, char *text)
{
	const unsigned char *from = octets;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (k < have ? from[i + k] : 0U);
		for (size_t k = 0; k < 4; k++)
			*text++ = k <= have
			    ? digits[group >> (18 - 6 * k) & 0x3f]
			    : '=';
	}
	*text = '\0';
}
