/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/netaddr.h"
#include "common/proxy.h"
#include "tests/fuzz/fuzz.h"

/*
 * However a header arrives, it is the same one, and who reads what is asked
 * for reads nothing of what comes behind it.
 */
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\nEHLO a\r\n"),
    FUZZ_SEED("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 1 65535\r\n\26\3\1"),
    FUZZ_SEED("PROXY UNKNOWN\r\n"),
    FUZZ_SEED("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nQUIT\r\n"),
    FUZZ_SEED("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\300\0\2\1\306\63\144\2"
	      "\333\4\0\31QUIT\r\n"),
    FUZZ_SEED("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x2b"
	      "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"
	      "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\2"
	      "\333\4\1\321\5\0\4abcd"),
    FUZZ_SEED("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
    FUZZ_SEEDS_END,
};

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct proxy_header all, part = {.size = 0};
	enum proxy_result whole = proxy_parse(octets, n, &all);
	enum proxy_result result = PROXY_MORE;
	char text[NETADDR_TEXT_MAX];
	size_t have = 0;

	REQUIRE(whole != PROXY_DONE || all.size <= n);
	REQUIRE(whole != PROXY_MORE || (all.size > n && n < PROXY_MAX));
	while ((result = proxy_parse(octets, have, &part)) == PROXY_MORE) {
		REQUIRE(part.size > have && part.size <= PROXY_MAX);
		if (have == n)
			break;
		have = part.size < n ? part.size : n;
	}
	/* Who takes but what is surely the header's is told the same, at the
	 * latest when it is complete. */
	REQUIRE(result == whole);
	if (result != PROXY_DONE)
		return 0;
	REQUIRE(have == all.size && part.size == all.size);
	REQUIRE(part.own == all.own);
	if (all.own)
		return 0;
	REQUIRE(netaddr_equal(&part.client, &all.client));
	netaddr_format(&all.client, text);
	REQUIRE(strcmp(text, "unknown") != 0);
	return 0;
}
