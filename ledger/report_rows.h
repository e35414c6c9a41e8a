/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_REPORT_ROWS_H
#define LEDGER_REPORT_ROWS_H

#include "common/peer.h"

/* What is said about aggregate reports (common/protocol.h). */

/* smtpd: a message was judged. */
bool smtpd_packet(struct peer *, struct packet *);

/* postrider-report, by role-admin; false when it is none of its verbs. */
bool report_is_verb(const struct packet *);
bool report_packet(struct peer *, struct packet *);

/* That connection has ended. */
void report_gone(const struct peer *);

#endif
