/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/netaddr.h"
#include "common/program.h"
#include "mailauth/tool.h"

/* libresolv counts in seconds and needs a whole one: this much is given. */
enum { GRACE_MS = 500, SERVERS_MAX = 4 };

/* Behind a host's name and a colon; NULL: there is no port. */
static const char *
find_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");

	return digits > 0 && digits < 6 && colon[1 + digits] == '\0' &&
		atoi(colon + 1) <= UINT16_MAX
	    ? colon + 1
	    : NULL;
}

/* By its name, "localhost:5353": all of its addresses. */
static size_t
find_server(const char *text, struct config_server *servers, size_t max)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found, *a;
	const char *port = find_port(text);
	char *host;
	size_t n = 0;

	if (port == NULL || port - 1 == text)
		return 0;
	host = strndup(text, (size_t)(port - 1 - text));
	if (host != NULL && getaddrinfo(host, port, &hints, &found) == 0) {
		for (a = found; a != NULL && n < max; a = a->ai_next)
			memcpy(
			    &servers[n++].address, a->ai_addr, a->ai_addrlen);
		freeaddrinfo(found);
	}
	free(host);
	return n;
}

static int
take_servers(struct request *r, struct config_servers *servers)
{
	if (netaddr_parse(r->dns, 53, &servers->items[0].address))
		servers->n = 1;
	else
		servers->n = find_server(r->dns, servers->items, SERVERS_MAX);
	return servers->n > 0 ? EX_OK
			      : program_fail(EX_USAGE,
				    "--dns: %s is no host with a port", r->dns);
}

int
tool_open_dns(struct request *r)
{
	struct config_server servers[SERVERS_MAX] = {{.trusted = false}};
	struct config asked = {.dns_servers = r->config->dns_servers};
	int code = EX_OK;

	if (r->dns != NULL) {
		asked.dns_servers = (struct config_servers){0, servers};
		code = take_servers(r, &asked.dns_servers);
	}
	if (code != EX_OK)
		return code;
	r->resolver_dns = dns_open(&asked);
	if (r->resolver_dns == NULL)
		return program_fail(
		    EX_OSERR, "no resolver: %s", strerror(errno));
	tool_start_clock(r);
	r->plain = resolver_over(r->resolver_dns);
	r->mailauth.resolver = &r->plain;
	if (r->verbose)
		tool_tell(r);
	return EX_OK;
}

void
tool_start_clock(struct request *r)
{
	dns_deadline(r->resolver_dns,
	    clock_monotonic_ms() + r->dns_timeout * 1000 + GRACE_MS);
}

void
tool_close_dns(struct request *r)
{
	dns_close(r->resolver_dns);
	r->resolver_dns = NULL;
}
