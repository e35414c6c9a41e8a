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
	OPTION_FORMAT = 32,
	OPTION_APP = 64,
	OPTION_REVOKE = 128,
	OPTION_REVERSIBLE = 256
};

struct request {
	struct client *client;
	const struct config *config;
	unsigned options;   /* those that were given */
	const char *login;  /* of --login */
	const char *format; /* of --format */
	const char *app;    /* of --app */
	int argc;	    /* what is left */
	char **argv;
	int input; /* of import, opened before we are postrider-db */
};

/* passwd.c */
int passwd_add_hash(const struct request *, const char *address,
    struct packet *);
int passwd_one(struct request *, const char *address);

/* show.c */
int user_list(struct request *);
int user_show(struct request *);
int domain_list(struct request *);
int alias_list(struct request *);

enum { TIME_TEXT = 32 };
/* As text; returns it. */
const char *time_text(uint64_t unix_seconds, char text[TIME_TEXT]);

/* failures.c: a line, or a member of a JSON object behind others. */
void failures_put(const struct config *, const char *user, bool json);

/* tallies.c; of ledger alone, userdb need not run */
int tallies_show(struct request *);
int tallies_forget_one(struct request *, const char *of);

/*
 * limits.c: what he may have and send, how much of it is used up, and what of
 * his mail is held; likewise.
 */
void limits_put(const struct config *, const struct entry *, const char *user,
    bool json);

/* transfer.c */
int user_import(struct request *);
int user_export(struct request *);

#endif
