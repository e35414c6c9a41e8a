/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_RECEIVED_H
#define SMTPD_RECEIVED_H

#include <stddef.h>
#include <time.h>

struct buf;
struct session;

/* How it came: "ESMTPA" and the like (RFC 3848, RFC 6531 section 4.3). */
const char *received_protocol(const struct session *);

/*
 * The headers that stand before the message, with LF line ends: those for
 * a local mailbox alone (Return-Path, and Delivered-To where there is one
 * recipient), then Received (RFC 5321 section 4.4; of a login's with
 * hide-submitter without its From-domain).  Returns the octets of the first
 * part, which never leaves this house.
 */
size_t received_headers(
    struct session *, const char *id, time_t when, struct buf *out);

#endif
