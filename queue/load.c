/* SPDX-License-Identifier: ISC */
#include "queue/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

/* What is found of one message, and what that means. */
struct finding {
	bool has_envelope, has_content;
	enum envelope_result envelope; /* when it has one */
	uint64_t octets;               /* of the content */
	const char *why;
	unsigned line;
	bool mends; /* may change what is wrong with modes and owners */
};

static const char foreign[] =
    "belongs to another user: postrider check --spool --repair";

static void
log_repaired(const char *id, const char *what, const char *why)
{
	log_event(LEVEL_WARNING, "repaired", log_text("id", id),
	    log_text("what", what), log_text("reason", why));
}

/* What was copied or restored may be ours and still be closed to us. */
static bool
mend_envelope(struct spool *s, const char *id, const struct finding *f)
{
	if (!f->mends || errno != EACCES)
		return false;
	if (fchmodat(s->envelope, id, 0600, 0) == -1) {
		errno = EACCES;
		return false;
	}
	log_repaired(id, "envelope", "wrong mode");
	return true;
}

/* Closed to us, or to mailbox that is to link it (postrider-spool(5)). */
static void
mend_content(struct spool *s, const char *id, enum spool_folder folder,
    const struct stat *is, const struct finding *f)
{
	mode_t mode = s->has_group ? 0660 : 0600;
	bool given = !s->has_group || is->st_gid == s->group;
	int dir = s->content[folder];

	/* With a second name it is in a Maildir, too, and has that one's. */
	if (!f->mends || is->st_nlink > 1 ||
	    ((is->st_mode & mode) == mode && given))
		return;
	if ((!given &&
		fchownat(dir, id, (uid_t)-1, s->group, AT_SYMLINK_NOFOLLOW) ==
		    -1) ||
	    fchmodat(dir, id, mode, 0) == -1)
		log_event(LEVEL_WARNING, "cannot protect", log_text("id", id),
		    log_text("reason", strerror(errno)));
	else
		log_repaired(id, "content", "wrong mode or group");
}

/* What says something of the file, and not of this moment. */
static bool
is_passing(int reason)
{
	static const int lasting[] = {ELOOP, EISDIR, EINVAL, ENXIO, ENODEV,
	    EACCES, EPERM, EFBIG, EBADMSG, EUCLEAN};

	for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++)
		if (reason == lasting[i])
			return false;
	return true;
}

/* Nearly all are small: one call, and no memory. */
static enum envelope_result
read_envelope(int fd, struct finding *f, struct envelope *e)
{
	static char small[8192];
	enum envelope_result result;
	char *octets;
	size_t n;
	ssize_t got;

	while (
	    (got = pread(fd, small, sizeof(small), 0)) == -1 && errno == EINTR)
		continue;
	if (got >= 0 && (size_t)got < sizeof(small))
		return envelope_parse(e, small, (size_t)got, &f->why, &f->line);
	if (fs_read_all(fd, ENVELOPE_FILE_MAX, &octets, &n) == -1) {
		if (errno == EFBIG)
			f->why = "too big";
		return is_passing(errno) ? ENVELOPE_NO_MEMORY : ENVELOPE_BAD;
	}
	result = envelope_parse(e, octets, n, &f->why, &f->line);
	free(octets);
	return result;
}

/* False: not now.  A file that is no file at all counts as bad. */
static bool
find_envelope(
    struct spool *s, const char *id, struct finding *f, struct envelope *e)
{
	struct stat status;
	int fd = spool_envelope(s, id);

	if (fd == -1 && mend_envelope(s, id, f))
		fd = spool_envelope(s, id);
	if (fd == -1 && errno == ENOENT)
		return true;
	if (fd == -1 && is_passing(errno))
		return false;
	f->has_envelope = true;
	f->envelope = ENVELOPE_BAD;
	f->why = "unreadable";
	if (fd == -1)
		return true;
	if (f->mends && fstat(fd, &status) == 0 && status.st_uid != geteuid())
		f->why = foreign;
	else
		f->envelope = read_envelope(fd, f, e);
	close(fd);
	return f->envelope != ENVELOPE_NO_MEMORY;
}

static bool
find_content(struct spool *s, const char *id, enum spool_folder folder,
    struct finding *f)
{
	struct stat status;

	if (fstatat(s->content[folder], id, &status, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT;
	f->has_content = true;
	f->octets = (uint64_t)status.st_size;
	if (S_ISREG(status.st_mode) && status.st_uid == geteuid()) {
		mend_content(s, id, folder, &status, f);
		return true;
	}
	f->has_envelope = true;
	f->envelope = ENVELOPE_BAD;
	f->line = 0;
	f->why = S_ISREG(status.st_mode) ? foreign : "not a regular file";
	return true;
}

/*
 * The table.  Acknowledged is what was deferred or has an outcome; for
 * anything else a part that is missing means that the disk kept less than was
 * written, so that no 250 was ever given.
 */
static enum load_result
judge(struct finding *f, enum spool_folder folder, const struct envelope *e)
{
	bool tried = folder == SPOOL_CUR ||
	    (f->has_envelope && f->envelope == ENVELOPE_WHOLE && e->outcomes);

	if (!f->has_content)
		return f->has_envelope ? LOAD_SWEPT : LOAD_GONE;
	if (!f->has_envelope) {
		f->why = "no envelope";
		return tried ? LOAD_ASIDE : LOAD_SWEPT;
	}
	switch (f->envelope) {
	case ENVELOPE_WHOLE:
		if (f->octets == e->content)
			return LOAD_MESSAGE;
		f->line = 0;
		f->why = "content is not as long as its envelope says";
		return f->octets < e->content && !tried ? LOAD_SWEPT
							: LOAD_ASIDE;
	case ENVELOPE_TORN:
		return tried ? LOAD_ASIDE : LOAD_SWEPT;
	default:
		return LOAD_ASIDE;
	}
}

static void
tell_why(const struct finding *f, char why[LOAD_WHY_SIZE])
{
	const char *text = f->why != NULL ? f->why : "";

	if (f->line > 0)
		snprintf(
		    why, LOAD_WHY_SIZE, "envelope line %u: %s", f->line, text);
	else
		snprintf(why, LOAD_WHY_SIZE, "%s", text);
}

enum load_result
load_judge(struct spool *s, const char *id, enum spool_folder folder,
    struct envelope *e, char why[LOAD_WHY_SIZE])
{
	struct finding f = {0};
	enum load_result result;

	envelope_init(e);
	if (!find_envelope(s, id, &f, e) || !find_content(s, id, folder, &f)) {
		f.why = strerror(errno);
		result = LOAD_LATER;
	} else {
		result = judge(&f, folder, e);
	}
	tell_why(&f, why);
	if (result != LOAD_MESSAGE)
		envelope_free(e);
	return result;
}

enum load_result
load_peek(struct spool *s, const char *id, enum spool_folder folder,
    struct envelope *e)
{
	char why[LOAD_WHY_SIZE];

	return load_judge(s, id, folder, e, why);
}

bool
load_glance(struct spool *s, const char *id, struct envelope *e)
{
	struct finding f = {0};

	envelope_init(e);
	return find_envelope(s, id, &f, e) && f.has_envelope &&
	    f.envelope == ENVELOPE_WHOLE;
}

static const char *const folder_names[] = {"new", "cur"};

static void
set_aside(struct spool *s, const char *id, enum spool_folder folder,
    const struct finding *f)
{
	char why[LOAD_WHY_SIZE];

	tell_why(f, why);
	spool_set_aside(s, folder_names[folder], id, why);
	if (f->has_envelope)
		spool_set_aside(s, "envelope", id, why);
}

static void
sweep(struct spool *s, const char *id, enum spool_folder folder)
{
	if (spool_remove(s, folder, id, false) == -1) {
		log_event(LEVEL_ERROR, "cannot remove", log_text("id", id),
		    log_text("reason", strerror(errno)));
		return;
	}
	log_event(LEVEL_INFO, "swept", log_text("id", id),
	    log_text("reason", "never acknowledged, or done"));
}

/* So that the next line does not begin behind the last one. */
static bool
end_line(struct spool *s, const char *id, struct envelope *e)
{
	int64_t whole;

	if (!e->unended)
		return true;
	whole = spool_append(s, id, e->whole, "\n", 1);
	if (whole == -1)
		return false;
	e->whole = (uint64_t)whole;
	e->unended = false;
	log_repaired(id, "envelope", "no line end at its end");
	return true;
}

enum load_result
load_message(struct spool *s, const char *id, enum spool_folder folder,
    struct envelope *e)
{
	struct finding f = {.mends = true};
	enum load_result result = LOAD_LATER;

	envelope_init(e);
	if (find_envelope(s, id, &f, e) && find_content(s, id, folder, &f))
		result = judge(&f, folder, e);
	if (result == LOAD_ASIDE)
		set_aside(s, id, folder, &f);
	else if (result == LOAD_SWEPT)
		sweep(s, id, folder);
	else if (result == LOAD_MESSAGE && !end_line(s, id, e))
		result = LOAD_LATER;
	if (result != LOAD_MESSAGE)
		envelope_free(e);
	return result;
}
