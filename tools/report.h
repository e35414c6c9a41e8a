/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include <stdbool.h>

/* postrider-report: what its commands share. */
struct report_tool {
	const char *program;
	const char *config_path;
};

/* "postrider-report: WHAT: REASON" to standard error; returns code. */
int report_fail(int code, const char *what, const char *reason);

/* The commands; argv[0] is the command's name.  Exit codes of sysexits.h. */
int report_read(const struct report_tool *, int argc, char **argv);
int report_dmarc(const struct report_tool *, int argc, char **argv);

extern const char report_usage[];

#endif
