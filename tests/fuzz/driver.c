/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <time.h>

#include "tests/fuzz/fuzz.h"

/*
 * Runs a fuzz target without libFuzzer.
 *
 *	fuzz-THING FILE...	these inputs, each once
 *	fuzz-THING -w FOLDER	write the seeds there, for libFuzzer
 *	fuzz-THING		mutations of the seeds for about two seconds
 *				($POSTRIDER_FUZZ_SECONDS), the same every time
 */
enum { INPUT_MAX = 8192, FILE_LARGEST = 1 << 20, STEPS_MAX = 8, DEFAULT_S = 2 };

static uint64_t state = 0x9e3779b97f4a7c15;

/* xorshift64 */
static size_t
below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n == 0 ? 0 : (size_t)(state % n);
}

static size_t
count_seeds(void)
{
	size_t n = 0;

	while (fuzz_seeds[n].octets != NULL)
		n++;
	return n;
}

static const struct fuzz_seed *
any_seed(void)
{
	return &fuzz_seeds[below(count_seeds())];
}

/* -- mutations: each returns the new length, at most INPUT_MAX -- */

static size_t
change_octet(uint8_t *in, size_t n)
{
	static const uint8_t telling[] = {0, '\n', '\r', '.', ' ', '<', '>',
	    '@', '"', '\\', '(', ')', ':', ';', ',', '=', '-', 0x7f, 0x80, 0xc0,
	    0xff};

	if (n > 0)
		in[below(n)] = below(2) == 0 ? (uint8_t)below(256)
					     : telling[below(sizeof(telling))];
	return n;
}

static size_t
insert(uint8_t *in, size_t n, const void *octets, size_t more)
{
	size_t at = below(n + 1);

	if (more > INPUT_MAX - n)
		more = INPUT_MAX - n;
	memmove(in + at + more, in + at, n - at);
	memcpy(in + at, octets, more);
	return n + more;
}

static size_t
repeat(uint8_t *in, size_t n)
{
	uint8_t run[1024];
	size_t length = 1 + below(sizeof(run));

	memset(run, n > 0 ? in[below(n)] : 'x', length);
	return insert(in, n, run, length);
}

static size_t
splice(uint8_t *in, size_t n)
{
	const struct fuzz_seed *seed = any_seed();
	size_t from = below(seed->n);

	return insert(in, n, seed->octets + from, 1 + below(seed->n - from));
}

static size_t
cut_out(uint8_t *in, size_t n)
{
	size_t from = below(n), length;

	if (n == 0)
		return 0;
	length = 1 + below(n - from);
	memmove(in + from, in + from + length, n - from - length);
	return n - length;
}

static size_t
mutate(uint8_t *in, size_t n)
{
	static size_t (*const ways[])(uint8_t *, size_t) = {
	    change_octet, change_octet, repeat, splice, cut_out};

	for (size_t steps = 1 + below(STEPS_MAX); steps > 0; steps--)
		n = ways[below(sizeof(ways) / sizeof(ways[0]))](in, n);
	return n;
}

/* -- the three ways to run -- */

/* A copy that ends where it ends, so that sanitizers see an overrun. */
static void
run_one(const uint8_t *octets, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	REQUIRE(copy != NULL);
	memcpy(copy, octets, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void
run_file(const char *path)
{
	static uint8_t octets[FILE_LARGEST];
	FILE *f = fopen(path, "rb");

	REQUIRE(f != NULL);
	run_one(octets, fread(octets, 1, sizeof(octets), f));
	fclose(f);
}

static void
write_seeds(const char *folder)
{
	char path[4096];
	FILE *f;

	for (size_t i = 0; fuzz_seeds[i].octets != NULL; i++) {
		snprintf(path, sizeof(path), "%s/seed-%zu", folder, i);
		f = fopen(path, "wb");
		REQUIRE(f != NULL);
		fwrite(fuzz_seeds[i].octets, 1, fuzz_seeds[i].n, f);
		REQUIRE(fclose(f) == 0);
	}
}

static void
run_mutations(time_t seconds)
{
	static uint8_t in[INPUT_MAX];
	time_t end = time(NULL) + seconds;
	unsigned long runs = 0;

	for (size_t i = 0; fuzz_seeds[i].octets != NULL; i++)
		run_one((const uint8_t *)fuzz_seeds[i].octets, fuzz_seeds[i].n);
	for (; time(NULL) < end; runs++) {
		const struct fuzz_seed *seed = any_seed();

		memcpy(in, seed->octets, seed->n);
		run_one(in, mutate(in, seed->n));
	}
	printf("%lu inputs\n", runs);
}

int
main(int argc, char **argv)
{
	const char *seconds = getenv("POSTRIDER_FUZZ_SECONDS");

	if (argc == 3 && strcmp(argv[1], "-w") == 0)
		write_seeds(argv[2]);
	else if (argc > 1)
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
	else
		run_mutations(seconds != NULL ? atoi(seconds) : DEFAULT_S);
	return 0;
}
