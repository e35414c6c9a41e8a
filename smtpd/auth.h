/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_AUTH_H
#define SMTPD_AUTH_H

#include <stdbool.h>

struct session;

/*
 * Whether AUTH may be used on this connection now.  Passwords pass in the
 * clear only from where the config says so.
 */
bool auth_is_offered(const struct session *);

#endif
