/* SPDX-License-Identifier: ISC */
#ifndef COMMON_DOOR_H
#define COMMON_DOOR_H

/*
 * The supervisor's doors: a program in its chroot reaches a Unix socket that
 * the config names by connecting to the door for it, which has this name in
 * the program's folder, and is handed the connection (common/protocol.h).
 * The name depends on the path alone, so that a process with the config of
 * before a reload never gets to another's socket.
 */
enum { DOOR_NAME_SIZE = 24 };

void door_name(const char *path, char out[DOOR_NAME_SIZE]);

#endif
