/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/dns_read.h"
#include "common/netaddr.h"
#include "mailauth/spf_check.h"

static bool
has_address(struct spf_check *c, const char *name)
{
	const struct resolver *r = c->mailauth->resolver;
	struct sockaddr_storage found[DNS_RECORDS_MAX];
	enum dns_status status;
	size_t n;

	status = r->addresses(
	    r->context, name, c->client.ss_family, found, DNS_RECORDS_MAX, &n);
	if (status == DNS_TEMPORARY)
		c->name_trouble = true;
	for (size_t i = 0; status == DNS_FOUND && i < n; i++)
		if (netaddr_equal(&found[i], &c->client))
			return true;
	return false;
}

void
spf_find_names(struct spf_check *c)
{
	const struct resolver *r = c->mailauth->resolver;
	enum dns_status status;
	size_t n, kept = 0;

	if (c->named)
		return;
	c->named = true;
	status = r->ptr(r->context, &c->client, c->names, SPF_NAMES_MAX, &n);
	if (status == DNS_TEMPORARY)
		c->name_trouble = true;
	for (size_t i = 0; status == DNS_FOUND && i < n; i++)
		if (has_address(c, c->names[i]))
			memmove(
			    c->names[kept++], c->names[i], sizeof(c->names[i]));
	c->nnames = kept;
}

bool
spf_is_within(const char *name, const char *domain)
{
	size_t n = strlen(name), m = strlen(domain);

	if (m > 0 && domain[m - 1] == '.')
		m--;
	return n >= m && (n == m || name[n - m - 1] == '.') &&
	    dns_name_equal(name + n - m, domain);
}

/* Section 7.3: the domain itself, a name below it, any. */
const char *
spf_best_name(struct spf_check *c, const char *domain)
{
	const char *best = NULL;

	spf_find_names(c);
	for (size_t i = 0; i < c->nnames; i++) {
		if (dns_name_equal(c->names[i], domain))
			return c->names[i];
		if (best == NULL ||
		    (spf_is_within(c->names[i], domain) &&
			!spf_is_within(best, domain)))
			best = c->names[i];
	}
	return best != NULL ? best : "unknown";
}
