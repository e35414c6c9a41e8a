/* SPDX-License-Identifier: ISC */
#ifndef USERDB_ANSWERS_H
#define USERDB_ANSWERS_H

#include "userdb/admin.h"
#include "userdb/peer.h"

/*
 * Every request that a role may make, as common/protocol.h lists them; what
 * it may not is malformed.
 */
void answers_begin(struct directory *, struct admin *);
bool answer_request(struct peer *, struct packet *);

#endif
