/* SPDX-License-Identifier: ISC */
#ifndef COMMON_ROLE_H
#define COMMON_ROLE_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/peer.h"

/*
 * The roles of an owner: the sockets that requests arrive on (protocol.h),
 * as a table that ends with a NULL name.  The folder of a socket keeps
 * others out; the uid of who connected is looked at as well.
 */
struct role {
	const char *name;    /* the listener's: "role-smtpd" */
	const char *account; /* whose it is; NULL: root's alone */
	/* One has connected; the descriptor is the callee's. */
	void (*came)(struct role *, int fd);
	/* the module's own */
	struct listener listener;
	uid_t uid;
	bool known;
};

/* Before privileges are dropped: learn the accounts' uids. */
void roles_find_accounts(struct role *);

/* Begin to listen on the inherited sockets, end that. */
void roles_begin(struct role *);
void roles_end(struct role *);

#endif
