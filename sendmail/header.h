/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_HEADER_H
#define SENDMAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buf.h"

/*
 * The header section of a message that a local program wrote (LF line
 * ends), read and made whole (RFC 5322 section 3.6, RFC 6409 section 8).
 */
struct header_facts {
	const char *full_name;  /* for From: when it is missing; may be "" */
	const char *address;    /* for From: */
	const char *domain;     /* for addresses without one */
	const char *hostname;   /* whose Authentication-Results go */
	const char *date;       /* for Date: */
	const char *message_id; /* for Message-ID:, with its brackets */
};

struct header_result {
	size_t body;       /* where the body begins in what was read */
	uint64_t received; /* Received fields: hops (RFC 5321 section 6.3) */
};

/*
 * Write the header section anew, with the empty line behind it: From, Date
 * and Message-ID (those of the latest resending, if it is resent) are added
 * when they are missing, addresses get a domain, Bcc and Return-Path go, and
 * Authentication-Results that claim to be ours (RFC 8601 section 5).  What is
 * no header field begins the body.  False when out is full.
 */
bool header_rewrite(const char *message, size_t n, const struct header_facts *,
    struct header_result *, struct buf *out);

/*
 * The recipients that the header names: To, Cc and Bcc, or the Resent- ones
 * if there are any.  NULL, or what is wrong with a field.
 */
const char *header_recipients(const char *message, size_t n,
    bool (*found)(const struct address *, void *context), void *context);

/* A display name as a phrase (RFC 5322 section 3.2.5), encoded (RFC 2047)
 * when it is not ASCII; nothing when it cannot be written. */
void header_phrase(const char *name, struct buf *out);

/* An address-list value in which addresses without a domain get this one. */
void header_qualify(
    const char *value, size_t n, const char *domain, struct buf *out);

#endif
