/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A fuzz target: octets that an attacker chose, and what must hold whatever
 * they are.  The interface is libFuzzer's; driver.c calls it where there is
 * no libFuzzer.  tests/README.md says how to run both.
 */
int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n);

/* Where mutation begins; ends with an entry without octets. */
extern const struct fuzz_seed {
	const char *octets;
	size_t n;
} fuzz_seeds[];

#define FUZZ_SEED(literal) {literal, sizeof(literal) - 1}
#define FUZZ_SEEDS_END {NULL, 0}

/* Like assert(), whatever NDEBUG says. */
#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, \
			    __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif
