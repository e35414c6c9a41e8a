/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/config.h"
#include "common/sts.h"
#include "tests/fuzz/fuzz.h"

/* A policy of MTA-STS, by whoever has a domain. */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("version: STSv1\nmode: enforce\nmx: mail.example.com\n"
	      "mx: *.example.net\nmx: backupmx.example.com\n"
	      "max_age: 604800\n"),
    FUZZ_SEED("version:STSv1\r\nmode:\ttesting \r\nmx:A.TEST\r\n"
	      "max_age: 9999999999\r\nmore_of.it: \xc3\xbc x\r\n\r\n"),
    FUZZ_SEED("version: STSv1\nversion: STSv2\nmode: none\nmode: enforce\n"
	      "max_age: 1\nmax_age: x"),
    FUZZ_SEEDS_END,
};

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static struct sts_policy p, again;
	size_t total = 0;

	if (sts_policy_read(&p, (const char *)octets, n) != NULL)
		return 0;
	REQUIRE(strcmp(p.mode, "none") == 0 ||
	    ((strcmp(p.mode, "testing") == 0 ||
		 strcmp(p.mode, "enforce") == 0) &&
		p.nmx > 0));
	REQUIRE(p.max_age <= STS_AGE_MAX && p.nmx <= STS_MX_MAX);
	for (size_t i = 0; i < p.nmx; i++) {
		const char *mx = p.mx[i];

		total += strlen(mx) + 1;
		REQUIRE(config_is_domain(
		    strncmp(mx, "*.", 2) == 0 ? mx + 2 : mx, false));
		REQUIRE(strpbrk(mx, "ABCDEFGHIJKLMNOPQRSTUVWXYZ \r\n") == NULL);
	}
	REQUIRE(total <= STS_MX_OCTETS_MAX);
	/* The same again is the same. */
	REQUIRE(sts_policy_read(&again, (const char *)octets, n) == NULL);
	REQUIRE(again.nmx == p.nmx && again.max_age == p.max_age);
	return 0;
}
