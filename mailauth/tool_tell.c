/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "common/netaddr.h"
#include "mailauth/tool.h"

/* Whatever does not print is a stranger's: it is shown as "?". */
static void
tell_text(const char *text)
{
	for (; *text != '\0'; text++)
		fputc(*text < ' ' || *text > '~' ? '?' : *text, stderr);
}

static void
tell_question(const char *type, const char *name, enum dns_status status)
{
	fprintf(stderr, "dns: %s ", type);
	tell_text(name);
	fprintf(stderr, ": %s\n", dns_status_text(status));
}

static void
tell_answer(const char *text)
{
	fputs("dns:   ", stderr);
	tell_text(text);
	fputc('\n', stderr);
}

static enum dns_status
tell_txt(void *context, const char *name, char ***texts, size_t *n)
{
	const struct resolver *r = context;
	enum dns_status status = r->txt(r->context, name, texts, n);

	tell_question("TXT", name, status);
	for (size_t i = 0; i < *n; i++)
		tell_answer((*texts)[i]);
	return status;
}

static enum dns_status
tell_addresses(void *context, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	const struct resolver *r = context;
	enum dns_status status =
	    r->addresses(r->context, host, family, out, max, n);
	char text[NETADDR_TEXT_MAX];

	tell_question(family == AF_INET ? "A"
		: family == AF_INET6    ? "AAAA"
					: "A, AAAA",
	    host, status);
	for (size_t i = 0; i < *n; i++) {
		netaddr_format(&out[i], text);
		tell_answer(text);
	}
	return status;
}

static enum dns_status
tell_mx(void *context, const char *domain, struct dns_mx *out, size_t max,
    size_t *n)
{
	const struct resolver *r = context;
	enum dns_status status = r->mx(r->context, domain, out, max, n);
	char text[DNS_NAME_MAX + 16];

	tell_question("MX", domain, status);
	for (size_t i = 0; i < *n; i++) {
		snprintf(text, sizeof(text), "%u %s", out[i].preference,
		    out[i].host[0] != '\0' ? out[i].host : ".");
		tell_answer(text);
	}
	return status;
}

static enum dns_status
tell_ptr(void *context, const struct sockaddr_storage *address,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n)
{
	const struct resolver *r = context;
	enum dns_status status = r->ptr(r->context, address, names, max, n);
	char text[NETADDR_TEXT_MAX];

	netaddr_format(address, text);
	tell_question("PTR", text, status);
	for (size_t i = 0; i < *n; i++)
		tell_answer(names[i]);
	return status;
}

static enum dns_status
tell_alias(void *context, const char *name, char target[DNS_NAME_MAX + 1])
{
	const struct resolver *r = context;
	enum dns_status status = r->alias(r->context, name, target);

	tell_question("CNAME", name, status);
	if (status == DNS_FOUND)
		tell_answer(target);
	return status;
}

static void
tell_step(void *watcher, const char *text)
{
	(void)watcher;
	tell_text(text);
	fputc('\n', stderr);
}

void
tool_tell(struct request *r)
{
	r->resolver = (struct resolver){.txt = tell_txt,
	    .addresses = tell_addresses,
	    .mx = tell_mx,
	    .ptr = tell_ptr,
	    .alias = tell_alias,
	    .context = &r->plain};
	r->mailauth.resolver = &r->resolver;
	r->mailauth.step = tell_step;
}
