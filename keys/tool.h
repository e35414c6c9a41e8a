/* SPDX-License-Identifier: ISC */
#ifndef KEYS_TOOL_H
#define KEYS_TOOL_H

#include <stdbool.h>

#include "common/config.h"
#include "common/ipc.h"

/* postrider-key's commands.  Each returns an exit code of sysexits.h. */
struct request {
	const struct config *config;
	bool json, quiet, password_stdin;
	const char *token_file; /* of --token-file, or NULL */
	const char *import;     /* of --import, or NULL */
	int argc;               /* what is left */
	char **argv;
};

/* tool-tls.c */
int tls_list(struct request *);
int tls_self_signed(struct request *);

/* tool-relay.c */
int relay_list(struct request *);
int relay_set(struct request *);
int relay_remove(struct request *);

/* tool-dkim.c */
int dkim_make(struct request *);
int dkim_rotate(struct request *);
int dkim_activate(struct request *);
int dkim_import(struct request *);
int dkim_delete(struct request *);

/* tool-dkim-list.c, tool-dkim-check.c */
int dkim_list(struct request *);
int dkim_check(struct request *);

/* What keys has is written as its user: become that, where we are root. */
int tool_become_keys(void);

/* Say by errno why that folder in keys-dir cannot be had; returns the code. */
int tool_no_folder(const struct config *, const char *name);

/* Ask keys (common/admin.h); the packet becomes the answer.  False: no answer. */
bool tool_ask(int fd, struct packet *);

#endif
