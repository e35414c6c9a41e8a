/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/dns_read.h"
#include "deliver/route.h"

size_t
route_group(const struct dns_mx *mx, size_t n)
{
	size_t i = 0;

	while (i < n && mx[i].preference == mx[0].preference)
		i++;
	return i;
}

static void
shuffle(struct dns_mx *mx, size_t n, uint32_t (*random)(uint32_t))
{
	struct dns_mx kept;

	for (size_t i = n; i > 1; i--) {
		size_t other = random((uint32_t)i);

		kept = mx[i - 1];
		mx[i - 1] = mx[other];
		mx[other] = kept;
	}
}

void
route_shuffle(struct dns_mx *mx, size_t n, uint32_t (*random)(uint32_t))
{
	while (n > 0) {
		size_t group = route_group(mx, n);

		shuffle(mx, group, random);
		mx += group;
		n -= group;
	}
}

size_t
route_before(const struct dns_mx *mx, size_t n, const char *hostname)
{
	size_t i = 0, begin = 0;

	for (i = 0; i < n; i++) {
		if (mx[i].preference != mx[begin].preference)
			begin = i;
		if (dns_name_equal(mx[i].host, hostname))
			return begin;
	}
	return n;
}

void
route_alternate(struct sockaddr_storage *addresses, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		size_t other = i;
		struct sockaddr_storage kept;

		while (other < n &&
		    addresses[other].ss_family == addresses[i - 1].ss_family)
			other++;
		if (other == n)
			return;
		kept = addresses[other];
		memmove(addresses + i + 1, addresses + i,
		    (other - i) * sizeof(*addresses));
		addresses[i] = kept;
	}
}
