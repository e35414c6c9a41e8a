/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_ANSWERS_H
#define LEDGER_ANSWERS_H

#include "common/role.h"

/* Who may ask what: protocol.h.  Ends with a NULL name. */
extern struct role ledger_roles[];

#endif
