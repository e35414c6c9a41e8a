/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_RANDOM_H
#define QUEUE_RANDOM_H

#include <stdint.h>

/* For jitter: unpredictable enough, never failing. */
uint32_t random_bits(void);

#endif
