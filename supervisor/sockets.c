/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* O_PATH */
#include "supervisor/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/ipc.h"
#include "common/privileges.h"

static int
failed(char *error, const char *what, const char *where, const char *name)
{
	snprintf(error, CONFIG_ERROR_MAX, "cannot %s %s%s%s: %s", what, where,
	    name[0] != '\0' ? "/" : "", name, strerror(errno));
	return -1;
}

/* The group that a folder's sockets are for; as a user, one's own. */
static int
group_of(const struct role_folder *f, gid_t *gid)
{
	struct account account;

	*gid = privileges_are_root() ? 0 : getegid();
	if (f->group == NULL || !privileges_are_root())
		return 0;
	if (account_find(f->group, &account) == -1)
		return -1;
	*gid = account.gid;
	return 0;
}

/* As an ordinary user nobody else has a part in it, unless everybody has. */
static mode_t
own_mode(mode_t mode)
{
	if (privileges_are_root() || (mode & 0007) != 0)
		return mode;
	return mode & ~(mode_t)0077;
}

static int
make_folder(int run, const struct role_folder *f)
{
	gid_t gid;
	int fd, rc = -1;

	if (group_of(f, &gid) == -1 ||
	    fs_make_dir(run, f->name, own_mode(f->folder_mode)) == -1)
		return -1;
	fd = fs_open_dir(run, f->name);
	if (fd == -1)
		return -1;
	if (fchown(fd, geteuid(), gid) == 0 &&
	    fchmod(fd, own_mode(f->folder_mode)) == 0)
		rc = 0;
	close(fd);
	return rc;
}

int
sockets_make_folders(const char *run_dir, char *error)
{
	int run, rc = 0;

	/* /run is new at every boot: nothing else makes this folder then. */
	if (fs_make_dir(AT_FDCWD, run_dir, 0755) == -1)
		return failed(error, "make", run_dir, "");
	run = fs_open_dir(AT_FDCWD, run_dir);
	if (run == -1 || fchmod(run, 0755) == -1)
		rc = failed(error, "use", run_dir, "");
	for (const struct role_folder *f = role_folders;
	     rc == 0 && f->name != NULL; f++)
		if (make_folder(run, f) == -1)
			rc = failed(error, "make", run_dir, f->name);
	if (run != -1)
		close(run);
	return rc;
}

/*
 * Bound from within the folder: a path may be longer than an address of a
 * Unix socket holds.
 */
static int
listen_in(const char *run_dir, const struct role_folder *f, const char *name)
{
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = -1, saved;
	gid_t gid;

	if (here == -1)
		return -1;
	if (chdir(run_dir) == 0 && chdir(f->name) == 0 &&
	    group_of(f, &gid) == 0)
		fd = ipc_listen(name, own_mode(f->socket_mode));
	if (fd >= 0 &&
	    (lchown(name, geteuid(), gid) == -1 ||
		fcntl(fd, F_SETFL, O_NONBLOCK) == -1)) {
		saved = errno;
		close(fd);
		fd = -1;
		errno = saved;
	}
	saved = errno;
	if (fchdir(here) == -1 && fd >= 0) {
		saved = errno;
		close(fd);
		fd = -1;
	}
	close(here);
	errno = saved;
	return fd;
}

int
sockets_open(const char *run_dir, const struct service *s,
    int fds[SERVICE_ROLES_MAX], char *error)
{
	int n = 0;

	for (; n < SERVICE_ROLES_MAX && s->roles[n] != NULL; n++) {
		fds[n] =
		    listen_in(run_dir, role_folder_find(s->roles[n]), s->name);
		if (fds[n] == -1)
			return failed(error, "listen in", run_dir, s->roles[n]);
	}
	return n;
}

int
sockets_open_in(const char *run_dir, const char *folder, const char *name)
{
	return listen_in(run_dir, role_folder_find(folder), name);
}

int
sockets_open_control(const char *run_dir, char *error)
{
	static const struct role_folder here = {".", NULL, 0755, 0600};
	int fd = listen_in(run_dir, &here, "control");

	if (fd == -1)
		return failed(error, "listen in", run_dir, "control");
	return fd;
}
