/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_STATS_PRINT_H
#define QUEUE_STATS_PRINT_H

#include "queue/stats.h"
#include "queue/tool-place.h"

/* stats as tables for people, or as JSON, an object a line. */
void stats_print_totals(const struct tool *, const struct stats *);
void stats_print_destinations(const struct tool *, const struct stats *,
    struct tally **, const struct why_place *, size_t n);
void stats_print_sources(
    const struct tool *, enum stats_source, struct tally **, size_t n);
void stats_print_rules(const struct tool *);

#endif
