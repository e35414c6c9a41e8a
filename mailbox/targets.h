/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_TARGETS_H
#define MAILBOX_TARGETS_H

#include <stdbool.h>

/*
 * Maildirs that a delivering process has open: the last ones, so that the
 * next message for one of them needs no walk through its folders.
 */
struct target {
	char *mailbox; /* canonical address; NULL: none */
	int maildir, folder; /* folder: its new/ */
	bool ordered;	     /* names keep their order over a power cut */
};

/*
 * The Maildir of a virtual user below mail-dir, made where it is missing; the
 * one that stands there now, even when another stood there before.  Valid
 * until the next call.  NULL and errno; EINVAL for an address that can have
 * none.
 */
const struct target *target_of(int mail_dir, const char *mailbox);

/* After a failure that another look may heal. */
void target_forget(const struct target *);

#endif
