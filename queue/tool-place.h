/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TOOL_PLACE_H
#define QUEUE_TOOL_PLACE_H

#include "queue/tool.h"
#include "queue/why.h"

/*
 * What the daemon knows of a domain's destination, or of a host; known is
 * false when nothing is, or nobody can be asked.
 */
int place_ask(struct tool *, const char *name, struct why_place *);

/*
 * What waits for all domains of that host; one for two of them counts twice
 * (queue/tool-stats.c).
 */
int stats_of_host(struct tool *, const char *host, struct why_waiting *);

#endif
