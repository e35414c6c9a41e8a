/* SPDX-License-Identifier: ISC */
#ifndef KEYS_TICKETS_H
#define KEYS_TICKETS_H

#include <stdbool.h>

#include "common/tls_pair.h"

/*
 * Keys for session tickets (RFC 5077), which any worker of a service can
 * open: two for each role, never written down.  Who learns one can read the
 * sessions of its time that were resumed with it; hence a new one every two
 * hours, which is as long as a ticket lasts.
 */
enum { TICKETS_ROTATE_MS = 2 * 3600 * 1000 };

enum tickets_role { TICKETS_SMTPD, TICKETS_POP3D, TICKETS_ROLES };

enum { TICKETS_HEX_SIZE = 2 * TLS_TICKET_KEY_SIZE + 1 };

/* A new key for every role; what it replaces opens tickets a while longer. */
bool tickets_rotate(void);

/* previous: "" where there is none. */
void tickets_format(enum tickets_role, char current[TICKETS_HEX_SIZE],
    char previous[TICKETS_HEX_SIZE]);

#endif
