/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_ADMIN_VERBS_H
#define QUEUE_ADMIN_VERBS_H

#include "common/loop.h"
#include "common/peer.h"
#include "queue/hold.h"
#include "queue/message.h"

/*
 * What the files behind queue/admin.h share: admin.c has the connection,
 * admin-list.c what anybody may ask, admin-look.c and admin-steer.c the verbs
 * of the postmaster.
 */
struct admin {
	struct peer peer;
	/* A long answer: pieces, in turns, and only while the peer keeps up. */
	bool (*more)(struct admin *); /* false: that was all; NULL: none */
	struct timer turn;
	uint64_t *ids; /* owned */
	size_t n, at;
	/* A rule that is not on stable storage yet. */
	struct hold_wish wish;
	bool wishes, found;
};

/* Begin to send such an answer. */
void admin_stream(struct admin *, bool (*more)(struct admin *));

void admin_send_count(struct admin *, const char *verb, size_t count);
void admin_send_unknown(struct admin *, const char *id);

/* "incoming", ... as in packets. */
const char *admin_state(const struct message *);

/* Unix seconds of its next attempt; 0: as soon as may be. */
int64_t admin_next(const struct message *);

/* Handlers: false for a malformed packet, whose sender is dropped. */
typedef bool admin_verb(struct admin *, struct packet *);

admin_verb admin_on_index, admin_on_attempt, admin_on_cat,
    admin_on_destinations, admin_on_hosts, admin_on_rules, admin_on_held;
admin_verb admin_on_flush, admin_on_requeue, admin_on_delete, admin_on_hold,
    admin_on_release, admin_on_rule, admin_on_rule_end;

#endif
