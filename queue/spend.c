/* SPDX-License-Identifier: ISC */
#include "queue/budgets.h"
#include "queue/client.h"
#include "queue/held.h"
#include "queue/hold.h"
#include "queue/overrun.h"
#include "queue/queue.h"

/*
 * A message of a login against what that may send (queue/budgets.h).  It is
 * the last question about it, so that what is refused does not count.
 */

bool
client_is_full(const struct client *c)
{
	return c->login != NULL &&
	    held_of_login(c->login) >= queue.config.login_held &&
	    hold_login_rule(c->login) != NULL;
}

/* What is held anyway the postmaster decides about. */
bool
client_is_counted(const struct client *c)
{
	return c->role == CLIENT_LOGIN && hold_reason(&c->envelope) == NULL;
}

static void
on_limits(void *asker, size_t index, struct route *route)
{
	struct routing *r = asker;

	(void)index;
	/* Where nobody can tell, what all logins may send. */
	if (route->n > 0) {
		r->limits = route->targets[0];
		route->targets[0] = NULL;
	}
	r->limited(r);
}

void
client_ask_limits(struct client *c, void (*answered)(struct routing *))
{
	c->routing->limited = answered;
	route_ask_limits(c->login, on_limits, c->routing);
}

static void
on_spent(void *asker, const struct overrun *overrun)
{
	struct routing *r = asker;
	struct client *c = r->client;

	r->unanswered--;
	if (c == NULL)
		routing_release(r);
	else if (overrun->kind == OVERRUN_NONE ||
	    overrun_hold(&c->envelope, c->reception.id, c->app, overrun))
		client_commit(c);
	else
		client_refuse(c, VERDICT_TOO_MUCH_HELD, NULL);
}

void
client_spend(struct client *c)
{
	const char *limits = c->routing->limits;

	if (client_is_full(c)) {
		client_refuse(c, VERDICT_TOO_MUCH_HELD, NULL);
	} else if (!client_is_counted(c)) {
		client_commit(c);
	} else {
		c->routing->unanswered++;
		budgets_ask(&c->envelope, limits != NULL ? limits : "",
		    on_spent, c->routing);
	}
}
