/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_H
#define SMTPD_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/config.h"
#include "common/loop.h"
#include "smtpd/gate_ledger.h"
#include "smtpd/lists.h"

/*
 * smtp-gate: strangers wait here, cheaply, until they have behaved.  Nothing
 * is kept for one that waits but its struct guest; what it sends stays in the
 * kernel until a worker of smtpd reads it.
 */
struct gate {
	struct config config;
	struct lists *lists; /* NULL: nobody is looked up */
	size_t most; /* guests that may wait */
	bool leaving; /* no more come */
};

extern struct gate gate;

enum guest_state {
	GUEST_ASKING,   /* not greeted yet */
	GUEST_GREETED,  /* its first command has not come */
	GUEST_REFUSED,  /* told so, line by line */
	GUEST_FAVOURED, /* waits for a worker; it is known */
	GUEST_PENDING,  /* likewise, others */
	GUEST_HANDED,   /* on its way to a worker */
	GUEST_SESSION,  /* served by one */
	GUEST_STATES
};

/* What must come before the next step. */
enum guest_need {
	NEED_DELAY = 1, /* the time before the greeting */
	NEED_LEDGER = 2,
	NEED_LISTS = 4 /* not before the greeting, but before a worker */
};

struct guest {
	struct guest *next, *previous; /* in the list of its state */
	/* The client; of one that is handed over, the way to its worker. */
	struct watch watch;
	struct timer timer;
	struct sockaddr_storage address;
	int client; /* its descriptor; -1: only the worker has it */
	enum guest_state state;
	unsigned needs;
	int64_t came; /* monotonic */
	bool counted, proxied, greeted, known;
	bool tried; /* a worker was lost on the way to it */
	int score;
	char *listed; /* owned; those that list it, NULL: nobody does */
	struct lists_inquiry *inquiry;
	struct dialogue *dialogue; /* NULL: it is not refused */
	/* ledger's: a question that has no answer yet; serial 0: none */
	uint64_t serial;
	int64_t asked;
	struct guest *asked_before, *asked_after;
};

/* -- the guests (gate_guest.c) -- */

/* Who knows its address. */
enum guest_word {
	GUEST_BY_KERNEL,
	GUEST_BY_PROXY,
	GUEST_IS_PROXY /* it is one that speaks for itself: it looks whether
			* we live, and does not wait for long */
};

/* One has come; the descriptor is its own, a non-blocking one. */
void guest_come(int fd, const struct sockaddr_storage *, enum guest_word);

/* Ledger's answer, or that there is none. */
void guest_heard(struct guest *, enum ledger_verdict, bool known);

void guest_enter(struct guest *, enum guest_state);

/* The first to have entered that state; NULL: there is none. */
struct guest *guest_first(enum guest_state);

/* How many have not reached a worker yet. */
size_t guest_waiting(void);

/* The longest idle stranger makes room; false: there is none. */
bool guest_make_room(void);

/* Told to go: reply, with its CRLF, and a line in the log. */
void guest_dismiss(struct guest *, const char *reply, const char *reason);

/* A last reply, which is read also where more has come than was read. */
void guest_last_words(struct guest *, const char *reply);

/* As guest_dismiss(), and ledger hears of it; what: a word. */
void guest_accuse(struct guest *, const char *reply, const char *what,
    const char *reason);

void guest_end(struct guest *);

/* No more come; who has said nothing yet is told to go. */
void guest_stop(void);

/* -- those that are refused (gate_dialogue.c) -- */

/*
 * It will be refused for this reason once it is greeted and has said
 * something; of two reasons the first counts.
 */
void dialogue_prepare(
    struct guest *, int smtp, const char *enhanced, const char *text);

/* It has said something. */
void dialogue_begin(struct guest *);
/* More has come; a time is over. */
void dialogue_hear(struct guest *);
void dialogue_run_out(struct guest *);
/* It is gone: the last line in the log. */
void dialogue_end(struct guest *);

/* -- on their way to workers (gate_handing.c) -- */

/* It has sent its first command. */
void handing_add(struct guest *);

/* One that was under way has gone. */
void handing_gave_up(void);

/* -- the whole (gate_main.c) -- */

/*
 * May one more line be written about who was refused?  A flood of them shall
 * not become one of the log; how many were left out is written later.
 */
bool gate_may_log(void);

/* Called whenever a guest has left: leaving, it ends with the last one. */
void gate_left(void);

#endif
