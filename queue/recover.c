/* SPDX-License-Identifier: ISC */
#include "queue/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/peer.h"
#include "common/protocol.h"
#include "common/sandbox.h"
#include "queue/child.h"
#include "queue/dispatch.h"
#include "queue/envelope.h"
#include "queue/facts.h"
#include "queue/hold.h"
#include "queue/lifetime.h"
#include "queue/load.h"
#include "queue/message.h"
#include "queue/queue.h"
#include "queue/reader.h"

enum {
	START_MS = 1000,           /* a reader that died, or was not born */
	AGAIN_MS = 60 * 1000,      /* what could not be read, at first; */
	AGAIN_MAX_MS = 3600 * 1000 /* doubled up to that */
};

static struct {
	struct peer peer; /* the reader */
	struct timer timer;
	bool tmp_too;  /* nobody receives there: the reader reads it */
	bool missed;   /* something could not be read now */
	bool complete; /* the reader came to its end */
	size_t found;
	int64_t began;      /* monotonic */
	int64_t began_unix; /* seconds */
	int64_t again_ms;
} scan;

/* -- messages -- */

/*
 * One that came in since may have gone since, and the reader has seen it in
 * between.
 */
static bool
is_gone(const struct facts *f)
{
	struct stat status;

	return f->time >= scan.began_unix &&
	    fstatat(queue.spool.content[f->folder], f->id, &status,
		AT_SYMLINK_NOFOLLOW) == -1;
}

/* Overdue ones come in the order in which they were due. */
static int64_t
due_in(const struct facts *f)
{
	struct retry_policy policy = queue_policy();
	int64_t now = clock_now();

	if (f->next > 0 && f->next < now)
		return (f->next - now) * 1000;
	return schedule_resume(&policy, f->next, now);
}

static void
take_up(const struct facts *f)
{
	struct message *m;

	if (message_find(f->id) != NULL || is_gone(f))
		return; /* came in, or was met, since the start */
	m = message_add(f->id);
	if (m == NULL) {
		scan.missed = true;
		return;
	}
	m->born -= lifetime_age(f->time) * 1000;
	m->attempts =
	    f->attempts < UINT16_MAX ? (uint16_t)f->attempts : UINT16_MAX;
	m->folder = f->folder;
	m->again = m->found = true;
	m->warned = f->warned;
	message_is_of(m, (uint32_t)f->sender, f->of_login);
	/* The reader may have followed a rule that has ended since. */
	message_hold(m, f->held && !hold_has_changed());
	message_lead_to(m, f->domain[0] != '\0' ? f->domain : NULL);
	scan.found++;
	dispatch_wait(m, due_in(f));
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
	struct facts f;

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
		facts_of(&f, id, folder, &e);
		f.held = hold_reason(&e) != NULL;
		envelope_free(&e);
		take_up(&f);
		break;
	case LOAD_LATER:
		log_event(LEVEL_ERROR, "cannot read", log_text("id", id),
		    log_text("reason", strerror(errno)));
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
		else if (errno != ENOENT) /* it went with its content */
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

/* -- the reader's words -- */

static bool
on_messages(struct packet *p)
{
	struct cursor c = packet_cursor(p);
	const char *name, *value;
	struct facts f;

	while (packet_next(&c, &name, &value)) {
		if (strcmp(name, "m") != 0 || !facts_read(&f, value))
			return false;
		take_up(&f);
	}
	return cursor_done(&c);
}

static const struct {
	const char *folder;
	void (*meet)(const char *name);
} folders[] = {
    {"tmp", meet_tmp},
    {"cur", meet_cur},
    {"new", meet_new},
    {"envelope", meet_envelope},
};
enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };

static bool
on_look(struct packet *p)
{
	const char *folder, *name;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("folder", PROTOCOL_NAME_MAX, &folder),
	    ATTRIBUTE_TEXT("name", NAME_MAX, &name)};

	if (!packet_read(p, "look", set, 2, 0) || strchr(name, '/') != NULL)
		return false;
	for (size_t i = 0; i < FOLDERS; i++)
		if (strcmp(folders[i].folder, folder) == 0) {
			folders[i].meet(name);
			return true;
		}
	return false;
}

static bool
on_missed(struct packet *p)
{
	const char *folder, *name, *reason;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("folder", PROTOCOL_NAME_MAX, &folder),
	    ATTRIBUTE_TEXT("name", NAME_MAX, &name),
	    ATTRIBUTE_TEXT("reason", PROTOCOL_TEXT_MAX, &reason)};

	if (!packet_read(p, "missed", set, 3, 0))
		return false;
	log_event(LEVEL_ERROR, "cannot read",
	    log_text("id", spool_is_id(name) ? name : NULL),
	    log_text("what", folder), log_text("reason", reason));
	scan.missed = true;
	return true;
}

static bool
on_packet(struct peer *peer, struct packet *p)
{
	(void)peer;
	if (packet_is(p, "messages"))
		return on_messages(p);
	if (packet_is(p, "look"))
		return on_look(p);
	if (packet_is(p, "missed"))
		return on_missed(p);
	scan.complete = packet_read(p, "end", NULL, 0, 0);
	return scan.complete;
}

/* -- the reader -- */

static void start_reader(struct timer *);

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
	scan.again_ms = scan.again_ms == 0 ? AGAIN_MS : 2 * scan.again_ms;
	if (scan.again_ms > AGAIN_MAX_MS)
		scan.again_ms = AGAIN_MAX_MS;
	scan.found = 0;
	loop_timer(&scan.timer, scan.again_ms);
}

static void
on_closed(struct peer *peer)
{
	peer_end(peer);
	if (scan.complete) {
		scan_end();
		return;
	}
	log_event(LEVEL_WARNING, "peer lost", log_text("what", "reader"),
	    log_text("reason", "it ended"));
	if (!queue.draining)
		loop_timer(&scan.timer, START_MS);
}

static _Noreturn void
become_reader(int end)
{
	const struct spool *s = &queue.spool;
	const int keep[] = {end, s->dir, s->content[SPOOL_NEW],
	    s->content[SPOOL_CUR], s->envelope, s->tmp};

	child_begin(keep, sizeof(keep) / sizeof(keep[0]));
	sandbox_exit(reader_run(end, &queue.spool, scan.tmp_too));
}

static void
start_reader(struct timer *t)
{
	int ends[2] = {-1, -1};
	pid_t pid = -1;

	if (ipc_pair(ends) == 0 && (pid = fork()) == 0)
		become_reader(ends[1]);
	if (pid == -1) {
		log_errno(LEVEL_ERROR, "cannot start", "reader");
		for (int i = 0; i < 2; i++)
			if (ends[i] >= 0)
				close(ends[i]);
		loop_timer(t, START_MS);
		return;
	}
	close(ends[1]);
	scan.missed = scan.complete = false;
	scan.peer = (struct peer){
	    .role = "reader", .packet = on_packet, .closed = on_closed};
	if (peer_begin(&scan.peer, ends[0]) == -1) {
		log_errno(LEVEL_ERROR, "cannot watch", "reader");
		loop_timer(t, START_MS);
	}
}

/* Where files have no names while they are received, tmp/ is not used. */
static bool
has_unnamed(void)
{
	int writer, reader;

	if (fs_unnamed(
		queue.spool.content[SPOOL_NEW], 0600, &writer, &reader) == -1)
		return errno != EOPNOTSUPP;
	close(writer);
	close(reader);
	return true;
}

/* Before the first message may be received there. */
static void
sweep_tmp(void)
{
	int fd = fs_open_dir(queue.spool.tmp, ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (dir == NULL) {
		log_errno(LEVEL_ERROR, "cannot scan", "tmp");
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			meet_tmp(entry->d_name);
	closedir(dir);
}

void
recover_begin(void)
{
	scan.began = clock_monotonic_ms();
	scan.began_unix = clock_now();
	scan.timer.fire = start_reader;
	scan.tmp_too = has_unnamed();
	if (!scan.tmp_too)
		sweep_tmp();
	start_reader(&scan.timer);
}
