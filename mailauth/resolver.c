/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mailauth/mailauth.h"

static enum dns_status
ask_txt(void *context, const char *name, char ***texts, size_t *n)
{
	return dns_txt(context, name, texts, n);
}

static enum dns_status
ask_addresses(void *context, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	return dns_addresses(context, host, family, out, max, n);
}

static enum dns_status
ask_mx(void *context, const char *domain, struct dns_mx *out, size_t max,
    size_t *n)
{
	return dns_mx_names(context, domain, out, max, n);
}

static enum dns_status
ask_ptr(void *context, const struct sockaddr_storage *address,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n)
{
	return dns_ptr(context, address, names, max, n);
}

static enum dns_status
ask_alias(void *context, const char *name, char target[DNS_NAME_MAX + 1])
{
	return dns_alias(context, name, target);
}

struct resolver
resolver_over(struct dns *dns)
{
	return (struct resolver){.txt = ask_txt,
	    .addresses = ask_addresses,
	    .mx = ask_mx,
	    .ptr = ask_ptr,
	    .alias = ask_alias,
	    .context = dns};
}

bool
dns_is_trouble(enum dns_status status)
{
	return status == DNS_TEMPORARY || status == DNS_BROKEN;
}

void
mailauth_step(const struct mailauth *m, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	if (m->step == NULL)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	m->step(m->watcher, text);
}

static const char *const names[] = {
    [AUTH_NONE] = "none",
    [AUTH_PASS] = "pass",
    [AUTH_FAIL] = "fail",
    [AUTH_SOFTFAIL] = "softfail",
    [AUTH_NEUTRAL] = "neutral",
    [AUTH_POLICY] = "policy",
    [AUTH_TEMPERROR] = "temperror",
    [AUTH_PERMERROR] = "permerror",
};

const char *
auth_result_name(enum auth_result result)
{
	return names[result];
}

bool
auth_result_named(const char *name, enum auth_result *result)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			*result = (enum auth_result)i;
			return true;
		}
	return false;
}
