/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_AUTH_H
#define SMTPD_AUTH_H

#include <stdbool.h>

struct session;

/*
 * Whether AUTH (RFC 4954) may be used on this connection now: under TLS, or
 * in the clear from where the config says so, and never among mail servers.
 */
bool auth_is_offered(const struct session *);

/* The line of EHLO that names the mechanisms, where there is one. */
void auth_announce(struct session *);

#endif
