/* SPDX-License-Identifier: ISC */
#include "mailbox/junk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/maildir.h"

static const char name[] = "." JUNK_NAME;

static int
fail_closed(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

/* Without it Dovecot and others would not take it for a part of the whole. */
static int
mark(int junk)
{
	int fd = openat(junk, "maildirfolder",
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1)
		return errno == EEXIST ? 0 : -1;
	close(fd);
	return fs_sync(junk);
}

int
junk_open(int maildir, bool create)
{
	int junk = fs_open_dir(maildir, name);

	if (junk == -1 && (errno != ENOENT || !create))
		return -1;
	if (junk != -1)
		close(junk);
	/* One that another program is making may lack a part yet. */
	junk = maildir_open(maildir, name, true);
	if (junk != -1 && mark(junk) == -1)
		return fail_closed(junk);
	return junk;
}

static bool
begin(struct target *junk, int maildir, bool create)
{
	*junk = (struct target){
	    .maildir = junk_open(maildir, create), .folder = -1};
	if (junk->maildir == -1)
		return false;
	junk->folder = fs_open_dir(junk->maildir, "new");
	if (junk->folder == -1) {
		fail_closed(junk->maildir);
		return false;
	}
	junk->ordered = fs_keeps_order(junk->folder);
	return true;
}

static void
end(struct target *junk)
{
	close(junk->folder);
	close(junk->maildir);
}

static struct placement
within(const struct target *target, const struct placement *p)
{
	struct placement there = *p;

	there.maildir = target->maildir;
	there.folder = target->folder;
	there.ordered = target->ordered;
	return there;
}

/* What is no folder, but a link or a file, holds no message of ours. */
static bool
is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

static enum verdict
fail(const char **why)
{
	*why = strerror(errno);
	return place_verdict(errno);
}

static enum verdict
place_in_one(const struct target *wanted, const struct target *other,
    const struct placement *p, bool *is_in_other, const char **why)
{
	struct placement there;

	*is_in_other = false;
	if (p->again && other != NULL) {
		there = within(other, p);
		switch (place_find(&there)) {
		case 1:
			*is_in_other = true;
			return VERDICT_OK;
		case 0:
			break;
		default:
			return fail(why);
		}
	}
	there = within(wanted, p);
	return place_message(&there, why);
}

enum verdict
junk_place(const struct target *inbox, bool into_folder,
    const struct placement *p, const char **folder, const char **why)
{
	struct target junk;
	const struct target *wanted = inbox, *other = NULL;
	enum verdict verdict;
	bool is_in_other, has_junk = false;

	if (into_folder || p->again) {
		has_junk = begin(&junk, inbox->maildir, into_folder);
		if (!has_junk && (into_folder || !is_absent(errno)))
			return fail(why);
	}
	if (has_junk)
		other = &junk;
	if (into_folder) {
		wanted = &junk;
		other = inbox;
	}
	verdict = place_in_one(wanted, other, p, &is_in_other, why);
	*folder = into_folder != is_in_other ? JUNK_NAME : NULL;
	if (has_junk)
		end(&junk);
	return verdict;
}
