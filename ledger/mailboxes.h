/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_MAILBOXES_H
#define LEDGER_MAILBOXES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/config.h"
#include "ledger/table.h"

/*
 * How much mail strangers send to one mailbox: a mail bomb may come from a
 * thousand clients.
 */
enum { MAILBOXES_NAME_MAX = 400 };

/* Seconds until one more fits; 0: now.  mailbox: its canonical address. */
uint32_t mailboxes_wait(
    const char *mailbox, const struct config_rate *, time_t now);

void mailboxes_count(
    const char *mailbox, const struct config_rate *, time_t now);

/* How many count now. */
uint64_t mailboxes_view(
    const char *mailbox, const struct config_rate *, time_t now);
bool mailboxes_forget(const char *mailbox);

extern struct table mailboxes_table;

#endif
