/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GREY_H
#define SMTPD_GREY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Greylisting (RFC 6647): who is not known must come again, which most of
 * what sends spam does not.  ledger remembers who did, and whom it knows
 * (common/protocol.h, "grey").
 */
struct session;

enum { GREY_KEY_MAX = 300, GREY_MS = 8000 };

/*
 * Who stands behind the open transaction: "spf:example.org" where SPF says
 * that the client may send for that domain, and not that nearly anybody may;
 * else "host:example.org", the organisational domain of its confirmed name;
 * else "net:192.0.2.0/24", of IPv6 the /64.  So hosts of one pool are one.  NULL: the DNS does not tell,
 * or there is no address.  Asked for once, within GREY_MS; valid until the
 * transaction ends.
 */
const char *grey_key(struct session *);

/*
 * The same as far as it is known without asking anybody any more; spf: what
 * is known of the sender by now, or NULL.
 */
struct spf_result;
const char *grey_known_key(struct session *, const struct spf_result *spf);

/*
 * For how many seconds that recipient has to wait; 0: he need not.  Without
 * ledger, or an answer of the DNS, nobody has to.
 */
uint64_t grey_wait(struct session *, const char *recipient);

#endif
