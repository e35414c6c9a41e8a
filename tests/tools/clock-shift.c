/* SPDX-License-Identifier: ISC */
/*
 * To be preloaded: the clock that can be set is shifted by as many seconds as
 * the file named by CLOCK_SHIFT says, in 16 digits with their sign, now.
 */
#define _GNU_SOURCE /* syscall */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 16 };

static const volatile char *shift;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("CLOCK_SHIFT");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd == -1)
		return;
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	shift = map != MAP_FAILED ? map : NULL;
	close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *now)
{
	char text[SIZE + 1] = "";
	int rc = (int)syscall(SYS_clock_gettime, id, now);

	if (rc == -1 || id != CLOCK_REALTIME || shift == NULL)
		return rc;
	for (int i = 0; i < SIZE; i++)
		text[i] = shift[i];
	now->tv_sec += strtol(text, NULL, 10);
	return 0;
}
