/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/netaddr.h"
#include "smtpd/explain.h"

static const char usage[] =
    "usage: postrider explain FROM TO [--ip ADDRESS] [--helo NAME]\n"
    "                         [--auth LOGIN] [--size OCTETS] [--json]\n"
    "FROM <>: no sender\n";

static bool
take_address(struct explain *e, const char *value)
{
	return netaddr_parse(value, 0, &e->address) &&
	    netaddr_port(&e->address) == 0;
}

static bool
take_helo(struct explain *e, const char *value)
{
	e->helo = value;
	return strlen(value) <= 500;
}

static bool
take_login(struct explain *e, const char *value)
{
	e->login = value;
	return value[0] != '\0' && strlen(value) <= PROTOCOL_LOGIN_MAX;
}

static bool
take_size(struct explain *e, const char *value)
{
	char *end;

	errno = 0;
	e->size = strtoull(value, &end, 10);
	return errno == 0 && end != value && *end == '\0' && value[0] != '-';
}

static const struct {
	const char *name;
	bool (*take)(struct explain *, const char *value);
} options[] = {
    {"--ip", take_address},
    {"--helo", take_helo},
    {"--auth", take_login},
    {"--size", take_size},
    {NULL, NULL},
};

/* How many words it took; 0: it is bad. */
static int
take_word(struct explain *e, char **words)
{
	size_t i = 0;

	if (strcmp(words[0], "--json") == 0) {
		e->json = true;
		return 1;
	}
	if (strncmp(words[0], "--", 2) != 0) {
		if (e->to != NULL)
			return 0;
		*(e->from == NULL ? &e->from : &e->to) = words[0];
		return 1;
	}
	while (
	    options[i].name != NULL && strcmp(options[i].name, words[0]) != 0)
		i++;
	if (options[i].name == NULL || words[1] == NULL)
		return 0;
	if (options[i].take(e, words[1]))
		return 2;
	fprintf(
	    stderr, "postrider: %s: bad value \"%s\"\n", words[0], words[1]);
	return 0;
}

bool
explain_read(struct explain *e, int argc, char **argv)
{
	*e = (struct explain){.address.ss_family = AF_UNSPEC};
	for (int i = 0, n; i < argc; i += n)
		if ((n = take_word(e, argv + i)) == 0) {
			fputs(usage, stderr);
			return false;
		}
	if (e->to == NULL)
		fputs(usage, stderr);
	return e->to != NULL;
}
