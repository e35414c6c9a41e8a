/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_DKIM_ZONE_H
#define TESTS_UNIT_DKIM_ZONE_H

#include <stdlib.h>
#include <string.h>

#include "mailauth/dkim.h"

/* A DNS of a few TXT records for tests of DKIM. */
struct dkim_zone {
	enum dns_status status; /* of every name, unless DNS_FOUND */
	size_t n, asked;
	char last[DNS_NAME_MAX + 1]; /* that was asked about */
	struct {
		const char *name, *text;
	} records[16];
};

static enum dns_status
zone_txt(void *context, const char *name, char ***texts, size_t *n)
{
	struct dkim_zone *zone = context;
	size_t size = sizeof(char *) * 16;
	char *p;

	*n = 0;
	zone->asked++;
	assert_true(strlen(name) <= DNS_NAME_MAX);
	strcpy(zone->last, name);
	if (zone->status != DNS_FOUND)
		return zone->status;
	for (size_t i = 0; i < zone->n; i++)
		size += strlen(zone->records[i].text) + 1;
	*texts = malloc(size);
	assert_non_null(*texts);
	p = (char *)(*texts + 16);
	for (size_t i = 0; i < zone->n; i++)
		if (strcmp(zone->records[i].name, name) == 0) {
			strcpy(p, zone->records[i].text);
			(*texts)[(*n)++] = p;
			p += strlen(p) + 1;
		}
	return *n > 0 ? DNS_FOUND : DNS_NO_NAME;
}

/* The results of a message with LF line ends, taken in such pieces. */
static inline size_t
zone_verify(struct dkim_zone *zone, int64_t now, const char *message, size_t n,
    size_t piece, struct dkim_result results[DKIM_SIGNATURES_MAX])
{
	const struct resolver resolver = {.txt = zone_txt, .context = zone};
	const struct mailauth m = {.resolver = &resolver, .now = now};
	struct header_section h;
	struct dkim_verifier *v;
	size_t used, count;

	header_init(&h);
	used = header_take(&h, message, n);
	header_end(&h);
	v = dkim_verify_begin(&m, &h);
	assert_non_null(v);
	for (size_t at = used; at < n; at += piece)
		dkim_verify_body(
		    v, message + at, n - at < piece ? n - at : piece);
	count = dkim_verify_end(v, results);
	assert_true(count <= DKIM_SIGNATURES_MAX);
	assert_true(count <= dkim_signatures(v));
	dkim_verify_free(v);
	header_free(&h);
	return count;
}

#endif
