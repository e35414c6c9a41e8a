/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LISTS_READ_H
#define SMTPD_LISTS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/config.h"
#include "common/dns_read.h"

/* What is asked of a list in the DNS, and what it answers.  Pure. */

/*
 * The name of an address in a zone: its octets backwards, or the hexadecimal
 * digits of IPv6 (RFC 5782 sections 2.1 and 2.4).  False: that is too long.
 */
bool lists_name(const struct sockaddr_storage *, const char *zone,
    char out[DNS_NAME_MAX + 1]);

/*
 * The address records of an answer: what can be no answer of a list, for
 * people: "answers 192.0.2.1"; "" where there is no such.
 */
enum { LISTS_REASON_MAX = 60 };
void lists_nonsense(
    const struct dns_answer *, char reason[LISTS_REASON_MAX + 1]);

/* Is one of them what this line counts as a listing? */
bool lists_matches(const struct config_zone *, const struct dns_answer *);

/*
 * The first text record, in one line of printable ASCII, cut at size - 1;
 * false: there is none.
 */
bool lists_text(const struct dns_answer *, char *out, size_t size);

/*
 * A zone as it is told to strangers and the log: a first label of 20 octets
 * and more is the key of who pays for the list, and becomes "...".
 */
enum { LISTS_KEY_MIN = 20 };
void lists_shown(const char *zone, char out[DNS_NAME_MAX + 1]);

#endif
