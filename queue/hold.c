/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* pipe2 */
#include "queue/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/sandbox.h"
#include "queue/child.h"
#include "queue/dispatch.h"
#include "queue/queue.h"

enum { AGAIN_MS = 10 * 1000 };

static struct holds holds;

/* What the disk is to have, and what a child is writing. */
static struct {
	unsigned long wanted, writing, written; /* numbers of changes */
	struct watch child;                     /* the end of its pipe */
	int reason;                             /* why it failed */
	bool damaged; /* it was read, and not understood */
	struct timer again;
	struct hold_wish *wishes;
} file;

const struct holds *
hold_rules(void)
{
	return &holds;
}

bool
hold_has_changed(void)
{
	return file.wanted > 0;
}

const struct hold_rule *
hold_login_rule(const char *login)
{
	return holds_of_login(&holds, login);
}

const char *
hold_reason(const struct envelope *e)
{
	return holds_reason(&holds, e);
}

void
hold_message(struct message *m, const char *id, const char *reason)
{
	log_event(
	    LEVEL_INFO, "held", log_text("id", id), log_text("reason", reason));
	message_hold(m, true);
	dispatch_wait(m, 0); /* which it does not, being held */
}

bool
hold_applies(struct message *m, const struct envelope *e)
{
	const char *reason = hold_reason(e);
	char id[FS_ID_SIZE];

	if (reason == NULL)
		return false;
	message_id(m, id);
	hold_message(m, id, reason);
	return true;
}

/* -- the child -- */

static _Noreturn void
write_and_tell(int pipe, const struct buf *text)
{
	const int keep[] = {pipe, queue.spool.dir};
	int reason = 0;

	/* No copy of a client's socket, nor of a file that is written. */
	child_begin(keep, 2);
	if (holds_write(queue.spool.dir, file.damaged, text->data, text->len) ==
	    -1)
		reason = errno;
	(void)!write(pipe, &reason, sizeof(reason));
	sandbox_exit(0);
}

static void store(void);

static void
store_again(struct timer *t)
{
	(void)t;
	store();
}

static void
tell(unsigned long number, const char *why)
{
	struct hold_wish **where = &file.wishes, *w;

	while ((w = *where) != NULL) {
		if (w->number > number) {
			where = &w->next;
			continue;
		}
		*where = w->next;
		w->done(w, why);
		where = &file.wishes; /* it may have changed the list */
	}
}

static void
failed(struct timer *t)
{
	unsigned long number = file.writing;

	log_event(LEVEL_ERROR, "cannot write", log_text("what", "holds"),
	    log_text("reason", strerror(file.reason)));
	file.writing = 0;
	t->fire = store_again;
	loop_timer(t, AGAIN_MS);
	tell(number, strerror(file.reason));
}

static void
fail(int reason)
{
	file.reason = reason;
	file.again.fire = failed;
	loop_timer(&file.again, 0);
}

static void
on_child(struct watch *w, uint32_t events)
{
	int reason = EIO; /* it died before it could say more */

	(void)events;
	(void)!read(w->fd, &reason, sizeof(reason));
	loop_unwatch(w);
	close(w->fd);
	if (reason != 0) {
		fail(reason);
		return;
	}
	file.damaged = false;
	file.written = file.writing;
	file.writing = 0;
	tell(file.written, NULL);
	store();
}

static int
start_child(const struct buf *text)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		write_and_tell(ends[1], text);
	close(ends[1]);
	file.child =
	    (struct watch){.fd = ends[0], .events = EPOLLIN, .ready = on_child};
	if (pid != -1 && loop_watch(&file.child) == 0)
		return 0;
	close(ends[0]);
	return -1;
}

static void
store(void)
{
	struct buf text = BUF_INIT(HOLDS_FILE_MAX);

	if (file.writing != 0 || file.written == file.wanted)
		return;
	file.writing = file.wanted;
	errno = ENOMEM;
	if (!holds_format(&holds, &text) || start_child(&text) == -1)
		fail(errno);
	buf_free(&text);
}

static void
changed(struct hold_wish *wish)
{
	file.wanted++;
	if (wish != NULL) {
		wish->number = file.wanted;
		wish->next = file.wishes;
		file.wishes = wish;
	}
	store();
}

void
hold_forget(struct hold_wish *wish)
{
	for (struct hold_wish **w = &file.wishes; *w != NULL; w = &(*w)->next)
		if (*w == wish) {
			*w = wish->next;
			return;
		}
}

/* -- rules -- */

static void
log_rule(enum hold_kind kind, const char *name, const char *reason)
{
	log_event(LEVEL_INFO,
	    reason != NULL ? "holding mail" : "no longer holding mail",
	    log_text("what", hold_kind_name(kind)),
	    log_text("auth", kind == HOLD_LOGIN ? name : NULL),
	    log_address("from", kind == HOLD_SENDER ? name : NULL),
	    log_text("uid", kind == HOLD_UID ? name : NULL),
	    log_text("reason", reason));
}

int
hold_rule(enum hold_kind kind, const char *name, const char *reason,
    struct hold_wish *wish)
{
	if (holds_set(&holds, kind, name, reason, clock_now()) == -1)
		return -1;
	log_rule(kind, name, reason);
	changed(wish);
	return 0;
}

int
hold_rule_reword(enum hold_kind kind, const char *name, const char *reason)
{
	const struct hold_rule *r = holds_find(&holds, kind, name);

	if (r == NULL)
		return 0;
	if (holds_set(&holds, kind, name, reason, r->since) == -1)
		return -1;
	changed(NULL);
	return 0;
}

bool
hold_rule_end(enum hold_kind kind, const char *name, struct hold_wish *wish)
{
	bool ended = holds_end(&holds, kind, name);

	/* One that ended before comes back if the disk does not hear of it. */
	if (!ended && file.written == file.wanted)
		return false;
	if (ended)
		log_rule(kind, name, NULL);
	changed(wish);
	return true;
}

void
hold_begin(void)
{
	int bad = holds_read(&holds, queue.spool.dir);

	/* The next rule must not cost those that stand there. */
	file.damaged = bad != 0;
	if (bad == -1)
		log_errno(LEVEL_ERROR, "cannot read", "holds");
	else if (bad > 0)
		log_event(LEVEL_ERROR, "hold rules damaged",
		    log_number("lines", bad));
}
