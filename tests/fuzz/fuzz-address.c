/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/address.h"
#include "tests/fuzz/fuzz.h"

/* The addresses of SMTP: what is taken can be written and read again. */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("<ann@example.test>"),
    FUZZ_SEED("<\"a b\\\"c\"@example.test> SIZE=5"),
    FUZZ_SEED("<@one.test,@two.test:ann@[192.0.2.1]>"),
    FUZZ_SEED("<x@[IPv6:2001:db8::1]>"),
    FUZZ_SEED("<>"),
    FUZZ_SEED("<postmaster>"),
    FUZZ_SEED("j\xc3\xb6rg@m\xc3\xbcller.test"),
    FUZZ_SEEDS_END,
};

static void
check_round_trip(const struct address *a, unsigned flags)
{
	struct address again;
	char text[ADDRESS_TEXT_MAX + 1];

	memset(text, 'x', sizeof(text));
	address_format(a, text);
	REQUIRE(memchr(text, '\0', sizeof(text)) != NULL);
	for (const char *p = text; *p != '\0'; p++)
		REQUIRE((unsigned char)*p >= ' ' && *p != 0x7f);
	REQUIRE(address_parse(text, flags | ADDRESS_UTF8, &again) == NULL);
	REQUIRE(address_equal(a, &again) && a->utf8 == again.utf8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	char *text = malloc(n + 1);
	struct address a;
	const char *rest;

	REQUIRE(text != NULL);
	memcpy(text, octets, n);
	text[n] = '\0';
	for (unsigned flags = 0; flags < 16; flags++) {
		if (address_parse_path(text, flags, &a, &rest) == NULL) {
			REQUIRE(rest > text && rest <= text + strlen(text));
			REQUIRE(rest[-1] == '>');
			check_round_trip(&a, flags);
		}
		if (address_parse(text, flags, &a) == NULL)
			check_round_trip(&a, flags);
		(void)address_check_domain(text, flags);
	}
	free(text);
	return 0;
}
