/* SPDX-License-Identifier: ISC */
#include "mailauth/spf.h"

#include <stdio.h>
#include <string.h>

#include "common/dns_read.h"
#include "common/idn.h"
#include "common/netaddr.h"
#include "mailauth/spf_check.h"

enum { DOMAIN_MAX = 253, LABEL_MAX = 63 };

static bool
is_label_octet(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_';
}

/* Section 4.3: a name of several labels, the last not a number. */
static bool
is_domain(const char *name)
{
	size_t label = 0, labels = 1, digits = 0;

	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '.') {
			if (label == 0)
				return false;
			labels++;
			label = digits = 0;
		} else if (!is_label_octet(*p) || ++label > LABEL_MAX) {
			return false;
		} else if (*p >= '0' && *p <= '9') {
			digits++;
		}
	}
	return labels > 1 && label > digits && strlen(name) <= DOMAIN_MAX;
}

/* As it is asked about, lower case; false: it is no domain. */
static bool
take_domain(const char *text, char out[DNS_NAME_MAX + 1])
{
	char ascii[DNS_NAME_MAX + 1];

	out[0] = '\0';
	if (strlen(text) > DNS_NAME_MAX || !idn_to_ascii(text, ascii))
		return false;
	dns_name_normalise(ascii, out);
	if (is_domain(out))
		return true;
	out[0] = '\0';
	return false;
}

/* The content of a quoted local part (RFC 5321 section 4.1.2). */
static void
take_local(const char *text, size_t n, char out[ADDRESS_TEXT_MAX + 1])
{
	size_t kept = 0;
	bool quoted = n >= 2 && text[0] == '"' && text[n - 1] == '"';

	for (size_t i = quoted; i + quoted < n && kept < ADDRESS_TEXT_MAX;
	     i++) {
		if (quoted && text[i] == '\\' && i + 1 + quoted < n)
			i++;
		out[kept++] = text[i];
	}
	out[kept] = '\0';
	if (kept == 0)
		snprintf(out, ADDRESS_TEXT_MAX + 1, "postmaster");
}

static void
check(const struct mailauth *m, const struct spf_query *q, const char *local,
    size_t nlocal, const char *domain, struct spf_result *result)
{
	struct spf_check c = {
	    .mailauth = m, .result = result, .client = q->client};
	char helo_domain[DNS_NAME_MAX + 1];

	*result = (struct spf_result){.result = AUTH_NONE};
	if (!take_domain(domain, result->domain))
		return;
	netaddr_unmap(&c.client);
	take_local(local, nlocal, c.local);
	snprintf(c.helo, sizeof(c.helo), "%s",
	    take_domain(q->helo, helo_domain) ? helo_domain : q->helo);
	c.macros = (struct spf_macros){.local = c.local,
	    .sender_domain = result->domain,
	    .helo = c.helo,
	    .receiver = q->receiver != NULL && q->receiver[0] != '\0'
		? q->receiver
		: "unknown",
	    .client = &c.client,
	    .now = m->now};
	mailauth_step(m, "spf: checking %s", result->domain);
	result->result = spf_check_domain(&c, result->domain, false);
	result->broad = result->result == AUTH_PASS && c.broad;
	if (result->result != AUTH_TEMPERROR &&
	    result->result != AUTH_PERMERROR)
		result->reason[0] = '\0';
	mailauth_step(
	    m, "spf: %s: %s", result->domain, auth_result_name(result->result));
}

void
spf_check_helo(const struct mailauth *m, const struct spf_query *q,
    struct spf_result *result)
{
	check(m, q, "", 0, q->helo, result);
}

void
spf_check_sender(const struct mailauth *m, const struct spf_query *q,
    struct spf_result *result)
{
	const char *at = strrchr(q->sender, '@');

	if (at == NULL)
		check(m, q, "", 0, q->sender[0] == '\0' ? q->helo : "", result);
	else
		check(
		    m, q, q->sender, (size_t)(at - q->sender), at + 1, result);
}
