/* SPDX-License-Identifier: ISC */
#include "userdb/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/privileges.h"
#include "common/program.h"

enum { PATIENCE_MS = 60000, LOCK_MS = 10000, LOCK_AGAIN_MS = 50 };

static int
become_owner(void)
{
	struct account account;

	if (!privileges_are_root())
		return EX_OK;
	if (account_find(ACCOUNT_DB, &account) == -1)
		return program_fail(EX_CONFIG,
		    "no account %s: first say postrider init", ACCOUNT_DB);
	if (privileges_become(&account) == -1)
		return program_fail(EX_OSERR, "cannot become %s: %s",
		    ACCOUNT_DB, strerror(errno));
	return EX_OK;
}

/* Another tool has it open for a moment, or a userdb that is ending. */
static struct store *
open_store(const char *folder, enum store_result *result)
{
	int64_t deadline = clock_monotonic_ms() + LOCK_MS;
	struct store *store;

	while ((store = store_open(folder, result)) == NULL &&
	    *result == STORE_LOCKED && clock_left(deadline) > 0)
		poll(NULL, 0, LOCK_AGAIN_MS);
	return store;
}

static int
open_database(struct client *c)
{
	const char *folder = c->config->database_dir;
	enum store_result result;
	int code = become_owner();

	if (code != EX_OK)
		return code;
	c->store = open_store(folder, &result);
	if (c->store == NULL)
		return program_fail(
		    result == STORE_LOCKED ? EX_TEMPFAIL : EX_IOERR, "%s: %s",
		    folder, store_reason(result));
	if (directory_begin(&c->directory, c->store, c->config) == FAILED)
		return program_fail(
		    EX_IOERR, "%s: %s", folder, store_reason(STORE_FAILED));
	admin_begin(&c->admin, &c->directory);
	while (admin_sweep(&c->admin))
		if (store_is_broken(c->store))
			return program_fail(EX_IOERR, "%s: %s", folder,
			    store_reason(STORE_BROKEN));
	return EX_OK;
}

int
client_open(struct client *c, const struct config *config)
{
	memset(c, 0, sizeof(*c));
	c->config = config;
	c->fd = admin_connect(config, "userdb");
	if (c->fd >= 0)
		return EX_OK;
	if (errno == EACCES || errno == EPERM)
		return program_fail(EX_NOPERM, "%s: %s (only root may)",
		    config->run_dir, strerror(errno));
	if (errno != ENOENT && errno != ECONNREFUSED && errno != ENOTDIR)
		return program_fail(EX_UNAVAILABLE, "%s/admin/userdb: %s",
		    config->run_dir, strerror(errno));
	return open_database(c);
}

void
client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->store == NULL)
		return;
	admin_gone(&c->admin, c);
	while (admin_sweep(&c->admin) && !store_is_broken(c->store))
		continue;
	store_close(c->store);
}

int
client_call(struct client *c, struct packet *p)
{
	static struct packet answer;

	if (p->failed)
		return program_fail(EX_DATAERR, "too much at once");
	if (c->fd >= 0) {
		if (ipc_call(c->fd, p, clock_monotonic_ms() + PATIENCE_MS) ==
		    IPC_OK)
			return EX_OK;
		return program_fail(EX_TEMPFAIL, "no answer from userdb");
	}
	if (!admin_answer(&c->admin, c, p, &answer))
		return program_fail(EX_SOFTWARE, "malformed request");
	*p = answer;
	return EX_OK;
}

static int
fail_as_told(const struct packet *p)
{
	const char *reason;
	uint64_t code;
	const struct attribute set[] = {ATTRIBUTE_NUMBER("exit", &code),
	    ATTRIBUTE_TEXT("reason", IPC_PACKET_MAX, &reason)};

	if (!packet_read(p, "failed", set, 2, 0))
		return program_fail(EX_PROTOCOL, "malformed answer");
	return program_fail((int)code, "%s", reason);
}

int
client_done(const struct packet *p)
{
	struct cursor cursor;
	const char *name, *value;

	if (!packet_is(p, "done"))
		return fail_as_told(p);
	cursor = packet_cursor(p);
	while (packet_next(&cursor, &name, &value))
		if (strcmp(name, "note") == 0)
			fprintf(stderr, "%s\n", value);
	return EX_OK;
}

int
client_do(struct client *c, struct packet *p)
{
	int code = client_call(c, p);

	return code == EX_OK ? client_done(p) : code;
}

/* -- reading -- */

struct page {
	const char *changes, *next; /* point into the packet */
	bool corrupt;
};

static int
read_page(const struct packet *p, struct page *page,
    void (*found)(const struct entry *, void *context), void *context)
{
	struct cursor cursor = packet_cursor(p);
	const char *name, *value;
	struct entry e;

	*page = (struct page){.changes = ""};
	if (!packet_is(p, "page"))
		return fail_as_told(p);
	while (packet_next(&cursor, &name, &value)) {
		if (strcmp(name, "changes") == 0)
			page->changes = value;
		else if (strcmp(name, "next") == 0)
			page->next = value;
		else if (strcmp(name, "corrupt") == 0)
			page->corrupt = true;
		else if (entry_parse(value, &e) == NULL)
			found(&e, context);
		else
			page->corrupt = true;
	}
	return EX_OK;
}

int
client_lines(const struct packet *p,
    void (*found)(const struct entry *, void *context), void *context)
{
	struct page page;

	return read_page(p, &page, found, context);
}

int
client_each(struct client *c, const char *kind,
    void (*found)(const struct entry *, void *context), void *context)
{
	static struct packet p;
	char from[ENTRY_LINE_MAX + 1] = "", changes[24] = "";
	bool corrupt = false, changed = false;
	struct page page;
	int code;

	do {
		packet_start(&p, "read");
		packet_text(&p, "kind", kind);
		if (from[0] != '\0')
			packet_text(&p, "from", from);
		if ((code = client_call(c, &p)) != EX_OK ||
		    (code = read_page(&p, &page, found, context)) != EX_OK)
			return code;
		corrupt |= page.corrupt;
		changed |=
		    changes[0] != '\0' && strcmp(changes, page.changes) != 0;
		snprintf(changes, sizeof(changes), "%s", page.changes);
		snprintf(from, sizeof(from), "%s",
		    page.next != NULL ? page.next : "");
	} while (page.next != NULL);
	if (corrupt)
		return program_fail(EX_DATAERR,
		    "some entries cannot be read, the log says which");
	if (changed)
		return program_fail(EX_TEMPFAIL,
		    "the database was changed meanwhile, say that again");
	return EX_OK;
}
