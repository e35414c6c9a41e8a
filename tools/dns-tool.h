/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_TOOL_H
#define TOOLS_DNS_TOOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/dns.h"

/*
 * postrider-dns's commands.  Each returns an exit code: of sysexits.h, or
 * DNS_TOOL_WARNINGS.
 */
enum {
	DNS_TOOL_WARNINGS = 1, /* check found nothing worse */
	DNS_TOOL_ADDRESSES_MAX = 8,
	DNS_TOOL_MX_MAX = 16,
	/* so that every name below the domain is one, too */
	DNS_TOOL_DOMAIN_MAX = 180
};

struct request {
	struct config *config;
	const char *config_path;
	const char *given;             /* the domain as it was typed */
	char domain[DNS_NAME_MAX + 1]; /* as the DNS has it, lower case */
	bool json, quiet;
	const char *mode;               /* of the MTA-STS policy */
	uint32_t max_age;               /* seconds */
	const char *web;                /* host name of a web server, or NULL */
	const char *reports;            /* mail address for reports, or NULL */
	const char *folder;             /* where files go */
	const char *policy;             /* path of a policy, or NULL */
	struct sockaddr_storage server; /* of --dns; AF_UNSPEC: none */
	size_t naddresses;              /* of --ip */
	struct sockaddr_storage addresses[DNS_TOOL_ADDRESSES_MAX];
	size_t nmx; /* of --mx: besides the config's host name */
	const char *mx[DNS_TOOL_MX_MAX];
};

int dns_show(const struct request *);  /* dns-show.c */
int dns_files(const struct request *); /* dns-files.c */
int dns_check(const struct request *); /* dns-check.c */

#endif
