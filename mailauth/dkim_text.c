/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_text.h"

#include <string.h>

#include "common/base64.h"
#include "common/idn.h"
#include "common/utf8.h"

enum {
	TEXT_MAX = 8192, /* of base64, as DNS_TEXT_MAX; by 4 */
	LABEL_MAX = 63,
	NAME_MAX_OCTETS = 253
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
dkim_base64(struct span text, unsigned char *out, size_t size, size_t *n)
{
	char packed[TEXT_MAX];
	size_t len = 0, made;

	for (size_t i = 0; i < text.len; i++) {
		if (is_space(text.data[i]))
			continue;
		if (len == sizeof(packed))
			return false;
		packed[len++] = text.data[i];
	}
	while (len % 4 != 0)
		packed[len++] = '=';
	if (!base64_decode(packed, len, packed, &made) || made > size)
		return false;
	memcpy(out, packed, made);
	*n = made;
	return true;
}

static int
hex(char c)
{
	static const char digits[] = "0123456789ABCDEFabcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	if (at == NULL)
		return -1;
	return (int)(at - digits) < 16 ? (int)(at - digits)
				       : (int)(at - digits) - 6;
}

/* "=3D" at the start of text. */
static bool
unquote_octet(struct span text, char *octet)
{
	int high, low;

	if (text.len < 3)
		return false;
	high = hex(text.data[1]);
	low = hex(text.data[2]);
	*octet = (char)(high * 16 + low);
	return high >= 0 && low >= 0;
}

bool
dkim_unquote(struct span text, char *out, size_t size)
{
	size_t made = 0;

	while (text.len > 0) {
		char c = text.data[0];
		size_t used = c == '=' ? 3 : 1;

		if (c == '=' && !unquote_octet(text, &c))
			return false;
		if (used == 3 || !is_space(c)) {
			if ((unsigned char)c < ' ' || c == 0x7f ||
			    made + 1 >= size)
				return false;
			out[made++] = c;
		}
		text.data += used;
		text.len -= used;
	}
	out[made] = '\0';
	return utf8_valid(out, made);
}

static bool
is_label(const char *label, size_t n)
{
	static const char octets[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

	return n > 0 && n <= LABEL_MAX && strspn(label, octets) >= n;
}

static bool
is_domain(const char *name, size_t labels)
{
	size_t count = 0, n;

	if (strlen(name) > NAME_MAX_OCTETS)
		return false;
	do {
		n = strcspn(name, ".");
		if (!is_label(name, n))
			return false;
		count++;
		name += n;
	} while (*name++ == '.');
	return count >= labels;
}

bool
dkim_domain(struct span s, size_t labels, char *out, size_t size)
{
	char name[DNS_NAME_MAX + 1], ascii[DNS_NAME_MAX + 1];

	if (s.len >= sizeof(name) || memchr(s.data, '\0', s.len) != NULL ||
	    !utf8_valid(s.data, s.len))
		return false;
	memcpy(name, s.data, s.len);
	name[s.len] = '\0';
	if (!idn_to_ascii(name, ascii))
		return false;
	for (char *p = ascii; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	if (!is_domain(ascii, labels) || strlen(ascii) >= size)
		return false;
	memcpy(out, ascii, strlen(ascii) + 1);
	return true;
}
