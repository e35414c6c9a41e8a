/* SPDX-License-Identifier: ISC */
#ifndef KEYS_CLIENTS_H
#define KEYS_CLIENTS_H

#include <stdbool.h>

#include "common/dkim_facts.h"
#include "common/peer.h"

/* The connections of those who ask, each of the role whose socket it is. */
enum keys_role { ROLE_SMTPD, ROLE_POP3D, ROLE_DELIVER, ROLE_QUEUE, ROLE_ADMIN };

struct client {
	struct peer peer;
	struct client *next, **link;
	enum keys_role role;
	bool knows; /* has asked for certificates, and they are the same yet */
	/* "dkim" came, more of it is to come; NULL: no such thing */
	struct dkim_facts *facts;
	uint64_t serial; /* of that */
};

/* As root, before privileges are dropped: learn the roles' uids. */
void clients_find_accounts(void);

/* Begin to listen; answer() returns false for a packet that is malformed. */
void clients_begin(bool (*answer)(struct client *, const struct packet *));

/* Tell everybody who has certificates that they, or tickets, have changed. */
void clients_tell_change(void);

#endif
