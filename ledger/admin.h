/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_ADMIN_H
#define LEDGER_ADMIN_H

#include <stdbool.h>

#include "common/peer.h"

/* A question of the postmaster's tools; false: it is malformed. */
bool admin_packet(struct peer *, struct packet *);

#endif
