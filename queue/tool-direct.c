/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/privileges.h"
#include "queue/describe.h"
#include "queue/load.h"
#include "queue/tool.h"

static struct spool spool;

int
direct_open(struct tool *tool, const struct config *config)
{
	if (privileges_are_root())
		privileges_drop(ACCOUNT_QUEUE, config->spool_dir, false);
	if (spool_open(&spool, config->spool_dir) == 0)
		return EX_OK;
	if (errno == EWOULDBLOCK)
		return tool_fail(tool, EX_TEMPFAIL, config->spool_dir,
		    "in use, but its queue cannot be reached");
	return tool_fail(tool, errno == EACCES ? EX_NOPERM : EX_NOINPUT,
	    config->spool_dir, strerror(errno));
}

/* Where the message stands, with its envelope; false: there is none. */
static bool
find(const char *id, enum spool_folder *folder, struct envelope *e)
{
	if (!spool_is_id(id))
		return false;
	for (int f = SPOOL_NEW; f <= SPOOL_CUR; f++)
		if (load_peek(&spool, id, (enum spool_folder)f, e) ==
		    LOAD_MESSAGE) {
			*folder = (enum spool_folder)f;
			return true;
		}
	return false;
}

static struct description
describe(const char *id, const struct envelope *e)
{
	return (struct description){.id = id,
	    .state = "waiting",
	    .attempts = e->attempts,
	    .next = e->next};
}

struct entry {
	int64_t time;
	char id[FS_ID_SIZE];
};

static int
by_time(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return strcmp(a->id, b->id);
}

struct entries {
	struct entry *items;
	size_t n, room;
};

static bool
note(struct entries *all, const char *id, int64_t time)
{
	if (all->n == all->room) {
		size_t room = all->room == 0 ? 64 : 2 * all->room;
		struct entry *more =
		    reallocarray(all->items, room, sizeof(*more));

		if (more == NULL)
			return false;
		all->items = more;
		all->room = room;
	}
	all->items[all->n].time = time;
	memcpy(all->items[all->n++].id, id, FS_ID_SIZE);
	return true;
}

static bool
collect(struct entries *all)
{
	int fd = fs_open_dir(spool.envelope, ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	enum spool_folder folder;
	struct envelope e;
	bool ok = true;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (ok && (entry = readdir(dir)) != NULL) {
		if (!find(entry->d_name, &folder, &e))
			continue;
		ok = note(all, entry->d_name, e.time);
		envelope_free(&e);
	}
	closedir(dir);
	return ok;
}

int
direct_list(struct tool *tool)
{
	static struct packet p;
	struct entries all = {0};
	enum spool_folder folder;
	struct envelope e;
	struct description d;
	bool ok = collect(&all);

	if (all.n > 1)
		qsort(all.items, all.n, sizeof(all.items[0]), by_time);
	for (size_t i = 0; ok && i < all.n; i++) {
		if (!find(all.items[i].id, &folder, &e))
			continue;
		d = describe(all.items[i].id, &e);
		describe_message(&p, &d, &e);
		ok = print_listed(tool, &p);
		envelope_free(&e);
	}
	free(all.items);
	return ok ? EX_OK : tool_fail(tool, EX_OSERR, "list", strerror(errno));
}

int
direct_show(struct tool *tool, const char *id)
{
	static struct packet p;
	enum spool_folder folder;
	struct envelope e;
	struct description d;

	if (!find(id, &folder, &e))
		return tool_unknown(tool, id);
	d = describe(id, &e);
	describe_message(&p, &d, &e);
	(void)print_shown(tool, &p);
	for (size_t i = 0; i < e.n; i++) {
		describe_recipient(&p, &e, i);
		(void)print_shown(tool, &p);
	}
	envelope_free(&e);
	return EX_OK;
}

int
direct_cat(struct tool *tool, const char *id)
{
	enum spool_folder folder;
	struct envelope e;
	int fd, code;

	if (!find(id, &folder, &e))
		return tool_unknown(tool, id);
	envelope_free(&e);
	fd = spool_content(&spool, folder, id);
	if (fd == -1)
		return tool_fail(tool, EX_NOINPUT, id, strerror(errno));
	code = tool_copy(tool, fd);
	close(fd);
	return code;
}

int
direct_delete(struct tool *tool, const char *id)
{
	enum spool_folder folder;
	struct envelope e;

	if (!find(id, &folder, &e))
		return tool_unknown(tool, id);
	envelope_free(&e);
	if (spool_remove(&spool, folder, id, false) == -1)
		return tool_fail(tool, EX_IOERR, id, strerror(errno));
	return EX_OK;
}
