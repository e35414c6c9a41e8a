/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_NOTICE_H
#define QUEUE_NOTICE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/buf.h"

/*
 * The text of a message to the postmaster: the mail of a login is held, why,
 * and what to do about it.  It answers nothing, so it is auto-generated (RFC
 * 3834 section 5).  Pure.
 */
struct notice {
	const char *hostname, *to; /* of this house; an address there */
	const char *own_id;        /* of the notice */
	time_t now;
	const char *login, *reason;
	int64_t since;       /* unix seconds, from when on it is held */
	uint64_t most;       /* login-held */
	const char *message; /* the id of what was too much; NULL: none */
	/* of that: host[address], its sender, the app password; NULL: none */
	const char *client, *sender, *app;

	/* out, for the envelope */
	struct buf text; /* LF line ends */
	uint64_t start, wire;
	bool eight_bit;
};

enum { NOTICE_MAX = 65536 };

/* False without memory.  buf_free() the text. */
bool notice_compose(struct notice *);

#endif
