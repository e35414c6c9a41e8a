/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_OPTIONS_H
#define SENDMAIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/dsn.h"

/*
 * The command line that every Unix program expects of sendmail(1).  Options
 * end at the first argument that is none, or at "--": what comes after is
 * never taken for one (A9).
 */
enum mode {
	MODE_SEND,    /* -bm: a message on standard input */
	MODE_SMTP,    /* -bs: SMTP on standard input and output */
	MODE_LIST,    /* -bp, mailq */
	MODE_ALIASES, /* -bi, newaliases */
	MODE_FLUSH,   /* -q */
	MODE_VERSION,
	MODE_HELP
};

struct options {
	enum mode mode;
	bool from_headers;       /* -t */
	bool whole;              /* -i, -oi: a lone dot does not end it */
	bool json;               /* --json, of mailq */
	const char *sender;      /* -f, -r; NULL: the caller's own */
	const char *full_name;   /* -F; NULL: as the system knows it */
	const char *config_path; /* -c, -C; NULL: the usual one */
	unsigned notify;         /* -N; of enum dsn_notify */
	enum dsn_ret ret;        /* -R */
	const char *envid;       /* -V; NULL: none */
	char **recipients;       /* within argv */
	size_t nrecipients;
};

/* NULL, or what is wrong, in a static buffer. argv[0] chooses the mode. */
const char *options_parse(struct options *, int argc, char **argv);

#endif
