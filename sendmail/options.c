/* SPDX-License-Identifier: ISC */
#include "sendmail/options.h"

#include <stdio.h>
#include <string.h>

/*
 * Options that other implementations have and that mean nothing here are
 * known, because one that takes an argument must not leave it behind as a
 * recipient.
 */
enum argument { NO, NEEDED, ATTACHED };

struct option {
	char letter;
	enum argument argument;
	const char *(*take)(struct options *, const char *value);
};

static const char *
wrong(const char *head, const char *what, int n, const char *tail)
{
	static char text[200];

	snprintf(text, sizeof(text), "%s-%.*s%s", head, n, what, tail);
	return text;
}

static const char *
take_mode(struct options *o, const char *value)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = {{'m', MODE_SEND}, {'s', MODE_SMTP}, {'p', MODE_LIST},
	    {'i', MODE_ALIASES}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (value[0] == modes[i].letter && value[1] == '\0') {
			o->mode = modes[i].mode;
			return NULL;
		}
	}
	if (strcmp(value, "d") == 0 || strcmp(value, "D") == 0)
		return "-bd: the daemons are started by postrider(8)";
	return "of -b only -bm, -bs, -bp and -bi are supported";
}

static const char *
take_setting(struct options *o, const char *value)
{
	if (strcmp(value, "i") == 0)
		o->whole = true;
	return NULL;
}

static const char *
take_long_setting(struct options *o, const char *value)
{
	if (strncmp(value, "IgnoreDots", 10) == 0)
		o->whole = true;
	return NULL;
}

static const char *
take_dots(struct options *o, const char *value)
{
	(void)value;
	o->whole = true;
	return NULL;
}

static const char *
take_headers(struct options *o, const char *value)
{
	(void)value;
	o->from_headers = true;
	return NULL;
}

static const char *
take_flush(struct options *o, const char *value)
{
	if (value[0] >= '0' && value[0] <= '9')
		return "-q: the queue runs by itself; -q alone flushes it";
	o->mode = MODE_FLUSH;
	return NULL;
}

static const char *
take_aliases(struct options *o, const char *value)
{
	(void)value;
	o->mode = MODE_ALIASES;
	return NULL;
}

static const char *
take_sender(struct options *o, const char *value)
{
	o->sender = value;
	return NULL;
}

static const char *
take_name(struct options *o, const char *value)
{
	o->full_name = value;
	return NULL;
}

static const char *
take_config(struct options *o, const char *value)
{
	o->config_path = value;
	return NULL;
}

static const char *
take_notify(struct options *o, const char *value)
{
	return dsn_read_notify(value, &o->notify)
	    ? NULL
	    : "-N: never, or a list of success,failure,delay";
}

static const char *
take_ret(struct options *o, const char *value)
{
	return dsn_read_ret(value, &o->ret) ? NULL : "-R: full or hdrs";
}

static const char *
take_envid(struct options *o, const char *value)
{
	o->envid = value;
	return dsn_is_envid(value)
	    ? NULL
	    : "-V: at most 100 printable ASCII characters";
}

static const struct option known[] = {{'A', NEEDED, NULL}, {'B', NEEDED, NULL},
    {'C', NEEDED, take_config}, {'D', NEEDED, NULL}, {'F', NEEDED, take_name},
    {'G', NO, NULL}, {'I', NO, take_aliases}, {'L', NEEDED, NULL},
    {'N', NEEDED, take_notify}, {'O', NEEDED, take_long_setting},
    {'R', NEEDED, take_ret}, {'U', NO, NULL}, {'V', NEEDED, take_envid},
    {'X', NEEDED, NULL}, {'b', NEEDED, take_mode}, {'c', NEEDED, take_config},
    {'d', ATTACHED, NULL}, {'e', ATTACHED, NULL}, {'f', NEEDED, take_sender},
    {'h', NEEDED, NULL}, {'i', NO, take_dots}, {'m', NO, NULL}, {'n', NO, NULL},
    {'o', NEEDED, take_setting}, {'p', NEEDED, NULL},
    {'q', ATTACHED, take_flush}, {'r', NEEDED, take_sender}, {'s', NO, NULL},
    {'t', NO, take_headers}, {'v', NO, NULL}, {'x', NEEDED, NULL}};

static const struct option *
find(char letter)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].letter == letter)
			return &known[i];
	return NULL;
}

/* One argument of options: "-t", "-ti", "-fann@example.org", "-f", "ann". */
static const char *
take_cluster(struct options *o, int *i, int argc, char **argv)
{
	const char *p, *value, *error;
	const struct option *option;

	for (p = argv[*i] + 1; *p != '\0'; p++) {
		option = find(*p);
		if (option == NULL)
			return wrong("unknown option ", p, 1, "");
		value = "";
		if (option->argument != NO)
			value = p + 1;
		if (option->argument == NEEDED && *value == '\0') {
			if (*i + 1 >= argc)
				return wrong("", p, 1, " needs an argument");
			value = argv[++*i];
		}
		error = option->take != NULL ? option->take(o, value) : NULL;
		if (error != NULL || option->argument != NO)
			return error;
	}
	return NULL;
}

static enum mode
mode_of_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	if (strcmp(name, "mailq") == 0)
		return MODE_LIST;
	if (strcmp(name, "newaliases") == 0)
		return MODE_ALIASES;
	return MODE_SEND;
}

/* -V and -h take an argument in sendmail; alone they are ours. */
static bool
take_alone(struct options *o, int left, char **argv)
{
	if (left == 1 && strcmp(argv[0], "-V") == 0)
		o->mode = MODE_VERSION;
	else if (left == 1 &&
	    (strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "--help") == 0))
		o->mode = MODE_HELP;
	else
		return false;
	return true;
}

const char *
options_parse(struct options *o, int argc, char **argv)
{
	const char *error;
	int i;

	*o = (struct options){.mode = mode_of_name(argc > 0 ? argv[0] : "")};
	for (i = 1; i < argc; i++) {
		if (take_alone(o, argc - i, argv + i))
			return NULL;
		if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			break;
		error = take_cluster(o, &i, argc, argv);
		if (error != NULL)
			return error;
	}
	o->recipients = argv + (i < argc ? i : argc);
	o->nrecipients = (size_t)(i < argc ? argc - i : 0);
	return NULL;
}
