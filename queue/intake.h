/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Messages come in (common/protocol.h, "queue"): one conversation for smtpd,
 * a login's end, a local user and our own reports.  They differ in what they
 * may ask for, and that is decided by where the connection came from.
 *
 * A client goes OPEN (or AHEAD), ENVELOPE, ROUTING, COMMITTED and back; the
 * end of its connection in any of them leaves nothing in the spool.
 */
enum client_role {
	CLIENT_SMTPD,  /* local recipients only */
	CLIENT_LOGIN,  /* userdb vouches for the login */
	CLIENT_PUBLIC, /* the kernel vouches for the uid */
	CLIENT_REPORT  /* our own process that writes reports */
};

/*
 * Take a connection; fd becomes the client's.  login: of CLIENT_LOGIN, else
 * NULL; app: the app password that it came in with, NULL: none.
 */
void client_begin(
    enum client_role, int fd, const char *login, const char *app);

/* Messages that clients are sending now; a drain waits for those. */
size_t clients_busy(void);

/*
 * What was opened ahead and is not in use is taken back, and its client left;
 * the others are busy from then on.
 */
void clients_withdraw(void);

/* The last busy client has become idle. */
extern void (*clients_idle)(void);

#endif
