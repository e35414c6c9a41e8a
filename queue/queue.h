/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/config.h"
#include "queue/schedule.h"
#include "queue/spool.h"

/* What every part of this process may look at. */
struct queue {
	struct config config;
	struct spool spool;
	bool draining;
	/* Who talks to the network, when root has started the house. */
	size_t nspeakers;
	uid_t speakers[4];
};

extern struct queue queue;

struct retry_policy queue_policy(void); /* of the config */

#endif
