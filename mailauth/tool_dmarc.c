/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "common/print.h"
#include "mailauth/tool.h"

static const char *const verdicts[] = {
    [AUTH_NONE] = "publishes no policy",
    [AUTH_PASS] = "stands behind this message",
    [AUTH_FAIL] = "does not stand behind this message",
    [AUTH_TEMPERROR] = "cannot be asked now",
    [AUTH_PERMERROR] = "is no domain that a policy could be of",
    [AUTH_SOFTFAIL] = "",
    [AUTH_NEUTRAL] = "",
    [AUTH_POLICY] = "",
};

void
tool_dmarc_json(bool *first, const struct dmarc_result *d)
{
	print_pair(first, "policy", dmarc_policy_name(d->policy));
	print_pair(first, "disposition", tool_disposition(d));
	print_pair(first, "domain",
	    d->organization[0] != '\0' ? d->organization : d->domain);
	print_pair(first, "from", d->domain);
	print_pair(first, "policy_domain", d->policy_domain);
	print_bool(first, "spf_aligned", d->spf_aligned);
	print_bool(first, "dkim_aligned", d->dkim_aligned);
	print_bool(first, "testing", d->record.testing);
	print_pair(first, "reason", d->reason);
}

/* A message that passes is to be treated like any other. */
const char *
tool_disposition(const struct dmarc_result *d)
{
	return dmarc_policy_name(
	    d->result == AUTH_FAIL ? d->disposition : DMARC_NONE);
}

void
tool_show_dmarc(const char *asked, const struct dmarc_result *d)
{
	printf("DMARC %s: ", auth_result_name(d->result));
	print_clean(d->domain[0] != '\0' ? d->domain : asked);
	printf(" %s\n", verdicts[d->result]);
	print_row("reason", d->reason);
	print_row("record at", d->policy_domain);
	print_row("organization", d->organization);
	if (d->policy_domain[0] == '\0')
		return;
	print_row("policy", dmarc_policy_name(d->policy));
	print_row("disposition", tool_disposition(d));
	if (d->result == AUTH_PASS)
		print_row("aligned",
		    d->spf_aligned && d->dkim_aligned ? "SPF and DKIM"
			: d->spf_aligned              ? "SPF"
						      : "DKIM");
	if (d->record.testing)
		print_row("testing", "its owner asks for less than the policy");
}

/*
 * A message has one reverse-path.  Of several that are given the one counts
 * that does most for it.
 */
static void
check(struct request *r, struct dmarc_query *q, struct dmarc_result *best)
{
	size_t i = 0;

	do {
		struct dmarc_result d;

		if (r->nspf > 0)
			q->spf = r->spf[i];
		dmarc_check(&r->mailauth, q, &d);
		if (i > 0 &&
		    (d.result == AUTH_PASS ||
			(d.result == AUTH_TEMPERROR &&
			    best->result != AUTH_PASS))) {
			dmarc_result_free(best);
			*best = d;
		} else if (i > 0) {
			dmarc_result_free(&d);
		} else {
			*best = d;
		}
	} while (++i < r->nspf);
}

int
tool_dmarc(struct request *r)
{
	const char *at = strrchr(r->from, '@');
	struct dmarc_query query = {.from = at == NULL ? r->from : at + 1,
	    .spf = {"", AUTH_NONE},
	    .ndkim = r->ndkim};
	struct dmarc_result result;
	bool first = true;
	int code;

	memcpy(query.dkim, r->dkim, sizeof(query.dkim));
	check(r, &query, &result);
	dmarc_find_organization(&r->mailauth, &result);
	if (r->json) {
		putchar('{');
		print_pair(&first, "result", auth_result_name(result.result));
		tool_dmarc_json(&first, &result);
		puts("}");
	} else {
		tool_show_dmarc(r->from, &result);
	}
	code = tool_exit(r, result.result);
	dmarc_result_free(&result);
	return code;
}
