/* SPDX-License-Identifier: ISC */
#include "tools/dns-house.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/netaddr.h"
#include "common/self.h"

/* -- addresses -- */

bool
house_is_private(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;
	uint32_t a;

	if (self_is_nobody(address) || self_is_loopback(address))
		return true;
	if (address->ss_family == AF_INET6)
		return (in6->sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
	a = ntohl(in->sin_addr.s_addr);
	return a >> 24 == 10 || a >> 20 == (172 << 4 | 1) ||
	    a >> 16 == (192 << 8 | 168) || a >> 22 == (100 << 2 | 1) ||
	    a >> 16 == (169 << 8 | 254);
}

static void
add_kernels(struct house_addresses *list, const char *far_away)
{
	struct sockaddr_storage to, from;

	if (!netaddr_parse(far_away, 0, &to) || !self_kernel_source(&to, &from))
		return;
	netaddr_set_port(&from, 0);
	if (!house_is_private(&from)) {
		list->items[list->n++] = from;
		return;
	}
	list->private = true;
	netaddr_format(&from, list->private_text);
}

static void
add_family(const struct config *config, struct house_addresses *list,
    int family, const char *far_away)
{
	struct sockaddr_storage source;

	if (self_source(config, family, &source)) {
		list->items[list->n++] = source;
		list->named = true;
	} else {
		add_kernels(list, far_away);
	}
}

void
house_find_addresses(const struct request *r, struct house_addresses *list)
{
	*list = (struct house_addresses){.n = r->naddresses};
	memcpy(list->items, r->addresses, sizeof(list->items));
	list->named = list->n > 0;
	if (list->n > 0)
		return;
	/* Addresses of documentation lead where all strangers live. */
	if (r->config->address_family != FAMILY_IPV6)
		add_family(r->config, list, AF_INET, "192.0.2.1");
	if (r->config->address_family != FAMILY_IPV4)
		add_family(r->config, list, AF_INET6, "2001:db8::1");
}

void
house_find_arrivals(const struct request *r,
    const struct house_addresses *leaving, struct house_addresses *list)
{
	const struct config_listeners *listen = &r->config->listen;

	*list = (struct house_addresses){.n = 0};
	for (size_t i = 0; i < listen->n && list->n < DNS_TOOL_ADDRESSES_MAX;
	     i++)
		if (listen->items[i].kind == LISTENER_SMTP &&
		    !house_is_private(&listen->items[i].address)) {
			list->items[list->n] = listen->items[i].address;
			netaddr_set_port(&list->items[list->n++], 0);
		}
	if (list->n == 0 || r->naddresses > 0)
		*list = *leaving;
}

/* -- services -- */

uint16_t
house_port(const struct config *config, enum listener_kind kind)
{
	for (size_t i = 0; i < config->listen.n; i++)
		if (config->listen.items[i].kind == kind &&
		    !self_is_loopback(&config->listen.items[i].address))
			return netaddr_port(&config->listen.items[i].address);
	return 0;
}

/* -- certificates -- */

bool
house_read_certificate(
    const struct config_certificate *files, struct house_certificate *c)
{
	int fd = open(
	    files->certificate, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	*c = (struct house_certificate){.path = files->certificate};
	if (fd == -1) {
		snprintf(c->problem, sizeof(c->problem), "%s", strerror(errno));
		return false;
	}
	c->chain = certificate_read_chain(fd, c->problem);
	close(fd);
	if (c->chain != NULL &&
	    !certificate_id(sk_X509_value(c->chain, 0), c->id)) {
		snprintf(c->problem, sizeof(c->problem), "no public key");
		house_free_certificate(c);
	}
	return c->chain != NULL;
}

void
house_free_certificate(struct house_certificate *c)
{
	certificate_free_chain(c->chain);
	c->chain = NULL;
}

bool
house_is_self_signed(const struct house_certificate *c)
{
	return X509_self_signed(sk_X509_value(c->chain, 0), 1) == 1;
}
