/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "common/sasl.h"

static const char *const names[SASL_MECHANISMS] = {
    [SASL_PLAIN] = "PLAIN",
    [SASL_LOGIN] = "LOGIN",
    [SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
    [SASL_OAUTHBEARER] = "OAUTHBEARER",
    [SASL_XOAUTH2] = "XOAUTH2",
    [SASL_CRAM_MD5] = "CRAM-MD5",
};

const char *
sasl_name(enum sasl_mechanism mechanism)
{
	return names[mechanism];
}

enum sasl_mechanism
sasl_named(const char *name, size_t n)
{
	unsigned i = 0;

	while (i < SASL_MECHANISMS &&
	    (strlen(names[i]) != n || strncasecmp(names[i], name, n) != 0))
		i++;
	return (enum sasl_mechanism)i;
}

unsigned
sasl_set(const char *list)
{
	static const char blanks[] = " \t";
	unsigned set = 0;

	while (*(list += strspn(list, blanks)) != '\0') {
		size_t n = strcspn(list, blanks);
		enum sasl_mechanism found = sasl_named(list, n);

		if (found != SASL_MECHANISMS)
			set |= SASL_SET(found);
		list += n;
	}
	return set;
}

void
sasl_list(unsigned set, struct buf *out)
{
	for (unsigned i = 0; i < SASL_MECHANISMS; i++)
		if (set & SASL_SET(i))
			buf_addf(out, " %s", names[i]);
}
