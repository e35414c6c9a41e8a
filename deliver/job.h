/* SPDX-License-Identifier: ISC */
#ifndef DELIVER_JOB_H
#define DELIVER_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/dns.h"
#include "common/dsn.h"
#include "common/ipc.h"
#include "common/protocol.h"
#include "common/signature.h"
#include "common/verdict.h"
#include "deliver/reply.h"

/*
 * What the queue wants delivered: one message to recipients of one domain.
 * Every recipient gets exactly one result, as soon as it is certain.
 */
enum {
	JOB_RECIPIENTS_MAX = 10000,
	JOB_RELAY_MAX = 352 /* host[address]:port */
};

enum outcome_status { OUTCOME_NONE, DELIVERED, DEFERRED, FAILED };

/* How far what happened is about others, too (common/protocol.h, "scope"). */
enum outcome_scope {
	SCOPE_HOST,    /* no session with the host could be had */
	SCOPE_SESSION, /* the host ended it, or takes no mail from us now */
	SCOPE_MESSAGE,
	SCOPE_RECIPIENT
};

struct outcome {
	enum outcome_status status;
	enum outcome_scope scope; /* of a deferral */
	char dsn[REPLY_DSN_MAX];
	char relay[JOB_RELAY_MAX];
	char text[PROTOCOL_TEXT_MAX + 1];
};

struct recipient {
	uint64_t index; /* the queue's */
	char *address;
	struct dsn_recipient asked; /* orcpt is owned */
	bool open;                  /* has no result yet */
	bool refused;               /* by the present server, for now */
	struct outcome *failure;    /* its own last one, NULL: the job's */
};

struct job {
	int queue;   /* results go there; borrowed */
	bool lost;   /* the queue is gone: nobody hears of results */
	int content; /* read-only, owned */
	char id[PROTOCOL_ID_MAX + 1];
	char sender[PROTOCOL_ADDRESS_MAX + 1]; /* "": the null path */
	char domain[PROTOCOL_ADDRESS_MAX + 1];
	uint64_t start, size; /* octets of the file; what leaves is between */
	uint64_t wire;        /* octets as CRLF, signatures included */
	size_t nsignatures;   /* that stand in front of that part */
	char signatures[SIGNATURES_MAX][SIGNATURE_MAX + 1];
	bool eight_bit, utf8;
	enum dsn_ret ret;
	char envid[DSN_ENVID_MAX + 1]; /* "": none */
	bool dsn_passed;      /* by the last transaction: its host reports */
	int64_t began;        /* monotonic */
	int64_t transferring; /* the last transaction began; 0: none did */
	const char *tls, *verified; /* of its session; borrowed */
	size_t n, nopen;
	struct recipient *recipients;
	struct outcome failure; /* of the last host, for whoever is open */
	/* the domain's best MX host; "": not looked for, or relay-host */
	char mx[DNS_NAME_MAX + 1];
	struct packet said; /* results that are certain, not yet sent */
};

/*
 * Read a job that begins with what came in this packet, and its recipients.
 * False when it is malformed or the queue is gone: that connection is to be
 * closed.
 */
bool job_receive(struct job *, int queue, struct packet *);
void job_free(struct job *);

/* The queue still listens; it hears what is certain so far. */
bool job_wanted(struct job *);

/*
 * What became of a recipient; reported before anything more is waited for
 * that is about the others.
 */
void job_result(struct job *, struct recipient *, const struct outcome *);

/* The same for all that are open. */
void job_result_all(struct job *, const struct outcome *);

/*
 * A whole host failed the open recipients.  The last failure stays, but that
 * a host failed for good never hides that another may do better later.
 */
void job_host_failed(struct job *, const struct outcome *);

/* Nothing more can be tried: report what is open with its last failure. */
void job_give_up(struct job *);

/*
 * All results are out, or, for this reason, nothing is known of the open
 * recipients.  ready: for the next job, too.
 */
void job_done(struct job *, bool ready, const char *reason);

/*
 * text may be NULL: the verdict's.  relay may be NULL.  The scope is the
 * message.
 */
void outcome_verdict(
    struct outcome *, enum verdict, const char *relay, const char *text);
void outcome_set(struct outcome *, enum outcome_status, const char *dsn,
    const char *relay, const char *text);
void outcome_reply(struct outcome *, const struct reply *, const char *relay);

#endif
