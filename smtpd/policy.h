/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_POLICY_H
#define SMTPD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/lines.h"
#include "common/verdict.h"
#include "mailauth/dmarc.h"

/*
 * What is decided about a message is decided here: facts in, verdict out,
 * nothing looked up and nothing kept.  smtpd asks at each step of a
 * transaction; `postrider explain` asks the same.
 */

struct policy_client {
	enum listener_kind listener;
	bool relay_from; /* its address is one of relay-from's */
	bool logged_in;
};

/* May it send to any recipient, not only to ours? */
bool policy_may_relay(const struct policy_client *);

/* Is what it sends judged: who really sent it?  mail_auth: the config's. */
bool policy_is_judged(const struct policy_client *, bool mail_auth);

/*
 * Is it offered to ask for reports (RFC 3461)?  A report of success is an
 * answer to whoever a stranger names as the sender, with a header of his
 * making: so by default strangers are not (A12).  Who hands their mail on to
 * us then tells them that it has got here, and they lose little.
 */
bool policy_offers_dsn(const struct policy_client *, enum offer_dsn);

struct policy_sender {
	bool null_path;
	enum verdict owned;    /* userdb: may this login send as that? */
	uint64_t declared_size; /* 0: none */
	uint64_t max_size;
	enum verdict room; /* queue: is there room for that size? */
};
enum verdict policy_sender(
    const struct policy_client *, const struct policy_sender *);

struct policy_recipient {
	enum verdict known; /* userdb's answer */
	uint64_t accepted;  /* recipients before this one */
	uint64_t max_recipients;
};
enum verdict policy_recipient(
    const struct policy_client *, const struct policy_recipient *);

struct policy_content {
	const struct dot_reader *wire; /* what was noted on the way in */
	uint64_t hops;		       /* Received fields */
	bool header_too_big;
	uint64_t max_size, max_line_length, max_hops;
};
enum verdict policy_content(const struct policy_content *);

/* Whom the postmaster has said to trust, whatever DMARC and SPF say. */
enum policy_trust {
	TRUST_NOBODY,
	TRUST_FROM,   /* the domain in From */
	TRUST_CLIENT, /* the host that sends */
	TRUST_SIGNER  /* who has signed it, and the signature is good */
};

enum policy_from {
	FROM_CLEAR,
	FROM_ABSENT, /* there is none */
	FROM_UNCLEAR /* two readers may see two senders in it (A16) */
};

struct policy_authentic {
	enum policy_from from;
	enum policy_trust trust;
	enum auth_result spf; /* of MAIL FROM, or of HELO with the null path */
	enum auth_result dmarc;
	/* What From's domain asks for; of a temperror the most it may ask. */
	enum dmarc_policy disposition;
	/* of a temperror: */
	bool nothing_known; /* it may ask for anything */
	bool aligned;       /* and yet of nothing about this message */
	/* the config's */
	enum failure_answer spf_fail, dmarc_reject, dmarc_quarantine;
};

struct policy_outcome {
	enum verdict verdict;
	const char *junk; /* a word, as struct submit_envelope has it */
	enum dmarc_policy applied; /* of what From's domain asks for */
	/* Why not all of it: RFC 9990 section 3.1.1.12; NULL: it is. */
	const char *override;
	const char *because; /* the keyword that said so */
};

/*
 * Who failed is answered as the config says.  What the DNS did not tell is
 * never taken for a pass, nor for a failure: where an answer would depend on
 * it, the client shall try again.  SPF alone is asked where DMARC does not
 * pass: who forwards mail fails it.
 */
void policy_authentic(
    const struct policy_authentic *, struct policy_outcome *);

/*
 * After these the connection is closed: a peer that sends such data and we
 * may not agree where a message ends (A1).
 */
bool policy_closes(enum verdict);

#endif
