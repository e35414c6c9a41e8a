/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_DKIM_CHECK_H
#define MAILAUTH_DKIM_CHECK_H

#include "mailauth/dkim_signature.h"

/* Several records at one name: so many are tried (A15). */
enum { DKIM_RECORDS_MAX = 4 };

/* Does this key record prove the signature of this hash? */
void dkim_check_record(const char *record, const struct dkim_signature *,
    const unsigned char digest[DKIM_HASH_SIZE], struct dkim_result *);

/* Of two records' results: does the first say more than the second? */
bool dkim_check_goes_further(
    const struct dkim_result *, const struct dkim_result *);

#endif
