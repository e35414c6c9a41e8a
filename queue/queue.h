/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>

#include "common/config.h"
#include "queue/schedule.h"
#include "queue/spool.h"

/* What every part of this process may look at. */
struct queue {
	struct config config;
	struct spool spool;
	bool draining;
};

extern struct queue queue;

struct retry_policy queue_policy(void); /* of the config */

#endif
