/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* strcasestr */
#include <ctype.h>
#include <string.h>

#include "common/signature.h"
#include "keys/relay.h"
#include "common/selectors.h"
#include "keys/sign.h"
#include "mailauth/dkim.h"
#include "tests/fuzz/fuzz.h"

/* What one that was broken into asks keys for (A24), and its own files. */

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
    FUZZ_SEED("2026-11-rsa rsa retired 1700000000\n2026-11-ed25519 ed25519 "
	      "active 1700000000\n2026-11b-rsa rsa active 1700000000\n"),
    FUZZ_SEED("from:ann@example.test\r\nfrom\r\nto:b@c.test\r\nto\r\n"),
    FUZZ_SEED("from:Ann <ann@example.test>\r\nfrom:b@c.test\r\nfrom\r\n"),
    FUZZ_SEED("DKIM-Signature: v=1; d = b.test;\n\ts=\n x; b="),
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

/* What is a list is written again as it was. */
static void
try_selectors(const char *text, size_t n)
{
	struct selectors s;
	char domain[DNS_NAME_MAX + 1];

	if (selectors_domain(text, domain)) {
		REQUIRE(domain[0] != '\0' && strstr(domain, "..") == NULL);
		REQUIRE(domain[0] != '.' && strchr(domain, '/') == NULL);
	}
	if (!selectors_parse(text, n, &s))
		return;
	for (size_t i = 0; i < s.n; i++) {
		REQUIRE(selector_is_name(s.items[i].name));
		REQUIRE(selectors_find(&s, s.items[i].name) == &s.items[i]);
		if (s.items[i].state == SELECTOR_ACTIVE)
			REQUIRE(selectors_active(&s, s.items[i].kind) ==
			    &s.items[i]);
	}
}

/*
 * Whatever is said to be signed: if it passes, it has From once, as the
 * address says, and From cannot be added; in packets it stays the same.
 */
static void
try_facts(const char *text)
{
	static const char hash[] = "0123456789abcdef0123456789abcdef"
				   "0123456789abcdef0123456789abcdef";
	static struct packet p;
	struct dkim_facts facts, again;
	const char *from, *body, *fields;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("from", ADDRESS_TEXT_MAX, &from),
	    ATTRIBUTE_TEXT("body", DKIM_HASH_HEX, &body),
	    ATTRIBUTE_TEXT("fields", DKIM_FIELDS_PART, &fields)};

	if (dkim_facts_begin(&facts, "ann@example.test", hash, text)) {
		if (dkim_facts_check(&facts) == NULL)
			REQUIRE(strcasestr(text, "ann@example.test") != NULL);
		packet_start(&p, "sign");
		if (dkim_facts_write(&p, &facts, 0) == 0) {
			REQUIRE(packet_read(&p, "sign", set, 3, 0));
			REQUIRE(dkim_facts_begin(&again, from, body, fields));
			REQUIRE(again.fields.len == facts.fields.len &&
			    memcmp(again.body, facts.body, DKIM_HASH_SIZE) ==
				0);
			buf_free(&again.fields);
		}
	}
	buf_free(&facts.fields);
}

static void
try_signature(const char *text)
{
	char domain[SIGNATURE_TAG_MAX + 1];

	if (!signature_is_field(text))
		return;
	REQUIRE(strstr(text, "\n\n") == NULL && strchr(text, '\r') == NULL);
	REQUIRE(text[strlen(text) - 1] != '\n');
	signature_tag(text, "d", domain);
	REQUIRE(strpbrk(domain, " \t\n;") == NULL);
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
	try_selectors(text, n);
	try_facts(text);
	try_signature(text);
	try_record(text);
	free(text);
	return 0;
}
