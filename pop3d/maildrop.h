/* SPDX-License-Identifier: ISC */
#ifndef POP3D_MAILDROP_H
#define POP3D_MAILDROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"

/*
 * The logged-in user's mailbox, as the process that became that user serves
 * it over the session's end (common/protocol.h, "mailbox").  Messages are
 * numbered from 1.
 */
enum { MAILDROP_AHEAD = 8, MAILDROP_PAGE = 2048 };

struct maildrop {
	int fd;
	uint64_t count, octets;		/* at login */
	uint64_t deleted, deleted_octets; /* of these, marked */
	unsigned char *marks;		/* one for each message */
	bool broken; /* the process is gone or talks nonsense */

	/* The piece of the list that was asked for last. */
	struct packet *page;
	uint64_t page_first, page_n;
	uint16_t page_items[MAILDROP_PAGE]; /* offsets in page->octets */

	/* Messages opened before they are asked for; answers come in order. */
	struct {
		uint64_t number, wire;
		int fd; /* -1: gone, or not answered yet */
		bool answered;
	} ahead[MAILDROP_AHEAD];
	size_t ahead_n;
	uint64_t last_opened;
};

enum maildrop_result {
	MAILDROP_OK,
	MAILDROP_IN_USE,
	MAILDROP_LATER,	   /* a temporary refusal, or no answer */
	MAILDROP_REFUSED   /* for good */
};

/* Wait for the greeting on the session's end, which becomes the maildrop's. */
enum maildrop_result maildrop_begin(struct maildrop *, int fd);
void maildrop_end(struct maildrop *);

/* Size on the wire and unique-id; false when it is broken.  The text lives
 * until the next call. */
bool maildrop_item(struct maildrop *, uint64_t number, uint64_t *octets,
    const char **uidl);

/*
 * The message, read-only, the caller's; -1 when it is gone or the maildrop
 * broken.  When messages are opened one after the other, the next ones are
 * asked for already.
 */
int maildrop_open(struct maildrop *, uint64_t number, uint64_t *wire);

bool maildrop_is_deleted(const struct maildrop *, uint64_t number);
bool maildrop_delete(struct maildrop *, uint64_t number);
void maildrop_seen(struct maildrop *, uint64_t number);
void maildrop_reset(struct maildrop *); /* deletion marks only */

/* Make the marks true.  False when the outcome is not known. */
bool maildrop_commit(struct maildrop *, uint64_t *removed, uint64_t *failed);

#endif
