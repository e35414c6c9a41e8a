/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "common/config.h"

/* The owner of tallies: what its parts share. */
struct ledger {
	struct config config;
};

extern struct ledger ledger;

/* Something was counted: it is written down before long. */
void ledger_changed(void);

#endif
