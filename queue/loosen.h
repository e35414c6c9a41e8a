/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_LOOSEN_H
#define QUEUE_LOOSEN_H

/*
 * What a postmaster may do about mail that is not taken: by the reason that
 * the log gives (postrider-log(5)).  Pure.
 */
struct loosening {
	const char *keyword; /* of postrider.conf(5) that decides; NULL: none */
	const char *how;     /* for people, without a full stop */
};

/* NULL: nothing is known about that. */
const struct loosening *loosen_find(const char *reason);

#endif
