/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "userdb/srs.h"

/*
 * Any sender that has a rewritten address comes back from it; what comes back
 * from anything is an address.
 */
static const char key[] = "0123456789abcdef0123456789abcdef";
enum { NOW = 1700000000 };

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("ann@a.example"),
    FUZZ_SEED("\"a = b\"@[192.0.2.1]"),
    FUZZ_SEED("SRS0=LICNS45=G3=a.example=ann@our.example"),
    FUZZ_SEED("srs0+LICNS45=G3=a.example=ann=@our.example"),
    FUZZ_SEED("SRS1=U2WJRSK=b.example==h=tt=a.example=ann@our.example"),
    FUZZ_SEED("SRS1=x=b.example=-h=tt=a.example=ann@c.example"),
    FUZZ_SEEDS_END,
};

static void
check(const struct address *name)
{
	char text[ADDRESS_TEXT_MAX + 1];
	struct address again;

	address_format(name, text);
	REQUIRE(address_parse(text, ADDRESS_UTF8, &again) == NULL);
	REQUIRE(address_equal(name, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct address name, made, back;
	char text[ADDRESS_TEXT_MAX + 1] = "";

	if (n > ADDRESS_TEXT_MAX)
		return 0;
	memcpy(text, octets, n);
	if (address_parse(text, ADDRESS_UTF8, &name) != NULL)
		return 0;
	if (srs_reverse(key, NOW, &name, &back))
		check(&back);
	if (!srs_forward(key, NOW, &name, "our.example", &made))
		return 0;
	check(&made);
	REQUIRE(srs_is(&made) && srs_reverse(key, NOW, &made, &back));
	/* Of a chain of forwarders the first is told. */
	if (!srs_is(&name) || made.local[3] == '0')
		REQUIRE(address_equal(&back, &name));
	return 0;
}
