/* SPDX-License-Identifier: ISC */
#include "queue/overrun.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/loop.h"
#include "queue/bounce.h"
#include "queue/hold.h"
#include "queue/pattern.h"
#include "queue/queue.h"

enum { AGAIN_MS = 60 * 1000, REASON_MAX = 160 };

/*
 * How such a rule's reason begins, and how it ends once the postmaster has
 * been told: what is known of that outlives this process.
 */
static const char mark[] = "budget: ", told_mark[] = "; postmaster was told";

static bool
is_marked(const struct hold_rule *r)
{
	return r->kind == HOLD_LOGIN &&
	    strncmp(r->reason, mark, sizeof(mark) - 1) == 0;
}

static bool
is_told(const struct hold_rule *r)
{
	size_t n = strlen(r->reason), end = sizeof(told_mark) - 1;

	return n >= end && strcmp(r->reason + n - end, told_mark) == 0;
}

/* -- the postmaster -- */

/* One that is under way, with all that it borrows. */
struct telling {
	struct bounce_notice notice;
	struct timer again;
	char *rule; /* its name */
};

static char *
copy(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

static void
forget(struct telling *t)
{
	free(t->notice.login);
	free(t->notice.reason);
	free(t->notice.client);
	free(t->notice.sender);
	free(t->notice.app);
	free(t->rule);
	free(t);
}

/* The rule may have ended meanwhile, or be another one. */
static void
mark_told(const struct telling *t)
{
	const struct hold_rule *r =
	    holds_find(hold_rules(), HOLD_LOGIN, t->rule);
	char reason[ENVELOPE_TEXT_MAX];

	if (r == NULL || strcmp(r->reason, t->notice.reason) != 0)
		return;
	snprintf(reason, sizeof(reason), "%s%s", r->reason, told_mark);
	if (hold_rule_reword(HOLD_LOGIN, t->rule, reason) == -1)
		log_errno(LEVEL_ERROR, "cannot hold", t->notice.login);
}

static void
ask_again(struct timer *timer)
{
	bounce_notify(&container_of(timer, struct telling, again)->notice);
}

static void
told(struct bounce_notice *n, enum bounce_answer answer, const char *report)
{
	struct telling *t = container_of(n, struct telling, notice);

	if (answer == BOUNCE_LATER) {
		t->again.fire = ask_again;
		loop_timer(&t->again, AGAIN_MS);
		return;
	}
	if (answer == BOUNCE_SENT)
		log_event(LEVEL_INFO, "postmaster told",
		    log_text("auth", n->login), log_text("report", report));
	else
		log_event(LEVEL_WARNING, "postmaster not told",
		    log_text("auth", n->login), log_text("reason", report));
	if (answer == BOUNCE_SENT)
		mark_told(t);
	forget(t);
}

/* e: the message that was too much; NULL: not known any more. */
static void
tell(const struct hold_rule *r, const char *login, const struct envelope *e,
    const char *id, const char *app)
{
	struct telling *t = calloc(1, sizeof(*t));
	struct bounce_notice *n;

	if (t == NULL)
		return; /* the next start does */
	n = &t->notice;
	*n = (struct bounce_notice){.login = strdup(login),
	    .reason = strdup(r->reason),
	    .client = copy(e != NULL ? e->client : NULL),
	    .sender = copy(e != NULL ? e->sender : NULL),
	    .app = copy(app),
	    .since = r->since,
	    .told = told};
	if (id != NULL)
		snprintf(n->id, sizeof(n->id), "%s", id);
	t->rule = strdup(r->name);
	if (n->login == NULL || n->reason == NULL || t->rule == NULL) {
		forget(t);
		return;
	}
	bounce_notify(n);
}

static void
begin(struct timer *timer)
{
	const struct holds *h = hold_rules();
	char login[HOLD_NAME_MAX + 1];

	(void)timer;
	for (size_t i = 0; i < h->n; i++)
		if (is_marked(&h->rules[i]) && !is_told(&h->rules[i]) &&
		    pattern_plain(h->rules[i].name, login, sizeof(login)))
			tell(&h->rules[i], login, NULL, NULL, NULL);
}

void
overrun_begin(void)
{
	static struct timer soon = {.fire = begin};

	loop_timer(&soon, 0);
}

/* -- the rule -- */

static const struct hold_rule *
make_rule(const char *login, const char *reason)
{
	char name[HOLD_NAME_MAX + 1];

	errno = ENAMETOOLONG;
	if (!pattern_quote(login, name, sizeof(name)) ||
	    hold_rule(HOLD_LOGIN, name, reason, NULL) == -1) {
		log_errno(LEVEL_ERROR, "cannot hold", login);
		return NULL;
	}
	return holds_find(hold_rules(), HOLD_LOGIN, name);
}

bool
overrun_hold(struct envelope *e, const char *id, const char *app,
    const struct overrun *o)
{
	const struct hold_rule *r = hold_login_rule(e->login);
	char reason[REASON_MAX];
	bool known = r != NULL;

	snprintf(reason, sizeof(reason),
	    "%s%" PRIu64 " %s, limit %" PRIu64 " (%s)", mark, o->count,
	    overrun_words(o->kind), o->limit, overrun_name(o->kind));
	if (!known) {
		log_event(LEVEL_WARNING, "over budget", log_text("id", id),
		    log_text("auth", e->login), log_text("client", e->client),
		    log_text("app", app),
		    log_text("what", overrun_name(o->kind)),
		    log_number("count", (int64_t)o->count),
		    log_number("limit", (int64_t)o->limit));
		r = make_rule(e->login, reason);
	}
	/* Its envelope says so, too: a rule takes a moment to the disk. */
	if (r == NULL ||
	    (e->held == NULL && !envelope_hold(e, clock_now(), reason)))
		return false;
	if (!known)
		tell(r, e->login, e, id, app);
	return true;
}
