/* SPDX-License-Identifier: ISC */
#include "common/role.h"

#include <unistd.h>

#include "common/inherit.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/share.h"

static bool started_by_root;

void
roles_find_accounts(struct role *roles)
{
	struct account account;

	started_by_root = privileges_are_root();
	for (struct role *r = roles; r->name != NULL; r++) {
		if (r->account == NULL ||
		    account_find(r->account, &account) == -1)
			continue;
		r->uid = account.uid;
		r->known = true;
	}
}

static bool
may_speak(const struct role *r, int fd)
{
	uid_t uid;
	pid_t pid;

	if (ipc_peer(fd, &uid, &pid) == -1)
		return false;
	if (uid == 0 ||
	    (started_by_root ? r->known && uid == r->uid : uid == geteuid()))
		return true;
	log_event(LEVEL_WARNING, "peer refused", log_text("role", r->name),
	    log_number("uid", (int64_t)uid));
	return false;
}

static void
accepted(struct listener *l, int fd)
{
	struct role *r = container_of(l, struct role, listener);

	if (may_speak(r, fd) && !share_is_taken(r->name, peer_count(r->name)))
		r->came(r, fd);
	else
		close(fd);
}

void
roles_begin(struct role *roles)
{
	for (struct role *r = roles; r->name != NULL; r++) {
		int fd = inherit_find(r->name);

		if (fd < 0)
			log_event(LEVEL_WARNING, "no listening sockets",
			    log_text("role", r->name));
		listener_begin(&r->listener, fd, accepted);
	}
}

void
roles_end(struct role *roles)
{
	for (struct role *r = roles; r->name != NULL; r++)
		listener_end(&r->listener);
}
