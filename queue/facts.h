/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_FACTS_H
#define QUEUE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"
#include "queue/envelope.h"
#include "queue/spool.h"

/*
 * What queue has to know of a message that it finds at start, as its reader
 * tells it: all that memory keeps of it, and nothing more.
 */
struct facts {
	char id[FS_ID_SIZE];
	enum spool_folder folder;
	int64_t time;            /* accepted; unix seconds, as the next two */
	int64_t attempted, next; /* of the last attempt; 0: none */
	uint64_t attempts;
	uint64_t sender; /* a hash (queue/message.h) */
	bool of_login, held, warned;
	/* of all that is pending; "": of several, or not known */
	char domain[PROTOCOL_ADDRESS_MAX + 1];
};

/* One line of text, of FACTS_TEXT_MAX octets at the most. */
enum { FACTS_TEXT_MAX = PROTOCOL_ADDRESS_MAX + 160 };

void facts_of(
    struct facts *, const char *id, enum spool_folder, const struct envelope *);
void facts_write(const struct facts *, char out[FACTS_TEXT_MAX + 1]);
bool facts_read(struct facts *, const char *text); /* false: malformed */

#endif
