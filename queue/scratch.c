/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "common/clock.h"
#include "queue/client.h"
#include "queue/queue.h"
#include "queue/room.h"

/*
 * While it is copied behind its headers a message is there twice, and there
 * must be room for both.
 */
static bool
find_room(struct client *c)
{
	if (!room_for(c->size))
		return false;
	room_promise(c->size);
	c->scratch = true;
	return true;
}

bool
client_on_scratch(struct client *c, struct packet *p)
{
	static struct packet answer;
	int fd;

	if (c->scratch || !packet_read(p, "scratch", NULL, 0, 0))
		return false;
	if (c->state == CLIENT_AHEAD) {
		c->opened_us = clock_now_us();
		client_state(c, CLIENT_OPEN);
	}
	if (!find_room(c)) {
		client_refuse(c, VERDICT_DISK_FULL, NULL);
		return true;
	}
	fd = spool_scratch(&queue.spool);
	if (fd == -1) {
		client_refuse_errno(c, "scratch");
		return true;
	}
	packet_start(&answer, "scratch");
	packet_attach(&answer, fd);
	peer_send(&c->peer, &answer);
	close(fd);
	return true;
}
