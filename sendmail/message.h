/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_MESSAGE_H
#define SENDMAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/dkim_facts.h"
#include "common/submit.h"
#include "common/verdict.h"
#include "sendmail/caller.h"
#include "sendmail/recipients.h"

/*
 * What addresses without a domain get: the first configured domain, or the
 * host's name where all of them are in the database.
 */
const char *home_domain(const struct config *);

/* One message on its way to queue. */
struct message {
	const struct config *config;
	const struct caller *caller;
	const char *sender; /* as address_format() writes it; "": null */
	bool sender_utf8;
	const char *full_name;
	const char *protocol, *helo;
	bool eight_bit;
	unsigned notify; /* of enum dsn_notify, for each recipient */
	enum dsn_ret ret;
	const char *envid; /* NULL: none */
	struct buf header; /* rewritten, with the empty line */
	const char *body;  /* borrowed */
	size_t body_len;
	bool has_facts;
	struct dkim_facts facts; /* for DKIM, where there is no reason: */
	const char *unsigned_because; /* NULL also where nobody signs */
};

/*
 * Take a text with LF line ends apart and make its header whole.  text must
 * live as long as the message.
 */
enum verdict message_begin(struct message *, const char *text, size_t n);

/*
 * Hand it to queue for these recipients.  OK means on stable storage; id
 * (PROTOCOL_ID_MAX + 1 octets) is the last one that it got.  After another
 * verdict, refused (PROTOCOL_ADDRESS_MAX + 1 octets) is the recipient that
 * it is about, or "".  *why says more where no suite is there, or is NULL.
 */
enum verdict message_submit(struct message *, char *const *recipients, size_t n,
    bool utf8, char *id, char *refused, const char **why);

void message_end(struct message *);

/* Of a message that was begun: what DKIM signs of it, or why not. */
void message_collect_facts(struct message *);

#endif
