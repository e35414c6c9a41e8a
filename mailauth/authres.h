/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_AUTHRES_H
#define MAILAUTH_AUTHRES_H

#include "common/buf.h"
#include "mailauth/header.h"
#include "mailauth/judge.h"

/* Authentication-Results, RFC 8601. */

/*
 * The whole field, folded, LF line ends, the last one too.  authserv_id is
 * our host name.  Nothing that a peer wrote stands in it raw (A8): what is no
 * token is quoted, or left out.  Of addresses it has the domains alone.
 */
bool authres_write(
    struct buf *, const char *authserv_id, const struct judgement *);

/*
 * Does this Authentication-Results field claim to be of that host (section
 * 5)?  Case, comments, folds, quotes and a version do not hide it; a field
 * that cannot be read claims to be anybody's.  A sub-domain's is not ours.
 */
bool authres_claims(const struct header_field *, const char *authserv_id);

#endif
