/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_FROM_H
#define MAILAUTH_FROM_H

#include "common/address.h"
#include "common/cursor.h"
#include "mailauth/dmarc.h"
#include "mailauth/header.h"

/*
 * The value of From as every reader understands it alike (A16, RFC 9989
 * section 11.5).  This is no parser of all that RFC 5322 allows: what some
 * reader takes for another address, or for none, is refused.
 *
 * NULL and the domain in normal form, or what is wrong (a static phrase).
 */
const char *from_read(struct span value, char domain[DNS_NAME_MAX + 1]);

/*
 * Likewise, where several are right: each mailbox of the list, in order, until
 * found() returns false.  Groups are refused.  NULL, or what is wrong;
 * mailboxes before the fault were given.
 */
const char *from_each(struct span value,
    bool (*found)(const struct address *, void *context), void *context);

/* Is there a line that is no From field, and that some reader takes for one? */
bool from_is_hidden(const struct header_section *);

#endif
