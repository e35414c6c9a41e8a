/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/config_reader.h"
#include "common/netaddr.h"

/* -- addresses -- */

static bool
take_socket_path(struct config_reader *r, const struct config_keyword *k,
    const char *path, struct config_milter *m)
{
	struct sockaddr_un address;

	if (path[0] != '/')
		return config_fail(
		    r, "\"%s\": \"%s\" is not an absolute path", k->name, path);
	if (strlen(path) >= sizeof(address.sun_path))
		return config_fail(r,
		    "\"%s\": a socket's path has at most %zu octets", k->name,
		    sizeof(address.sun_path) - 1);
	return config_set_text(r, &m->path, path);
}

/* PORT@ADDRESS, as filters are told it themselves. */
static bool
parse_inet(const char *text, int family, struct sockaddr_storage *out)
{
	const char *at = strchr(text, '@'), *host = at != NULL ? at + 1 : "";
	char port[8] = "", whole[NETADDR_TEXT_MAX];
	bool wants_brackets = family == AF_INET6 && host[0] != '[';

	if (at == NULL || at == text || at - text >= (int)sizeof(port))
		return false;
	memcpy(port, text, (size_t)(at - text));
	if (snprintf(whole, sizeof(whole), wants_brackets ? "[%s]:%s" : "%s:%s",
		host, port) >= (int)sizeof(whole))
		return false;
	return netaddr_parse(whole, 0, out) && out->ss_family == family &&
	    netaddr_port(out) != 0;
}

static bool
take_filter_address(struct config_reader *r, const struct config_keyword *k,
    const char *word, struct config_milter *m)
{
	if (word[0] == '/')
		return take_socket_path(r, k, word, m);
	if (strncmp(word, "unix:", 5) == 0)
		return take_socket_path(r, k, word + 5, m);
	if (strncmp(word, "local:", 6) == 0)
		return take_socket_path(r, k, word + 6, m);
	if ((strncmp(word, "inet:", 5) == 0 &&
		parse_inet(word + 5, AF_INET, &m->address)) ||
	    (strncmp(word, "inet6:", 6) == 0 &&
		parse_inet(word + 6, AF_INET6, &m->address)))
		return true;
	return config_fail(r,
	    "\"%s\": \"%s\" is not where a filter listens "
	    "(unix:/run/filter.sock, inet:8891@127.0.0.1, inet6:8891@::1)",
	    k->name, word);
}

/* -- options -- */

enum { LIMITS = 3, LIMIT_MAX = 3600 };

/* CONNECT/COMMAND/END */
static bool
parse_limits(const char *text, struct config_milter_limits *out)
{
	uint64_t *const places[LIMITS] = {
	    &out->connect, &out->command, &out->end};
	char piece[24];

	for (int i = 0; i < LIMITS; i++) {
		size_t n = strcspn(text, "/");

		if (n >= sizeof(piece) || (text[n] == '/') != (i < LIMITS - 1))
			return false;
		memcpy(piece, text, n);
		piece[n] = '\0';
		if (!config_read_duration(piece, places[i]) ||
		    *places[i] == 0 || *places[i] > LIMIT_MAX)
			return false;
		text += n + (i < LIMITS - 1);
	}
	return true;
}

static bool
read_limits(struct config_reader *r, const struct config_keyword *k,
    const char *value, struct config_milter_limits *out)
{
	return parse_limits(value, out) ||
	    config_fail(r,
		"\"%s\": \"%s\" is not three times up to an hour, to connect, "
		"for an answer, and at the end of a message (30s/30s/5m)",
		k->name, value);
}

static bool
read_default(struct config_reader *r, const struct config_keyword *k,
    const char *value, bool *accept)
{
	*accept = strcmp(value, "accept") == 0;
	return *accept || strcmp(value, "tempfail") == 0 ||
	    config_fail(
		r, "\"%s\": \"%s\" is none of tempfail|accept", k->name, value);
}

/* Words with commas between them. */
static bool
read_skip(struct config_reader *r, const struct config_keyword *k,
    const char *value, unsigned *skip)
{
	static const struct {
		const char *word;
		unsigned bit;
	} known[] = {{"nobody", 0}, {"authenticated", MILTER_SKIP_LOGIN},
	    {"relay-from", MILTER_SKIP_RELAY}};
	size_t n, i;

	for (*skip = 0;; value += n + 1) {
		n = strcspn(value, ",");
		for (i = 0; i < 3; i++)
			if (strlen(known[i].word) == n &&
			    strncmp(known[i].word, value, n) == 0)
				break;
		if (i == 3)
			return config_fail(r,
			    "\"%s\": \"%.*s\" is none of "
			    "nobody|authenticated|relay-from",
			    k->name, (int)n, value);
		*skip |= known[i].bit;
		if (value[n] == '\0')
			return true;
	}
}

static bool
take_option(struct config_reader *r, const struct config_keyword *k,
    const char *word, struct config_milter *m)
{
	if (strncmp(word, "timeout=", 8) == 0) {
		m->has_limits = true;
		return read_limits(r, k, word + 8, &m->limits);
	}
	if (strncmp(word, "default=", 8) == 0) {
		m->has_default = true;
		return read_default(r, k, word + 8, &m->accept);
	}
	if (strncmp(word, "skip=", 5) == 0) {
		m->has_skip = true;
		return read_skip(r, k, word + 5, &m->skip);
	}
	return config_fail(r,
	    "\"%s\": \"%s\" is none of timeout=|default=|skip=", k->name, word);
}

/* -- keywords -- */

static bool
take_filter_word(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	struct config_milters *list = config_member(r, k);
	struct config_milter *last = &list->items[list->n - 1];

	if (last->text != NULL)
		return take_option(r, k, word, last);
	return config_set_text(r, &last->text, word) &&
	    take_filter_address(r, k, word, last);
}

bool
take_milter(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	struct config_milters *list = config_member(r, k);
	struct config_milter *grown;

	if (list->n == CONFIG_MILTERS_MAX)
		return config_fail(r, "\"%s\": more than %d filters", k->name,
		    CONFIG_MILTERS_MAX);
	grown = config_grow(r, list->items, list->n, sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->n++] = (struct config_milter){.text = NULL};
	return config_each_word(r, k, value, take_filter_word);
}

bool
take_milter_limits(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return read_limits(r, k, value, config_member(r, k));
}

static bool
take_skip_word(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	unsigned *all = config_member(r, k), more;

	if (!read_skip(r, k, word, &more))
		return false;
	*all |= more;
	return true;
}

bool
take_milter_skip(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	return config_each_word(r, k, value, take_skip_word);
}

void
config_fill_milters(struct config *c)
{
	for (size_t i = 0; i < c->milters.n; i++) {
		struct config_milter *m = &c->milters.items[i];

		if (!m->has_limits)
			m->limits = c->milter_limits;
		if (!m->has_default)
			m->accept = c->milter_accept;
		if (!m->has_skip)
			m->skip = c->milter_skip;
	}
}

void
config_free_milters(struct config *c)
{
	for (size_t i = 0; i < c->milters.n; i++) {
		free(c->milters.items[i].text);
		free(c->milters.items[i].path);
	}
	free(c->milters.items);
}
