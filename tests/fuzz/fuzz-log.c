/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

/*
 * Values that somebody else chose, in the log: one line, printable, and the
 * pairs behind them are still there (A8).
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("plain"),
    FUZZ_SEED("two words \"quoted\" \\ id=forged"),
    FUZZ_SEED("\r\n\x1b[2J\x7f\xc2\x85\xe2\x80\xae\xff"),
    FUZZ_SEEDS_END,
};

static void
check_line(const char *line, size_t n)
{
	REQUIRE(utf8_valid(line, n));
	for (size_t i = 0; i < n; i++)
		REQUIRE((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
}

static void
check_event(const char *text)
{
	static const char tail[] = " dsn=5.0.0 reason=last";
	static int ends[2] = {-1, -1};
	char line[LOG_LINE_MAX + 1];
	ssize_t n;

	if (ends[0] == -1)
		REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	log_to_socket(ends[0]);
	log_event(LEVEL_INFO, "refused", log_text("helo", text),
	    log_address("from", text), log_text("dsn", "5.0.0"),
	    log_text("reason", "last"));
	n = read(ends[1], line, sizeof(line));
	REQUIRE(n > (ssize_t)sizeof(tail));
	REQUIRE(line[--n] == '\n');
	check_line(line, (size_t)n);
	REQUIRE(
	    memcmp(line + n - (sizeof(tail) - 1), tail, sizeof(tail) - 1) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct buf out = BUF_INIT(1 << 20);
	char *text = malloc(n + 1);

	REQUIRE(text != NULL);
	memcpy(text, octets, n);
	text[n] = '\0';
	log_escape(&out, text, n);
	REQUIRE(buf_ok(&out) && out.len >= n);
	check_line(out.data, out.len);
	check_event(text);
	free(text);
	buf_free(&out);
	return 0;
}
