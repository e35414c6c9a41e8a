/* SPDX-License-Identifier: ISC */
#include "queue/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "queue/destination.h"
#include "queue/envelope.h"
#include "queue/slab.h"

/* A place in the index and one in a heap, a lane of its own: 128 octets. */
_Static_assert(sizeof(struct message) <= 72, "a million of them");

enum { CHAIN = 2 }; /* messages a bucket, on average, at the most */

/* Ids are random, so their low bits are the hash. */
static struct {
	struct message **buckets;
	size_t size; /* a power of two, or 0 */
	size_t n;
	struct slab slab;
} table = {.slab = {.size = sizeof(struct message)}};

static uint64_t
number_of(const char *id)
{
	return strtoull(id, NULL, 16);
}

void
message_id(const struct message *m, char out[FS_ID_SIZE])
{
	snprintf(out, FS_ID_SIZE, "%016" PRIx64, m->id);
}

static struct message **
bucket(uint64_t id)
{
	return &table.buckets[id & (table.size - 1)];
}

static bool
grow(void)
{
	struct message **old = table.buckets, *m, *next;
	size_t size = table.size == 0 ? 1024 : table.size * 2, n = table.size;

	if (table.n < CHAIN * table.size)
		return true;
	table.buckets = calloc(size, sizeof(struct message *));
	if (table.buckets == NULL) {
		table.buckets = old;
		return old != NULL; /* longer chains, then */
	}
	table.size = size;
	for (size_t i = 0; i < n; i++)
		for (m = old[i]; m != NULL; m = next) {
			next = m->chain;
			m->chain = *bucket(m->id);
			*bucket(m->id) = m;
		}
	free(old);
	return true;
}

struct message *
message_add(const char *id)
{
	struct message *m;

	if (!grow() || (m = slab_take(&table.slab)) == NULL)
		return NULL;
	m->id = number_of(id);
	m->born = clock_monotonic_ms();
	m->chain = *bucket(m->id);
	*bucket(m->id) = m;
	table.n++;
	return m;
}

void
message_drop(struct message *m)
{
	struct message **where = bucket(m->id);

	while (*where != m)
		where = &(*where)->chain;
	*where = m->chain;
	table.n--;
	message_hold(m, false);
	message_lead(m, NULL);
	slab_give(&table.slab, m);
}

struct message *
message_numbered(uint64_t id)
{
	struct message *m;

	if (table.size == 0)
		return NULL;
	for (m = *bucket(id); m != NULL && m->id != id;)
		m = m->chain;
	return m;
}

struct message *
message_find(const char *id)
{
	return spool_is_id(id) ? message_numbered(number_of(id)) : NULL;
}

void
message_each(void (*call)(struct message *, void *), void *context)
{
	struct message *m, *next;

	for (size_t i = 0; i < table.size; i++)
		for (m = table.buckets[i]; m != NULL; m = next) {
			next = m->chain;
			call(m, context);
		}
}

size_t
message_count(void)
{
	return table.n;
}

int64_t
message_age(const struct message *m)
{
	int64_t age = clock_monotonic_ms() - m->born;

	return age > 0 ? age : 0;
}

/* -- where to, and whose -- */

void
message_lead(struct message *m, struct domain *domain)
{
	if (domain != NULL)
		domain_use(domain);
	if (m->domain != NULL)
		domain_release(m->domain);
	m->domain = domain;
}

uint32_t
message_sender(const struct envelope *e)
{
	char uid[24];

	if (e->login != NULL)
		return envelope_hash(e->login);
	if (e->uid < 0)
		return envelope_hash(e->sender);
	snprintf(uid, sizeof(uid), "%" PRId64, e->uid);
	return envelope_hash(uid);
}

static const char *
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL && at[1] != '\0' ? at + 1 : NULL;
}

const char *
message_domain(const struct envelope *e)
{
	const char *domain = NULL;

	for (size_t i = 0; i < e->n; i++) {
		const char *other = domain_of(e->recipients[i].address);

		if (e->recipients[i].state != RECIPIENT_PENDING)
			continue;
		if (other == NULL ||
		    (domain != NULL && strcmp(domain, other) != 0))
			return NULL;
		domain = other;
	}
	return domain;
}

void
message_lead_to(struct message *m, const char *name)
{
	struct domain *domain = name != NULL ? domain_hold(name) : NULL;

	message_lead(m, domain);
	if (domain != NULL)
		domain_release(domain);
}

void
message_describe(struct message *m, const struct envelope *e)
{
	message_is_of(m, message_sender(e), e->login != NULL);
	message_lead_to(m, message_domain(e));
}
