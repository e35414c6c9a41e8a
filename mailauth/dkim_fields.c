/* SPDX-License-Identifier: ISC */
#include "mailauth/dkim_fields.h"

#include <string.h>

const struct dkim_signed_name dkim_signed_names[] = {
    {"from", true},
    {"sender", false},
    {"reply-to", true},
    {"to", true},
    {"cc", true},
    {"subject", true},
    {"date", true},
    {"message-id", true},
    {"in-reply-to", false},
    {"references", false},
    {"mime-version", true},
    {"content-type", true},
    {"content-transfer-encoding", true},
    {"content-disposition", false},
    {"list-id", false},
    {"list-help", false},
    {"list-unsubscribe", false},
    {"list-unsubscribe-post", false}, /* RFC 8058 wants it signed */
    {"list-subscribe", false},
    {"list-post", false},
    {"list-owner", false},
    {"list-archive", false},
    {"resent-date", false},
    {"resent-from", false},
    {"resent-sender", false},
    {"resent-to", false},
    {"resent-cc", false},
    {"resent-message-id", false},
};

const size_t dkim_signed_names_count =
    sizeof(dkim_signed_names) / sizeof(dkim_signed_names[0]);

bool
dkim_fields_next(
    struct span *rest, struct span *line, struct span *name, bool *bare)
{
	const char *cr =
	    rest->len == 0 ? NULL : memchr(rest->data, '\r', rest->len);
	const char *colon;
	size_t n;

	if (cr == NULL)
		return false;
	n = (size_t)(cr - rest->data);
	if (n + 2 > rest->len || cr[1] != '\n')
		return false;
	*line = (struct span){rest->data, n};
	colon = memchr(line->data, ':', n);
	*bare = colon == NULL;
	*name =
	    (struct span){line->data, *bare ? n : (size_t)(colon - line->data)};
	rest->data += n + 2;
	rest->len -= n + 2;
	return true;
}
