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

#endif
