/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_JUDGING_H
#define SMTPD_JUDGING_H

#include <stddef.h>

#include "common/buf.h"
#include "common/verdict.h"
#include "mailauth/judge.h"
#include "smtpd/policy.h"

/*
 * Who really sent this: SPF, DKIM and DMARC of a stranger's message
 * (mailauth/judge.h), and what is done about it (smtpd/policy.h).
 */
struct session;
struct judging; /* opaque */

/*
 * The header section is done, and stays the caller's until the end, as does
 * the transaction.  NULL: no memory.
 */
struct judging *judging_begin(struct session *, const struct header_section *);
void judging_body(struct judging *, const char *octets, size_t n);
void judging_free(struct judging *); /* NULL is fine */

/*
 * Ask the DNS, within JUDGING_MS, and decide.  On success the fields for the
 * top of the message are appended: the marks of junk, where it is, and
 * Authentication-Results.  The words for the log are in the transaction.
 */
enum { JUDGING_MS = 15000 };
enum verdict judging_end(struct judging *, struct buf *fields);

/* The fields that say so of junk; why: a word. */
void judging_mark(struct buf *fields, const char *why);

/* After the end. */
const struct judgement *judging_judgement(const struct judging *);
const struct policy_outcome *judging_outcome(const struct judging *);

/*
 * What a refusal says in place of the verdict's own text: printable ASCII,
 * one line.  "" where that says it all.
 */
enum { JUDGING_TEXT_MAX = 480 };
void judging_explain(const struct judging *, enum verdict,
    char text[JUDGING_TEXT_MAX + 1]);

#endif
