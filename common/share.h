/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SHARE_H
#define COMMON_SHARE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does a role with so many connections have its share of an owner's
 * descriptors?  A third: each may need another, and who broke into one
 * speaker must not keep the others out.  Says so in the log, now and then.
 */
bool share_is_taken(const char *role, size_t connected);

#endif
