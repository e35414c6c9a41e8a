/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "common/netaddr.h"
#include "common/print.h"
#include "mailauth/tool.h"

static const char *const verdicts[] = {
    [AUTH_NONE] = "has no SPF record, or is no domain",
    [AUTH_PASS] = "lets this client send",
    [AUTH_FAIL] = "does not let this client send",
    [AUTH_SOFTFAIL] = "thinks that this client should not send",
    [AUTH_NEUTRAL] = "does not say whether this client may send",
    [AUTH_TEMPERROR] = "cannot be asked now",
    [AUTH_PERMERROR] = "has a record that makes no sense",
    [AUTH_POLICY] = "",
};

void
tool_spf_json(const struct request *r, const char *identity,
    const struct spf_result *result)
{
	bool first = true;
	char client[NETADDR_TEXT_MAX];

	netaddr_format(&r->client, client);
	putchar('{');
	print_pair(&first, "result", auth_result_name(result->result));
	print_pair(&first, "identity", identity);
	print_pair(&first, "domain", result->domain);
	print_pair(&first, "ip", client);
	print_pair(&first, "mechanism", result->mechanism);
	print_pair(&first, "explanation", result->explanation);
	print_pair(&first, "reason", result->reason);
	putchar('}');
}

void
tool_show_spf(
    const struct request *r, const char *asked, const struct spf_result *result)
{
	char client[NETADDR_TEXT_MAX];

	netaddr_format(&r->client, client);
	printf("SPF %s: ", auth_result_name(result->result));
	print_clean(result->domain[0] != '\0' ? result->domain : asked);
	printf(" %s\n", verdicts[result->result]);
	print_row("client", client);
	print_row("by", result->mechanism);
	print_row("explanation", result->explanation);
	print_row("reason", result->reason);
}

struct spf_query
tool_spf_query(const struct request *r)
{
	return (struct spf_query){.client = r->client,
	    .helo = r->helo,
	    .sender = r->from != NULL ? r->from : "",
	    .receiver = r->hostname};
}

/* Without --from it is the HELO name that is judged, as with the null path. */
int
tool_spf(struct request *r)
{
	struct spf_query query = tool_spf_query(r);
	bool helo = query.sender[0] == '\0';
	struct spf_result result;

	spf_check_sender(&r->mailauth, &query, &result);
	if (r->json) {
		tool_spf_json(r, helo ? "helo" : "mailfrom", &result);
		putchar('\n');
	} else {
		tool_show_spf(r, helo ? r->helo : r->from, &result);
	}
	return tool_exit(r, result.result);
}
