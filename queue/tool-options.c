/* SPDX-License-Identifier: ISC */
#include "queue/tool-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "queue/spool.h"
#include "queue/words.h"

static int
no_argument(const struct tool *tool, const char *what)
{
	return tool_fail(tool, EX_USAGE, what, "needs an argument");
}

/* -- options about messages -- */

static const struct condition {
	const char *name;
	bool (*take)(struct selection *, const char *, const char **why);
} conditions[] = {
    {"--sender", select_sender},
    {"--recipient", select_recipient},
    {"--domain", select_domain},
    {"--login", select_login},
    {"--uid", select_uid},
    {"--older", select_older},
    {"--younger", select_younger},
    {"--size", select_size},
    {"--state", select_states},
};
enum { CONDITIONS = sizeof(conditions) / sizeof(conditions[0]) };

static const struct condition *
find_condition(const char *name)
{
	for (size_t i = 0; i < CONDITIONS; i++)
		if (strcmp(conditions[i].name, name) == 0)
			return &conditions[i];
	return NULL;
}

static int
take_condition(struct tool *tool, const struct condition *c, const char *value)
{
	char what[512];
	const char *why = NULL;

	if (value == NULL)
		return no_argument(tool, c->name);
	if (c->take(&tool->options.selection, value, &why))
		return EX_OK;
	if (why == NULL)
		return tool_no_memory(tool);
	snprintf(what, sizeof(what), "%s %.400s", c->name, value);
	return tool_fail(tool, EX_USAGE, what, why);
}

/* -- ids -- */

/* From standard input: the first word of each line, so that list's do. */
static int
read_ids(struct tool *tool)
{
	char *line = NULL, *word;
	size_t size = 0;
	int code = EX_OK;

	while (code == EX_OK && getline(&line, &size, stdin) != -1) {
		word = strtok(line, " \t\r\n");
		if (word == NULL)
			continue;
		if (!spool_is_id(word))
			code = tool_fail(
			    tool, EX_DATAERR, "standard input", "not an id");
		else if (!select_id(&tool->options.selection, word))
			code = tool_no_memory(tool);
	}
	if (code == EX_OK && ferror(stdin))
		code = tool_fail(
		    tool, EX_IOERR, "standard input", strerror(errno));
	free(line);
	return code;
}

static int
take_word(struct tool *tool, unsigned takes, char *word)
{
	struct tool_options *o = &tool->options;

	if ((takes & TAKES_IDS) != 0 && strcmp(word, "-") == 0)
		return read_ids(tool);
	if ((takes & TAKES_IDS) != 0 && spool_is_id(word))
		return select_id(&o->selection, word) ? EX_OK
						      : tool_no_memory(tool);
	if ((takes & TAKES_WORDS) != 0 && word[0] != '\0') {
		o->words[o->nwords++] = word;
		return EX_OK;
	}
	if ((takes & TAKES_IDS) != 0)
		return tool_fail(tool, EX_NOINPUT, word,
		    "no such message: an id has 16 hexadecimal digits");
	return tool_fail(tool, EX_USAGE, word, "not expected here");
}

/* -- the others -- */

static int
take_time(struct tool *tool, const char **where, const char *value)
{
	int64_t when;

	if (value == NULL)
		return no_argument(tool, "--since, --until");
	*where = value;
	return words_read_time(value, tool->now, &when)
	    ? EX_OK
	    : tool_fail(tool, EX_USAGE, value,
		  "not a time, like 2h, 2026-11-25 or \"2026-11-25 18:30\"");
}

static int
take_top(struct tool *tool, const char *value)
{
	if (value == NULL)
		return no_argument(tool, "--top");
	return words_read_size(value, &tool->options.top)
	    ? EX_OK
	    : tool_fail(tool, EX_USAGE, value, "not a number");
}

/* How many arguments it took, its own name included; 0: not this one. */
static int
take_other(
    struct tool *tool, unsigned takes, const char *name, char *value, int *code)
{
	struct tool_options *o = &tool->options;

	*code = EX_OK;
	if ((takes & TAKES_REASON) != 0 && strcmp(name, "--reason") == 0) {
		o->reason = value;
		if (value == NULL)
			*code = no_argument(tool, name);
		return 2;
	}
	if ((takes & TAKES_REASON) != 0 && strcmp(name, "--list") == 0) {
		o->list_rules = true;
		return 1;
	}
	if ((takes & TAKES_TIMES) != 0 && strcmp(name, "-v") == 0) {
		o->verbose = true;
		return 1;
	}
	if ((takes & TAKES_TIMES) != 0 && strcmp(name, "--since") == 0) {
		*code = take_time(tool, &o->since, value);
		return 2;
	}
	if ((takes & TAKES_TIMES) != 0 && strcmp(name, "--until") == 0) {
		*code = take_time(tool, &o->until, value);
		return 2;
	}
	if ((takes & TAKES_TIMES) != 0 && strcmp(name, "--log") == 0) {
		if (value == NULL)
			*code = no_argument(tool, name);
		else
			o->logs[o->nlogs++] = value;
		return 2;
	}
	if ((takes & TAKES_TOP) != 0 && strcmp(name, "--top") == 0) {
		*code = take_top(tool, value);
		return 2;
	}
	return 0;
}

/* How many arguments it took. */
static int
take(struct tool *tool, unsigned takes, char **argv, int *code)
{
	const struct condition *c = find_condition(argv[0]);
	int n;

	*code = EX_OK;
	if (strcmp(argv[0], "--json") == 0) {
		tool->json = true;
		return 1;
	}
	if (c != NULL && (takes & TAKES_CONDITIONS) != 0) {
		*code = take_condition(tool, c, argv[1]);
		return 2;
	}
	if (strcmp(argv[0], "--all") == 0 && (takes & TAKES_CONDITIONS) != 0) {
		tool->options.selection.all = true;
		return 1;
	}
	n = take_other(tool, takes, argv[0], argv[1], code);
	if (n > 0)
		return n;
	if (argv[0][0] == '-' && argv[0][1] != '\0')
		*code =
		    tool_fail(tool, EX_USAGE, argv[0], "no such option here");
	else
		*code = take_word(tool, takes, argv[0]);
	return 1;
}

static bool
begin(struct tool_options *o, int argc)
{
	*o = (struct tool_options){.top = TOOL_TOP};
	o->words = calloc((size_t)argc + 1, sizeof(*o->words));
	o->logs = calloc((size_t)argc + 1, sizeof(*o->logs));
	return o->words != NULL && o->logs != NULL;
}

int
options_read(struct tool *tool, unsigned takes, int argc, char **argv)
{
	struct tool_options *o = &tool->options;
	int code = begin(o, argc) ? EX_OK : tool_no_memory(tool);

	for (int i = 0; code == EX_OK && i < argc;)
		i += take(tool, takes, argv + i, &code);
	if (code != EX_OK)
		return code;
	selection_sort(&o->selection);
	if ((takes & NEEDS_SELECTION) != 0 && !o->list_rules &&
	    o->nwords == 0 && o->since == NULL && o->until == NULL &&
	    selection_is_empty(&o->selection))
		return tool_fail(tool, EX_USAGE, "nothing selected",
		    (takes & TAKES_CONDITIONS) != 0
			? "ids or conditions are needed; --all for every "
			  "message"
			: "an argument is needed");
	return EX_OK;
}

void
options_free(struct tool_options *o)
{
	selection_free(&o->selection);
	free(o->words);
	free(o->logs);
}
