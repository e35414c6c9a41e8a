/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_CHILD_H
#define QUEUE_CHILD_H

#include <stddef.h>

enum { CHILD_KEEPS_MAX = 16 };

/*
 * In a fork of queue: leave its loop and its control behind, and of its
 * descriptors all but these (at most CHILD_KEEPS_MAX; -1 is none), those
 * below 3 and the log's.
 */
void child_begin(const int *keep, size_t n);

#endif
