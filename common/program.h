/* SPDX-License-Identifier: ISC */
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What every program takes before its command: -c FILE, -V, -h.  Returns
 * optind behind them.  -V prints name and version and exits 0, -h prints
 * usage and exits 0, an unknown option prints usage and exits EX_USAGE.
 * extra: further option letters as getopt has them, given to option().
 */
struct program_options {
	const char *program;
	const char *usage; /* whole text */
	const char *extra; /* "" or NULL: none */
	/* false: bad; NULL when extra is empty */
	int (*option)(int letter, const char *argument);
	const char *config_path; /* out: -c, else config_default_path() */
};

int program_options(struct program_options *, int argc, char **argv);

/*
 * Say what is wrong, on standard error behind the program's name, once what
 * was written to standard output is out; returns the code.
 */
int program_fail(int code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Where the daemons lie: $POSTRIDER_LIBEXEC, else libexecdir/postrider.  The
 * environment is that of whoever starts a tool, root or not.
 */
const char *program_folder(void);

/* The path of one of them; false when it is not there. */
bool program_find(const char *name, char *path, size_t size);

/*
 * The same for one that the build tree has in another folder than that of its
 * name.
 */
bool program_find_in(
    const char *folder, const char *name, char *path, size_t size);

#endif
