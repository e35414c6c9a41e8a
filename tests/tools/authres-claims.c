/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "mailauth/authres.h"

/*
 * authres-claims HOST...
 *
 * Reads a header section.  For each field and each HOST a line: "yes" when
 * the field claims to be of that host, or "no".
 */
int
main(int argc, char **argv)
{
	struct header_section section;
	char octets[4096];
	size_t n;

	header_init(&section);
	while ((n = fread(octets, 1, sizeof(octets), stdin)) > 0)
		header_take(&section, octets, n);
	header_end(&section);
	for (size_t i = 0; i < section.n; i++)
		for (int k = 1; k < argc; k++)
			puts(authres_claims(&section.fields[i], argv[k])
				? "yes"
				: "no");
	header_free(&section);
	return EXIT_SUCCESS;
}
