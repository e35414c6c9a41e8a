/* SPDX-License-Identifier: ISC */
#ifndef USERDB_SRS_H
#define USERDB_SRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/*
 * The sender rewriting scheme, so that mail which an alias sends on to
 * another host leaves in the name of a domain of ours (SPF), and reports
 * about it find their way back:
 *
 *	ann@a.example		SRS0=HHHHHHH=TT=a.example=ann@ours
 *	SRS0=x=yy=d=l@b.example	SRS1=HHHHHHH=b.example==x=yy=d=l@ours
 *	SRS1=x=b.example==y@c	SRS1=HHHHHHH=b.example==y@ours
 *
 * TT is the day, in two letters of base32 that come round after 1,024 days;
 * HHHHHHH are 35 bits of HMAC-SHA256 over all that follows it, without case,
 * since some hosts change that.  An address of SRS0 is good for some weeks;
 * one of SRS1 has no day of its own, the host that it leads to has.
 *
 * Pure: the key and the time (unix seconds) are the caller's.
 */
enum { SRS_HASH = 7, SRS_DAYS = 21 };

/* Does it look like one, whoever made it? */
bool srs_is(const struct address *);

/*
 * The sender's address in this domain of ours.  False: no local part of
 * ADDRESS_LOCAL_MAX octets can hold it.
 */
bool srs_forward(const char *key, int64_t now, const struct address *sender,
    const char *domain, struct address *out);

/* Whose it is; false unless it is whole, ours, and not too old. */
bool srs_reverse(const char *key, int64_t now, const struct address *name,
    struct address *sender);

#endif
