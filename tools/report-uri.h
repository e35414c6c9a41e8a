/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_URI_H
#define TOOLS_REPORT_URI_H

#include <stddef.h>

#include "common/address.h"
#include "mailauth/mailauth.h"

/*
 * Where the reports of a domain go: its "rua" (RFC 9989 section 4.7), as far
 * as those who would get them agree (RFC 9990, "Verifying External
 * Destinations").
 */
enum {
	URIS_LOOKED_AT_MAX = 20,
	URIS_SENT_TO_MAX = 5, /* of one report; the rest gets none (A18) */
	URI_REASON_MAX = 160
};

struct destinations {
	size_t n;
	char address[URIS_SENT_TO_MAX][ADDRESS_TEXT_MAX + 1];
	bool trouble;   /* the DNS did not tell about all of them */
	size_t refused; /* so many agree to nothing */
	char reason[URI_REASON_MAX]; /* of the first that does not; "" */
};

/*
 * domain: where the record is, normalised.  What is no mailto URI is passed
 * over, a size behind "!" as well (section 4.7 says so).
 */
void destinations_find(const struct mailauth *, const char *domain,
    const char *rua, struct destinations *);

/*
 * One URI, up to a comma or the end, without blanks around it.  False: it is
 * none that we can send to.
 */
bool uri_read(const char *text, size_t n, struct address *);

#endif
