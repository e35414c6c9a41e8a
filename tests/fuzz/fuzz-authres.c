/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "mailauth/authres.h"
#include "tests/fuzz/fuzz.h"

/*
 * Authentication-Results that others wrote (A17): it is one host's, or
 * nobody's, or it cannot be read and is everybody's; and what we write of
 * octets that came from others is one field, which claims to be ours.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(" mx.example.org; spf=pass"),
    FUZZ_SEED("\n (a (b\\)) \"mx\\.example.org\"\t1 ; dkim=pass (good) "
	      "reason=\"x\" header.d=a.test"),
    FUZZ_SEED(" other.test (mx.example.org) 2"),
    FUZZ_SEED(" b\xc3\xbc"
	      "cher.test; none"),
    FUZZ_SEEDS_END,
};

static bool
claims(const char *value, size_t n, const char *host)
{
	const struct header_field field = {
	    .name = {"Authentication-Results", 22}, .value = {value, n}};

	return authres_claims(&field, host);
}

static void
take(char *out, size_t room, const char *octets, size_t n)
{
	n = n < room ? n : room - 1;
	memcpy(out, octets, n);
	out[n] = '\0';
}

static void
write(const char *octets, size_t n)
{
	static struct judgement j;
	struct buf out = BUF_INIT(16 * 1024);

	j.nsignatures = 1;
	take(j.sender.domain, sizeof(j.sender.domain), octets, n);
	take(j.sender.reason, sizeof(j.sender.reason), octets, n);
	take(j.signatures[0].selector, sizeof(j.signatures[0].selector), octets,
	    n);
	take(j.dmarc.domain, sizeof(j.dmarc.domain), octets, n);
	REQUIRE(authres_write(&out, "mx.example.org", &j));
	for (size_t i = 0; i < out.len; i++)
		REQUIRE(out.data[i] == '\n'
			? i + 1 == out.len || out.data[i + 1] == '\t'
			: out.data[i] == '\t' ||
			    (out.data[i] >= ' ' && out.data[i] <= '~'));
	REQUIRE(claims(out.data + 23, out.len - 23, "mx.example.org"));
	REQUIRE(!claims(out.data + 23, out.len - 23, "other.test"));
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static const char *const hosts[] = {
	    "mx.example.org", "other.test", "nobody.test"};
	const char *value = (const char *)octets;
	size_t count = 0;

	for (size_t i = 0; i < 3; i++)
		if (claims(value, n, hosts[i]))
			count++;
	REQUIRE(count != 2);
	write(value, n);
	return 0;
}
