/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "mailbox/folder.h"
#include "mailbox/snapshot.h"

/*
 * A delivery that was killed before the queue had recorded it is done again
 * at the next start, and then looked for by its name.  A linked file has a
 * name in the spool until it is recorded; a copy has not, but the queue
 * comes back to it well within this time.
 */
enum { COPY_REMEMBERED = 36 * 3600 };

/*
 * Spool files are readable for the group, copies are not; started by an
 * ordinary user neither is, but nothing on the spool's device is a copy.
 */
static bool
is_copy(const struct stat *status, bool links_only)
{
	return !links_only && (status->st_mode & S_IRGRP) == 0;
}

static bool
queue_may_ask(
    const struct stat *status, bool links_only, const char *name, int64_t now)
{
	struct maildir_parts parts;

	if (status->st_nlink > 1)
		return true;
	return is_copy(status, links_only) && maildir_parse(name, &parts) &&
	    parts.has_size && parts.has_wire &&
	    now - status->st_ctim.tv_sec < COPY_REMEMBERED;
}

static void
base_name(const char *name, char out[MAILDIR_NAME_MAX + 1])
{
	snprintf(
	    out, MAILDIR_NAME_MAX + 1, "%.*s", (int)strcspn(name, ":"), name);
}

/* -- deleting and moving -- */

static int
remove_file(struct snapshot *s, size_t i)
{
	int folder = s->messages[i].is_new ? s->new : s->cur;
	const char *name = snapshot_name(s, i);
	char base[MAILDIR_NAME_MAX + 1];
	struct stat status;

	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (!queue_may_ask(&status, s->links_only, name, (int64_t)clock_now()))
		return unlinkat(folder, name, 0);
	base_name(name, base);
	return renameat(folder, name, s->tmp, base);
}

/* With S among its flags, which stand in ASCII order. */
static bool
seen_name(const char *name, char out[MAILDIR_NAME_MAX + 1])
{
	struct maildir_parts parts;
	size_t before;
	int n;

	if (!maildir_parse(name, &parts) || strchr(parts.flags, 'S') != NULL)
		return false;
	for (before = 0; parts.flags[before] != '\0'; before++)
		if (parts.flags[before] > 'S')
			break;
	n = snprintf(out, MAILDIR_NAME_MAX + 1, "%.*s:2,%.*sS%s",
	    (int)parts.base, name, (int)before, parts.flags,
	    parts.flags + before);
	return n > 0 && n <= MAILDIR_NAME_MAX;
}

static int
mark_seen(struct snapshot *s, size_t i)
{
	int folder = s->messages[i].is_new ? s->new : s->cur;
	char name[MAILDIR_NAME_MAX + 1];

	if (!seen_name(snapshot_name(s, i), name))
		return 0;
	return renameat(folder, snapshot_name(s, i), s->cur, name);
}

/*
 * Somebody else may have given it other flags meanwhile, or removed it: to
 * open it finds it under its new name.
 */
static int
do_again(struct snapshot *s, size_t i, int (*action)(struct snapshot *, size_t))
{
	int rc = action(s, i), fd;

	if (rc == 0 || errno != ENOENT)
		return rc;
	fd = snapshot_open(s, i);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	close(fd);
	return action(s, i);
}

static void
sync_folders(const struct snapshot *s)
{
	if (fs_sync(s->new) == -1 || fs_sync(s->cur) == -1 ||
	    fs_sync(s->tmp) == -1)
		log_errno(LEVEL_WARNING, "cannot sync", "maildir");
}

size_t
snapshot_commit(struct snapshot *s, size_t *deleted)
{
	size_t failed = 0;
	bool changed = false;

	*deleted = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct snapshot_message *m = &s->messages[i];

		if (m->delete &&do_again(s, i, remove_file) == -1) {
			log_event(LEVEL_WARNING, "cannot remove",
			    log_text("what", snapshot_name(s, i)),
			    log_text("reason", strerror(errno)));
			failed++;
		} else if (m->delete) {
			++*deleted;
		} else if (m->seen && do_again(s, i, mark_seen) == -1) {
			log_event(LEVEL_WARNING, "cannot mark",
			    log_text("what", snapshot_name(s, i)),
			    log_text("reason", strerror(errno)));
		}
		changed = changed || m->delete || m->seen;
	}
	if (changed)
		sync_folders(s);
	return failed;
}

/* -- what is left in tmp/ -- */

struct sweep {
	int tmp;
	bool links_only;
	int64_t now, queue_lifetime;
};

static bool
is_over(const struct sweep *sweep, const struct stat *status, const char *name)
{
	int64_t age = sweep->now - status->st_ctim.tv_sec;
	struct maildir_parts parts;

	if (status->st_nlink > 1)
		return age > sweep->queue_lifetime + COPY_REMEMBERED;
	if (!is_copy(status, sweep->links_only) &&
	    maildir_parse(name, &parts) && parts.has_size && parts.has_wire)
		return true;
	return age > COPY_REMEMBERED;
}

static bool
sweep_one(const char *name, unsigned char type, void *context)
{
	const struct sweep *sweep = context;
	struct stat status;

	(void)type;
	if (fstatat(sweep->tmp, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(status.st_mode) && is_over(sweep, &status, name))
		(void)unlinkat(sweep->tmp, name, 0);
	return true;
}

void
snapshot_sweep(
    int maildir, bool links_only, int64_t now, int64_t queue_lifetime)
{
	struct sweep sweep = {.links_only = links_only,
	    .now = now,
	    .queue_lifetime = queue_lifetime};

	sweep.tmp = fs_open_dir(maildir, "tmp");
	if (sweep.tmp == -1)
		return;
	(void)folder_each(maildir, "tmp", sweep_one, &sweep);
	close(sweep.tmp);
}
