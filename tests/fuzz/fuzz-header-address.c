/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/address.h"
#include "tests/fuzz/fuzz.h"

/* The address lists of message headers. */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("Ann <ann@example.test>, bob@example.test"),
    FUZZ_SEED("friends: a@b.test, \"C, D\" <c@d.test>; , e@f.test (E (F))"),
    FUZZ_SEED("\"a\\\"b\" . c @ example . test"),
    FUZZ_SEED("<@a.test,@b.test:x@[192.0.2.1]>,\r\n root"),
    FUZZ_SEED("Mr. X [staff] <x@example.test>"),
    /* a domain and a local part that fit, and do not together */
    FUZZ_SEED("long-enough-to-be-too-much@"
	      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
	      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
	      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
	      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    FUZZ_SEEDS_END,
};

static bool
found(const struct address *a, void *context)
{
	size_t *count = context;
	struct address again;
	char text[ADDRESS_TEXT_MAX + 1];

	++*count;
	address_format(a, text);
	for (const char *p = text; *p != '\0'; p++)
		REQUIRE((unsigned char)*p >= ' ' && *p != 0x7f);
	REQUIRE(
	    address_parse(text, ADDRESS_UTF8 | ADDRESS_BARE, &again) == NULL);
	REQUIRE(address_equal(a, &again));
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	size_t count = 0;

	(void)address_header_each((const char *)octets, n, found, &count);
	REQUIRE(count <= n);
	return 0;
}
