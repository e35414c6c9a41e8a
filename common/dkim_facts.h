/* SPDX-License-Identifier: ISC */
#ifndef COMMON_DKIM_FACTS_H
#define COMMON_DKIM_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/buf.h"
#include "common/ipc.h"

/*
 * What is to be signed by DKIM (RFC 6376): enough to make the DKIM-Signature
 * field, and all of it can be looked at before it is signed.  Who sees the
 * message makes them, `keys` checks and signs them (mailauth/dkim.h).
 */
enum {
	DKIM_HASH_SIZE = 32,
	DKIM_HASH_HEX = 2 * DKIM_HASH_SIZE,
	DKIM_FIELDS_MAX = 48 * 1024, /* of the canonical header fields */
	DKIM_FIELDS_PART = 7000      /* of them, in one packet */
};

struct dkim_facts {
	char from[ADDRESS_TEXT_MAX + 1]; /* the only mailbox of the only From */
	unsigned char body[DKIM_HASH_SIZE]; /* SHA-256 of the relaxed body */
	/*
	 * The signed fields in the relaxed form, "name:value" each with its
	 * CRLF, in the order of h=; a name alone with its CRLF where a
	 * field that is not there is signed (oversigning).
	 */
	struct buf fields;
};

/*
 * In packets they are attributes of one and of as many "more" as it takes:
 *
 *	... from= body= fields= [more=1]	body: hex
 *	more fields= [more=1]
 *
 * Write the part that begins at that octet, at the end of a packet; where the
 * next one begins, 0: there is none.  There is no NUL in them.
 */
size_t dkim_facts_write(struct packet *, const struct dkim_facts *, size_t at);

/*
 * Read them: the first part, then others.  False: malformed, or no memory.
 * buf_free() the fields.
 */
bool dkim_facts_begin(struct dkim_facts *, const char *from, const char *body,
    const char *fields);
bool dkim_facts_more(struct dkim_facts *, const char *fields);

#endif
