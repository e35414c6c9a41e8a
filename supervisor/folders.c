/* SPDX-License-Identifier: ISC */
#include "supervisor/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/privileges.h"

#define AT(member) offsetof(struct config, member)

/*
 * The group of a spool folder becomes its files' (set-gid): mailbox may link
 * them into a Maildir, for which fs.protected_hardlinks asks that it could
 * write them.  It can look into none of these folders.
 */
const struct house_folder house_folders[] = {
    {AT(spool_dir), NULL, ACCOUNT_QUEUE, ACCOUNT_MAIL, 0710},
    {AT(spool_dir), "new", ACCOUNT_QUEUE, ACCOUNT_MAIL, 02710},
    {AT(spool_dir), "cur", ACCOUNT_QUEUE, ACCOUNT_MAIL, 02710},
    {AT(spool_dir), "tmp", ACCOUNT_QUEUE, ACCOUNT_MAIL, 02710},
    {AT(spool_dir), "envelope", ACCOUNT_QUEUE, ACCOUNT_MAIL, 02700},
    {AT(spool_dir), "quarantine", ACCOUNT_QUEUE, ACCOUNT_MAIL, 02700},
    {AT(mail_dir), NULL, ACCOUNT_MAIL, ACCOUNT_MAIL, 0750},
    {AT(database_dir), NULL, ACCOUNT_DB, ACCOUNT_DB, 0700},
    {AT(ledger_dir), NULL, ACCOUNT_LEDGER, ACCOUNT_LEDGER, 0700},
    {AT(keys_dir), NULL, ACCOUNT_KEYS, ACCOUNT_KEYS, 0700},
    {AT(keys_dir), "relay", ACCOUNT_KEYS, ACCOUNT_KEYS, 0700},
    {AT(keys_dir), "dkim", ACCOUNT_KEYS, ACCOUNT_KEYS, 0700},
    {.owner = NULL},
};

int
folder_wanted(const struct house_folder *f, const struct config *config,
    struct folder_wanted *out)
{
	const char *base;
	struct account owner, group;

	out->made = false;
	memcpy(&base, (const char *)config + f->where, sizeof(base));
	snprintf(out->path, sizeof(out->path), "%s%s%s", base,
	    f->below != NULL ? "/" : "", f->below != NULL ? f->below : "");
	if (!privileges_are_root()) {
		out->uid = geteuid();
		out->gid = getegid();
		out->mode = f->mode & 0700;
		return 0;
	}
	if (account_find(f->owner, &owner) == -1 ||
	    account_find(f->group, &group) == -1)
		return -1;
	out->uid = owner.uid;
	out->gid = group.gid;
	out->mode = f->mode;
	return 0;
}

static int
complain(const char *what, const char *path)
{
	fprintf(stderr, "postrider: cannot %s %s: %s\n", what, path,
	    strerror(errno));
	return EX_CANTCREAT;
}

/* In a dry run nothing is there afterwards, but was named before. */
static bool
was_named(const char *path)
{
	static struct buf named = BUF_INIT(65536);
	char line[4096 + 2];

	snprintf(line, sizeof(line), "\n%s\n", path);
	if (buf_text(&named) != NULL && strstr(buf_text(&named), line) != NULL)
		return true;
	buf_addf(&named, "%s", line);
	return false;
}

int
folder_make_above(const char *path, bool dry)
{
	char above[4096];
	struct stat status;

	snprintf(above, sizeof(above), "%s", path);
	for (char *slash = above; (slash = strchr(slash + 1, '/')) != NULL;) {
		*slash = '\0';
		if (stat(above, &status) == -1 && !was_named(above)) {
			printf("mkdir %s\n", above);
			if (!dry && mkdir(above, 0755) == -1)
				return complain("make", above);
		}
		*slash = '/';
	}
	return EX_OK;
}

static void
announce(const struct house_folder *f, const char *path)
{
	was_named(path);
	if (privileges_are_root())
		printf("mkdir %s (%s:%s, %04o)\n", path, f->owner, f->group,
		    (unsigned)f->mode);
	else
		printf("mkdir %s (%04o)\n", path, (unsigned)(f->mode & 0700));
}

static bool
is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy != -1 ? fdopendir(copy) : NULL;
	struct dirent *entry;
	bool empty = true;

	if (dir == NULL) {
		if (copy != -1)
			close(copy);
		return false;
	}
	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	return empty;
}

/*
 * A folder that is somebody's and in use is not taken from them: a mail-dir
 * of /var/mail would cost the whole system its mailboxes.
 */
static int
set_owner(
    int fd, const struct folder_wanted *w, const struct stat *is, bool dry)
{
	if (is->st_uid == w->uid && is->st_gid == w->gid)
		return EX_OK;
	if (is->st_uid != w->uid && !is_empty(fd)) {
		fprintf(stderr,
		    "postrider: %s is in use and belongs to uid %lu: give "
		    "Postrider a folder of its own\n",
		    w->path, (unsigned long)is->st_uid);
		return EX_CANTCREAT;
	}
	if (!w->made)
		printf("chown %lu:%lu %s\n", (unsigned long)w->uid,
		    (unsigned long)w->gid, w->path);
	if (!dry && fchown(fd, w->uid, w->gid) == -1)
		return complain("give away", w->path);
	return EX_OK;
}

static int
set_right(int fd, const struct folder_wanted *w, bool dry)
{
	struct stat is;
	int code;

	if (fstat(fd, &is) == -1)
		return complain("use", w->path);
	code = set_owner(fd, w, &is, dry);
	if (code != EX_OK || (is.st_mode & 07777) == w->mode)
		return code;
	if (!w->made)
		printf("chmod %04o %s\n", (unsigned)w->mode, w->path);
	if (!dry && fchmod(fd, w->mode) == -1)
		return complain("change", w->path);
	return EX_OK;
}

int
folder_make(const struct house_folder *f, const struct config *config, bool dry)
{
	struct folder_wanted w;
	struct stat status;
	int fd, code;

	if (folder_wanted(f, config, &w) == -1) {
		/* In a dry run the accounts were not made. */
		folder_make_above(w.path, true);
		announce(f, w.path);
		return dry ? EX_OK : EX_NOUSER;
	}
	if (lstat(w.path, &status) == -1 && errno == ENOENT) {
		code = folder_make_above(w.path, dry);
		announce(f, w.path);
		if (code != EX_OK || dry)
			return code;
		if (fs_make_dir(AT_FDCWD, w.path, 0700) == -1)
			return complain("make", w.path);
		w.made = true;
	}
	fd = fs_open_dir(AT_FDCWD, w.path);
	if (fd == -1)
		return complain("open", w.path);
	code = set_right(fd, &w, dry);
	close(fd);
	return code;
}
