/* SPDX-License-Identifier: ISC */
#ifndef COMMON_NETADDR_H
#define COMMON_NETADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Network addresses as text and back.  IPv4-mapped IPv6 becomes IPv4. */

enum { NETADDR_TEXT_MAX = 64 };

/* 192.0.2.1 or 2001:db8::1 into out (NETADDR_TEXT_MAX). */
void netaddr_format(const struct sockaddr_storage *, char *out);
/* With port: 192.0.2.1:25 or [2001:db8::1]:25 */
void netaddr_format_port(const struct sockaddr_storage *, char *out);
/* As an address literal, RFC 5321 section 4.1.3: [192.0.2.1], [IPv6:...] */
void netaddr_format_literal(const struct sockaddr_storage *, char *out);

/* Numeric only; port 0 when the text has none and fallback is 0. */
bool netaddr_parse(
    const char *text, uint16_t fallback_port, struct sockaddr_storage *);

socklen_t netaddr_size(const struct sockaddr_storage *);
uint16_t netaddr_port(const struct sockaddr_storage *);
void netaddr_set_port(struct sockaddr_storage *, uint16_t port);

/* Turn an IPv4-mapped IPv6 address into IPv4, in place. */
void netaddr_unmap(struct sockaddr_storage *);

/* Same address, ports not compared. */
bool netaddr_equal(
    const struct sockaddr_storage *, const struct sockaddr_storage *);

/* A listening TCP socket (non-blocking, close-on-exec, SO_REUSEADDR, IPv6
 * only for an IPv6 address); -1 and errno. */
int netaddr_listen(const struct sockaddr_storage *);

#endif
