/* SPDX-License-Identifier: ISC */
#ifndef MAILBOX_SIZES_H
#define MAILBOX_SIZES_H

#include "mailbox/snapshot.h"

/*
 * What the messages that other programs delivered have on the wire.  Their
 * names do not tell, so it must be counted once; the file postrider-sizes in
 * the Maildir remembers it.  It holds a digest of itself: one that was half
 * written, or is not ours, counts as none.  It may be removed at any time.
 */

/*
 * To be called before the process is confined to where it can open nothing
 * for writing.  Made only where there are messages that need it.  -1: none.
 */
int sizes_open(int maildir);

/* Fill in what is remembered. */
void sizes_load(int fd, struct snapshot *);

/* Remember what was counted, where that is something new. */
void sizes_save(int fd, const struct snapshot *);

#endif
