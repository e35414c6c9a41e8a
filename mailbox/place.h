/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_PLACE_H
#define MAILBOX_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/verdict.h"

/* One message for one Maildir. */
struct placement {
	int maildir;	  /* open folder */
	int folder;	  /* its new/ */
	bool ordered;	  /* names keep their order there over a power cut */
	int content;	  /* read-only; its offset is not ours to move */
	const char *name; /* in new/, of maildir_name() */
	uint64_t octets;  /* what the content must have */
	bool again;	  /* it may be there already, under any flags */
	bool copy;	  /* never a second name of the same file */
};

/*
 * Put it into new/, once: when it is there already that is a success.  OK
 * means that it will be there after a power cut (DESIGN promise P2), or
 * that the journal will show it before it shows that any name of it in
 * the spool is gone.  Otherwise a temporary verdict, and *why is a static
 * phrase for the log.
 */
enum verdict place_message(const struct placement *, const char **why);

/*
 * Is it there, in new/, cur/ (whatever its flags) or tmp/, and will be after
 * a power cut, as above?  1, 0, or -1 and errno.
 */
int place_find(const struct placement *);

/* What errno means to the sender of a message. */
enum verdict place_verdict(int error);

#endif
