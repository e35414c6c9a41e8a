/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ASKING_H
#define SMTPD_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mailauth/mailauth.h"

/*
 * The DNS while a message is judged: within a time, and not for long where
 * nobody answers.
 *
 * One question alone has no more than a part of the time, so that a sender
 * whose own servers are silent does not take it from the others.  When a
 * message had no answer at all, we ask about ourselves, which no sender can
 * answer in our place: where that has no answer either the DNS is dead, and
 * for a while nobody waits for it.
 */
struct asking {
	struct dns *dns; /* NULL: there is none */
	const char *hostname; /* ours */
	struct resolver real;
	int64_t began, limit;
	unsigned asked, answered;
};

/* Stays valid as long as the asking does. */
struct resolver asking_begin(
    struct asking *, struct dns *, const char *hostname);

/* From now on, for all that is asked. */
void asking_limit(struct asking *, int64_t ms);

void asking_end(struct asking *);

#endif
