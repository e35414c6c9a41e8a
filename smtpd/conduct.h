/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CONDUCT_H
#define SMTPD_CONDUCT_H

#include <stdbool.h>

/*
 * How a client behaves (smtpd/policy_conduct.c).  Where that is not borne the
 * session is told so and closing.
 */
struct session;

/* Whoever talks before he was greeted is no mail server (A7). */
bool conduct_talks_first(struct session *);

/*
 * Is it wrong that there is input behind this command (RFC 2920)?  alone: it
 * must come alone; guarded: whatever the config tolerates.
 */
bool conduct_runs_ahead(struct session *, bool alone, bool guarded);

/*
 * An error was counted.  Too many end the session; a stranger's third one and
 * those behind it are answered late (error-delay), so that guessing costs
 * time.  The wait ends when the service does.
 */
void conduct_after_error(struct session *);

#endif
