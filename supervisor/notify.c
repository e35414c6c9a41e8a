/* SPDX-License-Identifier: ISC */
#include "supervisor/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "common/log.h"

static struct sockaddr_un address;
static socklen_t size;
static int fd = -1;

/* Whom READY=1 does not reach ends us: worth a moment of waiting. */
static void
limit_waiting(void)
{
	const struct timeval second = {.tv_sec = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
}

void
notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path != NULL ? strlen(path) : 0;

	if (n > 1 && n < sizeof(address.sun_path) &&
	    (path[0] == '/' || path[0] == '@')) {
		address.sun_family = AF_UNIX;
		memcpy(address.sun_path, path, n);
		if (path[0] == '@') /* Linux's abstract names */
			address.sun_path[0] = '\0';
		size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		limit_waiting();
	}
	unsetenv("NOTIFY_SOCKET");
}

void
notify_say(const char *assignments)
{
	if (fd >= 0 &&
	    sendto(fd, assignments, strlen(assignments), MSG_NOSIGNAL,
		(const struct sockaddr *)&address, size) == -1)
		log_errno(LEVEL_WARNING, "cannot tell", "service manager");
}

void
notify_reloading(void)
{
	char text[96];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_say(text);
}
