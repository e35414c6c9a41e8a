/* SPDX-License-Identifier: ISC */
/* resolve.h: all the way through the aliases behind an address. */
#include <stdlib.h>
#include <string.h>

#include "userdb/name.h"
#include "userdb/resolve.h"

struct node { /* an alias that has been met */
	struct address name;
	bool open; /* we are behind it now */
};

struct walk {
	struct directory *directory;
	struct node *nodes;
	size_t n, room, steps;
	unsigned depth;
	const struct resolution *wanted; /* a leaf to look for, or NULL */
	/* what was found */
	bool loops, delivers, reaches;
	enum verdict refused; /* the first reason of a leaf that is none */
};

static void walk_from(struct walk *, const char *address);

static bool
walk_target(const char *address, void *context)
{
	struct walk *w = context;

	walk_from(w, address);
	return !w->loops;
}

static void
refuse(struct walk *w, enum verdict verdict)
{
	if (w->refused == VERDICT_OK || verdict_is_temporary(verdict))
		w->refused = verdict;
}

static struct node *
find_node(struct walk *w, const struct address *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (address_equal(&w->nodes[i].name, name))
			return &w->nodes[i];
	return NULL;
}

/* The index of a new, open node; -1 without memory. */
static ptrdiff_t
add_node(struct walk *w, const struct address *name)
{
	if (w->n == w->room) {
		size_t room = w->room == 0 ? 8 : 2 * w->room;
		struct node *nodes =
		    reallocarray(w->nodes, room, sizeof(*nodes));

		if (nodes == NULL)
			return -1;
		w->nodes = nodes;
		w->room = room;
	}
	w->nodes[w->n] = (struct node){.name = *name, .open = true};
	return (ptrdiff_t)w->n++;
}

static void
walk_alias(struct walk *w, const struct resolution *r)
{
	const struct node *known = find_node(w, &r->alias);
	ptrdiff_t index;

	if (known != NULL) {
		w->loops |= known->open;
		return;
	}
	if (w->depth == RESOLVE_DEPTH_MAX) {
		w->loops = true;
		return;
	}
	index = add_node(w, &r->alias);
	if (index < 0) {
		refuse(w, VERDICT_LOOKUP_FAILED);
		return;
	}
	w->depth++;
	if (resolve_targets(w->directory, r, walk_target, w) == FAILED)
		refuse(w, VERDICT_LOOKUP_FAILED);
	w->depth--;
	w->nodes[index].open = false;
}

static void
walk_from(struct walk *w, const char *address)
{
	struct resolution r;

	if (++w->steps > RESOLVE_NODES_MAX) {
		w->loops = true;
		return;
	}
	resolve(w->directory, address, &r);
	switch (r.kind) {
	case RESOLVED_ALIAS:
	case RESOLVED_FORWARD:
		walk_alias(w, &r);
		return;
	case RESOLVED_NOT:
		refuse(w, r.verdict);
		return;
	case RESOLVED_REMOTE:
		if (w->depth == 0)
			refuse(w, VERDICT_RELAY_DENIED);
		else
			w->delivers = true;
		return;
	case RESOLVED_MAILBOX:
	case RESOLVED_SYSTEM:
		w->delivers = true;
		if (w->wanted != NULL && r.kind == w->wanted->kind &&
		    strcmp(r.target, w->wanted->target) == 0)
			w->reaches = true;
		return;
	}
}

enum verdict
resolve_check(struct directory *d, const char *address)
{
	struct walk w = {.directory = d};

	walk_from(&w, address);
	free(w.nodes);
	if (w.loops)
		return VERDICT_LOOP;
	if (w.delivers)
		return VERDICT_RECIPIENT_OK;
	return w.refused != VERDICT_OK ? w.refused : VERDICT_USER_UNKNOWN;
}

enum found
resolve_loops(
    struct directory *d, const struct address *alias, const char *target)
{
	struct walk w = {.directory = d};
	bool loops;

	if (add_node(&w, alias) < 0)
		return FAILED;
	w.depth = 1;
	walk_from(&w, target);
	loops = w.loops;
	free(w.nodes);
	return loops ? FOUND : ABSENT;
}

/* -- senders -- */

static enum found
has_grant(
    struct directory *d, const struct address *user, const struct address *name)
{
	struct entry grant = {.type = ENTRY_GRANT, .name = *user};

	name_format(name, grant.target);
	return directory_get(d, &grant);
}

/* The address, without +detail, or all of its domain. */
static enum found
is_granted(
    struct directory *d, const char *login, const struct address *address)
{
	struct address user, as[3];
	size_t n = 2;
	enum found found = ABSENT;

	if (name_parse(login, &user) != NULL)
		return ABSENT;
	as[0] = as[1] = *address;
	name_lower(as[0].local);
	as[1].local[0] = '\0';
	if (name_strip_detail(&as[0], &as[2]))
		n = 3;
	for (size_t i = 0; i < n && found == ABSENT; i++)
		found = has_grant(d, &user, &as[i]);
	return found;
}

enum verdict
resolve_sender(struct directory *d, const char *login, const char *address)
{
	struct resolution own;
	struct walk w = {.directory = d, .wanted = &own};
	struct address parsed;

	if (address[0] == '\0')
		return VERDICT_SENDER_OK;
	if (address_parse(address, ADDRESS_UTF8, &parsed) != NULL)
		return VERDICT_BAD_SENDER;
	resolve(d, login, &own);
	if (own.kind == RESOLVED_NOT && verdict_is_temporary(own.verdict))
		return own.verdict;
	if (own.kind != RESOLVED_MAILBOX && own.kind != RESOLVED_SYSTEM)
		return VERDICT_SENDER_NOT_OWNED;
	walk_from(&w, address);
	free(w.nodes);
	if (w.reaches)
		return VERDICT_SENDER_OK;
	switch (is_granted(d, login, &parsed)) {
	case FOUND:
		return VERDICT_SENDER_OK;
	case FAILED:
		return VERDICT_LOOKUP_FAILED;
	case ABSENT:
		break;
	}
	return w.refused != VERDICT_OK && verdict_is_temporary(w.refused)
	    ? w.refused
	    : VERDICT_SENDER_NOT_OWNED;
}
