/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"
#include "mailauth/dkim.h"
#include "tests/fuzz/fuzz.h"

/*
 * Whole messages with signatures, and key records from the same hand: bounds
 * hold, what the results say can be shown to people, any split of the body
 * gives the same; and what can be signed at all has facts that hold.
 *
 * The input: an octet of how it is split, the message, NUL, a key record.
 */

#define FIELD                                                                  \
	"DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\n"      \
	" c=simple/simple; q=dns/txt; i=joe@football.example.com;\n"           \
	" h=From : To : Subject : Date : Received;\n"                          \
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n"                  \
	" b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\n"            \
	" 4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\n"              \
	" KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\n"              \
	" 4bmp/YzhwvcubU4=;\n"
#define MESSAGE                                                                \
	"Received: from client1.football.example.com  [192.0.2.1]\n"           \
	"From: Joe SixPack <joe@football.example.com>\n"                       \
	"To: Suzie Q <suzie@shopping.example.net>\n"                           \
	"Subject: Is dinner ready?\n"                                          \
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n\n"                      \
	"Hi.\n\nWe lost the game. Are you hungry yet?\n\nJoe.\n"
#define KEY                                                                    \
	"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9"  \
	"ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7o"  \
	"d+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWT"  \
	"oIMmPSPDdQPNUYckcQ2QIDAQAB"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\x04" FIELD MESSAGE "\0" KEY),
    FUZZ_SEED("\x01" FIELD FIELD "DKIM-Signature: v=1; a=ed25519-sha256;"
	      " d=example.com; s=x; c=relaxed/relaxed; l=5; t=1; x=2;"
	      " h=from:from:dkim-signature; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6S"
	      "n7XIkfJVOzv8=; b=AAAA; i=a=20b@example.com\n" MESSAGE
	      "\0k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
    FUZZ_SEED("\x02"
	      "DKIM-Signature: v=1; a=rsa-sha1\nFROM : x@y.test\nA:\n \n\n"
	      "  a  b\t\n\n \n\nc\0p="),
    FUZZ_SEEDS_END,
};

static size_t asked;

static enum dns_status
txt(void *context, const char *name, char ***texts, size_t *n)
{
	const char *record = context;

	REQUIRE(strlen(name) <= DNS_NAME_MAX - 2);
	REQUIRE(strstr(name, "._domainkey.") != NULL);
	REQUIRE(utf8_is_ascii(name, strlen(name)));
	asked++;
	*texts = malloc(sizeof(char *) + strlen(record) + 1);
	REQUIRE(*texts != NULL);
	**texts = strcpy((char *)(*texts + 1), record);
	*n = 1;
	return DNS_FOUND;
}

static void
is_printable(const char *text, size_t max)
{
	size_t n = strlen(text);

	REQUIRE(n <= max);
	REQUIRE(utf8_valid(text, n));
	for (size_t i = 0; i < n; i++)
		REQUIRE((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void
check_result(const struct dkim_result *r)
{
	REQUIRE((r->reason[0] == '\0') == (r->result == AUTH_PASS));
	REQUIRE(r->result != AUTH_NONE);
	is_printable(r->reason, DKIM_REASON_MAX);
	is_printable(r->domain, DNS_NAME_MAX);
	is_printable(r->selector, DKIM_SELECTOR_MAX);
	is_printable(r->identity, ADDRESS_TEXT_MAX);
	is_printable(r->begin, 8);
	REQUIRE(utf8_is_ascii(r->domain, strlen(r->domain)));
}

static size_t
verify(const struct mailauth *m, const struct header_section *h,
    const char *body, size_t n, size_t piece,
    struct dkim_result results[DKIM_SIGNATURES_MAX])
{
	struct dkim_verifier *v = dkim_verify_begin(m, h);
	size_t count;

	REQUIRE(v != NULL);
	for (size_t at = 0; at < n; at += piece)
		dkim_verify_body(v, body + at, n - at < piece ? n - at : piece);
	count = dkim_verify_end(v, results);
	REQUIRE(count <= dkim_signatures(v) && count <= DKIM_SIGNATURES_MAX);
	dkim_verify_free(v);
	return count;
}

static void
sign(const struct header_section *h, const char *body, size_t n)
{
	struct dkim_signer *s = dkim_sign_begin();
	struct dkim_facts facts;
	const char *wrong;

	REQUIRE(s != NULL);
	dkim_sign_body(s, body, n);
	wrong = dkim_sign_end(s, h, &facts);
	if (wrong == NULL) {
		REQUIRE(!h->malformed && !h->oversized);
		REQUIRE(dkim_facts_check(&facts) == NULL);
		is_printable(facts.from, ADDRESS_TEXT_MAX);
		/* one octet less is none, wherever it is missing at the end */
		facts.fields.len--;
		REQUIRE(dkim_facts_check(&facts) != NULL);
	}
	buf_free(&facts.fields);
	dkim_sign_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	const char *message = (const char *)octets + 1, *end;
	struct dkim_result whole[DKIM_SIGNATURES_MAX],
	    pieces[DKIM_SIGNATURES_MAX];
	struct header_section h;
	char record[4096] = "";
	size_t used, count;

	if (n-- < 1)
		return 0;
	end = memchr(message, '\0', n);
	if (end != NULL) {
		size_t len = n - (size_t)(end - message) - 1;

		len = len < sizeof(record) ? len : sizeof(record) - 1;
		memcpy(record, end + 1, len);
		n = (size_t)(end - message);
	}
	const struct resolver resolver = {.txt = txt, .context = record};
	const struct mailauth m = {.resolver = &resolver, .now = 1};

	asked = 0;
	header_init(&h);
	used = header_take(&h, message, n);
	header_end(&h);
	count =
	    verify(&m, &h, message + used, n - used, octets[0] + 1u, pieces);
	REQUIRE(asked <= DKIM_SIGNATURES_MAX);
	REQUIRE(
	    verify(&m, &h, message + used, n - used, n + 1, whole) == count);
	for (size_t i = 0; i < count; i++) {
		check_result(&whole[i]);
		REQUIRE(whole[i].result == pieces[i].result);
		REQUIRE(whole[i].partial == pieces[i].partial);
		REQUIRE(strcmp(whole[i].reason, pieces[i].reason) == 0);
	}
	sign(&h, message + used, n - used);
	header_free(&h);
	return 0;
}
