/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_HOUSE_H
#define TOOLS_DNS_HOUSE_H

#include "common/certificate.h"
#include "tools/dns-tool.h"

/*
 * What the records are about: this machine's addresses, its certificates,
 * and what it serves.
 */

/*
 * The addresses that mail leaves from: of --ip, else source-address, else
 * those that the kernel takes on the way out.
 */
struct house_addresses {
	size_t n;
	struct sockaddr_storage items[DNS_TOOL_ADDRESSES_MAX];
	bool named; /* by the user or the config: nobody's guess */
	/* One that the Internet does not know was passed over. */
	bool private;
	char private_text[64];
};

void house_find_addresses(const struct request *, struct house_addresses *);

/*
 * Those that mail comes to: where "listen smtp" names them, else the same.
 */
void house_find_arrivals(const struct request *,
    const struct house_addresses *leaving, struct house_addresses *);

/* Not of the Internet: RFC 1918, RFC 6598, RFC 4193, link-local, loopback. */
bool house_is_private(const struct sockaddr_storage *);

/*
 * The port of the service, where others can reach it; 0: it is not listened
 * on but on loopback.
 */
uint16_t house_port(const struct config *, enum listener_kind);

/* A certificate of the config. */
struct house_certificate {
	const char *path;
	STACK_OF(X509) *chain; /* owned; NULL: see problem */
	char problem[CERTIFICATE_REASON_MAX];
	char id[CERTIFICATE_ID_SIZE]; /* SHA-256 of its key, hex */
};

/* False: it cannot be read. */
bool house_read_certificate(
    const struct config_certificate *, struct house_certificate *);
void house_free_certificate(struct house_certificate *);

/* Nobody vouches for it but itself. */
bool house_is_self_signed(const struct house_certificate *);

#endif
