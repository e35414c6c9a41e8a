/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_THROTTLE_H
#define SUPERVISOR_THROTTLE_H

#include <stdint.h>

/*
 * How long to wait before a service that died is started again: not at all
 * when it lived for a minute; else a second, doubling with every quick
 * death to a minute.
 */
struct throttle {
	int64_t delay_ms; /* the one before; 0 at first */
};

int64_t throttle_next(struct throttle *, int64_t lived_ms);

#endif
