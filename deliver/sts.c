/* SPDX-License-Identifier: ISC */
#include "deliver/sts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/ipc.h"

enum { LOOKUP_LIMIT_MS = 20000 };

bool
sts_lists(const struct packet *answer, const char *host)
{
	struct cursor c = packet_cursor(answer);
	const char *name, *value;

	while (packet_next(&c, &name, &value))
		if (strcmp(name, "mx") == 0 && sts_matches(value, host))
			return true;
	return false;
}

enum policy_sts
sts_mode(const struct packet *answer)
{
	struct cursor c = packet_cursor(answer);
	const char *name, *value;

	while (packet_next(&c, &name, &value)) {
		if (strcmp(name, "mode") != 0)
			continue;
		if (strcmp(value, "enforce") == 0)
			return STS_ENFORCE;
		if (strcmp(value, "testing") == 0)
			return STS_TESTING;
		return STS_NONE;
	}
	return STS_NONE;
}

/* The id that the DNS shows now; false: it shows none, or does not answer. */
static bool
look_up_id(struct dns *dns, const char *domain, char *id)
{
	char name[DNS_NAME_MAX + 1], **texts;
	bool found;
	size_t n;

	if (snprintf(name, sizeof(name), "_mta-sts.%s", domain) >=
	    (int)sizeof(name))
		return false;
	dns_deadline(dns, clock_monotonic_ms() + LOOKUP_LIMIT_MS);
	if (dns_txt(dns, name, &texts, &n) != DNS_FOUND)
		return false;
	found = sts_record(texts, n, id);
	free(texts);
	return found;
}

/*
 * Without a record the policy that was fetched before still counts until it
 * expires, for who can forge the DNS can hide a record (section 5.1).
 */
void
sts_look_up(struct deliver *d, const char *domain, struct sts *sts)
{
	char id[STS_ID_MAX + 1];
	bool found = look_up_id(d->dns, domain, id);

	packet_start(&sts->answer, "sts");
	sts->mode = found ? STS_UNKNOWN : STS_NONE;
	if (!ledger_sts(&d->ledger, domain, found ? id : NULL))
		return;
	sts->answer = d->ledger.packet;
	sts->mode = sts_mode(&sts->answer);
}
