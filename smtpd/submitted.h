/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SUBMITTED_H
#define SMTPD_SUBMITTED_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/address.h"
#include "common/buf.h"
#include "mailauth/header.h"
#include "smtpd/policy.h"

/*
 * The header section of a message that is handed in by those who wrote it
 * (RFC 6409): whom it says that it is from, and what is still to be made of
 * it.
 */

/* So many different mailboxes are asked about; one more is refused. */
enum { SUBMITTED_AUTHORS_MAX = 16 };

struct submitted {
	enum policy_from from;
	size_t n; /* SUBMITTED_AUTHORS_MAX + 1: there are more */
	struct {
		const char *field; /* "From" */
		char address[ADDRESS_TEXT_MAX + 1];
	} authors[SUBMITTED_AUTHORS_MAX + 1];
};

/*
 * Everybody in every From and Sender field, and in the newest block of Resent-
 * fields (RFC 5322 section 3.6.6), if that has a Resent-From.  sent_on: where
 * there is such a block, nobody else; a message that is sent on as it is keeps
 * From and Sender of its author.  What is not read alike by everybody is
 * FROM_UNCLEAR (mailauth/from.h).
 */
void submitted_read(
    const struct header_section *, bool sent_on, struct submitted *);

/* Who is not this login's, for the client to read: one line of ASCII. */
void submitted_explain(
    const struct policy_author *, const char *login, char *out, size_t max);

/*
 * Append what should have been written (RFC 6409 section 8): Date and
 * Message-ID where they are missing, and From, where there is nothing that
 * looks like one, with this address; NULL: then the others are not added
 * either.
 */
void submitted_complete(const struct header_section *, const char *address,
    const char *id, time_t when, const char *hostname, struct buf *fields);

#endif
