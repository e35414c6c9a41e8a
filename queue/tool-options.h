/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TOOL_OPTIONS_H
#define QUEUE_TOOL_OPTIONS_H

#include "queue/tool.h"

/* What a command takes behind its name. */
enum {
	TAKES_IDS = 1,
	TAKES_CONDITIONS = 2, /* --sender and the like */
	TAKES_WORDS = 4,      /* destinations, addresses */
	TAKES_REASON = 8,
	TAKES_TIMES = 16, /* --since, --until, --log, -v */
	TAKES_TOP = 32,
	NEEDS_SELECTION = 64, /* of messages, or at least a word */
	TAKES_SELECTION = TAKES_IDS | TAKES_CONDITIONS
};

/* --json anywhere, then the command's own; says what is wrong. */
int options_read(struct tool *, unsigned takes, int argc, char **argv);
void options_free(struct tool_options *);

#endif
