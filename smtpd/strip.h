/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_STRIP_H
#define SMTPD_STRIP_H

#include <stdbool.h>

#include "mailauth/header.h"
#include "smtpd/policy.h"

/*
 * Fields that are cut out of what comes by SMTP, because a reader or a filter
 * would take them for this host's word: Authentication-Results that claim to
 * be ours (RFC 8601 section 5), from whomever (A17); and of a stranger the
 * marks of junk, X-Spam, X-Spam-Flag and X-Spam-Status, which we may put there
 * ourselves.
 *
 * And of what somebody hands in who has logged in, Bcc and Resent-Bcc (RFC 5322
 * section 3.6.3): who else was written to is nobody's business.  A client of
 * relay-from may be another server, which passes on what it got.
 */
bool strip_field(const struct header_field *, const char *hostname,
    const struct policy_client *, bool judged);

#endif
