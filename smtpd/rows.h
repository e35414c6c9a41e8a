/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ROWS_H
#define SMTPD_ROWS_H

#include "mailauth/judge.h"
#include "smtpd/policy.h"
#include "smtpd/session.h"

/*
 * What became of a message that was judged is counted by ledger, for the
 * aggregate report of the domain whose policy it was (RFC 9990); where the
 * config wants reports, and that domain does.  Never waits, never fails: what
 * ledger does not take now is not counted.
 */
void rows_tell(const struct session *, const struct judgement *,
    const struct policy_outcome *);

#endif
