/* SPDX-License-Identifier: ISC */
#include "queue/why.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "queue/words.h"

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static const char *
is_are(uint64_t n)
{
	return n == 1 ? "is" : "are";
}

/* "in 7 min (18:32)", "now". */
static void
add_when(struct buf *out, int64_t when, int64_t now)
{
	char wait[WORDS_SIZE], at[WORDS_SIZE];

	if (when <= now) {
		buf_adds(out, "now");
		return;
	}
	words_duration(wait, when - now);
	words_time(at, when, now);
	buf_addf(out, "in %s (%s)", wait, at);
}

static void
add_ago(struct buf *out, int64_t when, int64_t now)
{
	char ago[WORDS_SIZE];

	if (now - when < 2) {
		buf_adds(out, "just now");
		return;
	}
	words_duration(ago, now - when);
	buf_addf(out, "%s ago", ago);
}

static void
add_quoted(struct buf *out, const char *code, const char *text)
{
	bool has = code[0] != '\0' && strstr(text, code) == NULL;

	buf_addf(out, "'%s%s%s'", has ? code : "", has ? " " : "", text);
}

/* -- places -- */

static bool
is_state(const struct why_place *p, const char *state)
{
	return p->known && strcmp(p->state, state) == 0;
}

/* "example.org (mx.example.org)" */
static void
add_place(struct buf *out, const struct why_group *g)
{
	const struct recipient *r = g->latest;

	if (r != NULL && r->relay != NULL &&
	    (strncmp(r->relay, "mailbox:", 8) == 0 ||
		strncmp(r->relay, "system:", 7) == 0)) {
		buf_addf(out, "the mailbox of %s", strchr(r->relay, ':') + 1);
		return;
	}
	if (g->domain[0] != '\0')
		buf_adds(out, g->domain);
	else
		buf_adds(out, r != NULL ? r->address : "its recipient");
	if (g->place.known && strcasecmp(g->place.name, g->domain) != 0)
		buf_addf(out, " (%s)", g->place.name);
}

/* What was said the last time: by its destination, else to this message. */
static bool
add_last_words(struct buf *out, const struct why_group *g, int64_t now)
{
	const struct recipient *r = g->latest;

	if (g->place.known && g->place.text[0] != '\0' &&
	    (r == NULL || r->text == NULL || g->place.when >= r->when)) {
		buf_adds(out, "the last try ");
		add_ago(out, g->place.when, now);
		buf_adds(out, " said ");
		add_quoted(out, g->place.code, g->place.text);
		return true;
	}
	if (r == NULL || r->text == NULL)
		return false;
	buf_adds(out, "the last try ");
	add_ago(out, r->when, now);
	buf_adds(out, " said ");
	add_quoted(out, r->dsn, r->text);
	return true;
}

/* -- a message -- */

static void
add_window(struct buf *out, const struct why_place *p)
{
	buf_addf(out,
	    "it has its turn as soon as one of the %" PRIu64
	    " deliver%s that run there ends (%" PRIu64 " at a time, %" PRIu64
	    " message%s wait)",
	    p->running, p->running == 1 ? "y" : "ies", p->window, p->waiting,
	    plural(p->waiting));
}

/* READY: its destination decides. */
static void
add_ready(struct buf *out, const struct why_message *m, int64_t now)
{
	const struct why_group *g = m->groups;

	buf_adds(out, "waits for ");
	if (m->n == 0) {
		buf_adds(out, "its turn");
		return;
	}
	add_place(out, g);
	buf_adds(out, ": ");
	if (is_state(&g->place, "resting")) {
		buf_adds(out, "no session could be had there; ");
		if (add_last_words(out, g, now))
			buf_adds(out, "; ");
		buf_adds(out, "the next probe is ");
		add_when(out, g->place.next, now);
	} else if (is_state(&g->place, "paused")) {
		buf_adds(out, "that wants mail more slowly; ");
		if (add_last_words(out, g, now))
			buf_adds(out, "; ");
		buf_adds(out, "the next one goes ");
		add_when(out, g->place.next, now);
	} else if (g->place.known) {
		add_window(out, &g->place);
	} else {
		buf_adds(out, "it is its turn soon");
	}
}

static void
add_waiting(struct buf *out, const struct why_message *m, int64_t now)
{
	bool any = false;

	buf_adds(out, "waits for ");
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_adds(out, i + 1 == m->n ? "; and for " : "; for ");
		add_place(out, &m->groups[i]);
		if (m->groups[i].latest == NULL && !m->groups[i].place.known)
			continue;
		buf_adds(out, ": ");
		if (!add_last_words(out, &m->groups[i], now))
			buf_adds(out, "nothing was said yet");
		any = true;
	}
	if (m->n == 0)
		buf_adds(out, "its report to the sender");
	if (!any && m->next > now)
		buf_adds(out,
		    "; nothing was said about it, so that a part of this "
		    "house may be away (postrider status)");
	buf_adds(out, "; next try ");
	add_when(out, m->next, now);
}

static void
add_active(struct buf *out, const struct why_attempt *a)
{
	char since[WORDS_SIZE];
	const char *comma = ": ";

	if (!a->known) {
		buf_adds(out, "is being tried");
		return;
	}
	words_duration(since, (int64_t)a->seconds);
	buf_addf(out, "is being tried since %s", since);
	if (a->routing > 0) {
		buf_addf(out, "%suserdb is asked about %" PRIu64 " recipient%s",
		    comma, a->routing, plural(a->routing));
		comma = ", ";
	}
	if (a->local > 0) {
		buf_addf(out, "%s%" PRIu64 " recipient%s %s with mailbox",
		    comma, a->local, plural(a->local), is_are(a->local));
		comma = ", ";
	}
	if (a->remote > 0)
		buf_addf(out, "%s%" PRIu64 " recipient%s %s with deliver",
		    comma, a->remote, plural(a->remote), is_are(a->remote));
	if (a->routing + a->local + a->remote == 0)
		buf_adds(out, ": what became of it is being recorded");
}

static void
add_held(struct buf *out, const struct why_message *m, int64_t now)
{
	buf_addf(out, "is held: %s", m->held != NULL ? m->held : "no reason");
	if (m->e->held != NULL) {
		buf_adds(out, " (");
		add_ago(out, m->e->held_since, now);
		buf_adds(out, ")");
	}
	buf_adds(out,
	    "; it is tried when it is released, and not given up "
	    "before");
}

/* "; 3 of 5 recipients are delivered, 1 failed" */
static void
add_progress(struct buf *out, const struct envelope *e)
{
	size_t pending = envelope_count(e, RECIPIENT_PENDING);
	size_t done = envelope_count(e, RECIPIENT_DELIVERED);
	size_t failed = envelope_count(e, RECIPIENT_FAILED) +
	    envelope_count(e, RECIPIENT_BOUNCED);

	if (done + failed == 0)
		return;
	buf_addf(out, "; %zu of %zu recipients %s delivered", done,
	    pending + done + failed, is_are(done));
	if (failed > 0)
		buf_addf(out, ", %zu failed", failed);
}

void
why_message(struct buf *out, const struct why_message *m, int64_t now)
{
	char at[WORDS_SIZE];

	buf_addf(out, "%s ", m->id);
	switch (m->state) {
	case STATE_INCOMING:
		buf_adds(out,
		    "is not acknowledged yet: whoever brought it "
		    "has still to make it durable.");
		return;
	case STATE_HELD:
		add_held(out, m, now);
		break;
	case STATE_ACTIVE:
		add_active(out, &m->attempt);
		break;
	case STATE_READY:
		add_ready(out, m, now);
		break;
	default:
		add_waiting(out, m, now);
		break;
	}
	add_progress(out, m->e);
	if (m->state != STATE_HELD) {
		words_time(at, m->expires, now);
		buf_addf(out, "; it is given up %s%s",
		    strlen(at) > 5 ? "on " : "at ", at);
	}
	buf_addc(out, '.');
}

/* -- a destination -- */

static void
add_state(struct buf *out, const struct why_place *p, int64_t now)
{
	if (strcmp(p->state, "resting") == 0) {
		buf_adds(out, " takes no mail: ");
	} else if (strcmp(p->state, "paused") == 0) {
		buf_adds(out, " wants mail more slowly: ");
	} else {
		buf_addf(out,
		    " takes mail: %" PRIu64 " deliver%s %s, %" PRIu64
		    " at a time",
		    p->running, p->running == 1 ? "y" : "ies",
		    p->running == 1 ? "runs" : "run", p->window);
		return;
	}
	if (p->text[0] != '\0') {
		buf_adds(out, "the last try ");
		add_ago(out, p->when, now);
		buf_adds(out, " said ");
		add_quoted(out, p->code, p->text);
		buf_adds(out, "; ");
	}
	buf_adds(out, "the next is ");
	add_when(out, p->next, now);
}

static void
add_messages(struct buf *out, const struct why_waiting *w, int64_t now)
{
	char age[WORDS_SIZE];

	if (w->messages == 0) {
		buf_adds(out, "no message waits");
		return;
	}
	buf_addf(out, "%zu message%s wait%s", w->messages, plural(w->messages),
	    w->messages == 1 ? "s" : "");
	if (w->oldest != 0) {
		words_duration(age, now - w->oldest);
		buf_addf(out, ", the oldest for %s", age);
	}
	if (w->held > 0)
		buf_addf(
		    out, "; %zu of them %s held", w->held, is_are(w->held));
	if (w->next > now) {
		buf_adds(out,
		    "; the first of those that wait for a time is "
		    "tried ");
		add_when(out, w->next, now);
	}
}

void
why_destination(struct buf *out, const char *name, const struct why_place *p,
    const struct why_waiting *w, int64_t now)
{
	buf_adds(out, name);
	if (p->known && strcasecmp(p->name, name) != 0)
		buf_addf(out, " (%s)", p->name);
	if (p->known) {
		add_state(out, p, now);
		buf_adds(out, "; ");
	} else {
		buf_adds(out, ": ");
	}
	add_messages(out, w, now);
	if (w->when != 0 && (!p->known || p->text[0] == '\0')) {
		buf_adds(out, "; the last words, ");
		add_ago(out, w->when, now);
		buf_adds(out, ", were ");
		add_quoted(out, "", w->text);
	}
	buf_addc(out, '.');
}

/* -- groups -- */

static struct why_group *
group_for(struct why_group *groups, size_t *n, size_t most, const char *domain)
{
	for (size_t i = 0; i < *n; i++)
		if (strcasecmp(groups[i].domain, domain) == 0)
			return &groups[i];
	if (*n == most)
		return NULL;
	groups[*n] = (struct why_group){.domain = domain};
	return &groups[(*n)++];
}

size_t
why_group(const struct envelope *e, struct why_group *groups, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++) {
		const struct recipient *r = &e->recipients[i];
		struct why_group *g;

		if (r->state != RECIPIENT_PENDING)
			continue;
		g = group_for(groups, &n, most, select_domain_of(r->address));
		if (g == NULL)
			continue;
		g->recipients++;
		if (r->text != NULL &&
		    (g->latest == NULL || r->when > g->latest->when))
			g->latest = r;
	}
	return n;
}
