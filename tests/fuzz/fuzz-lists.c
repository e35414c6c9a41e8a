/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "smtpd/lists_read.h"
#include "tests/fuzz/fuzz.h"

/*
 * What a list in the DNS answers (A14), behind a question that is right: who
 * is listed, whether that is nonsense, and what it has to say.  The last octet
 * is the family, and the one before it the kind of records.
 */

#define QUESTION                                                               \
	"\x12\x34\x84\x80\x00\x01\x00\x01\x00\x00\x00\x00"                     \
	"\x02"                                                                 \
	"bl\x04"                                                               \
	"test\x00"
#define RECORD "\xc0\x0c"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(
	QUESTION "\x00\x01\x00\x01" RECORD
		 "\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x02"
		 "\x01\x04"),
    FUZZ_SEED(QUESTION
	"\x00\x01\x00\x01" RECORD
	"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\xff\xff\xfe\x01\x04"),
    FUZZ_SEED(QUESTION
	"\x00\x10\x00\x01" RECORD
	"\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x06\x02hi\x02\x1b[\x10\x06"),
    FUZZ_SEED(QUESTION "\x00\x01\x00\x01" RECORD
		       "\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x03\x7f\x00\x00"
		       "\x01\x04"),
    FUZZ_SEEDS_END,
};

static const struct config_zone any = {.name = (char *)"bl.test", .score = 3},
				some = {.name = (char *)"bl.test",
				    .score = 1,
				    .ncodes = 1,
				    .codes = {
					{{127, 0, 0, 2}, {127, 255, 255, 9}}}};

static void
check_addresses(const struct dns_answer *a)
{
	char reason[LISTS_REASON_MAX + 1];

	lists_nonsense(a, reason);
	REQUIRE(strlen(reason) <= LISTS_REASON_MAX);
	/* what some answers count is counted where all do */
	REQUIRE(!lists_matches(&some, a) || lists_matches(&any, a));
	REQUIRE(a->n > 0 || !lists_matches(&any, a));
}

static void
check_text(const struct dns_answer *a)
{
	char text[100];

	if (!lists_text(a, text, sizeof(text)))
		return;
	REQUIRE(text[0] != '\0' && strlen(text) < sizeof(text));
	for (const char *p = text; *p != '\0'; p++)
		REQUIRE(*p >= ' ' && *p <= '~');
}

static void
check_name(const uint8_t *octets, size_t n, int family)
{
	struct sockaddr_storage address = {
	    .ss_family = family % 2 ? AF_INET6 : AF_INET};
	char name[DNS_NAME_MAX + 1];

	memcpy((char *)&address + 4, octets, n < 24 ? n : 24);
	if (lists_name(&address, "bl.test", name))
		REQUIRE(strlen(name) <= DNS_NAME_MAX &&
		    strcmp(name + strlen(name) - 7, "bl.test") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static struct dns_answer a;
	uint16_t type;

	if (n < 2)
		return 0;
	type = octets[n - 2] == DNS_TYPE_TXT ? DNS_TYPE_TXT : DNS_TYPE_A;
	check_name(octets, n, octets[n - 1]);
	if (dns_read_answer(&a, octets, n - 2, 0x1234, "bl.test", type) ==
	    DNS_FOUND) {
		REQUIRE(dns_repeats_question(octets, n - 2, "bl.test", type));
		check_addresses(&a);
		check_text(&a);
	}
	return 0;
}
