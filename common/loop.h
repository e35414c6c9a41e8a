/* SPDX-License-Identifier: ISC */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One event loop for the processes that wait for many things: descriptors
 * (epoll), timers, signals.  One loop a process, never shared across fork:
 * a child calls loop_after_fork() before anything else.
 *
 * A watch or timer is embedded in its owner's structure; it may be removed,
 * and its owner freed, from within any callback.
 */
struct watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT */
	void (*ready)(struct watch *, uint32_t events);
	bool active; /* the loop's */
};

struct timer {
	int64_t due; /* monotonic milliseconds */
	void (*fire)(struct timer *);
	size_t slot; /* the loop's: place in its heap, 0 when not set */
};

/* The structure that a watch or timer is embedded in. */
#define container_of(member_pointer, type, member) \
	((type *)(void *)((char *)(member_pointer) - offsetof(type, member)))

/* Abort on failure: a process without a loop has nothing to live for. */
void loop_init(void);

/* Close the parent's loop and forget its watches, timers and handlers. */
void loop_after_fork(void);

/* -1 and errno on failure. */
int loop_watch(struct watch *);			 /* begin, or change events */
void loop_unwatch(struct watch *);		 /* the descriptor stays open */
int loop_timer(struct timer *, int64_t after_ms); /* set or set anew */
void loop_timer_stop(struct timer *);

/*
 * Call back when this signal arrives, from the loop, not from the handler.
 * The signal is blocked but inside the wait.
 */
void loop_signal(int signo, void (*arrived)(int signo));

/* Until loop_stop(); returns what that was given. */
int loop_run(void);
void loop_stop(int exit_code);

#endif
