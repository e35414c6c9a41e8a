/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_DOOR_H
#define SMTPD_GATE_DOOR_H

/* The listening sockets of smtp-gate: who comes becomes a guest (gate.h). */

void door_open(void);
void door_close(void);

#endif
