/* SPDX-License-Identifier: ISC */
/* A policy of MTA-STS on standard input: what fetch reads in it. */
#include <inttypes.h>
#include <stdio.h>

#include "common/sts.h"

int
main(void)
{
	static char octets[1 << 17];
	static struct sts_policy policy;
	size_t n = fread(octets, 1, sizeof(octets), stdin);
	const char *why = sts_policy_read(&policy, octets, n);

	if (why != NULL) {
		printf("%s\n", why);
		return 1;
	}
	printf("%s %" PRIu32 "\n", policy.mode, policy.max_age);
	for (size_t i = 0; i < policy.nmx; i++)
		printf("%s\n", policy.mx[i]);
	return 0;
}
