/* SPDX-License-Identifier: ISC */
/*
 * Rules about the message as it came.  Where a peer and we may not agree
 * about its end (A1) is said first, whatever else is wrong with it: the
 * connection is closed (policy_closes()).
 */
#include <inttypes.h>
#include <stdio.h>

#include "smtpd/policy_rules.h"

static enum verdict
judge_nul(const struct policy_facts *f)
{
	return f->content.wire->nul ? VERDICT_NUL_OCTET : VERDICT_OK;
}

static enum verdict
judge_line_ends(const struct policy_facts *f)
{
	const struct dot_reader *wire = f->content.wire;
	bool bare_lf = wire->bare_lf &&
	    !policy_tolerates(f->client, TOLERATE_BARE_LINE_ENDS);

	return wire->bare_cr || bare_lf ? VERDICT_BARE_LINE_END : VERDICT_OK;
}

/* RFC 5321 section 4.5.3.1.6 */
static enum verdict
judge_line_length(const struct policy_facts *f)
{
	return f->content.wire->longest > f->content.max_line_length + 2
	    ? VERDICT_LINE_TOO_LONG
	    : VERDICT_OK;
}

static void
write_line_length(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%" PRIu64 ": the longest has %zu",
	    f->content.max_line_length + 2, f->content.wire->longest);
}

static enum verdict
judge_header_size(const struct policy_facts *f)
{
	return f->content.header_too_big ? VERDICT_HEADER_TOO_BIG : VERDICT_OK;
}

static enum verdict
judge_size(const struct policy_facts *f)
{
	return f->content.wire->octets > f->content.max_size ? VERDICT_TOO_BIG
							     : VERDICT_OK;
}

static void
write_size(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	char most[POLICY_SIZE_MAX];

	policy_write_size(f->content.max_size, most);
	snprintf(out, POLICY_VALUE_MAX + 1, "%s: %" PRIu64 " octets", most,
	    f->content.wire->octets);
}

/* RFC 5321 section 6.3 */
static enum verdict
judge_hops(const struct policy_facts *f)
{
	return f->content.hops > f->content.max_hops ? VERDICT_LOOP
						     : VERDICT_OK;
}

static void
write_hops(const struct policy_facts *f, char out[POLICY_VALUE_MAX + 1])
{
	snprintf(out, POLICY_VALUE_MAX + 1, "%" PRIu64 ": %" PRIu64 " hops",
	    f->content.max_hops, f->content.hops);
}

/* RFC 9228 section 4: it has been where it is to go. */
static bool
may_be_delivered(const struct policy_facts *f)
{
	return !f->client->logged_in &&
	    !policy_tolerates(f->client, TOLERATE_DELIVERED_TO);
}

static enum verdict
judge_delivered(const struct policy_facts *f)
{
	return f->content.delivered ? VERDICT_LOOP : VERDICT_OK;
}

const struct policy_rule policy_content_rules[] = {
    {"nul", "RFC 5321 section 4.5.2", NULL, NEED_MESSAGE, judge_nul, NULL},
    {"line-ends", "tolerate bare-line-ends", NULL, NEED_MESSAGE,
	judge_line_ends, NULL},
    {"line-length", "max-line-length", NULL, NEED_MESSAGE, judge_line_length,
	write_line_length},
    {"header-size", "RFC 5321 section 4.5.3.1", NULL, NEED_MESSAGE,
	judge_header_size, NULL},
    {"size", "max-message-size", NULL, NEED_MESSAGE, judge_size, write_size},
    {"hops", "max-hops", NULL, NEED_MESSAGE, judge_hops, write_hops},
    {"delivered-to", "tolerate delivered-to", may_be_delivered, NEED_MESSAGE,
	judge_delivered, NULL},
    {.name = NULL},
};
