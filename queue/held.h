/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_HELD_H
#define QUEUE_HELD_H

#include <stddef.h>

/*
 * How many messages of a login are held.  message_hold() counts them, at
 * start as they are met.
 */
size_t held_of_login(const char *login);

#endif
