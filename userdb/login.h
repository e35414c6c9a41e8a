/* SPDX-License-Identifier: ISC */
#ifndef USERDB_LOGIN_H
#define USERDB_LOGIN_H

#include "userdb/directory.h"
#include "userdb/peer.h"

/*
 * Logins, from the credentials to the owner who has the session.  An unknown
 * user, a disabled one and a wrong password cost the same time and give the
 * same answer, whatever the mechanism.
 */
void login_begin(struct directory *);

/*
 * The requests of smtpd and pop3d, and "check" (without an end to hand over)
 * of the administrator's.  False: malformed, or out of turn.  The answer
 * comes later, the peer is busy until then.
 */
bool login_request(struct peer *, struct packet *);
bool login_check(struct peer *, struct packet *);
bool login_token(struct peer *, struct packet *);
bool login_digest(struct peer *, struct packet *);
bool login_scram(struct peer *, struct packet *);
bool login_proof(struct peer *, struct packet *);
bool login_cancel(struct peer *, struct packet *);

/* Its logins are forgotten. */
void login_gone(struct peer *);

/* How many are under way. */
size_t login_count(void);

#endif
