/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MILTER_CONNECT_H
#define SMTPD_MILTER_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"

/*
 * A connection to a filter, until that (monotonic) time; -1, and why not.  To
 * a Unix socket, which lies outside the chroot, the supervisor connects; it
 * hands the connection over at its door (common/protocol.h).
 */
int milter_reach(
    const struct config_milter *, int64_t deadline_ms, const char **why);

/*
 * A process's memory: one that did not answer is not waited for again for a
 * while, and the log hears of it once in that time.
 */
void milter_rest(size_t index);
bool milter_rests(size_t index);

#endif
