/* SPDX-License-Identifier: ISC */
#include "queue/held.h"

#include <search.h>
#include <stdlib.h>

#include "queue/envelope.h"
#include "queue/message.h"

/* Only logins whose mail is held, and those by their names' hashes. */
struct tally {
	uint32_t login;
	size_t n;
};

static void *tallies;

static int
compare(const void *left, const void *right)
{
	uint32_t a = ((const struct tally *)left)->login;
	uint32_t b = ((const struct tally *)right)->login;

	return a < b ? -1 : a > b;
}

static struct tally *
find(uint32_t login)
{
	struct tally key = {.login = login};
	struct tally **found = tfind(&key, &tallies, compare);

	return found != NULL ? *found : NULL;
}

static void
count(uint32_t login)
{
	struct tally *t = find(login);

	if (t == NULL) {
		t = calloc(1, sizeof(*t));
		if (t == NULL)
			return; /* the bound is a little higher, then */
		t->login = login;
		if (tsearch(t, &tallies, compare) == NULL) {
			free(t);
			return;
		}
	}
	t->n++;
}

static void
uncount(uint32_t login)
{
	struct tally *t = find(login);

	if (t == NULL || --t->n > 0)
		return;
	tdelete(t, &tallies, compare);
	free(t);
}

void
message_is_of(struct message *m, uint32_t sender, bool of_login)
{
	bool held = m->held;

	message_hold(m, false);
	m->sender = sender;
	m->of_login = of_login;
	message_hold(m, held);
}

void
message_hold(struct message *m, bool held)
{
	if (m->of_login && held && !m->held)
		count(m->sender);
	if (m->of_login && !held && m->held)
		uncount(m->sender);
	m->held = held;
}

size_t
held_of_login(const char *login)
{
	const struct tally *t = find(envelope_hash(login));

	return t != NULL ? t->n : 0;
}
