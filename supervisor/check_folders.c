/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "supervisor/folders.h"
#include "supervisor/report.h"

static void
check_folder(const struct house_folder *f, const struct config *config)
{
	struct folder_wanted w;
	struct stat is;

	if (folder_wanted(f, config, &w) == -1)
		return; /* check_accounts tells */
	if (lstat(w.path, &is) == -1) {
		report_error(
		    "%s: %s: run \"postrider init\"", w.path, strerror(errno));
		return;
	}
	if (!S_ISDIR(is.st_mode)) {
		report_error("%s is not a folder", w.path);
		return;
	}
	if (is.st_uid != w.uid)
		report_error("%s belongs to uid %lu, not %lu", w.path,
		    (unsigned long)is.st_uid, (unsigned long)w.uid);
	else if ((is.st_mode & 0700) != 0700 ||
	    ((w.mode & 02000) != 0 &&
		((is.st_mode & 02000) == 0 || is.st_gid != w.gid)))
		report_error("%s has mode %04o and gid %lu, not %04o and %lu: "
			     "run \"postrider init\"",
		    w.path, (unsigned)is.st_mode & 07777,
		    (unsigned long)is.st_gid, (unsigned)w.mode,
		    (unsigned long)w.gid);
	else if ((is.st_mode & 0077 & ~w.mode) != 0)
		report_warning("%s has mode %04o: %04o is enough", w.path,
		    (unsigned)is.st_mode & 07777, (unsigned)w.mode);
}

void
check_folders(const struct config *config)
{
	for (const struct house_folder *f = house_folders; f->owner != NULL;
	     f++)
		check_folder(f, config);
}

/* -- file systems -- */

enum {
	EXT_MAGIC = 0xef53,
	EXT_SUPERBLOCK = 1024,  /* where it lies on the device */
	EXT_MAGIC_AT = 0x38,    /* le16 */
	EXT_COMPAT_AT = 0x5c,   /* le32 */
	EXT_FAST_COMMIT = 0x400 /* in that */
};

static uint32_t
little(const unsigned char *octets, int n)
{
	uint32_t value = 0;

	while (n-- > 0)
		value = value << 8 | octets[n];
	return value;
}

/*
 * With fast_commit a power cut may undo names in another order than they
 * were made; see postrider-spool(5).  The superblock tells, where we may
 * read the device; where not, nothing is said.
 */
static bool
has_fast_commit(dev_t device)
{
	unsigned char block[EXT_COMPAT_AT + 4];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/dev/block/%u:%u", major(device),
	    minor(device));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return false;
	n = pread(fd, block, sizeof(block), EXT_SUPERBLOCK);
	close(fd);
	return n == (ssize_t)sizeof(block) &&
	    little(block + EXT_MAGIC_AT, 2) == EXT_MAGIC &&
	    (little(block + EXT_COMPAT_AT, 4) & EXT_FAST_COMMIT) != 0;
}

void
check_file_systems(const struct config *config)
{
	struct stat spool, mail;
	struct statfs fs;

	if (stat(config->spool_dir, &spool) == -1 ||
	    stat(config->mail_dir, &mail) == -1 ||
	    statfs(config->spool_dir, &fs) == -1)
		return; /* check_folders tells */
	if (spool.st_dev != mail.st_dev)
		report_warning("%s and %s are on different file systems: mail "
			       "is copied instead of linked",
		    config->spool_dir, config->mail_dir);
	if (fs.f_type == EXT_MAGIC && has_fast_commit(spool.st_dev))
		report_warning("%s is on ext4 with fast_commit, which may lose "
			       "names in a power cut: tune2fs -O ^fast_commit",
		    config->spool_dir);
}
