/* SPDX-License-Identifier: ISC */
#ifndef KEYS_TOOL_DKIM_H
#define KEYS_TOOL_DKIM_H

#include "common/selectors.h"
#include "keys/tool.h"

/* What postrider-key's commands about DKIM keys share. */
struct dkim_place {
	const struct config *config;
	int folder; /* keys-dir/dkim */
	int domain; /* in it; -1: none yet */
	char name[DNS_NAME_MAX + 1];
	struct selectors selectors;
};

/* Each returns an exit code, and has said what is wrong. */

/* As keys' user: the folder of all domains. */
int dkim_open(struct dkim_place *, const struct config *);

/* A domain there; make: if it is not. */
int dkim_open_domain(struct dkim_place *, const char *domain, bool make);

/*
 * Nobody else changes its keys from now on, until it is closed; what somebody
 * has changed since it was opened is read.
 */
int dkim_hold(struct dkim_place *);

int dkim_save(struct dkim_place *); /* its list; of one that is held */

/* It signs from now on, and what did of its kind is retired. */
void dkim_use(struct dkim_place *, struct selector *);

/* The record of a selector, as lines of a zone file. */
int dkim_print_record(const struct dkim_place *, const struct selector *);

/* Each domain that has a folder; the first code that is not EX_OK. */
int dkim_each_domain(struct dkim_place *,
    int (*found)(struct dkim_place *, void *context), void *context);

void dkim_close(struct dkim_place *);

#endif
