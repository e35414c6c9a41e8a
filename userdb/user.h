/* SPDX-License-Identifier: ISC */
#ifndef USERDB_USER_H
#define USERDB_USER_H

#include "userdb/client.h"

/* postrider-user's commands.  Each returns an exit code of sysexits.h. */
enum options {
	OPTION_JSON = 1,
	OPTION_PASSWORD_STDIN = 2,
	OPTION_NO_PASSWORD = 4,
	OPTION_SYSTEM = 8,
	OPTION_LOGIN = 16,
	OPTION_FORMAT = 32
};

struct request {
	struct client *client;
	const struct config *config;
	unsigned options;   /* those that were given */
	const char *login;  /* of --login */
	const char *format; /* of --format */
	int argc;	    /* what is left */
	char **argv;
	int input; /* of import, opened before we are postrider-db */
};

/* show.c */
int user_list(struct request *);
int user_show(struct request *);
int domain_list(struct request *);
int alias_list(struct request *);

/* transfer.c */
int user_import(struct request *);
int user_export(struct request *);

#endif
