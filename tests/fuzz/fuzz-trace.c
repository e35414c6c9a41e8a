/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "queue/holds.h"
#include "queue/trace-line.h"
#include "tests/fuzz/fuzz.h"

/*
 * Lines of a log, which others have written to, as well; and the file of
 * rules, which a person may have edited: what is understood of that is written
 * again as it was.
 */
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("2027-01-15T07:59:59.125Z queue[811]: deferred "
	      "id=0123456789abcdef from=<> to=<a\\x20b@x.test> "
	      "reason=\"450 \\\"no\\\" \\x1b\""),
    FUZZ_SEED("Jan 15 07:59:59 host postrider: smtpd[8]: accepted "
	      "id=0123456789abcdef client=192.0.2.1 helo=x tls=no"),
    FUZZ_SEED("2027-01-15T08:59:59+01:00 host postrider[1]: queue[8]: bounced "
	      "id=0123456789abcdef to=<a@b> recipients=1 "
	      "report=0123456789abcdee"),
    FUZZ_SEED("postrider-holds 1\nlogin 1 <a@b.test> why\nsender 2 <> z\n"
	      "uid 3 <1000> \\xff\n"),
    FUZZ_SEEDS_END,
};

static void
read_line(const uint8_t *octets, size_t n)
{
	static struct trace_line line;
	struct buf out = BUF_INIT(1 << 20);

	if (!trace_parse(&line, (const char *)octets, n, 1800000000))
		return;
	REQUIRE(line.event[0] != '\0' && line.program[0] != '\0');
	for (size_t i = 0; i < line.n; i++)
		REQUIRE(strlen(line.pairs[i].key) > 0 &&
		    strlen(line.pairs[i].value) <= n);
	trace_sentence(&out, &line);
	REQUIRE(buf_ok(&out) && out.len > 0);
	(void)trace_is_ending(&line);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct holds rules = {0}, again = {0};
	struct buf text = BUF_INIT(HOLDS_FILE_MAX);

	read_line(octets, n);
	if (holds_parse(&rules, octets, n) >= 0) {
		REQUIRE(holds_format(&rules, &text));
		REQUIRE(holds_parse(&again, text.data, text.len) == 0);
		REQUIRE(again.n == rules.n);
	}
	holds_free(&rules);
	holds_free(&again);
	buf_free(&text);
	return 0;
}
