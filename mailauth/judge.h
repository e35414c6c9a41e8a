/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_JUDGE_H
#define MAILAUTH_JUDGE_H

#include "mailauth/dkim.h"
#include "mailauth/dmarc.h"
#include "mailauth/header.h"
#include "mailauth/mailauth.h"
#include "mailauth/spf.h"

/*
 * The whole judgement of one message: SPF of both identities, DKIM, DMARC.
 * What is to be done about it is not decided here.
 *
 *	judge = judge_begin(...)	the header section is done
 *	judge_body(judge, ...)		as often as there is some
 *	judge_end(judge, &judgement)	asks the DNS
 */
struct judgement {
	struct spf_result helo, sender;
	bool null_sender;   /* sender is that of postmaster@HELO */
	size_t nsignatures; /* results, of at most DKIM_SIGNATURES_MAX */
	struct dkim_result signatures[DKIM_SIGNATURES_MAX];
	/*
	 * Why there is no telling whose message it is, a static phrase (A16,
	 * dmarc_from()), or NULL.  Then dmarc has no domain, its result is
	 * fail and its disposition, which nobody published, reject; without
	 * any From quarantine, for then no name deceives a reader.  RFC 9989
	 * leaves such messages to the receiver (section 11.5), and RFC 5322
	 * allows hardly any of them.
	 */
	const char *no_author;
	struct dmarc_result dmarc;
};

struct judge; /* opaque */

/*
 * What is passed in, the resolver as well, stays the caller's until
 * judge_free().  The header section is done.  NULL: no memory.
 */
struct judge *judge_begin(const struct mailauth *, const struct spf_query *,
    const struct header_section *);
void judge_body(struct judge *, const char *octets, size_t n);
void judge_end(struct judge *, struct judgement *);
void judge_free(struct judge *); /* at any time */
void judgement_free(struct judgement *);

#endif
