/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_TOOL_H
#define MAILAUTH_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "mailauth/dkim.h"
#include "mailauth/dmarc.h"
#include "mailauth/mailauth.h"
#include "mailauth/spf.h"

/*
 * postrider-mailauth: the checks by hand.  Functions that return int return
 * an exit code: of sysexits(3), and below those, with --exit-code, the
 * verdict's.
 */
struct request {
	/* options; NULL: not given */
	const char *ip, *helo, *from;
	const char *domain, *selector, *key;
	struct dmarc_identity spf[DMARC_IDENTITIES_MAX];
	struct dmarc_identity dkim[DMARC_IDENTITIES_MAX];
	size_t nspf, ndkim;
	const char *dns; /* HOST:PORT */
	bool json, verbose, exit_code;
	int64_t dns_timeout; /* seconds, of all questions together */

	struct sockaddr_storage client; /* of ip */
	char hostname[DNS_NAME_MAX + 1];
	struct config *config; /* of dns-server at least */
	struct dns *resolver_dns;
	struct resolver plain, resolver; /* what telling ones ask */
	struct mailauth mailauth;
};

int tool_misused(void); /* the usage to standard error; EX_USAGE */

int tool_open_dns(struct request *);

/*
 * Each answer of the DNS, and each step of a check, to standard error:
 * mailauth/tool_tell.c.
 */
void tool_tell(struct request *);

/* The time for all questions begins now, not while a message is read. */
void tool_start_clock(struct request *);
void tool_close_dns(struct request *);

/* What the check of the commands ends with. */
int tool_exit(const struct request *, enum auth_result);

/* -- output: mailauth/tool_print.c -- */

/* "key":"text", behind a comma unless it is the first of its object. */
void print_pair(bool *first, const char *key, const char *text);
void print_number(bool *first, const char *key, int64_t);
void print_bool(bool *first, const char *key, bool);
void print_key(bool *first, const char *key);

/* "  name        text", nothing without text. */
void print_row(const char *name, const char *text);

/* -- commands -- */

int tool_spf(struct request *);
int tool_dkim_verify(struct request *);
int tool_dkim_sign(struct request *);
int tool_dmarc(struct request *);
int tool_all(struct request *);

/* -- what several of them show -- */

struct spf_query tool_spf_query(const struct request *);
void tool_spf_json(
    const struct request *, const char *identity, const struct spf_result *);
void tool_show_spf(
    const struct request *, const char *asked, const struct spf_result *);
void tool_signatures_json(bool *first, const struct dkim_result *, size_t n);
void tool_show_signatures(const struct dkim_result *, size_t n);
const char *tool_disposition(const struct dmarc_result *);
void tool_dmarc_json(bool *first, const struct dmarc_result *);
void tool_show_dmarc(const char *asked, const struct dmarc_result *);

#endif
