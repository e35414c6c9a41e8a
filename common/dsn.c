/* SPDX-License-Identifier: ISC */
#include "common/dsn.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"

static const struct {
	const char *name;
	unsigned bit;
} notifies[] = {
    {"never", DSN_NEVER},
    {"success", DSN_SUCCESS},
    {"failure", DSN_FAILURE},
    {"delay", DSN_DELAY},
};
enum { NOTIFIES = sizeof(notifies) / sizeof(notifies[0]) };

static unsigned
notify_bit(const char *text, size_t n)
{
	for (size_t i = 0; i < NOTIFIES; i++)
		if (strlen(notifies[i].name) == n &&
		    strncasecmp(notifies[i].name, text, n) == 0)
			return notifies[i].bit;
	return 0;
}

bool
dsn_read_notify(const char *text, unsigned *notify)
{
	*notify = 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		unsigned bit = notify_bit(text, n);

		if (bit == 0 || (*notify & bit) != 0)
			return false;
		*notify |= bit;
		if (text[n] == '\0')
			break;
		text += n + 1;
	}
	return (*notify & DSN_NEVER) == 0 || *notify == DSN_NEVER;
}

void
dsn_write_notify(unsigned notify, char out[DSN_NOTIFY_SIZE])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < NOTIFIES; i++)
		if ((notify & notifies[i].bit) != 0)
			n += (size_t)snprintf(out + n, DSN_NOTIFY_SIZE - n,
			    "%s%s", n > 0 ? "," : "", notifies[i].name);
}

bool
dsn_read_ret(const char *text, enum dsn_ret *ret)
{
	if (strcasecmp(text, "FULL") == 0)
		*ret = DSN_RET_FULL;
	else if (strcasecmp(text, "HDRS") == 0)
		*ret = DSN_RET_HDRS;
	else
		return false;
	return true;
}

const char *
dsn_ret_name(enum dsn_ret ret)
{
	static const char *const names[] = {
	    [DSN_RET_NONE] = NULL,
	    [DSN_RET_FULL] = "full",
	    [DSN_RET_HDRS] = "hdrs",
	};

	return names[ret];
}

/* -- what they may be made of -- */

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static bool
is_utf8_address(const char *text)
{
	size_t n = strlen(text), length;
	uint32_t code;

	for (; n > 0; text += length, n -= length) {
		length = utf8_decode(text, n, &code);
		if (length == 0 || code <= ' ' || (code >= 0x7f && code < 0xa0))
			return false;
	}
	return true;
}

/* The octets of the type before ";", an atom (RFC 3464 section 2.1.2). */
static size_t
type_length(const char *text)
{
	size_t n = strcspn(text, ";");

	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~' ||
		    strchr("()<>@,:\\\".[]", text[i]) != NULL)
			return 0;
	return text[n] == ';' && text[n + 1] != '\0' ? n : 0;
}

static bool
is_utf8_type(const char *text, size_t n)
{
	return n == 5 && strncasecmp(text, "utf-8", n) == 0;
}

bool
dsn_is_envid(const char *text)
{
	return text[0] != '\0' && strlen(text) <= DSN_ENVID_MAX &&
	    is_printable(text);
}

bool
dsn_is_orcpt(const char *text)
{
	size_t n = type_length(text);

	if (n == 0 || strlen(text) > DSN_ORCPT_MAX)
		return false;
	return is_utf8_type(text, n) ? is_utf8_address(text + n + 1)
				     : is_printable(text + n + 1);
}

/* -- from the wire -- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "+HH", upper case only (section 4); what else is left for the caller. */
static bool
undo_xtext(const char *text, char *out)
{
	for (; *text != '\0'; text++) {
		int high, low;

		if (*text != '+') {
			*out++ = *text;
			continue;
		}
		if ((high = hex_digit(text[1])) < 0 ||
		    (low = hex_digit(text[2])) < 0 || high + low == 0)
			return false;
		*out++ = (char)(high << 4 | low);
		text += 2;
	}
	*out = '\0';
	return true;
}

/* xchar, section 4: "!" to "~" without "+" and "=". */
static bool
is_xtext(const char *text, bool utf8)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == 0x7f || c == '=' || (c >= 0x80 && !utf8))
			return false;
	}
	return true;
}

static char *
put_character(char *out, uint32_t code)
{
	static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	unsigned n = code < 0x80 ? 1
	    : code < 0x800       ? 2
	    : code < 0x10000     ? 3
				 : 4;

	if (n == 1) {
		*out++ = (char)code;
		return out;
	}
	*out++ = (char)(leads[n] | code >> 6 * (n - 1));
	while (--n > 0)
		*out++ = (char)(0x80 | (code >> 6 * (n - 1) & 0x3f));
	return out;
}

/* EmbeddedUnicodeChar, RFC 6533 section 3: "\x{HEXPOINT}". */
static bool
undo_embedded(const char *text, char *out)
{
	while (*text != '\0') {
		uint32_t code = 0;
		int digits = 0, digit;

		if (*text != '\\') {
			*out++ = *text++;
			continue;
		}
		if (strncmp(text, "\\x{", 3) != 0)
			return false;
		for (text += 3; (digit = hex_digit(*text)) >= 0; text++) {
			code = code << 4 | (uint32_t)digit;
			if (++digits > 6)
				return false;
		}
		if (digits < 2 || *text++ != '}' || code == 0 ||
		    code > 0x10ffff)
			return false;
		out = put_character(out, code);
	}
	*out = '\0';
	return true;
}

bool
dsn_read_envid(const char *xtext, char out[DSN_ENVID_MAX + 1])
{
	return strlen(xtext) <= DSN_ENVID_MAX && is_xtext(xtext, false) &&
	    undo_xtext(xtext, out) && dsn_is_envid(out);
}

bool
dsn_read_orcpt(const char *xtext, bool utf8, char out[DSN_ORCPT_MAX + 1])
{
	char text[DSN_ORCPT_MAX + 1];
	size_t n = type_length(xtext);

	if (n == 0 || strlen(xtext) > DSN_ORCPT_MAX)
		return false;
	memcpy(out, xtext, n + 1);
	xtext += n + 1;
	if (!is_utf8_type(out, n))
		return is_xtext(xtext, false) &&
		    undo_xtext(xtext, out + n + 1) && dsn_is_orcpt(out);
	return is_xtext(xtext, utf8) && undo_xtext(xtext, text) &&
	    undo_embedded(text, out + n + 1) && dsn_is_orcpt(out);
}

/* -- to the wire -- */

static void
write_xtext(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || *text == '+' || *text == '=')
			buf_addf(out, "+%02X", (unsigned char)*text);
		else
			buf_addc(out, *text);
}

void
dsn_write_envid(struct buf *out, const char *envid)
{
	write_xtext(out, envid);
}

void
dsn_write_address(struct buf *out, const char *address, bool utf8)
{
	size_t n = strlen(address), length;
	uint32_t code;

	for (; n > 0; address += length, n -= length) {
		length = utf8_decode(address, n, &code);
		if (length > 0 && code > ' ' && code != 0x7f && code != '\\' &&
		    code != '+' && code != '=' && (code < 0x80 || utf8))
			buf_add(out, address, length);
		else
			buf_addf(out, "\\x{%02X}", length > 0 ? code : 0xfffd);
		length += length == 0;
	}
}

void
dsn_write_orcpt(struct buf *out, const char *orcpt, bool utf8)
{
	size_t n = strcspn(orcpt, ";");

	buf_add(out, orcpt, n + 1);
	if (is_utf8_type(orcpt, n))
		dsn_write_address(out, orcpt + n + 1, utf8);
	else
		write_xtext(out, orcpt + n + 1);
}
