/* SPDX-License-Identifier: ISC */
#ifndef LEDGER_JOURNAL_H
#define LEDGER_JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ledger/table.h"

/*
 * What outlives a restart: the file "journal" in ledger-dir, one line a row,
 * "CHECKSUM KIND FIELD...".  Rows that changed are appended; of lines with
 * the same key the last one counts.  When half of it is outdated it is
 * written anew beside the old one, a few rows at a time, and takes its name.
 *
 * Nothing of it is worth a wait: it is never synced, a line that is damaged
 * is passed over, and where it can be neither read nor written the ledger
 * goes on without.  The log tells of each, once.
 */
enum { JOURNAL_LINE_MAX = 32768 };

/* Ends with NULL; what is there is read into them. */
void journal_begin(int folder, struct table *const *, time_t now);

/* Append what changed; go on writing anew.  To be called now and then. */
void journal_flush(time_t now);

/* There is something for journal_flush() to do. */
bool journal_is_busy(void);

/* Write all anew, whatever is in the file (rows were dropped on purpose). */
void journal_rewrite(void);

/* The last flush. */
void journal_end(time_t now);

#endif
