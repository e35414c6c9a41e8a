/* SPDX-License-Identifier: ISC */
#include "keys/clients.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/privileges.h"
#include "common/role.h"

static void came(struct role *, int fd);

static struct role roles[] = {
    [ROLE_SMTPD] = {.name = "role-smtpd",
	.account = ACCOUNT_SMTPD,
	.came = came},
    [ROLE_POP3D] = {.name = "role-pop3d",
	.account = ACCOUNT_POP3D,
	.came = came},
    [ROLE_DELIVER] = {.name = "role-deliver",
	.account = ACCOUNT_DELIVER,
	.came = came},
    [ROLE_QUEUE] = {.name = "role-queue",
	.account = ACCOUNT_QUEUE,
	.came = came},
    [ROLE_ADMIN] = {.name = "role-admin", .came = came},
    {.name = NULL},
};

static struct client *clients;
static bool (*answer)(struct client *, const struct packet *);

static bool
heard(struct peer *peer, struct packet *p)
{
	return answer(container_of(peer, struct client, peer), p);
}

static void
closed(struct peer *peer)
{
	struct client *c = container_of(peer, struct client, peer);

	peer_end(peer);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	if (c->facts != NULL)
		buf_free(&c->facts->fields);
	free(c->facts);
	free(c);
}

static void
came(struct role *role, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->role = (enum keys_role)(role - roles);
	c->peer.role = role->name;
	c->peer.packet = heard;
	c->peer.closed = closed;
	if (peer_begin(&c->peer, fd) == -1) {
		free(c);
		return;
	}
	c->next = clients;
	c->link = &clients;
	if (clients != NULL)
		clients->link = &c->next;
	clients = c;
}

void
clients_find_accounts(void)
{
	roles_find_accounts(roles);
}

void
clients_begin(bool (*how)(struct client *, const struct packet *))
{
	answer = how;
	roles_begin(roles);
}

void
clients_tell_change(void)
{
	struct packet p;

	packet_start(&p, "changed");
	for (struct client *c = clients; c != NULL; c = c->next)
		if (c->knows) {
			c->knows = false;
			peer_send(&c->peer, &p);
		}
}
