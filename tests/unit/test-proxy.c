/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/netaddr.h"
#include "common/proxy.h"

#define V2          "\r\n\r\n\0\r\nQUIT\n"
#define FOUR        "\xc0\0\2\1\xc6\x33\x64\2\xdb\4\0\x19"
#define SIX         "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define OF(literal) literal, sizeof(literal) - 1

static const struct {
	const char *octets;
	size_t n;
	const char *client; /* with its port; NULL: the proxy's own */
} good[] = {
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 56068 25\r\n"), "192.0.2.1:56068"},
    {OF("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	"255.255.255.255:65535"},
    {OF("PROXY TCP6 2001:db8::1 2001:db8::2 0 25\r\n"), "[2001:db8::1]:0"},
    {OF("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {OF("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 9 25\r\n"),
	"192.0.2.1:9"},
    {OF("PROXY UNKNOWN\r\n"), NULL},
    {OF("PROXY UNKNOWN \r\n"), NULL},
    /* as long as a line may be */
    {OF("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	NULL},
    {OF(V2 "\x21\x11\0\xc" FOUR), "192.0.2.1:56068"},
    {OF(V2 "\x21\x21\0\x24" SIX SIX "\xdb\4\0\x19"), "[2001:db8::1]:56068"},
    {OF(V2 "\x21\x21\0\x24"
	   "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1" SIX "\0\1\0\x19"),
	"192.0.2.1:1"},
    /* with what a receiver may skip */
    {OF(V2 "\x21\x11\0\x16" FOUR "\4\0\3abc\x20\0\1z"), "192.0.2.1:56068"},
    {OF(V2 "\x20\0\0\0"), NULL},
    {OF(V2 "\x20\xff\0\3abc"), NULL},
    {OF(V2 "\x20\x11\0\xc" FOUR), NULL},
    {OF(V2 "\x21\0\0\0"), NULL},
    /* UDP, Unix: as if unspecified */
    {OF(V2 "\x21\x12\0\xc" FOUR), NULL},
    {OF(V2 "\x21\x31\0\1x"), NULL},
    {OF(V2 "\x21\x10\0\xc" FOUR), NULL},
};

static const struct {
	const char *octets;
	size_t n;
} bad[] = {
    {OF("EHLO mail.example.org\r\n")},
    {OF("\26\3\1\2\0\1\0")},
    {OF("proxy TCP4 192.0.2.1 198.51.100.2 56068 25\r\n")},
    {OF("PROXY\r\n")},
    {OF("PROXY TCP4\r\nEHLO mail.example.org\r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 56068 25\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 56068\r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 56068 25 \r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 56068 25 7\r\n")},
    {OF("PROXY TCP4  192.0.2.1 198.51.100.2 56068 25\r\n")},
    {OF("PROXY  TCP4 192.0.2.1 198.51.100.2 56068 25\r\n")},
    {OF("PROXY TCP4 192.0.2.1\t198.51.100.2 56068 25\r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 56068 25\r\r\n")},
    {OF("PROXY TCP4 192.0.2.01 198.51.100.2 56068 25\r\n")},
    {OF("PROXY TCP4 192.0.2.1\0 198.51.100.2 56068 25\r\n")},
    {OF("PROXY TCP4 192.0.2.256 198.51.100.2 56068 25\r\n")},
    {OF("PROXY TCP4 2001:db8::1 2001:db8::2 56068 25\r\n")},
    {OF("PROXY TCP6 192.0.2.1 198.51.100.2 56068 25\r\n")},
    {OF("PROXY TCP4 192.0.2.1 mail.example 56068 25\r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 056 25\r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 1 99999999999999999999\r\n")},
    {OF("PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n")},
    {OF("PROXY TCP5 192.0.2.1 198.51.100.2 56068 25\r\n")},
    {OF("PROXY UDP4 192.0.2.1 198.51.100.2 56068 25\r\n")},
    {OF("PROXY UNKNOWNS\r\n")},
    {OF("PROXY UNKNOWN\n................")},
    /* one octet more than a line may have */
    {OF("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n")},
    {OF("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535  ")},
    {OF("\r\n\r\n\0\r\nQUIT\r")},
    {OF(V2 "\x11\x11\0\xc" FOUR)},
    {OF(V2 "\x31\x11\0\xc" FOUR)},
    {OF(V2 "\x22\x11\0\xc" FOUR)},
    {OF(V2 "\x21\x41\0\xc" FOUR)},
    {OF(V2 "\x21\x13\0\xc" FOUR)},
    {OF(V2 "\x21\x11\0\xb" FOUR)},
    {OF(V2 "\x21\x21\0\x23" SIX SIX "\xdb\4\0\x19")},
    {OF(V2 "\x21\x11\x0f\xf1")}, /* one more than we take */
    {OF(V2 "\x20\0\xff\xff")},
};

static void
headers(void **state)
{
	char octets[512], text[NETADDR_TEXT_MAX];
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		/* What stands behind it is the client's. */
		memset(octets, '\n', sizeof(octets));
		memcpy(octets, good[i].octets, good[i].n);
		assert_int_equal(
		    proxy_parse(octets, good[i].n + 9, &h), PROXY_DONE);
		assert_int_equal(h.size, good[i].n);
		assert_int_equal(h.own, good[i].client == NULL);
		if (h.own)
			continue;
		netaddr_format_port(&h.client, text);
		assert_string_equal(text, good[i].client);
	}
}

/* Octet by octet, in memory that ends where they do. */
static void
pieces(void **state)
{
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t n = 0; n < good[i].n; n++) {
			assert_int_equal(
			    proxy_parse(good[i].octets, n, &h), PROXY_MORE);
			assert_true(h.size > n && h.size <= good[i].n);
		}
}

static void
no_headers(void **state)
{
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (proxy_parse(bad[i].octets, bad[i].n, &h) != PROXY_BAD)
			fail_msg("row %zu", i);
}

/* What cannot become one is told at its first wrong octet. */
static void
told_at_once(void **state)
{
	struct proxy_header h;

	(void)state;
	assert_int_equal(proxy_parse("E", 1, &h), PROXY_BAD);
	assert_int_equal(proxy_parse("PRX", 3, &h), PROXY_BAD);
	assert_int_equal(proxy_parse("\r\n\n", 3, &h), PROXY_BAD);
	assert_int_equal(proxy_parse("", 0, &h), PROXY_MORE);
	assert_int_equal(h.size, 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers),
	    cmocka_unit_test(pieces),
	    cmocka_unit_test(no_headers),
	    cmocka_unit_test(told_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
