/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FILTERED_H
#define SMTPD_FILTERED_H

#include "common/cursor.h"
#include "common/verdict.h"

/*
 * A message that content filters look at (milters.h), and may change: its
 * header section waits apart from its body until they have.
 */
struct message;

/* These lines of its header section are to be kept. */
void filtered_keep(struct message *, struct span lines);

/* What was found of it, or is missing in it, is known: ask the filters. */
enum verdict filtered_ask(struct message *);

void filtered_free(struct message *);

#endif
