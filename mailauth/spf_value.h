/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_SPF_VALUE_H
#define MAILAUTH_SPF_VALUE_H

#include "common/address.h"
#include "mailauth/spf_macro.h"

/* What one macro stands for, RFC 7208 sections 7.2 and 7.3. */

enum {
	SPF_TEXT_MAX = ADDRESS_TEXT_MAX,       /* of each text in spf_macros */
	SPF_VALUE_MAX = 3 * (SPF_TEXT_MAX + 1) /* every octet escaped */
};

struct spf_transform {
	bool any; /* else the value stays as it is */
	bool reverse;
	unsigned keep;          /* parts, of those at the right */
	struct span delimiters; /* len 0: dots */
};

/*
 * *value lies in room.  False: there is no such letter, the value is longer
 * than SPF_TEXT_MAX, or it is a local part that is not ASCII (RFC 8616).
 */
bool spf_value(const struct spf_macros *, char letter,
    const struct spf_transform *, bool escape, char room[SPF_VALUE_MAX],
    struct span *value);

#endif
