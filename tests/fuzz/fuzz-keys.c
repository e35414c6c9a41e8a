/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <string.h>

#include "keys/relay.h"
#include "keys/sign.h"
#include "tests/fuzz/fuzz.h"

/* What a speaker that was broken into asks keys for (A24). */

#define SPACES                                                                 \
	"                                                                "
#define HASH "0123456789abcdef0123456789abcdef"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(SPACES "TLS 1.3, server CertificateVerify\0" HASH),
    FUZZ_SEED(HASH HASH "\3\0\x1d\x20" HASH),
    FUZZ_SEED(HASH HASH "\3\0\x17\x41\4" HASH HASH),
    FUZZ_SEED("user ann@example.test\npassword secret\n"),
    FUZZ_SEED("user ann\ntoken-file /run/token\n"),
    FUZZ_SEED("[Relay.Example.TEST]"),
    FUZZ_SEED("../relay"),
    FUZZ_SEEDS_END,
};

static void
try_to_sign(const uint8_t *d, size_t n)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";

	switch (sign_kind_of(d, n)) {
	case SIGN_NOTHING:
		return;
	case SIGN_TLS13_VERIFY:
		REQUIRE(n == 130 || n == 146);
		REQUIRE(memcmp(d, SPACES, 64) == 0);
		REQUIRE(memcmp(d + 64, context, sizeof(context)) == 0);
		return;
	case SIGN_TLS12_KEY_EXCHANGE:
		REQUIRE(n >= 68 + 32 && n <= 68 + 133);
		REQUIRE(d[64] == 3 && d[65] == 0 && n == 68U + d[67]);
	}
}

/* A host names a file: it leads nowhere else. */
static void
try_host(const char *text)
{
	char host[RELAY_HOST_MAX + 1];

	if (!relay_host_name(text, host))
		return;
	REQUIRE(host[0] != '\0' && host[0] != '.' && host[0] != '-');
	for (const char *c = host; *c != '\0'; c++)
		REQUIRE(*c != '/' && *c > ' ' && !isupper((unsigned char)*c));
}

static void
try_record(char *text)
{
	struct relay_record r = {.user = ""};

	if (!relay_parse(text, &r))
		return;
	REQUIRE(r.user[0] != '\0' && strchr(r.user, '\n') == NULL);
	REQUIRE((r.password[0] != '\0') != (r.token_file[0] != '\0'));
	REQUIRE(strchr(r.password, '\n') == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	char *text = malloc(n + 1);

	if (text == NULL)
		return 0;
	memcpy(text, octets, n);
	text[n] = '\0';
	try_to_sign(octets, n);
	try_host(text);
	try_record(text);
	free(text);
	return 0;
}
