/* SPDX-License-Identifier: ISC */
#include "ledger/prefix.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/netaddr.h"

enum { CLIENT4 = 32, NETWORK4 = 24, CLIENT6 = 64, NETWORK6 = 48 };

bool
prefix_of(const char *address, struct prefix *client)
{
	struct sockaddr_storage parsed;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&parsed;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&parsed;

	*client = (struct prefix){0};
	if (!netaddr_parse(address, 0, &parsed))
		return false;
	netaddr_unmap(&parsed);
	if (parsed.ss_family == AF_INET) {
		client->version = 4;
		client->bits = CLIENT4;
		memcpy(client->octets, &in->sin_addr, 4);
	} else {
		client->version = 6;
		client->bits = CLIENT6;
		memcpy(client->octets, &in6->sin6_addr, 8);
	}
	return true;
}

struct prefix
prefix_network(const struct prefix *client)
{
	struct prefix network = *client;

	network.bits = client->version == 4 ? NETWORK4 : NETWORK6;
	memset(network.octets + network.bits / 8, 0,
	    sizeof(network.octets) - network.bits / 8);
	return network;
}

int
prefix_compare(const struct prefix *a, const struct prefix *b)
{
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return memcmp(a->octets, b->octets, sizeof(a->octets));
}

void
prefix_format(const struct prefix *p, char out[PREFIX_TEXT_MAX])
{
	unsigned char octets[16] = {0};
	char text[INET6_ADDRSTRLEN];

	memcpy(octets, p->octets, sizeof(p->octets));
	inet_ntop(
	    p->version == 4 ? AF_INET : AF_INET6, octets, text, sizeof(text));
	if (p->bits == CLIENT4)
		snprintf(out, PREFIX_TEXT_MAX, "%s", text);
	else
		snprintf(out, PREFIX_TEXT_MAX, "%s/%u", text, p->bits);
}

bool
prefix_parse(const char *text, struct prefix *p)
{
	char address[PREFIX_TEXT_MAX];
	size_t n = strcspn(text, "/");

	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (!prefix_of(address, p))
		return false;
	if (strcmp(text + n, p->version == 4 ? "/24" : "/48") == 0)
		*p = prefix_network(p);
	else if (text[n] != '\0' && strcmp(text + n, "/64") != 0)
		return false;
	return true;
}
