/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* epoll_pwait's sigset */
#include "common/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum { EVENTS = 64, SIGNALS = 32 };

static struct {
	int epoll;
	/* Given out by the current wait; a removed watch is cleared here. */
	struct epoll_event events[EVENTS];
	int pending;
	/* A binary heap by due time; slot 0 stays empty. */
	struct timer **heap;
	size_t timers, room;
	void (*handlers[SIGNALS])(int);
	sigset_t outside; /* the mask within the wait */
	bool stopped;
	int exit_code;
} loop = {.epoll = -1};

static volatile sig_atomic_t arrived[SIGNALS];

static void
note_signal(int signo)
{
	arrived[signo] = 1;
}

void
loop_init(void)
{
	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop.epoll == -1)
		abort();
	sigprocmask(SIG_SETMASK, NULL, &loop.outside);
}

void
loop_after_fork(void)
{
	close(loop.epoll);
	for (size_t i = 1; i <= loop.timers; i++)
		loop.heap[i]->slot = 0;
	free(loop.heap);
	for (int signo = 1; signo < SIGNALS; signo++) {
		if (loop.handlers[signo] != NULL)
			signal(signo, SIG_DFL);
		arrived[signo] = 0;
	}
	sigprocmask(SIG_SETMASK, &loop.outside, NULL);
	memset(&loop, 0, sizeof(loop));
	loop.epoll = -1;
}

int
loop_watch(struct watch *w)
{
	struct epoll_event event = {.events = w->events, .data.ptr = w};
	int how = w->active ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(loop.epoll, how, w->fd, &event) == -1)
		return -1;
	w->active = true;
	return 0;
}

void
loop_unwatch(struct watch *w)
{
	if (!w->active)
		return;
	epoll_ctl(loop.epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->active = false;
	for (int i = 0; i < loop.pending; i++)
		if (loop.events[i].data.ptr == w)
			loop.events[i].data.ptr = NULL;
}

static void
put(size_t slot, struct timer *t)
{
	loop.heap[slot] = t;
	t->slot = slot;
}

static void
sift_up(size_t slot, struct timer *t)
{
	while (slot > 1 && loop.heap[slot / 2]->due > t->due) {
		put(slot, loop.heap[slot / 2]);
		slot /= 2;
	}
	put(slot, t);
}

static void
sift_down(size_t slot, struct timer *t)
{
	for (;;) {
		size_t child = 2 * slot;

		if (child < loop.timers &&
		    loop.heap[child + 1]->due < loop.heap[child]->due)
			child++;
		if (child > loop.timers || loop.heap[child]->due >= t->due)
			break;
		put(slot, loop.heap[child]);
		slot = child;
	}
	put(slot, t);
}

void
loop_timer_stop(struct timer *t)
{
	struct timer *last;
	size_t slot = t->slot;

	if (slot == 0)
		return;
	t->slot = 0;
	last = loop.heap[loop.timers--];
	if (last == t)
		return;
	if (slot > 1 && loop.heap[slot / 2]->due > last->due)
		sift_up(slot, last);
	else
		sift_down(slot, last);
}

int
loop_timer(struct timer *t, int64_t after_ms)
{
	loop_timer_stop(t);
	if (loop.timers + 2 > loop.room) {
		size_t room = loop.room == 0 ? 64 : 2 * loop.room;
		struct timer **heap =
		    reallocarray(loop.heap, room, sizeof(*heap));

		if (heap == NULL)
			return -1;
		loop.heap = heap;
		loop.room = room;
	}
	t->due = clock_monotonic_ms() + (after_ms > 0 ? after_ms : 0);
	sift_up(++loop.timers, t);
	return 0;
}

void
loop_signal(int signo, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = note_signal};
	sigset_t set;

	if (signo <= 0 || signo >= SIGNALS)
		abort();
	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_BLOCK, &set, NULL);
	loop.handlers[signo] = handler;
	sigaction(signo, &action, NULL);
}

static void
call_signals(void)
{
	for (int signo = 1; signo < SIGNALS; signo++)
		if (arrived[signo]) {
			arrived[signo] = 0;
			loop.handlers[signo](signo);
		}
}

/* Those due when the round began: one that sets itself anew waits its turn. */
static void
call_timers(void)
{
	int64_t now = clock_monotonic_ms();

	while (loop.timers > 0 && loop.heap[1]->due <= now && !loop.stopped) {
		struct timer *t = loop.heap[1];

		loop_timer_stop(t);
		t->fire(t);
	}
}

static void
call_watches(int n)
{
	loop.pending = n;
	for (int i = 0; i < n && !loop.stopped; i++) {
		struct watch *w = loop.events[i].data.ptr;

		if (w != NULL)
			w->ready(w, loop.events[i].events);
	}
	loop.pending = 0;
}

int
loop_run(void)
{
	loop.stopped = false;
	while (!loop.stopped) {
		int wait = loop.timers > 0 ? clock_left(loop.heap[1]->due) : -1;
		int n;

		log_flush();
		n = epoll_pwait(
		    loop.epoll, loop.events, EVENTS, wait, &loop.outside);

		if (n == -1 && errno != EINTR)
			abort();
		call_signals();
		if (n > 0 && !loop.stopped)
			call_watches(n);
		if (!loop.stopped)
			call_timers();
	}
	return loop.exit_code;
}

void
loop_stop(int exit_code)
{
	loop.exit_code = exit_code;
	loop.stopped = true;
}
