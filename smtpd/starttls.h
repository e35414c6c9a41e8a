/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_STARTTLS_H
#define SMTPD_STARTTLS_H

#include <stdbool.h>

struct session;

/* Whether STARTTLS stands in the answer to EHLO now (RFC 3207). */
bool starttls_is_offered(struct session *);

/* The handshake.  False: it failed, and nothing more may be said. */
bool starttls_shake(struct session *);

#endif
