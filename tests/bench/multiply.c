/* SPDX-License-Identifier: ISC */
/*
 * multiply SPOOL COUNT
 *
 * Fills the spool of a suite that is stopped: copies of the deferred messages
 * that are in it (cur/ID and envelope/ID, postrider-spool(5)), in turn, under
 * ids of their own, until there are COUNT more.  Nothing in either file says
 * which id it has.  Copies have their original's owner and mode.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ORIGINALS_MAX = 1000, FILE_MAX = 1 << 16 };
enum part { CONTENT, ENVELOPE, PARTS };

struct original {
	char *octets[PARTS];
	size_t n[PARTS];
	struct stat st[PARTS];
};

static const char *const names[PARTS] = {"cur", "envelope"};
static int folders[PARTS];
static struct original originals[ORIGINALS_MAX];

static void
learn(struct original *o, enum part part, const char *name)
{
	int fd = openat(folders[part], name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &o->st[part]) != 0)
		err(1, "%s/%s", names[part], name);
	if (o->st[part].st_size > FILE_MAX)
		errx(1, "%s/%s is too large", names[part], name);
	o->n[part] = (size_t)o->st[part].st_size;
	o->octets[part] = malloc(o->n[part] + 1);
	if (o->octets[part] == NULL)
		err(71, "memory");
	if (read(fd, o->octets[part], o->n[part]) != (ssize_t)o->n[part])
		err(1, "%s/%s", names[part], name);
	(void)close(fd);
}

/* How many there are. */
static unsigned long
learn_all(void)
{
	int again = dup(folders[CONTENT]);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	unsigned long n = 0;

	if (dir == NULL)
		err(1, "cur");
	for (const struct dirent *e;
	     n < ORIGINALS_MAX && (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		for (enum part part = 0; part < PARTS; part++)
			learn(&originals[n], part, e->d_name);
		n++;
	}
	(void)closedir(dir);
	return n;
}

static void
copy(const struct original *o, enum part part, const char *name)
{
	const struct stat *st = &o->st[part];
	int fd = openat(
	    folders[part], name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 ||
	    write(fd, o->octets[part], o->n[part]) != (ssize_t)o->n[part] ||
	    fchown(fd, st->st_uid, st->st_gid) != 0 ||
	    fchmod(fd, st->st_mode & 07777) != 0)
		err(1, "%s/%s", names[part], name);
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		errx(64, "SPOOL COUNT");
	unsigned long count = strtoul(argv[2], NULL, 10);

	if (chdir(argv[1]) != 0)
		err(1, "%s", argv[1]);
	for (enum part part = 0; part < PARTS; part++) {
		folders[part] =
		    open(names[part], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folders[part] < 0)
			err(1, "%s", names[part]);
	}
	unsigned long n = learn_all();
	if (n == 0)
		errx(1, "no deferred message to copy");
	for (unsigned long i = 0; i < count; i++) {
		uint64_t id;
		char name[17];
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			err(71, "getrandom");
		(void)snprintf(
		    name, sizeof(name), "%016llx", (unsigned long long)id);
		copy(&originals[i % n], CONTENT, name);
		copy(&originals[i % n], ENVELOPE, name);
	}
	return 0;
}
