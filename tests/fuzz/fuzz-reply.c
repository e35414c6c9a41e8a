/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "deliver/caps.h"
#include "deliver/reply.h"
#include "tests/fuzz/fuzz.h"

/* What a server says: nothing of it writes a line in a log or a report. */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("250-mx.test greets you\n250-SIZE 1000\n250-PIPELINING\n"
	      "250-LIMITS RCPTMAX=5 MAILMAX=2\n250 SMTPUTF8\n"),
    FUZZ_SEED("550 5.1.1 no such user\n"),
    FUZZ_SEED("4\n421\t4.3.2 \x1b[2J\r\xff\n"),
    FUZZ_SEED("452 4.5.3 too many recipients\n"),
    FUZZ_SEEDS_END,
};

static void
check_text(const char *text, size_t n, char allowed)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		REQUIRE((c >= ' ' && c != 0x7f) || text[i] == allowed);
	}
}

static void
check(const struct reply *r)
{
	char line[300], dsn[REPLY_DSN_MAX];
	const char *at = NULL;
	struct caps caps;
	struct span part;

	REQUIRE(r->len <= REPLY_TEXT_MAX && r->text[r->len] == '\0');
	check_text(r->text, r->len, '\n');
	for (size_t size = 1; size <= sizeof(line); size += 23) {
		reply_show(r, line, size);
		REQUIRE(strlen(line) < size);
		check_text(line, strlen(line), ' ');
	}
	reply_status(r, dsn);
	REQUIRE(strlen(dsn) >= 5 && strspn(dsn, "0123456789.") == strlen(dsn));
	(void)reply_is_too_many(r);
	while (reply_next(r, &at, &part))
		REQUIRE(part.data >= r->text &&
		    part.data + part.len <= r->text + r->len);
	caps_read(&caps, r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static struct reply r;
	const char *p = (const char *)octets, *end = p + n;
	enum reply_step step = REPLY_MORE;

	reply_init(&r);
	while (p < end && step == REPLY_MORE) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));

		if (feed == NULL)
			feed = end;
		step = reply_line(&r, (struct span){p, (size_t)(feed - p)});
		p = feed + 1;
	}
	if (step == REPLY_END)
		check(&r);
	return 0;
}
