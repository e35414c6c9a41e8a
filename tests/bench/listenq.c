/* SPDX-License-Identifier: ISC */
/*
 * Loaded before a server whose listen() asks for a queue so short that bursts
 * of connections wait for TCP's second try, after a second.
 */
#define _GNU_SOURCE /* syscall() */
#include <sys/socket.h>
#include <sys/syscall.h>

#include <unistd.h>

int
listen(int fd, int backlog)
{
	return (int)syscall(SYS_listen, fd, backlog < 1024 ? 1024 : backlog);
}
