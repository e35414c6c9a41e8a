/* SPDX-License-Identifier: ISC */
/* tolerate WHAT... NETWORK...: exceptions from what smtpd demands. */
#include <string.h>

#include "common/config_reader.h"

static const char *const names[TOLERANCES] = {
    [TOLERATE_HELO] = "helo",
    [TOLERATE_PIPELINING] = "pipelining",
    [TOLERATE_BARE_LINE_ENDS] = "bare-line-ends",
    [TOLERATE_SENDER_DOMAIN] = "sender-domain",
    [TOLERATE_NULL_SENDER] = "null-sender",
    [TOLERATE_DELIVERED_TO] = "delivered-to",
    [TOLERATE_ERRORS] = "errors",
};

static unsigned
tolerance_named(const char *word)
{
	for (unsigned i = 0; i < TOLERANCES; i++)
		if (strcmp(names[i], word) == 0)
			return 1U << i;
	return 0;
}

static struct config_tolerance *
last_line(struct config_reader *r, const struct config_keyword *k)
{
	struct config_tolerances *list = config_member(r, k);

	return &list->items[list->n - 1];
}

static bool
take_tolerance(
    struct config_reader *r, const struct config_keyword *k, const char *word)
{
	struct config_tolerance *line = last_line(r, k);
	unsigned what = tolerance_named(word);

	if (what != 0 && line->nets.n > 0)
		return config_fail(r,
		    "\"%s\": \"%s\" stands behind a network; first what, then "
		    "of whom",
		    k->name, word);
	line->what |= what;
	if (what != 0)
		return true;
	if (line->what == 0 || word[strcspn(word, ".:/")] == '\0')
		return config_fail(r, "\"%s\": \"%s\" is none of %s", k->name,
		    word, k->bounds);
	return config_add_network(r, k, &line->nets, word);
}

bool
take_tolerances(
    struct config_reader *r, const struct config_keyword *k, const char *value)
{
	struct config_tolerances *list = config_member(r, k);
	struct config_tolerance *grown =
	    config_grow(r, list->items, list->n, sizeof(*grown));

	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->n++] = (struct config_tolerance){.what = 0};
	if (!config_each_word(r, k, value, take_tolerance))
		return false;
	return last_line(r, k)->nets.n > 0 ||
	    config_fail(
		r, "\"%s\": of whom? (tolerate %s 192.0.2.1)", k->name, value);
}

unsigned
config_tolerates(
    const struct config *config, const struct sockaddr_storage *address)
{
	unsigned what = 0;

	for (size_t i = 0; i < config->tolerate.n; i++) {
		const struct config_tolerance *line =
		    &config->tolerate.items[i];

		if (config_net_contains(&line->nets, address))
			what |= line->what;
	}
	return what;
}
