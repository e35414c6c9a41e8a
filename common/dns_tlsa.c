/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "common/dns.h"
#include "common/dns_query.h"
#include "common/dns_read.h"

/* Records that have no association data say nothing. */
static size_t
read_records(
    const struct dns_answer *a, struct dns_tlsa *records, unsigned char *room)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct cursor c = dns_record_cursor(a, &a->records[i]);
		struct dns_tlsa *r = &records[n];
		struct span data;

		r->usage = cursor_u8(&c);
		r->selector = cursor_u8(&c);
		r->matching = cursor_u8(&c);
		data = cursor_take(&c, cursor_left(&c));
		if (!cursor_done(&c) || data.len == 0)
			continue;
		memcpy(room, data.data, data.len);
		r->data = room;
		r->len = data.len;
		room += data.len;
		n++;
	}
	return n;
}

enum dns_status
dns_tlsa(struct dns *d, const char *name, struct dns_tlsa **records, size_t *n)
{
	enum dns_status status =
	    dns_look_up(d, name, DNS_TYPE_TLSA, dns_limit(d));
	const struct dns_answer *a = &d->answer;
	size_t octets = 0;

	*n = 0;
	*records = NULL;
	if (status != DNS_FOUND)
		return status;
	for (size_t i = 0; i < a->n; i++)
		octets += a->records[i].len;
	*records = malloc(a->n * sizeof(**records) + octets);
	if (*records == NULL)
		return DNS_TEMPORARY;
	*n = read_records(a, *records, (unsigned char *)(*records + a->n));
	if (*n > 0)
		return DNS_FOUND;
	free(*records);
	*records = NULL;
	return DNS_BROKEN;
}

enum dns_status
dns_alias(struct dns *d, const char *name, char target[DNS_NAME_MAX + 1])
{
	enum dns_status status =
	    dns_look_up(d, name, DNS_TYPE_CNAME, dns_limit(d));
	struct cursor c;

	target[0] = '\0';
	if (status != DNS_FOUND)
		return status;
	c = dns_record_cursor(&d->answer, &d->answer.records[0]);
	if (!dns_read_host(&c, target) || !cursor_done(&c))
		return DNS_BROKEN;
	return DNS_FOUND;
}
