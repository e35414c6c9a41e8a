/* SPDX-License-Identifier: ISC */
#include "queue/room.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/queue.h"

enum {
	LOOK_MS = 1000,
	/* A reserve may be no more than this part of a small file system. */
	RESERVE_PART = 8,
	/* What a message takes besides its content: blocks, an envelope. */
	MESSAGE_OCTETS = 16384,
	MESSAGE_INODES = 2
};

/* One thing that may run out. */
struct stock {
	const char *name;
	uint64_t free, reserve; /* when looked at */
	uint64_t promised;      /* to messages that are being received */
	uint64_t taken;         /* by those that came since */
	bool endless;           /* the file system does not count these */
};

static struct {
	struct stock octets, inodes;
	int64_t looked; /* monotonic; 0: never */
	bool stopped;   /* and it was logged */
	bool failed;    /* a call did, whatever the figures say */
	struct timer timer;
} room = {.octets = {.name = "octets"}, .inodes = {.name = "inodes"}};

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool
suffices(const struct stock *s, uint64_t wanted)
{
	uint64_t left = s->free;
	const uint64_t uses[] = {s->reserve, s->promised, s->taken};

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		if (left < uses[i])
			return s->endless;
		left -= uses[i];
	}
	return s->endless || left >= wanted;
}

static void look_again(struct timer *);

static void
resume(void)
{
	if (!room.stopped)
		return;
	room.stopped = false;
	loop_timer_stop(&room.timer);
	log_event(LEVEL_INFO, "intake resumed",
	    log_number("free", (int64_t)room.octets.free),
	    log_number("inodes", (int64_t)room.inodes.free));
}

static void
stop(const char *what, const char *reason)
{
	if (room.stopped)
		return;
	room.stopped = true;
	log_event(LEVEL_WARNING, "intake stopped", log_text("what", what),
	    log_number("free", (int64_t)room.octets.free),
	    log_number("inodes", (int64_t)room.inodes.free),
	    log_text("reason", reason));
	room.timer.fire = look_again;
	loop_timer(&room.timer, LOOK_MS);
}

static void
judge(void)
{
	struct stock *stocks[] = {&room.octets, &room.inodes};

	for (int i = 0; i < 2; i++)
		if (!stocks[i]->endless &&
		    stocks[i]->free <= stocks[i]->reserve) {
			stop(stocks[i]->name, "only the reserve is left");
			return;
		}
	if (!room.failed)
		resume();
}

static void
count(struct stock *s, uint64_t left, uint64_t all, uint64_t reserve)
{
	s->free = left;
	s->reserve = least(reserve, all / RESERVE_PART);
	s->taken = 0;
	s->endless = all == 0;
}

/* A kernel that does not tell must not keep mail away. */
static void
look(void)
{
	struct statvfs is;
	uint64_t unit;

	room.looked = clock_monotonic_ms();
	if (fstatvfs(queue.spool.dir, &is) == -1) {
		room.octets.endless = room.inodes.endless = true;
		return;
	}
	unit = is.f_frsize > 0 ? is.f_frsize : is.f_bsize;
	count(&room.octets, is.f_bavail * unit, is.f_blocks * unit,
	    queue.config.spool_reserve);
	count(&room.inodes, is.f_favail, is.f_files,
	    queue.config.spool_reserve_inodes);
	judge();
}

static void
look_again(struct timer *t)
{
	look();
	if (room.stopped)
		loop_timer(t, LOOK_MS);
}

bool
room_for(uint64_t octets)
{
	if (room.looked == 0 || room.stopped ||
	    clock_monotonic_ms() - room.looked >= LOOK_MS)
		look();
	if (octets > UINT64_MAX - MESSAGE_OCTETS)
		return false;
	return suffices(&room.octets, octets + MESSAGE_OCTETS) &&
	    suffices(&room.inodes, MESSAGE_INODES);
}

void
room_promise(uint64_t octets)
{
	room.octets.promised += octets + MESSAGE_OCTETS;
	room.inodes.promised += MESSAGE_INODES;
}

void
room_settle(uint64_t octets, bool taken)
{
	room.octets.promised -= octets + MESSAGE_OCTETS;
	room.inodes.promised -= MESSAGE_INODES;
	if (!taken)
		return;
	room.octets.taken += octets + MESSAGE_OCTETS;
	room.inodes.taken += MESSAGE_INODES;
}

bool
room_failed(int reason)
{
	if (reason != ENOSPC && reason != EDQUOT)
		return false;
	room.failed = true;
	stop("call", strerror(reason));
	return true;
}

void
room_worked(void)
{
	if (!room.failed)
		return;
	room.failed = false;
	look();
}
