/* SPDX-License-Identifier: ISC */
#include "queue/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/dispatch.h"
#include "queue/envelope.h"
#include "queue/load.h"
#include "queue/message.h"
#include "queue/queue.h"

enum { NAMES_A_TURN = 64, AGAIN_MS = 60 * 1000 };

/*
 * The folders in the order of the walk.  Content before envelopes: an
 * envelope whose content was not met is HALF.
 */
static void meet_tmp(const char *);
static void meet_new(const char *);
static void meet_cur(const char *);
static void meet_envelope(const char *);

static const struct walk {
	const char *folder;
	void (*meet)(const char *name);
} walks[] = {
    {"tmp", meet_tmp},
    {"cur", meet_cur},
    {"new", meet_new},
    {"envelope", meet_envelope},
};
enum { WALKS = sizeof(walks) / sizeof(walks[0]) };

static struct {
	size_t walk;
	DIR *dir;
	struct timer timer;
	bool missed; /* something could not be read now */
	size_t found;
	int64_t began;
} scan;

/* -- messages -- */

static void
take_up(const char *id, enum spool_folder folder, const struct envelope *e)
{
	struct message *m = message_add(id);
	struct retry_policy policy = queue_policy();
	int64_t now = clock_now();

	if (m == NULL) {
		scan.missed = true;
		return;
	}
	/* A clock that stood elsewhere then must not make it older than old. */
	if (e->time < now)
		m->born -= (now - e->time) * 1000;
	m->attempts = e->attempts < UINT16_MAX ? (uint16_t)e->attempts
					       : UINT16_MAX;
	m->folder = folder;
	m->again = true;
	message_describe(m, e);
	scan.found++;
	dispatch_wait(m, schedule_resume(&policy, e->next, now));
}

static bool
in_both(const char *id)
{
	struct stat status;

	return fstatat(queue.spool.content[SPOOL_CUR], id, &status,
		   AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(queue.spool.content[SPOOL_NEW], id, &status,
		AT_SYMLINK_NOFOLLOW) == 0;
}

static void
meet_message(const char *id, enum spool_folder folder)
{
	struct envelope e;

	if (message_find(id) != NULL)
		return; /* came in, or was met, since the start */
	if (in_both(id)) {
		spool_set_aside(&queue.spool, "new", id, "also in cur");
		spool_set_aside(&queue.spool, "cur", id, "also in new");
		spool_set_aside(
		    &queue.spool, "envelope", id, "content in new and in cur");
		return;
	}
	switch (load_message(&queue.spool, id, folder, &e)) {
	case LOAD_MESSAGE:
		take_up(id, folder, &e);
		envelope_free(&e);
		break;
	case LOAD_LATER:
		scan.missed = true;
		break;
	default:
		break;
	}
}

/* -- folders -- */

static void
meet_new(const char *name)
{
	if (spool_is_id(name))
		meet_message(name, SPOOL_NEW);
	else
		spool_set_aside(&queue.spool, "new", name, "foreign name");
}

/*
 * A mail reader that opened the spool as a Maildir has moved what it showed
 * to cur/ and put its flags behind.
 */
static bool
take_flags_away(const char *name, char id[FS_ID_SIZE])
{
	enum { ID = FS_ID_SIZE - 1 };
	int cur = queue.spool.content[SPOOL_CUR];
	struct stat status;

	if (strnlen(name, ID + 1) <= ID || strncmp(name + ID, ":2,", 3) != 0)
		return false;
	memcpy(id, name, ID);
	id[ID] = '\0';
	return spool_is_id(id) &&
	    fstatat(cur, id, &status, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT && renameat(cur, name, cur, id) == 0;
}

static void
meet_cur(const char *name)
{
	char id[FS_ID_SIZE];

	if (spool_is_id(name))
		meet_message(name, SPOOL_CUR);
	else if (take_flags_away(name, id))
		meet_message(id, SPOOL_CUR);
	else
		spool_set_aside(&queue.spool, "cur", name, "foreign name");
}

static bool
has_content(const char *id)
{
	struct stat status;

	for (int i = SPOOL_NEW; i <= SPOOL_CUR; i++)
		if (fstatat(queue.spool.content[i], id, &status,
			AT_SYMLINK_NOFOLLOW) == 0 ||
		    errno != ENOENT)
			return true;
	return false;
}

static void
meet_envelope(const char *name)
{
	if (!spool_is_id(name)) {
		spool_set_aside(&queue.spool, "envelope", name, "foreign name");
		return;
	}
	if (message_find(name) != NULL || has_content(name))
		return;
	if (unlinkat(queue.spool.envelope, name, 0) == -1) {
		if (errno == EISDIR || errno == EPERM)
			spool_set_aside(&queue.spool, "envelope", name,
			    "not a regular file");
		else
			log_event(LEVEL_ERROR, "cannot remove",
			    log_text("id", name),
			    log_text("reason", strerror(errno)));
		return;
	}
	log_event(LEVEL_INFO, "swept", log_text("id", name),
	    log_text("reason", "never acknowledged, or done"));
}

static void
meet_tmp(const char *name)
{
	if (unlinkat(queue.spool.tmp, name, 0) == -1 && errno != ENOENT)
		spool_set_aside(
		    &queue.spool, "tmp", name, "not a regular file");
}

/* -- the walk -- */

static int
folder_of(size_t walk)
{
	const int folders[WALKS] = {queue.spool.tmp,
	    queue.spool.content[SPOOL_CUR], queue.spool.content[SPOOL_NEW],
	    queue.spool.envelope};

	return folders[walk];
}

/* A copy, because closedir() closes; its own, for the offset. */
static bool
open_walk(void)
{
	int fd = fs_open_dir(folder_of(scan.walk), ".");

	if (fd == -1)
		return false;
	scan.dir = fdopendir(fd);
	if (scan.dir == NULL)
		close(fd);
	return scan.dir != NULL;
}

/* One name; false at the end of everything. */
static bool
scan_step(void)
{
	struct dirent *entry;

	if (scan.walk == WALKS)
		return false;
	if (scan.dir == NULL && !open_walk()) {
		log_errno(LEVEL_ERROR, "cannot scan", walks[scan.walk].folder);
		scan.missed = true;
		scan.walk++;
		return true;
	}
	errno = 0;
	entry = readdir(scan.dir);
	if (entry == NULL) {
		if (errno != 0)
			scan.missed = true;
		closedir(scan.dir);
		scan.dir = NULL;
		scan.walk++;
		return true;
	}
	if (strcmp(entry->d_name, ".") != 0 &&
	    strcmp(entry->d_name, "..") != 0) {
		walks[scan.walk].meet(entry->d_name);
	}
	return true;
}

/* What failed for want of descriptors or memory gets another chance. */
static void
scan_end(void)
{
	log_event(LEVEL_INFO, "recovered",
	    log_number("messages", (int64_t)scan.found),
	    log_delay("delay", clock_monotonic_ms() - scan.began));
	if (!scan.missed)
		return;
	log_event(LEVEL_WARNING, "not all read", log_text("what", "spool"));
	scan.walk = 1; /* tmp/ is in use by now */
	scan.missed = false;
	scan.found = 0;
	loop_timer(&scan.timer, AGAIN_MS);
}

static void
scan_some(struct timer *t)
{
	for (int i = 0; i < NAMES_A_TURN; i++)
		if (!scan_step()) {
			scan_end();
			return;
		}
	loop_timer(t, 0);
}

void
recover_begin(void)
{
	scan.began = clock_monotonic_ms();
	scan.timer.fire = scan_some;
	/* Before the first message may be received there. */
	while (scan.walk == 0 && scan_step())
		continue;
	loop_timer(&scan.timer, 0);
}
