/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_CLIENT_H
#define QUEUE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "common/dkim_facts.h"
#include "common/verdict.h"
#include "queue/admin.h"
#include "queue/envelope.h"
#include "queue/intake.h"
#include "queue/message.h"
#include "common/peer.h"
#include "queue/route.h"
#include "queue/spool.h"
#include "queue/yield.h"

/* What queue/intake.c (the conversation) and queue/commit.c share. */
enum client_state {
	CLIENT_IDLE,
	CLIENT_AHEAD,    /* the content's file is there before its message */
	CLIENT_YIELD,    /* "open" came, deliveries are to catch up first */
	CLIENT_OPEN,     /* it writes the content; of one that was AHEAD this
			  * is known when it asks for a scratch file */
	CLIENT_ENVELOPE, /* "commit" came, recipients follow */
	CLIENT_ROUTING,  /* "end" came, userdb is asked */
	CLIENT_COMMITTED /* it syncs */
};

struct client {
	struct peer peer;
	struct client *next, *previous; /* of all */
	struct timer silence;           /* of CLIENT_PUBLIC */
	enum client_role role;
	enum client_state state;
	char *login; /* NULL: none */
	char *app;   /* the app password it came in with; NULL: none */
	uid_t uid;   /* of CLIENT_PUBLIC */
	bool relays; /* this message may leave the house */
	bool ahead;  /* as "open" said */
	uint64_t size;		 /* as declared, of CLIENT_OPEN and later */
	bool promised;		 /* room for that */
	bool scratch;		 /* and once more, while it is copied */
	size_t weight;		 /* of the envelope (queue/budget.h) */
	struct yield yield;	 /* while CLIENT_YIELD */
	struct reception reception;
	int64_t opened_us;
	struct envelope envelope;
	enum verdict verdict;    /* the worst so far */
	size_t refused;          /* the recipient that it is about */
	struct dkim_facts *facts; /* what is to be signed; NULL: nothing */
	char *unsigned_because;   /* NULL: it is, or nobody has looked */
	bool facts_open;          /* more of them is to come */
	struct routing *routing;  /* while userdb and keys are asked */
	struct message *message; /* once committed */
	struct listing *listing;
};

/* Answers outlive a client that hangs up. */
struct routing {
	struct client *client; /* NULL: gone */
	size_t n, unanswered;
	enum verdict sender; /* whether the login may send as From */
	char *limits;        /* its own (protocol.h); NULL: none */
	void (*limited)(struct routing *); /* once those are known */
	struct route routes[];
};

/* Begins or ends being busy with the state. */
void client_state(struct client *, enum client_state);

/* The room promised to it is its own (taken), or free again. */
void client_settle(struct client *, bool taken);

/* Back to idle, with nothing left of a message that was not synced. */
void client_reset(struct client *);

/* Reset and say so; address: whom it is about, or NULL. */
void client_refuse(struct client *, enum verdict, const char *address);

/* The same for a call that failed with errno; logged. */
void client_refuse_errno(struct client *, const char *what);

void routing_release(struct routing *);

/* -- queue/sign.c -- */

struct signing;

void client_forget_facts(struct client *);
void client_not_signed(struct client *, const char *reason);

/* Must userdb say whether this login may send as From? */
bool client_asks_sender(const struct client *);

/* With all answers of userdb: is it to be signed? */
bool client_signs(struct client *);

/* Into the envelope; false: there should be some, and are not. */
bool client_take_signatures(struct client *, const struct signing *);

/* -- queue/spend.c -- */

/* More of its login's mail cannot be taken (login-held). */
bool client_is_full(const struct client *);

/* Only what a login sends, and what of it is not held anyway. */
bool client_is_counted(const struct client *);

/* What its login may send, into its routing; then answered(). */
void client_ask_limits(struct client *, void (*answered)(struct routing *));

/* Nothing else is in its way: count it, and commit it or refuse it. */
void client_spend(struct client *);

/* -- queue/commit.c -- */

void client_commit(struct client *);

/* Commands; false: malformed. */
bool client_on_scratch(struct client *, struct packet *);
bool client_on_commit(struct client *, struct packet *);
bool client_on_sign(struct client *, struct packet *);
bool client_on_more(struct client *, struct packet *);
bool client_on_recipient(struct client *, struct packet *);
bool client_on_end(struct client *, struct packet *);
bool client_on_synced(struct client *, struct packet *);

#endif
