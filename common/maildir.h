/* SPDX-License-Identifier: ISC */
#ifndef COMMON_MAILDIR_H
#define COMMON_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * Names in a Maildir.  Ours are
 *
 *	TIME.MMICROSECONDS_ID.RECIPIENT,S=OCTETS,W=OCTETS-ON-THE-WIRE
 *
 * TIME and MICROSECONDS are when the message was accepted, so that names
 * sort as messages came; ID its id in the spool, RECIPIENT
 * 16 hex digits of a digest of the mailbox: the same message for the same
 * mailbox always gets the same name, so that delivering it twice is
 * delivering it once.  In cur/ readers add ":2," and flags.
 */
enum { MAILDIR_NAME_MAX = 255, MAILDIR_UIDL_MAX = 70 };

/* False when it does not fit. */
bool maildir_name(char out[MAILDIR_NAME_MAX + 1],
    const struct timespec *accepted, const char *id, const char *mailbox, uint64_t octets, uint64_t wire);

struct maildir_parts {
	size_t base;	  /* length up to the flags' ":" */
	size_t unique;	  /* length up to the first "," or ":" */
	bool has_size, has_wire;
	uint64_t size, wire;
	const char *flags; /* behind ":2,", "" without */
};

/* Any name, also of other programs.  False: not a message (dot files, ""). */
bool maildir_parse(const char *name, struct maildir_parts *);

/* Are these the same message, whatever their flags? */
bool maildir_same(const char *name, const char *other);

/*
 * The unique-id of RFC 1939 section 7 (1 to 70 octets, 0x21 to 0x7e), from
 * what in the name never changes.
 */
void maildir_uidl(const char *name, char out[MAILDIR_UIDL_MAX + 1]);

/*
 * Make the folder and its cur, new and tmp where they are missing, mode
 * 0700, below an open parent folder; returns the open Maildir or -1.
 */
int maildir_open(int parent, const char *path, bool create);

#endif
