/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_OWED_H
#define QUEUE_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/envelope.h"

/*
 * Which reports a message owes to its sender (RFC 3461 section 5.2), by what
 * its envelope says.  Pure.
 *
 * The null sender is owed none (RFC 5321 section 4.5.5), so no report is
 * ever about another one.
 */
enum report_kind { REPORT_FAILURE, REPORT_SUCCESS, REPORT_DELAY, REPORT_KINDS };

/* "failure", "success", "delay" */
const char *report_kind_name(enum report_kind);
bool report_kind_named(const char *, enum report_kind *);

/*
 * Is this recipient to be in the next report of that kind?  Of delay: if the
 * time has come.
 */
bool owed_about(const struct envelope *, size_t index, enum report_kind);
size_t owed_count(const struct envelope *, enum report_kind);

/* Has the sender himself asked for one of them? */
bool owed_by_wish(const struct envelope *, enum report_kind);

/* Failed for good, and the sender does not want to know, or cannot. */
bool owed_silence(const struct envelope *, size_t index);

/* What a report says of a recipient (RFC 3464 section 2.3.3). */
const char *owed_action(
    const struct envelope *, size_t index, enum report_kind);

/*
 * Milliseconds until a report of delay is due, 0 when it is now; -1 when none
 * will be.  age: since the message was accepted; warning: after which age
 * senders are told, 0: never.
 */
int64_t owed_delay_in(
    const struct envelope *, int64_t age_ms, int64_t warning_ms);

#endif
