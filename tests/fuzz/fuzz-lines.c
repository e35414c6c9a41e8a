/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/lines.h"
#include "tests/fuzz/fuzz.h"

/*
 * The end of a message is found at one place, however the octets come (A1);
 * what we write has no bare CR or LF, and its end where it ends (A2).
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\x05Subject: x\r\n\r\n..stuffed\r\n.\r\nQUIT\r\n"),
    FUZZ_SEED("\x01"
	      "a\n.\nb\r.\rc\r\n.\rd\n.\r\n"),
    FUZZ_SEED("\x03"
	      ".\r\r\n.\r\n"),
    FUZZ_SEED("\x02\0.\r\n\r\n..\r\n.\r\n"),
    FUZZ_SEEDS_END,
};

struct reading {
	struct dot_reader machine;
	enum dot_state end;
	size_t used, made;
	char *out;
};

/* In pieces of so many octets. */
static struct reading
read_all(const char *in, size_t n, size_t piece)
{
	struct reading r = {.end = DOT_MORE, .out = malloc(n + 1)};
	size_t used, made;

	REQUIRE(r.out != NULL);
	dot_reader_init(&r.machine);
	while (r.used < n && r.end == DOT_MORE) {
		size_t part = n - r.used < piece ? n - r.used : piece;

		r.end = dot_read(&r.machine, in + r.used, part, &used,
		    r.out + r.made, &made);
		REQUIRE(used <= part && made <= used);
		REQUIRE(r.end == DOT_END || used == part);
		r.used += used;
		r.made += made;
	}
	return r;
}

static void
check_splits(const char *in, size_t n, size_t piece)
{
	struct reading whole = read_all(in, n, n), split;

	split = read_all(in, n, piece);
	REQUIRE(whole.end == split.end && whole.used == split.used);
	REQUIRE(whole.made == split.made);
	REQUIRE(memcmp(whole.out, split.out, whole.made) == 0);
	REQUIRE(memchr(whole.out, '\r', whole.made) == NULL);
	REQUIRE(whole.machine.bare_cr == split.machine.bare_cr);
	REQUIRE(whole.machine.bare_lf == split.machine.bare_lf);
	REQUIRE(whole.machine.octets == split.machine.octets);
	REQUIRE(whole.machine.longest == split.machine.longest);
	free(whole.out);
	free(split.out);
}

static void
check_writing(const char *in, size_t n)
{
	char *wire = malloc(DOT_WRITE_SIZE(n));
	struct dot_writer writer;
	struct reading r;
	size_t length;

	REQUIRE(wire != NULL);
	dot_writer_init(&writer, true);
	length = dot_write(&writer, in, n, wire);
	length += dot_write_end(&writer, wire + length, true);
	REQUIRE(length <= DOT_WRITE_SIZE(n));
	r = read_all(wire, length, length);
	REQUIRE(r.end == DOT_END && r.used == length);
	REQUIRE(!r.machine.bare_cr && !r.machine.bare_lf);
	REQUIRE(r.machine.octets == writer.octets);
	free(r.out);
	free(wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	if (n == 0)
		return 0;
	check_splits((const char *)octets + 1, n - 1, 1 + octets[0] % 7);
	check_writing((const char *)octets + 1, n - 1);
	return 0;
}
