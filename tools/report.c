/* SPDX-License-Identifier: ISC */
/* postrider-report: aggregate reports of DMARC, those for others and ours. */
#include "tools/report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/log.h"
#include "common/program.h"

const char report_usage[] =
    "usage: postrider-report [-c FILE] COMMAND ...\n"
    "\n"
    "  read [--json] FILE|FOLDER...  show reports that came in: XML, gzip, "
    "ZIP,\n"
    "                                messages with such parts, a Maildir of\n"
    "                                them; - is standard input\n"
    "  dmarc [-nv] [--day YYYY-MM-DD]\n"
    "                                send the reports of finished days; with "
    "-n\n"
    "                                only show what would be sent\n";

static const struct {
	const char *name;
	int (*run)(const struct report_tool *, int argc, char **argv);
} commands[] = {
    {"read", report_read},
    {"dmarc", report_dmarc},
};

int
report_fail(int code, const char *what, const char *reason)
{
	fprintf(stderr, "postrider-report: %s: %s\n", what, reason);
	return code;
}

static int
run(const struct report_tool *tool, int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (argc > 0 && strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(tool, argc, argv);
	fputs(report_usage, stderr);
	return EX_USAGE;
}

int
main(int argc, char **argv)
{
	struct program_options options = {
	    .program = "postrider-report", .usage = report_usage};
	int first = program_options(&options, argc, argv), code;
	struct report_tool tool = {
	    .program = options.program, .config_path = options.config_path};

	signal(SIGPIPE, SIG_IGN);
	log_to_stderr(options.program);
	code = run(&tool, argc - first, argv + first);
	if ((fflush(stdout) == EOF || ferror(stdout)) && code == EX_OK)
		code = report_fail(EX_IOERR, "standard output", "cannot write");
	return code;
}
