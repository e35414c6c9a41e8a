/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "mailauth/dmarc.h"
#include "tests/fuzz/fuzz.h"

/* DMARC records, by whoever has a domain. */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; aspf=r; "
	      "t=y; psd=n; rua=mailto:a@b.test!10m, https://c.test/%20; fo=1"),
    FUZZ_SEED("v = DMARC1 ;p= ;; =; x ;rua=mailto:a,b"),
    FUZZ_SEED("v=DMARC1;p=bounce;rua=mailto:x%2"),
    FUZZ_SEEDS_END,
};

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct dmarc_record r;
	char *text = malloc(n + 1);
	bool is_dmarc;
	const char *wrong;

	REQUIRE(text != NULL);
	memcpy(text, octets, n);
	text[n] = '\0';
	wrong = dmarc_record_parse(text, &r, &is_dmarc);
	REQUIRE(is_dmarc || wrong != NULL);
	REQUIRE(r.psd == 'y' || r.psd == 'n' || r.psd == 'u');
	REQUIRE(r.policy <= DMARC_REJECT && r.subdomains <= DMARC_REJECT &&
	    r.missing <= DMARC_REJECT);
	if (wrong != NULL)
		REQUIRE(r.policy == DMARC_NONE && r.subdomains == DMARC_NONE &&
		    r.missing == DMARC_NONE);
	for (const char *p = r.rua; p != NULL && *p != '\0'; p++)
		REQUIRE(*p >= ' ' && *p <= '~' && *p != ';');
	dmarc_record_free(&r);
	free(text);
	return 0;
}
