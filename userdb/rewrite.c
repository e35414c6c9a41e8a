/* SPDX-License-Identifier: ISC */
#include "userdb/rewrite.h"

#include <stdio.h>

#include "common/clock.h"
#include "userdb/resolve.h"
#include "userdb/secret.h"
#include "userdb/srs.h"

enum found
rewrite_begin(struct directory *d)
{
	return secret_keep(d, "srs-key", d->srs_key);
}

/* One that leads to us: the alias's own, or what is ours at all. */
static enum found
find_domain(struct directory *d, const char *domain, struct address *place)
{
	enum found found = ABSENT;

	*place = (struct address){.local = "x"};
	if (domain[0] != '\0') {
		snprintf(place->domain, sizeof(place->domain), "%s", domain);
		found = resolve_place(d, place);
	}
	if (found != ABSENT)
		return found;
	place->domain[0] = '\0';
	return resolve_place(d, place);
}

enum found
rewrite_sender(struct directory *d, const char *sender, const char *domain,
    char out[PROTOCOL_ADDRESS_MAX + 1], const char **why)
{
	struct address name, place, made;
	enum found found;

	*why = NULL;
	if (!d->config->srs || sender[0] == '\0' ||
	    address_parse(sender, ADDRESS_UTF8 | ADDRESS_BARE, &name) != NULL)
		return ABSENT;
	place = name;
	if ((found = resolve_place(d, &place)) != ABSENT)
		return found == FAILED ? FAILED : ABSENT;
	if (find_domain(d, domain, &place) == FAILED)
		return FAILED;
	if (srs_forward(d->srs_key, clock_now(), &name, place.domain, &made)) {
		address_format(&made, out);
		return FOUND;
	}
	*why = "too long for a local part";
	return ABSENT;
}

enum found
rewrite_back(struct directory *d, const char *address,
    char out[PROTOCOL_ADDRESS_MAX + 1])
{
	struct address name, place, sender;
	enum found found;

	if (address_parse(address, ADDRESS_UTF8 | ADDRESS_BARE, &name) !=
		NULL ||
	    !srs_is(&name))
		return ABSENT;
	place = name;
	if ((found = resolve_place(d, &place)) != FOUND)
		return found;
	if (!srs_reverse(d->srs_key, clock_now(), &name, &sender))
		return ABSENT;
	address_format(&sender, out);
	return FOUND;
}
