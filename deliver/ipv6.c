/* SPDX-License-Identifier: ISC */
#include "deliver/ipv6.h"

#include "common/log.h"
#include "common/netaddr.h"
#include "common/self.h"

/* A source's PTR, looked up once; temporary failures are not kept. */
static bool
has_name(struct deliver *d, const struct sockaddr_storage *source)
{
	static struct sockaddr_storage known;
	static bool answer;
	char names[1][DNS_NAME_MAX + 1], text[NETADDR_TEXT_MAX];
	enum dns_status status;
	size_t n;

	if (known.ss_family != 0 && netaddr_equal(&known, source))
		return answer;
	status = dns_ptr(d->dns, source, names, 1, &n);
	answer = status == DNS_FOUND;
	if (status == DNS_TEMPORARY || status == DNS_BROKEN)
		return false;
	known = *source;
	if (!answer) {
		netaddr_format(source, text);
		log_event(LEVEL_WARNING, "ipv6 not used",
		    log_text("what", text),
		    log_text("reason",
			"this source address has no PTR record; IPv6 hosts "
			"are not tried"));
	}
	return answer;
}

bool
ipv6_may_use(struct deliver *d, const struct sockaddr_storage *destination)
{
	struct sockaddr_storage source;

	if (self_is_loopback(destination))
		return true;
	if (!self_source(&d->config, AF_INET6, &source) &&
	    !self_kernel_source(destination, &source))
		return false;
	return self_is_loopback(&source) || has_name(d, &source);
}
