/* SPDX-License-Identifier: ISC */
#include "tools/dns-keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/privileges.h"

enum { ANSWER_MS = -1 };

/* -- in the child, as keys' user: what it finds, a packet each -- */

static bool
tell_key(int to, int folder, const struct selector *s)
{
	static struct packet p;
	char record[SELECTOR_RECORD_MAX + 1];

	if (selectors_read_record(folder, s->name, record) == -1)
		record[0] = '\0';
	packet_start(&p, "key");
	packet_text(&p, "selector", s->name);
	packet_number(&p, "state", s->state);
	packet_text(&p, "record", record);
	return ipc_send(to, &p, ANSWER_MS) == IPC_OK;
}

static bool
tell_end(int to, const char *domain, const char *reason)
{
	static struct packet p;

	packet_start(&p, "end");
	packet_text(&p, "domain", domain);
	packet_text(&p, "reason", reason);
	return ipc_send(to, &p, ANSWER_MS) == IPC_OK;
}

/* 1: it has keys, and they were told; 0: it has none; -1 and errno. */
static int
tell_domain(int to, int keys, const char *domain)
{
	struct selectors list;
	int folder = selectors_open_domain(keys, domain, false), result = 0;

	if (folder == -1)
		return errno == ENOENT ? 0 : -1;
	if (selectors_read(folder, &list) == -1)
		result = -1;
	for (size_t i = 0; result != -1 && i < list.n; i++)
		result = tell_key(to, folder, &list.items[i]) ? 1 : -1;
	close(folder);
	return result;
}

static void
tell(int to, const struct request *r)
{
	int keys = selectors_open(r->config->keys_dir, false), result = 0;
	const char *domain = r->domain;

	if (keys == -1) {
		tell_end(to, "", errno == ENOENT ? "" : strerror(errno));
		return;
	}
	while (
	    domain != NULL && (result = tell_domain(to, keys, domain)) == 0) {
		domain = strchr(domain, '.');
		domain = domain != NULL && strchr(domain + 1, '.') != NULL
		    ? domain + 1
		    : NULL;
	}
	tell_end(to, domain != NULL ? domain : "",
	    result == -1 ? strerror(errno) : "");
	close(keys);
}

/* -- in the parent -- */

static bool
take_key(const struct packet *p, struct house_keys *keys)
{
	struct house_key *key = &keys->items[keys->n];
	const char *selector, *record;
	uint64_t state;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("selector", SELECTOR_NAME_MAX, &selector),
	    ATTRIBUTE_NUMBER("state", &state),
	    ATTRIBUTE_TEXT("record", SELECTOR_RECORD_MAX, &record)};

	if (keys->n == SELECTORS_MAX || !packet_read(p, "key", set, 3, 0) ||
	    state > SELECTOR_RETIRED)
		return false;
	snprintf(key->selector, sizeof(key->selector), "%s", selector);
	snprintf(key->record, sizeof(key->record), "%s", record);
	key->state = (enum selector_state)state;
	keys->n++;
	return true;
}

static const char *
take(int from, struct house_keys *keys)
{
	static struct packet p;
	const char *domain, *reason;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("domain", DNS_NAME_MAX, &domain),
	    ATTRIBUTE_TEXT("reason", 200, &reason)};

	while (ipc_receive(from, &p, ANSWER_MS) == IPC_OK) {
		if (take_key(&p, keys))
			continue;
		if (!packet_read(&p, "end", set, 2, 0))
			break;
		snprintf(keys->domain, sizeof(keys->domain), "%s", domain);
		return reason[0] != '\0' ? reason : NULL;
	}
	return "they could not be read";
}

const char *
house_read_keys(const struct request *r, struct house_keys *keys)
{
	struct account account;
	const char *why;
	int ends[2];
	pid_t child;

	*keys = (struct house_keys){.n = 0};
	if (privileges_are_root() && account_find(ACCOUNT_KEYS, &account) == -1)
		return "no account " ACCOUNT_KEYS;
	fflush(NULL);
	if (ipc_pair(ends) == -1 || (child = fork()) == -1)
		return strerror(errno);
	if (child == 0) {
		close(ends[0]);
		if (privileges_are_root())
			privileges_drop(ACCOUNT_KEYS, "/", false);
		tell(ends[1], r);
		_exit(0);
	}
	close(ends[1]);
	why = take(ends[0], keys);
	close(ends[0]);
	while (waitpid(child, NULL, 0) == -1 && errno == EINTR)
		continue;
	return why;
}
