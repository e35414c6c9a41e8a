/* SPDX-License-Identifier: ISC */
#include "smtpd/helo.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/address.h"
#include "common/netaddr.h"

enum { LABEL_MAX = 63 };

static bool
is_of_labels(const char *name, size_t n)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-_.";
	size_t label = 0;

	if (n == 0 || n > ADDRESS_DOMAIN_MAX || strspn(name, allowed) < n)
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && name[i] != '.') {
			label++;
			continue;
		}
		if (label == 0 || label > LABEL_MAX)
			return false;
		label = 0;
	}
	return true;
}

/* [192.0.2.1], [IPv6:2001:db8::1], and both without what is around them. */
static bool
read_address(const char *name, struct sockaddr_storage *address)
{
	static const char tag[] = "IPv6:";
	char inner[NETADDR_TEXT_MAX];
	size_t n = strlen(name);

	if (n >= 2 && name[0] == '[' && name[n - 1] == ']') {
		name++;
		n -= 2;
		if (strncasecmp(name, tag, strlen(tag)) == 0) {
			name += strlen(tag);
			n -= strlen(tag);
		}
	}
	if (n >= sizeof(inner))
		return false;
	memcpy(inner, name, n);
	inner[n] = '\0';
	return netaddr_parse(inner, 0, address) && netaddr_port(address) == 0;
}

/* Without the dot that may be at its end. */
static size_t
length_of(const char *name)
{
	size_t n = strlen(name);

	return n > 1 && name[n - 1] == '.' ? n - 1 : n;
}

bool
helo_is_name(const char *name)
{
	struct sockaddr_storage address;

	if (name[0] == '[')
		return read_address(name, &address);
	return is_of_labels(name, length_of(name));
}

void
helo_without_blanks(char *name)
{
	for (; *name != '\0'; name++)
		if (*name == ' ' || *name == '\t')
			*name = '_';
}

bool
helo_is_ours(const char *name, const char *hostname,
    const struct sockaddr_storage *local)
{
	struct sockaddr_storage address;
	size_t n = length_of(name);

	if (n == strlen(hostname) && strncasecmp(name, hostname, n) == 0)
		return true;
	return read_address(name, &address) && netaddr_equal(&address, local);
}
