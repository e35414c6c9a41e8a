/* SPDX-License-Identifier: ISC */
/*
 * ceiling FOLDER PROCESSES OCTETS SECONDS bare|handover
 *
 * How many messages a second could a server take on this file system that did
 * nothing else?  Each process, in a loop: a file without a name, written,
 * named in FOLDER/new, synced ("bare"); or, as our queue does it, content and
 * envelope, both named, both allocated and then synced, the content linked into
 * FOLDER/maildir and both names taken away ("handover").  What is stored last
 * is removed before the next, so that the folders stay small.  Prints the
 * rate.  FOLDER must exist; its four folders are made and removed.
 */
#define _GNU_SOURCE /* O_TMPFILE, sync_file_range() */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 1000, OCTETS_MAX = 1 << 26, ENVELOPE = 300 };
enum folder { NEW, ENVELOPES, MAILDIR, FOLDERS };

static const char *const names[FOLDERS] = {"new", "envelope", "maildir"};
static int folders[FOLDERS];
static char *octets;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A descriptor of n octets under that name. */
static int
store(enum folder where, const char *name, size_t n)
{
	char path[64];
	int fd =
	    openat(folders[where], ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		err(1, "O_TMPFILE");
	for (size_t done = 0; done < n;) {
		ssize_t got = write(fd, octets + done, n - done);
		if (got < 0)
			err(1, "write");
		done += (size_t)got;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, folders[where], name, AT_SYMLINK_FOLLOW) !=
	    0)
		err(1, "linkat");
	return fd;
}

static void
sync_and_close(int fd)
{
	if (fsync(fd) != 0)
		err(1, "fsync");
	(void)close(fd);
}

static void
take_away(enum folder where, const char *name)
{
	if (unlinkat(folders[where], name, 0) != 0)
		err(1, "unlink");
}

static void
bare(const char *name, size_t n)
{
	sync_and_close(store(NEW, name, n));
	take_away(NEW, name);
}

static void
hand_over(const char *name, size_t n)
{
	int envelope = store(ENVELOPES, name, ENVELOPE);
	int content = store(NEW, name, n);

	/* Its blocks are given now: one journal commit carries both. */
	if (sync_file_range(envelope, 0, 0, SYNC_FILE_RANGE_WRITE) != 0)
		err(1, "sync_file_range");
	sync_and_close(content);
	sync_and_close(envelope);
	if (linkat(folders[NEW], name, folders[MAILDIR], name, 0) != 0)
		err(1, "link");
	take_away(NEW, name);
	take_away(ENVELOPES, name);
	take_away(MAILDIR, name);
}

static unsigned long
work(void (*message)(const char *, size_t), size_t n, double until)
{
	char name[64];
	unsigned long done = 0;

	for (; now() < until; done++) {
		(void)snprintf(
		    name, sizeof(name), "%ld.%lu", (long)getpid(), done);
		message(name, n);
	}
	return done;
}

static void
open_folders(const char *base)
{
	int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		err(1, "%s", base);
	for (int i = 0; i < FOLDERS; i++) {
		(void)mkdirat(dir, names[i], 0700);
		folders[i] =
		    openat(dir, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folders[i] < 0)
			err(1, "%s/%s", base, names[i]);
	}
}

static void
remove_folders(const char *base)
{
	char path[4096];

	for (int i = 0; i < FOLDERS; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", base, names[i]);
		if (rmdir(path) != 0)
			err(1, "%s", path);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 6)
		errx(64, "FOLDER PROCESSES OCTETS SECONDS bare|handover");
	unsigned long processes = strtoul(argv[2], NULL, 10);
	size_t n = strtoul(argv[3], NULL, 10);
	double seconds = strtod(argv[4], NULL);
	bool whole = strcmp(argv[5], "handover") == 0;

	if (processes < 1 || processes > PROCESSES_MAX || n > OCTETS_MAX)
		errx(64, "too many");
	unsigned long *done = mmap(NULL, processes * sizeof(*done),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	octets = malloc(n + ENVELOPE);
	if (done == MAP_FAILED || octets == NULL)
		err(71, "memory");
	memset(octets, 'x', n + ENVELOPE);
	open_folders(argv[1]);
	double begin = now();
	for (unsigned long i = 0; i < processes; i++) {
		pid_t pid = fork();
		if (pid < 0)
			err(71, "fork");
		if (pid == 0) {
			done[i] =
			    work(whole ? hand_over : bare, n, begin + seconds);
			_exit(0);
		}
	}
	bool failed = false;
	for (int status; wait(&status) > 0;)
		failed |= status != 0;
	double took = now() - begin;
	unsigned long total = 0;
	for (unsigned long i = 0; i < processes; i++)
		total += done[i];
	remove_folders(argv[1]);
	(void)printf("%.1f\n", (double)total / took);
	return failed;
}
