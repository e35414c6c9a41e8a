/* SPDX-License-Identifier: ISC */
#include "smtpd/strip.h"

#include "mailauth/authres.h"

bool
strip_field(const struct header_field *field, const char *hostname,
    const struct policy_client *client, bool judged)
{
	if (header_is(field, "Authentication-Results"))
		return authres_claims(field, hostname);
	if (client->logged_in &&
	    (header_is(field, "Bcc") || header_is(field, "Resent-Bcc")))
		return true;
	return judged &&
	    (header_is(field, "X-Spam") || header_is(field, "X-Spam-Flag") ||
		header_is(field, "X-Spam-Status"));
}
