/* SPDX-License-Identifier: ISC */
#include "smtpd/strip.h"

#include "mailauth/authres.h"

bool
strip_field(
    const struct header_field *field, const char *hostname, bool stranger)
{
	if (header_is(field, "Authentication-Results"))
		return authres_claims(field, hostname);
	return stranger &&
	    (header_is(field, "X-Spam") || header_is(field, "X-Spam-Flag") ||
		header_is(field, "X-Spam-Status"));
}
