/* SPDX-License-Identifier: ISC */
/* For the tests: common/dns.h as a command. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/dns.h"
#include "common/netaddr.h"

enum { MANY = 128 };

static enum dns_status
show_mx(struct dns *d, const char *name)
{
	static struct dns_mx mx[MANY];
	size_t n;
	enum dns_status status = dns_mx(d, name, mx, MANY, &n);

	for (size_t i = 0; i < n; i++)
		printf("%u %s\n", mx[i].preference, mx[i].host);
	return status;
}

static enum dns_status
show_addresses(struct dns *d, const char *name, int family)
{
	static struct sockaddr_storage addresses[MANY];
	char text[NETADDR_TEXT_MAX];
	size_t n;
	enum dns_status status =
	    dns_addresses(d, name, family, addresses, MANY, &n);

	for (size_t i = 0; i < n; i++) {
		netaddr_format(&addresses[i], text);
		puts(text);
	}
	return status;
}

static enum dns_status
show_txt(struct dns *d, const char *name)
{
	char **texts;
	size_t n;
	enum dns_status status = dns_txt(d, name, &texts, &n);

	for (size_t i = 0; i < n; i++)
		puts(texts[i]);
	free(texts);
	return status;
}

static enum dns_status
show_name(struct dns *d, const char *text, bool confirmed)
{
	static char names[MANY][DNS_NAME_MAX + 1];
	struct sockaddr_storage address;
	enum dns_status status;
	size_t n;

	if (!netaddr_parse(text, 0, &address))
		errx(EX_USAGE, "%s is no address", text);
	if (confirmed) {
		status = dns_confirmed_name(d, &address, names[0]);
		puts(names[0]);
		return status;
	}
	status = dns_ptr(d, &address, names, MANY, &n);
	for (size_t i = 0; i < n; i++)
		puts(names[i]);
	return status;
}

static enum dns_status
show_tlsa(struct dns *d, const char *name)
{
	struct dns_tlsa *records;
	size_t n;
	enum dns_status status = dns_tlsa(d, name, &records, &n);

	for (size_t i = 0; i < n; i++) {
		printf("%u %u %u ", records[i].usage, records[i].selector,
		    records[i].matching);
		for (size_t j = 0; j < records[i].len; j++)
			printf("%02x", records[i].data[j]);
		putchar('\n');
	}
	free(records);
	return status;
}

static enum dns_status
show_alias(struct dns *d, const char *name)
{
	char target[DNS_NAME_MAX + 1];
	enum dns_status status = dns_alias(d, name, target);

	puts(target);
	return status;
}

static enum dns_status
show(struct dns *d, const char *type, const char *name)
{
	if (strcmp(type, "mx") == 0)
		return show_mx(d, name);
	if (strcmp(type, "txt") == 0)
		return show_txt(d, name);
	if (strcmp(type, "a") == 0)
		return show_addresses(d, name, AF_INET);
	if (strcmp(type, "aaaa") == 0)
		return show_addresses(d, name, AF_INET6);
	if (strcmp(type, "any") == 0)
		return show_addresses(d, name, AF_UNSPEC);
	if (strcmp(type, "tlsa") == 0)
		return show_tlsa(d, name);
	if (strcmp(type, "alias") == 0)
		return show_alias(d, name);
	if (strcmp(type, "ptr") == 0)
		return show_name(d, name, false);
	if (strcmp(type, "confirmed") == 0)
		return show_name(d, name, true);
	errx(EX_USAGE, "no such type: %s", type);
}

int
main(int argc, char **argv)
{
	struct config config = {.hostname = NULL};
	struct config_server servers[8] = {{.trusted = false}};
	enum dns_status status;
	struct dns *d;

	if (argc < 5 || argc > 12)
		errx(EX_USAGE,
		    "usage: dns-lookup MS TYPE NAME {SERVER [trusted]}...");
	config.dns_servers = (struct config_servers){0, servers};
	for (int i = 4; i < argc; i++) {
		size_t n = config.dns_servers.n;

		if (n > 0 && strcmp(argv[i], "trusted") == 0)
			servers[n - 1].trusted = true;
		else if (netaddr_parse(argv[i], 53, &servers[n].address))
			config.dns_servers.n++;
		else
			errx(EX_USAGE, "%s is no address", argv[i]);
	}
	d = dns_open(&config);
	if (d == NULL)
		err(EX_OSERR, "dns_open");
	dns_deadline(d, clock_monotonic_ms() + atoi(argv[1]));
	status = show(d, argv[2], argv[3]);
	if (servers[0].trusted)
		printf("%s, %s\n", dns_secure(d) ? "secure" : "insecure",
		    dns_canonical(d));
	puts(dns_status_text(status));
	dns_close(d);
	return 0;
}
