/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_TOOL_OPTIONS_H
#define MAILAUTH_TOOL_OPTIONS_H

#include "mailauth/tool.h"

enum options {
	OPTION_IP = 1,
	OPTION_HELO = 2,
	OPTION_FROM = 4,
	OPTION_DNS = 8,
	OPTION_DNS_TIMEOUT = 16,
	OPTION_NOW = 32,
	OPTION_JSON = 64,
	OPTION_EXIT_CODE = 128,
	OPTION_VERBOSE = 256,
	OPTION_DOMAIN = 512,
	OPTION_SELECTOR = 1024,
	OPTION_KEY = 2048,
	OPTION_SPF = 4096,
	OPTION_DKIM = 8192,
	OPTIONS_OF_ALL = OPTION_DNS | OPTION_DNS_TIMEOUT | OPTION_NOW |
	    OPTION_JSON | OPTION_EXIT_CODE | OPTION_VERBOSE
};

/*
 * The options behind the command, wherever they stand; *argc and *argv are
 * what is left.  EX_OK, or what is wrong was said.
 */
int options_read(struct request *, int *argc, char ***argv, unsigned *given);

#endif
