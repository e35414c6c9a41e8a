/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SENDER_DOMAIN_H
#define SMTPD_SENDER_DOMAIN_H

#include "common/dns.h"
#include "common/verdict.h"

/*
 * Could an answer reach the sender's domain: has it a mail host, or an
 * address (RFC 5321 section 5.1)?  VERDICT_OK; SENDER_NO_HOST where it has
 * neither, or addresses that lead nowhere alone (A11); SENDER_NULL_MX (RFC
 * 7505 section 4.2); SENDER_LATER where the DNS does not tell.
 *
 * dns NULL: it does not.  Takes SENDER_DOMAIN_MS at the most.  A worker
 * remembers some answers for a short time.
 */
enum { SENDER_DOMAIN_MS = 8000 };
enum verdict sender_domain_look_up(
    struct dns *, const char *hostname, const char *domain);

#endif
