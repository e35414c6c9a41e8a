/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_OPTIONS_H
#define TOOLS_DNS_OPTIONS_H

#include "tools/dns-tool.h"

/* Which command takes which option. */
enum { DNS_SHOW = 1, DNS_FILES = 2, DNS_CHECK = 4 };

/*
 * Those behind a command: argv[0] is its name, and optind becomes the index of
 * its first argument.  EX_OK, or EX_USAGE with what is wrong said.
 */
int options_read(struct request *, unsigned command, int argc, char **argv);

#endif
