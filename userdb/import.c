/* SPDX-License-Identifier: ISC */
/*
 * admin.h: an import, all or nothing, in many small transactions, so that
 * look-ups never wait for a large one.  directory.h says how its entries
 * stay invisible until the end.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/log.h"
#include "userdb/admin.h"
#include "userdb/name.h"
#include "userdb/resolve.h"

enum { WHY_MAX = 512, PATIENCE_MS = 60000, SWEEP_KEYS = 200 };

void
import_undo(struct admin *a)
{
	a->importer = NULL;
	a->sweeping = a->directory->pending[0] != '\0';
	a->sweep_type = ENTRY_DOMAIN;
	a->sweep_from.n = 0;
}

bool
import_blocks(struct admin *a, const void *who, struct packet *answer)
{
	if (a->importer == NULL)
		return false;
	if (a->importer != who &&
	    clock_monotonic_ms() - a->touched > PATIENCE_MS) {
		log_event(LEVEL_WARNING, "import undone",
		    log_text("reason", "silent for a minute"));
		import_undo(a);
		return false;
	}
	return admin_fail(answer, EX_TEMPFAIL, "an import is under way");
}

bool
import_begin(struct admin *a, const void *who, struct packet *answer)
{
	struct directory *d = a->directory;
	enum store_result result;
	char batch[FS_ID_SIZE];

	if (import_blocks(a, who, answer))
		return true;
	if (a->sweeping) {
		packet_start(answer, "busy");
		return true;
	}
	fs_random_id(batch);
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	if ((result = directory_set_note(d, "import", batch)) != STORE_OK)
		store_abort(d->store);
	else
		result = store_commit(d->store, true);
	if (result != STORE_OK)
		return admin_fail_store(answer, result);
	memcpy(d->pending, batch, sizeof(batch));
	a->importer = who;
	a->touched = clock_monotonic_ms();
	a->entries = 0;
	a->postmaster[0] = '\0';
	packet_start(answer, "done");
	return true;
}

static bool
stop_when_many(const struct entry *e, void *context)
{
	(void)e;
	return ++*(size_t *)context < ALIAS_TARGETS_MAX;
}

/* NULL, or what is wrong with the line. */
static const char *
add_entry(struct admin *a, struct entry *e, char *why)
{
	struct directory *d = a->directory;
	struct entry known = *e;
	size_t targets = 0;
	bool there;

	if (e->type == ENTRY_NOTE) {
		snprintf(a->postmaster, sizeof(a->postmaster), "%s", e->target);
		return NULL;
	}
	if (!admin_may_add(d, e, why, WHY_MAX))
		return why;
	/* What is there already and says the same is no fault. */
	memcpy(known.target, e->target, sizeof(known.target));
	there = e->type == ENTRY_DOMAIN
	    ? directory_domain(d, e->name.domain) == FOUND
	    : (e->type == ENTRY_ALIAS || e->type == ENTRY_GRANT) &&
		directory_get(d, &known) == FOUND;
	if (there)
		return NULL;
	if (e->type == ENTRY_ALIAS &&
	    directory_targets(d, &e->name, stop_when_many, &targets) !=
		ABSENT &&
	    targets >= ALIAS_TARGETS_MAX)
		return "too many targets for one alias";
	if (e->created == 0)
		e->created = (uint64_t)clock_now();
	memcpy(e->batch, d->pending, sizeof(e->batch));
	a->entries++;
	if (e->type == ENTRY_USER && a->postmaster[0] == '\0')
		address_format(&e->name, a->postmaster);
	switch (directory_put(d, e)) {
	case STORE_OK:
		return e->type == ENTRY_ALIAS &&
			resolve_loops(d, &e->name, e->target) != ABSENT
		    ? "it would lead back to itself"
		    : NULL;
	case STORE_FULL:
		return store_reason(STORE_FULL);
	default:
		return store_reason(STORE_FAILED);
	}
}

static const char *
add_line(struct admin *a, const char *text, char *why)
{
	struct entry e;
	const char *wrong = entry_parse(text, &e);

	return wrong != NULL ? wrong : add_entry(a, &e, why);
}

bool
import_lines(struct admin *a, const void *who, const struct packet *p,
    struct packet *answer)
{
	struct directory *d = a->directory;
	struct cursor c = packet_cursor(p);
	const char *line, *text, *name, *wrong = NULL;
	enum store_result result;
	char why[WHY_MAX];

	if (a->importer == NULL || a->importer != who)
		return admin_fail(
		    answer, EX_TEMPFAIL, "the import has been undone");
	a->touched = clock_monotonic_ms();
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	d->importing = true;
	while (wrong == NULL && packet_next(&c, &name, &line) &&
	    packet_next(&c, &name, &text))
		if ((wrong = add_line(a, text, why)) != NULL)
			admin_fail(
			    answer, EX_DATAERR, "line %s: %s", line, wrong);
	d->importing = false;
	if (wrong != NULL || !cursor_done(&c)) {
		store_abort(d->store);
		import_undo(a);
		return wrong != NULL;
	}
	packet_start(answer, "done");
	result = store_commit(d->store, false);
	return result == STORE_OK || admin_fail_store(answer, result);
}

bool
import_end(struct admin *a, const void *who, struct packet *answer)
{
	struct directory *d = a->directory;
	enum store_result result;
	bool appointed = false;

	if (a->importer == NULL || a->importer != who)
		return admin_fail(
		    answer, EX_TEMPFAIL, "the import has been undone");
	if ((result = store_begin(d->store)) != STORE_OK)
		return admin_fail_store(answer, result);
	result = directory_set_note(d, "import", NULL);
	if (result == STORE_OK && a->postmaster[0] != '\0')
		result = admin_appoint(d, a->postmaster, &appointed);
	if (result != STORE_OK)
		store_abort(d->store);
	else
		result = store_commit(d->store, true);
	if (result != STORE_OK) {
		import_undo(a);
		return admin_fail_store(answer, result);
	}
	d->pending[0] = '\0';
	a->importer = NULL;
	a->changes++;
	packet_start(answer, "done");
	admin_note(answer, "%llu imported", (unsigned long long)a->entries);
	if (appointed)
		admin_note(answer, "%s is the postmaster", a->postmaster);
	return true;
}

void
admin_gone(struct admin *a, const void *who)
{
	if (a->importer != NULL && a->importer == who) {
		log_event(LEVEL_WARNING, "import undone",
		    log_text("reason", "connection closed before the end"));
		import_undo(a);
	}
}

/* -- undoing -- */

struct sweep {
	const char *batch;
	struct entry_key last;
	struct entry found[SWEEP_KEYS];
	size_t n, seen;
};

static bool
collect(const struct entry *e, void *context)
{
	struct sweep *s = context;

	if (strcmp(e->batch, s->batch) == 0)
		s->found[s->n++] = *e;
	(void)entry_key(e, &s->last);
	return ++s->seen < SWEEP_KEYS;
}

/* The next entries of the batch; false when there are no more. */
static bool
collect_some(struct admin *a, struct sweep *s)
{
	struct directory *d = a->directory;
	struct entry_key prefix;

	entry_prefix(a->sweep_type, NULL, NULL, &prefix);
	d->importing = true;
	(void)directory_each(d, &prefix,
	    a->sweep_from.n > 0 ? &a->sweep_from : NULL, collect, s);
	d->importing = false;
	if (s->seen == SWEEP_KEYS) {
		a->sweep_from = s->last;
		return true;
	}
	a->sweep_from.n = 0;
	a->sweep_type++;
	return a->sweep_type != ENTRY_NOTE;
}

bool
admin_sweep(struct admin *a)
{
	struct store *store = a->directory->store;
	static struct sweep s;
	enum store_result result = STORE_OK;
	enum entry_type type = a->sweep_type;
	bool more;

	if (!a->sweeping || store_begin(store) != STORE_OK)
		return a->sweeping;
	s.batch = a->directory->pending;
	s.n = s.seen = 0;
	more = collect_some(a, &s);
	for (size_t i = 0; i < s.n && result == STORE_OK; i++)
		result = directory_delete(a->directory, &s.found[i]);
	if (result == STORE_OK && !more)
		result = directory_set_note(a->directory, "import", NULL);
	if (result == STORE_OK)
		result = store_commit(store, !more);
	else
		store_abort(store);
	if (result != STORE_OK) {
		a->sweep_type = type;
		a->sweep_from.n = 0;
		return true;
	}
	if (!more) {
		a->directory->pending[0] = '\0';
		a->sweeping = false;
	}
	return more;
}
