/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_TOOL_PRINT_H
#define QUEUE_TOOL_PRINT_H

#include "queue/tool.h"

/* What several commands print. */

/* An object of JSON, open at its end; the head is without recipients. */
void print_message_head_json(
    const struct tool *, const struct row *, const struct envelope *);
void print_message_json(
    const struct tool *, const struct row *, const struct envelope *);

/* "NAME":"TEXT" and "NAME":NUMBER; text NULL: null. */
void print_json_text(const char *name, const char *text);
void print_json_number(const char *name, uint64_t value);

/* A line about a rule; of JSON, of that kind (NULL: of the rule's own). */
void print_rule(
    const struct tool *, const struct hold_rule *, const char *json_kind);

void print_time(int64_t when); /* with its date, in local time */

#endif
