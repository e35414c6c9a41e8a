/* SPDX-License-Identifier: ISC */
#include "smtpd/lists_memory.h"

#include <stdlib.h>
#include <string.h>

static struct in6_addr
key_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	struct in6_addr key = {.s6_addr = {0}};

	if (address->ss_family == AF_INET6)
		return ((const struct sockaddr_in6 *)address)->sin6_addr;
	key.s6_addr[10] = key.s6_addr[11] = 0xff;
	memcpy(key.s6_addr + 12, &in->sin_addr, 4);
	return key;
}

/* Who chooses addresses to meet in one bucket costs comparisons, no more. */
static struct listed **
bucket_of(struct lists_memory *m, const struct in6_addr *key)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(key->s6_addr); i++)
		hash = (hash ^ key->s6_addr[i]) * 16777619u;
	return &m->buckets[hash % LISTS_BUCKETS];
}

static void
unlink_from_order(struct lists_memory *m, struct listed *l)
{
	*(l->newer != NULL ? &l->newer->older : &m->newest) = l->older;
	*(l->older != NULL ? &l->older->newer : &m->oldest) = l->newer;
}

static void
make_newest(struct lists_memory *m, struct listed *l)
{
	l->newer = NULL;
	l->older = m->newest;
	*(m->newest != NULL ? &m->newest->newer : &m->oldest) = l;
	m->newest = l;
}

static void
drop(struct lists_memory *m, struct listed *l)
{
	struct listed **p = bucket_of(m, &l->address);

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	unlink_from_order(m, l);
	m->n--;
	free(l->text);
	free(l);
}

static bool
make_room(struct lists_memory *m)
{
	struct listed *l = m->oldest;

	if (m->n < LISTS_ADDRESSES_MAX)
		return true;
	while (l != NULL && l->look_up != NULL)
		l = l->newer;
	if (l != NULL)
		drop(m, l);
	return l != NULL;
}

static struct listed *
add(struct lists_memory *m, const struct in6_addr *key)
{
	struct listed **p = bucket_of(m, key), *l;

	if (!make_room(m) || (l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	l->address = *key;
	l->next = *p;
	*p = l;
	make_newest(m, l);
	m->n++;
	return l;
}

struct listed *
lists_recall(struct lists_memory *m, const struct sockaddr_storage *address)
{
	struct in6_addr key = key_of(address);
	struct listed *l = *bucket_of(m, &key);

	while (l != NULL && memcmp(&l->address, &key, sizeof(key)) != 0)
		l = l->next;
	if (l == NULL)
		return add(m, &key);
	unlink_from_order(m, l);
	make_newest(m, l);
	return l;
}

void
lists_forget(struct lists_memory *m)
{
	while (m->oldest != NULL)
		drop(m, m->oldest);
}
