/* SPDX-License-Identifier: ISC */
#include "mailbox/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "mailbox/open.h"
#include "mailbox/record.h"

enum { TARGETS = 128 }; /* two descriptors each */

static struct kept {
	struct target target;
	dev_t device;
	ino_t inode; /* of the folder */
} kept[TARGETS];

static struct kept *
place_for(const char *mailbox)
{
	uint32_t hash = 5381;

	for (const char *p = mailbox; *p != '\0'; p++)
		hash = hash * 33 + (unsigned char)*p;
	return &kept[hash % TARGETS];
}

static void
forget(struct kept *k)
{
	int saved = errno;

	if (k->target.mailbox == NULL)
		return;
	free(k->target.mailbox);
	close(k->target.maildir);
	close(k->target.folder);
	k->target.mailbox = NULL;
	errno = saved;
}

void
target_forget(const struct target *t)
{
	forget(place_for(t->mailbox));
}

/*
 * Is it still what its name leads to?  A name that leads there by a way on
 * which it would not have been opened (a link) does no harm: it is the folder
 * that was opened.
 */
static bool
stands(const struct kept *k, int mail_dir, const char *mailbox)
{
	struct mailbox_place place;
	char path[sizeof(place) + sizeof("//new")];
	struct stat status;

	if (k->target.mailbox == NULL ||
	    strcmp(k->target.mailbox, mailbox) != 0 ||
	    !mailbox_place(mailbox, &place))
		return false;
	snprintf(path, sizeof(path), "%s/%s/new", place.domain, place.local);
	return fstatat(mail_dir, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    status.st_dev == k->device && status.st_ino == k->inode;
}

static bool
open_both(struct target *t, int mail_dir, const char *mailbox)
{
	t->maildir = mailbox_open(mail_dir, mailbox);
	if (t->maildir == -1)
		return false;
	t->folder = fs_open_dir(t->maildir, "new");
	if (t->folder != -1)
		return true;
	close(t->maildir);
	return false;
}

const struct target *
target_of(int mail_dir, const char *mailbox)
{
	struct kept *k = place_for(mailbox);
	struct stat status;

	if (stands(k, mail_dir, mailbox))
		return &k->target;
	forget(k);
	if (!open_both(&k->target, mail_dir, mailbox))
		return NULL;
	k->target.mailbox = strdup(mailbox);
	if (k->target.mailbox == NULL ||
	    fstat(k->target.folder, &status) == -1) {
		close(k->target.maildir);
		close(k->target.folder);
		free(k->target.mailbox);
		k->target.mailbox = NULL;
		return NULL;
	}
	k->device = status.st_dev;
	k->inode = status.st_ino;
	k->target.ordered = fs_keeps_order(k->target.folder);
	return &k->target;
}
