/* SPDX-License-Identifier: ISC */
#include "smtpd/asking.h"

#include "common/clock.h"

enum {
	QUESTION_MS = 5000,
	PROBE_MS = 2000,
	SILENCE_MS = 4000, /* less is an answer, if no good one */
	REST_MS = 60000
};

/* No questions until then: a worker's memory, from message to message. */
static int64_t dead_until;

static bool
may_ask(struct asking *a)
{
	int64_t now = clock_monotonic_ms(), limit = now + QUESTION_MS;

	if (a->dns == NULL || now < dead_until)
		return false;
	a->asked++;
	dns_deadline(a->dns, limit < a->limit ? limit : a->limit);
	return true;
}

static enum dns_status
note(struct asking *a, enum dns_status status)
{
	a->answered += !dns_is_trouble(status);
	return status;
}

static enum dns_status
ask_txt(void *context, const char *name, char ***texts, size_t *n)
{
	struct asking *a = context;

	*texts = NULL;
	*n = 0;
	if (!may_ask(a))
		return DNS_TEMPORARY;
	return note(a, a->real.txt(a->real.context, name, texts, n));
}

static enum dns_status
ask_addresses(void *context, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	struct asking *a = context;

	*n = 0;
	if (!may_ask(a))
		return DNS_TEMPORARY;
	return note(
	    a, a->real.addresses(a->real.context, host, family, out, max, n));
}

static enum dns_status
ask_mx(void *context, const char *domain, struct dns_mx *out, size_t max,
    size_t *n)
{
	struct asking *a = context;

	*n = 0;
	if (!may_ask(a))
		return DNS_TEMPORARY;
	return note(a, a->real.mx(a->real.context, domain, out, max, n));
}

static enum dns_status
ask_ptr(void *context, const struct sockaddr_storage *address,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n)
{
	struct asking *a = context;

	*n = 0;
	if (!may_ask(a))
		return DNS_TEMPORARY;
	return note(a, a->real.ptr(a->real.context, address, names, max, n));
}

static enum dns_status
ask_alias(void *context, const char *name, char target[DNS_NAME_MAX + 1])
{
	struct asking *a = context;

	target[0] = '\0';
	if (!may_ask(a))
		return DNS_TEMPORARY;
	return note(a, a->real.alias(a->real.context, name, target));
}

struct resolver
asking_begin(struct asking *a, struct dns *dns, const char *hostname)
{
	*a = (struct asking){.dns = dns, .hostname = hostname, .limit = -1};
	if (dns != NULL)
		a->real = resolver_over(dns);
	return (struct resolver){.txt = ask_txt,
	    .addresses = ask_addresses,
	    .mx = ask_mx,
	    .ptr = ask_ptr,
	    .alias = ask_alias,
	    .context = a};
}

void
asking_limit(struct asking *a, int64_t ms)
{
	a->began = clock_monotonic_ms();
	a->limit = a->began + ms - PROBE_MS;
}

void
asking_end(struct asking *a)
{
	struct sockaddr_storage found;
	size_t n;
	int64_t now = clock_monotonic_ms();

	if (a->asked == 0 || a->answered > 0 || now - a->began < SILENCE_MS)
		return;
	dns_deadline(a->dns, now + PROBE_MS);
	if (dns_is_trouble(a->real.addresses(a->real.context, a->hostname,
		AF_INET, &found, 1, &n)))
		dead_until = clock_monotonic_ms() + REST_MS;
}
