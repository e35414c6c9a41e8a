/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_KEPT_H
#define QUEUE_KEPT_H

#include <stdbool.h>

#include "queue/route.h"

/*
 * Routes that userdb has let us use again until it says that something has
 * changed: those used last, a bounded number.
 */

/* A copy, to be freed by route_free(); false: not kept. */
bool kept_find(const char *address, struct route *);

/* One that ends there: ROUTE_MAILBOX or ROUTE_REMOTE. */
void kept_add(const char *address, const struct route *);

void kept_forget(void); /* all */

#endif
