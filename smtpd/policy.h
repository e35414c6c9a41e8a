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
#include "smtpd/tallies.h"

/*
 * What is decided about a message is decided here: facts in, verdict out,
 * nothing looked up and nothing kept.  smtpd asks at each step of a
 * transaction; `postrider explain` asks the same and is told of every rule.
 *
 * Each step is a table of rules (policy_hello.c and so on).  They are judged
 * in their order, and the first that does not let pass is the answer.
 */

struct policy_client {
	enum listener_kind listener;
	bool relay_from; /* its address is one of relay-from's */
	bool logged_in;
	unsigned tolerated; /* a set of 1 << enum tolerance */
	bool trusted;       /* its address is one of trust-client's */
};

/* May it send to any recipient, not only to ours? */
bool policy_may_relay(const struct policy_client *);

/* Does it come to port 25, and has no right to relay? */
bool policy_is_stranger(const struct policy_client *);

bool policy_tolerates(const struct policy_client *, enum tolerance);

/* Is it a stranger of whom that is not tolerated? */
bool policy_demands(const struct policy_client *, enum tolerance);

/* Is what it sends judged: who really sent it?  mail_auth: the config's. */
bool policy_is_judged(const struct policy_client *, bool mail_auth);

/*
 * Is it offered to ask for reports (RFC 3461)?  A report of success is an
 * answer to whoever a stranger names as the sender, with a header of his
 * making: so by default strangers are not (A12).  Who hands their mail on to
 * us then tells them that it has got here, and they lose little.
 */
bool policy_offers_dsn(const struct policy_client *, enum offer_dsn);

/* -- the facts -- */

/* How it behaves, when that is asked. */
struct policy_conduct {
	bool talked_first; /* before the greeting */
	bool ahead;        /* it did not wait for the answer to a command */
	bool extended;     /* that came behind EHLO, */
	bool alone;        /* must come alone, */
	bool guarded;      /* or is STARTTLS or AUTH (A3) */
	uint64_t errors, max_errors;
};

struct policy_hello {
	const char *name; /* as the client gave it, "" too */
	bool fits;        /* command_helo_fits() */
	bool is_name;     /* helo_is_name() */
	bool is_ours;     /* helo_is_ours(), of another machine */
};

struct policy_sender {
	bool null_path;
	enum verdict owned;     /* userdb: may this login send as that? */
	uint64_t declared_size; /* 0: none */
	uint64_t max_size;
	enum verdict room;   /* queue: is there room for that size? */
	bool in_dns;         /* its domain is to be found there */
	bool must_exist;     /* the config's sender-domain */
	enum verdict domain; /* sender_domain_look_up() */
	const char *address; /* of it */
};

struct policy_recipient {
	enum verdict known; /* userdb's answer */
	uint64_t accepted;  /* recipients before this one */
	uint64_t max_recipients;
	struct tallies_rate rate;
	const char *address;    /* of it */
	bool null_path;         /* there is no sender */
	bool has_lists;         /* there is one to look the client up in */
	int64_t score;          /* of the lists */
	const char *lists;      /* that the client is on, "" */
	const char *listed;     /* what a refusal says of them, "" */
	uint64_t refuse_score;  /* the config's */
	enum greylist greylist; /* the config's */
	uint64_t grey_wait;     /* seconds that he must wait; 0: he need not */
	const char *grey_key;   /* who stands behind the client; NULL */
};

struct policy_content {
	const struct dot_reader *wire; /* what was noted on the way in */
	uint64_t hops;                 /* Received fields */
	bool header_too_big;
	bool delivered; /* Delivered-To names all its recipients */
	uint64_t max_size, max_line_length, max_hops;
};

enum policy_from {
	FROM_CLEAR,
	FROM_ABSENT, /* there is none */
	FROM_UNCLEAR /* two readers may see two senders in it (A16) */
};

struct submitted;

/* Whom a message of a login says that it is from. */
struct policy_author {
	bool binds;                   /* the config's bind-from */
	const struct submitted *said; /* submitted.h */
	/* userdb: may this login send as all of that?  Of the first that not:
	 */
	enum verdict owned;
	const char *field, *address;
};

/*
 * Facts that somebody must be asked for.  Nobody is, before a rule that needs
 * the fact applies.
 */
enum policy_need {
	NEED_NOTHING,
	NEED_CONDUCT, /* conduct */
	NEED_OWNED,   /* sender.owned */
	NEED_ROOM,    /* sender.room */
	NEED_DOMAIN,  /* sender.domain */
	NEED_KNOWN,   /* recipient.known */
	NEED_RATE,    /* recipient.rate */
	NEED_AUTHOR,  /* author.owned */
	NEED_SCORE,   /* recipient.score, lists, listed */
	NEED_GREY,    /* recipient.grey_wait, grey_key */
	NEED_MESSAGE, /* the message itself */
	POLICY_NEEDS
};

struct policy_told;

/* The facts of one step; those of the others are not looked at. */
struct policy_facts {
	const struct policy_client *client;
	struct policy_conduct conduct;
	struct policy_hello hello;
	struct policy_sender sender;
	struct policy_recipient recipient;
	struct policy_author author;
	struct policy_content content;
	/*
	 * Fills in what is needed, once; false when that cannot be known here,
	 * and rules that need it let pass.  NULL: all of it stands here.
	 */
	bool (*gather)(void *context, struct policy_facts *, enum policy_need);
	void *gather_context;
	/* Is told of each rule in its order; NULL: nobody is. */
	void (*observe)(void *context, const struct policy_told *);
	void *observe_context;
	/* The evaluator's: 1 << enum policy_need. */
	unsigned gathered, missing;
};

/* -- deciding -- */

enum policy_step {
	POLICY_CONDUCT,   /* at any time */
	POLICY_HELLO,     /* HELO, EHLO */
	POLICY_SENDER,    /* MAIL */
	POLICY_RECIPIENT, /* RCPT */
	POLICY_HEADER,    /* the end of the header section */
	POLICY_CONTENT,   /* the end of the message */
	POLICY_STEPS
};

const char *policy_step_name(enum policy_step); /* "sender" */

/* What the step's rules say: its word of success, or the first refusal. */
enum verdict policy_decide(enum policy_step, struct policy_facts *);

/* -- the observer -- */

enum policy_result {
	RULE_IDLE, /* it does not apply */
	RULE_PASSES,
	RULE_DECIDES,    /* and no rule after it is judged */
	RULE_UNKNOWN,    /* what it needs cannot be known here */
	RULE_NOT_REACHED /* one before it has decided */
};

enum { POLICY_VALUE_MAX = 300 };

struct policy_told {      /* valid during the call */
	const char *rule; /* "message-size" */
	const char
	    *keyword;      /* what governs it: a keyword or an RFC's section */
	const char *value; /* "50M: 12000 octets declared", "" */
	enum policy_result result;
	enum verdict verdict; /* of RULE_DECIDES */
};

/* -- is it authentic? -- */

/* Whom the postmaster has said to trust, whatever DMARC and SPF say. */
enum policy_trust {
	TRUST_NOBODY,
	TRUST_FROM,   /* the domain in From */
	TRUST_CLIENT, /* the host that sends */
	TRUST_SIGNER  /* who has signed it, and the signature is good */
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
	int64_t score;      /* of the lists */
	/* the config's */
	enum failure_answer spf_fail, dmarc_reject, dmarc_quarantine;
	uint64_t junk_score;
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
void policy_authentic(const struct policy_authentic *, struct policy_outcome *);

/* Is that a score of the lists that makes junk?  junk_score: the config's. */
bool policy_lists_junk(int64_t score, uint64_t junk_score);

/* -- afterwards -- */

/*
 * After these the connection is closed: a peer that sends such data and we
 * may not agree where a message ends (A1).
 */
bool policy_closes(enum verdict);

#endif
