/* SPDX-License-Identifier: ISC */
#include "queue/trace-whom.h"

#include <stdlib.h>
#include <string.h>

#include "common/netaddr.h"
#include "queue/pattern.h"

bool
trace_whom_read(struct trace_whom *whom, char **words, size_t n)
{
	struct config_nets *nets = &whom->clients;

	*whom = (struct trace_whom){.words = words, .n = n};
	nets->items = calloc(n + 1, sizeof(*nets->items));
	for (size_t i = 0; nets->items != NULL && i < n; i++)
		if (config_read_net(words[i], &nets->items[nets->n]))
			nets->n++;
	return nets->items != NULL;
}

void
trace_whom_free(struct trace_whom *whom)
{
	free(whom->clients.items);
}

static bool
is_address_key(const char *key)
{
	return strcmp(key, "from") == 0 || strcmp(key, "to") == 0 ||
	    strcmp(key, "orig_to") == 0;
}

bool
trace_names_address(
    const struct trace_whom *whom, const struct trace_line *line)
{
	for (size_t i = 0; i < line->n; i++)
		for (size_t k = 0;
		     k < whom->n && is_address_key(line->pairs[i].key); k++)
			if (pattern_matches(
				whom->words[k], line->pairs[i].value))
				return true;
	return false;
}

bool
trace_names_client(const struct trace_whom *whom, const struct trace_line *line)
{
	const char *client = trace_value(line, "client");
	struct sockaddr_storage address;

	if (client == NULL)
		return false;
	if (whom->not_let_in)
		return trace_is_refusal(line);
	return netaddr_parse(client, 0, &address) &&
	    config_net_contains(&whom->clients, &address);
}

bool
trace_is_refusal(const struct trace_line *line)
{
	static const char *const events[] = {"refused", "session closed",
	    "session lost", "handshake failed", "login failed", "login refused",
	    "login deferred", "too many failed logins", "mailbox refused"};
	const char *dsn = trace_value(line, "dsn");

	if (trace_value(line, "client") == NULL)
		return false;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(events[i], line->event) == 0)
			return true;
	return dsn != NULL && (dsn[0] == '4' || dsn[0] == '5');
}
