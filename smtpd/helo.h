/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_HELO_H
#define SMTPD_HELO_H

#include <stdbool.h>
#include <sys/socket.h>

/* The name in HELO and EHLO.  Pure. */

/*
 * A domain or an address literal (RFC 5321 section 4.1.1.1)?  What honest
 * servers say is one: single labels, underscores, hyphens at the edge of a
 * label, a dot at the end, an IPv6 literal without its tag.  What the DNS
 * knows of the name does not matter (section 4.1.4).
 */
bool helo_is_name(const char *name);

/* Blanks, which no name has, become underscores. */
void helo_without_blanks(char *name);

/* Is it hostname, or this address, in brackets or without? */
bool helo_is_ours(const char *name, const char *hostname,
    const struct sockaddr_storage *local);

#endif
