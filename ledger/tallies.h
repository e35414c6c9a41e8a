/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_TALLIES_H
#define LEDGER_TALLIES_H

#include <stdbool.h>

#include "common/config.h"
#include "common/peer.h"
#include "ledger/budgets.h"

/* What is asked and told about tallies (common/protocol.h). */

/* The limits of that config, from now on. */
void tallies_limit(const struct config *);

/* False: it is malformed. */
bool tallies_gate_packet(struct peer *, struct packet *);
bool tallies_smtpd_packet(struct peer *, struct packet *);
bool tallies_queue_packet(struct peer *, struct packet *);
bool tallies_packet(struct peer *, struct packet *); /* role-admin */

/* That connection has ended. */
void tallies_gone(const struct peer *);

/* False: nothing was counted there. */
bool tallies_forget_client(const char *client);
bool tallies_forget_user(const char *user);

/* Those of the config. */
struct budgets_limits tallies_budgets(void);

/* Those with a login's own, "1000/1d 0 -", NULL: none; false: malformed. */
bool tallies_read_limits(const char *text, struct budgets_limits *);

#endif
