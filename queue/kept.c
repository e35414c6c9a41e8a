/* SPDX-License-Identifier: ISC */
#include "queue/kept.h"

#include <stdlib.h>
#include <string.h>

#include "queue/envelope.h"

enum { ROUTES = 1024 };

static struct kept {
	char *address; /* NULL: none */
	char *target;
	enum route_kind kind;
} kept[ROUTES];

static struct kept *
place_of(const char *address)
{
	return &kept[envelope_hash(address) % ROUTES];
}

static void
clear(struct kept *k)
{
	free(k->address);
	free(k->target);
	*k = (struct kept){0};
}

bool
kept_find(const char *address, struct route *route)
{
	const struct kept *k = place_of(address);

	if (k->address == NULL || strcmp(k->address, address) != 0)
		return false;
	*route = (struct route){.kind = k->kind};
	route->targets = malloc(sizeof(*route->targets));
	if (route->targets == NULL)
		return false;
	route->targets[0] = strdup(k->target);
	route->n = route->targets[0] != NULL;
	if (route->n == 0)
		route_free(route);
	return route->targets != NULL;
}

void
kept_add(const char *address, const struct route *route)
{
	struct kept *k = place_of(address);

	clear(k);
	*k = (struct kept){.address = strdup(address),
	    .target = strdup(route->targets[0]),
	    .kind = route->kind};
	if (k->address == NULL || k->target == NULL)
		clear(k);
}

void
kept_forget(void)
{
	for (size_t i = 0; i < ROUTES; i++)
		clear(&kept[i]);
}
