/* SPDX-License-Identifier: ISC */
/* postrider(8): the supervisor and its control. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/program.h"
#include "supervisor/commands.h"

static const char usage[] =
    "usage: postrider [-hV] [-c file] command\n"
    "\n"
    "  init [-n]        make accounts, folders, a config and a certificate;\n"
    "                   -n: only say what would be done\n"
    "  check            look for what is wrong with config and system\n"
    "  check --spool [--repair]\n"
    "                   look for what is wrong in the spool; put it right\n"
    "  start [-f]       start the suite; -f: stay in the foreground\n"
    "  stop             let every session finish, then stop\n"
    "  reload           take up a changed config; no session is lost\n"
    "  status [--json]  services, processes, sessions, queue\n"
    "  explain FROM TO [--ip ADDRESS] [--helo NAME] [--auth LOGIN]\n"
    "          [--size OCTETS] [--json]\n"
    "                   which rule takes or refuses that mail\n"
    "\n"
    "  -c file  config instead of the usual one\n"
    "  -V       version\n"
    "  -h       this text\n";

static const struct {
	const char *name;
	postrider_command *run;
} commands[] = {
    {"init", command_init},
    {"check", command_check},
    {"start", command_start},
    {"stop", command_stop},
    {"reload", command_reload},
    {"status", command_status},
    {"explain", command_explain},
    {NULL, NULL},
};

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider", .usage = usage};
	int first = program_options(&options, argc, argv);

	if (first < argc)
		for (int i = 0; commands[i].name != NULL; i++)
			if (strcmp(commands[i].name, argv[first]) == 0)
				return commands[i].run(options.config_path,
				    argc - first, argv + first);
	if (first < argc)
		fprintf(stderr, "postrider: no command \"%s\"\n", argv[first]);
	fputs(usage, stderr);
	return EX_USAGE;
}
