/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_SPOOL_H
#define QUEUE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/fs.h"

/*
 * The spool: a Maildir with envelopes beside it (postrider-spool(5)).
 *
 *	new/ID		content, not yet tried
 *	cur/ID		content, deferred at least once
 *	envelope/ID	who it is from and for, and what became of it
 *	tmp/ID		being received, where there are no unnamed files
 *	quarantine/	what could not be understood
 *
 * Only the process that holds the lock on spool-dir changes names here.
 *
 * Legal states of a message ID, by its names alone.  E is an envelope with
 * its end line whose length is the content's; e is one that is cut short.
 *
 *	state	  new	cur	envelope	meaning
 *	ABSENT	  -	-	-		unknown, or done
 *	HALF	  -	-	e or E		being committed or removed
 *	WRITTEN	  yes	-	E		committed; acknowledged or not
 *	TORN	  yes	-	e, or -, or E	content shorter than E says: the
 *					disk kept less than was written; never
 *					acknowledged, because the 250 follows
 *					the sync of both files
 *	DEFERRED  -	yes	E		tried at least once
 *
 * Transitions, each one system call, so that no other state can be seen
 * whenever a process dies:
 *
 *	ABSENT	 -> HALF	link envelope			(commit)
 *	HALF	 -> WRITTEN	link new/ID			(commit)
 *	WRITTEN	 -> HALF	unlink new/ID			(done, abort)
 *	WRITTEN	 -> DEFERRED	rename new/ID to cur/ID
 *	DEFERRED -> HALF	unlink cur/ID			(done)
 *	HALF	 -> ABSENT	unlink envelope			(done, abort)
 *	TORN is made by a power cut only.
 *
 * The envelope has its name first and loses it last: a death between two
 * calls leaves HALF, never a content without an envelope.  A message exists
 * in WRITTEN and DEFERRED.  Recovery at start delivers those, sweeps HALF
 * and TORN, and moves everything else (an envelope that cannot be read, one
 * that is cut short though its message had been tried, content in both
 * folders, what is not a regular file, foreign names) to quarantine/ with a
 * log line.  A WRITTEN message that had no 250 may be delivered: its client
 * sends it again, and no promise forbids twice.  (Its client's connection
 * ended before "synced", and queue unlinks it then if it still lives.)
 */
struct spool {
	int dir;	/* spool-dir */
	int content[2]; /* new and cur, by enum spool_folder */
	int envelope, tmp, quarantine;
	const char *failed; /* of its folders, by spool_open(); "": itself */
	bool has_group; /* content belongs to group until delivered */
	gid_t group;
	bool inherits; /* new/ gives it to its files by itself */
};

enum spool_folder { SPOOL_NEW, SPOOL_CUR };

/*
 * Open the spool and make what is missing in it.  -1 and errno on failure;
 * EWOULDBLOCK: another process holds its lock; EPERM: a folder belongs to
 * somebody else.
 */
int spool_open(struct spool *, const char *path);
void spool_close(struct spool *);

/* Whose members may link content into Maildirs. */
void spool_for_group(struct spool *, gid_t);

/* Only to look: without its lock, and nothing is made. */
int spool_look(struct spool *, const char *path);

/* 16 lower case hex digits and nothing else. */
bool spool_is_id(const char *name);

/* A message being received: content without its name. */
struct reception {
	char id[FS_ID_SIZE];
	int reader; /* -1: none */
	bool named; /* stands in tmp/ meanwhile */
};

/*
 * Make a new content file.  *writer is for the peer and becomes the
 * caller's.  -1 and errno on failure.
 */
int spool_receive(struct spool *, struct reception *, int *writer);

/* Forget it; also right for one that was committed or never begun. */
void spool_forget(struct spool *, struct reception *);

/*
 * A file to write and to read that has no name, on the same file system: it
 * is gone with its last descriptor.  -1 and errno on failure.
 */
int spool_scratch(struct spool *);

/*
 * Write the envelope, then give both their names: ABSENT to WRITTEN.
 * *envelope is a read-only descriptor on it, the caller's; the reception's
 * reader stays open.  -1 and errno, and nothing is left, on failure.
 */
int spool_commit(struct spool *, struct reception *, const void *text,
    size_t n, int *envelope);

/* Read-only; -1 and errno. */
int spool_content(struct spool *, enum spool_folder, const char *id);
int spool_envelope(struct spool *, const char *id);

/* Octets of it; 0 when nobody can tell. */
uint64_t spool_envelope_size(struct spool *, const char *id);

/*
 * Append to an envelope of which `whole` octets are good, in one write; a
 * torn tail behind them is cut away first, and what a failed write left
 * afterwards.  Returns the new length; -1 and errno.
 */
int64_t spool_append(struct spool *, const char *id, uint64_t whole,
    const void *text, size_t n);

int spool_defer(struct spool *, const char *id); /* new to cur */

/*
 * Content first, then envelope.  delivered: the content lives on in a
 * Maildir, where nobody may write to it.  ENOENT is no error.
 */
int spool_remove(
    struct spool *, enum spool_folder, const char *id, bool delivered);

/*
 * Set aside whatever bears this name in that folder; what holds no data (a
 * link, a FIFO) is removed where it cannot be moved.  Logs it.
 */
void spool_set_aside(
    struct spool *, const char *folder, const char *name, const char *why);

#endif
