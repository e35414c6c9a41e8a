/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "queue/envelope.h"
#include "tests/fuzz/fuzz.h"

/* Envelope files: what is understood is written again as it was. */

#define REST "\ncontent 100\nstart 10\nwire 110\ntime 5\n"
#define HEAD "postrider-envelope 3" REST
#define TAIL "client 192.0.2.1\nhelo x\\x20y\nprotocol ESMTP\n"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(HEAD "sender <>\nbody 7bit\nutf8 0\n" TAIL
		   "recipient <a@b.test>\nend 1\n"),
    FUZZ_SEED(HEAD "sender <s@b.test>\nbody 8bitmime\nutf8 1\n" TAIL
		   "login l@b.test\nuid 5\nrecipient <a@b.test>\n"
		   "recipient <c@d.test>\nend 2\ndelivered 0 6 2.0.0 - ok\n"
		   "expanded 1 7 <e@f.test> <g@h.test>\n"
		   "failed 2 8 5.1.1 mx[192.0.2.2]:25 550 no\n"
		   "bounced 2 9 ID\ndeferred 3 9 4.0.0 - later\n"
		   "attempt 9 300\n"),
    FUZZ_SEED("postrider-envelope 2" REST "sender <>\nbody 7bit\nutf8 0\n" TAIL
	      "envid x\nrecipient <a@b.test>\nend 1\n"),
    FUZZ_SEED(HEAD "sender <>\nbody 7bit\nutf8 0\n" TAIL
		   "junk dmarc\n"
		   "dkim DKIM-Signature: v=1; a=rsa-sha256;\\x0a\\x09b=x\n"
		   "dkim DKIM-Signature: v=1; a=ed25519-sha256\n"
		   "recipient <a@b.test>\nend 1\n"),
    FUZZ_SEED("postrider-envelope 1" REST "sender <>\nbody 7bit\nutf8 0\n" TAIL
	      "recipient <a@b.test>\nend 1\n"),
    FUZZ_SEED(HEAD "sender <s@b.test>\nbody 7bit\nutf8 0\n" TAIL
		   "ret full\nenvid a\\x5cb\n"
		   "recipient <a@b.test> notify=success,failure,delay "
		   "orcpt=rfc822;x\\x20y\n"
		   "recipient <b@b.test> notify=never\n"
		   "recipient <c@b.test> orcpt=utf-8;\xc3\xbc@b.test\nend 3\n"
		   "relayed 0 6 2.0.0 mx[192.0.2.2]:25 ok\nwarned 6 1 2\n"
		   "told 7 0\nheld 8 why not\nreleased 9\n"),
    FUZZ_SEED(HEAD "sender <>\nbody 7bit\nutf8 0\n" TAIL
		   "recipient <a@b.test>\nend 1\nexpanded 0 7 <e@f.test>\n"
		   "deferred 1 9 4.0.0 - later\nrequeued 10\n"
		   "expanded 0 11 <e@f.test>\nattempt 12 300\n"),
    FUZZ_SEEDS_END,
};

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct envelope e, again;
	struct buf text = BUF_INIT(ENVELOPE_FILE_MAX);
	struct buf second = BUF_INIT(ENVELOPE_FILE_MAX);
	const char *why;
	unsigned line;

	envelope_init(&e);
	envelope_init(&again);
	if (envelope_parse(&e, octets, n, &why, &line) == ENVELOPE_WHOLE) {
		REQUIRE(e.n > 0 && e.start <= e.content && e.whole <= n);
		for (size_t i = 0; i < e.nsignatures; i++)
			REQUIRE(signature_is_field(e.signatures[i]));
		/* with what aliases led to; those have no lines there */
		REQUIRE(envelope_format(&e, &text));
		REQUIRE(envelope_parse(&again, text.data, text.len, &why,
			    &line) == ENVELOPE_WHOLE);
		REQUIRE(envelope_format(&again, &second));
		REQUIRE(text.len == second.len &&
		    memcmp(text.data, second.data, text.len) == 0);
	}
	envelope_free(&e);
	envelope_free(&again);
	buf_free(&text);
	buf_free(&second);
	return 0;
}
