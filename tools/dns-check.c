/* SPDX-License-Identifier: ISC */
#include "tools/dns-check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/sandbox.h"

enum { PATIENCE_MS = 20000, POLICY_MAX = 65536 };

void
check_patience(struct check *c)
{
	dns_deadline(c->dns, clock_monotonic_ms() + PATIENCE_MS);
}

void
check_name(char out[CHECK_NAME_SIZE], const char *label, const char *domain)
{
	snprintf(out, CHECK_NAME_SIZE, "%s.%s", label, domain);
}

/* -- what this machine has -- */

static int
read_policy(struct check *c)
{
	const char *path = c->request->policy;
	int fd, failed;

	if (path == NULL)
		return EX_OK;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	failed = fd == -1 ||
	    fs_read_all(fd, POLICY_MAX, &c->policy, &c->npolicy) == -1;
	if (failed)
		program_fail(0, "%s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return failed ? EX_NOINPUT : EX_OK;
}

static void
read_certificates(struct check *c)
{
	const struct config_certificates *list =
	    &c->request->config->certificates;

	for (size_t i = 0; i < list->n && i < CHECK_CERTIFICATES_MAX; i++)
		(void)house_read_certificate(
		    &list->items[i], &c->certificates[c->ncertificates++]);
}

static void
read_keys(struct check *c)
{
	const char *why = house_read_keys(c->request, &c->keys);

	if (why != NULL)
		snprintf(c->keys_unknown, sizeof(c->keys_unknown), "%s", why);
}

/* -- what is published -- */

/* The user database may have it, but is not ours to ask. */
static void
check_home(struct check *c)
{
	const struct config *config = c->request->config;

	if (!config_has_domain(config, c->domain) &&
	    !config_has_domain(config, c->request->given))
		report_add(&c->report, FINDING_NOTE, "domain",
		    "%s is not in the config; \"postrider-user domain list\" "
		    "must show it, else its mail is refused here",
		    c->domain);
}

static void (*const checks[])(struct check *) = {
    check_home,
    check_host,
    check_mx,
    check_ptr,
    check_spf,
    check_dkim,
    check_dmarc,
    check_certificates,
    check_tlsa,
    check_sts,
    check_tls_reports,
    check_sample,
};

static int
open_dns(struct check *c)
{
	struct account account;

	c->dns = dns_open(c->request->config);
	if (c->dns == NULL)
		return program_fail(
		    EX_OSERR, "no name service: %s", strerror(errno));
	c->resolver = resolver_over(c->dns);
	c->mailauth =
	    (struct mailauth){.resolver = &c->resolver, .now = clock_now()};
	if (!privileges_are_root())
		return EX_OK;
	if (account_find(ACCOUNT_DELIVER, &account) == -1)
		return program_fail(EX_NOUSER,
		    "no account \"%s\": run \"postrider init\"",
		    ACCOUNT_DELIVER);
	privileges_drop(ACCOUNT_DELIVER, "/", false);
	return EX_OK;
}

/* What the DNS says is read without any right but to ask it. */
static int
shut_in(struct check *c)
{
	int code = open_dns(c);

	if (code == EX_OK)
		sandbox_enter(&(struct sandbox){.tcp_connect = true});
	return code;
}

static void
free_house(struct check *c)
{
	for (size_t i = 0; i < c->ncertificates; i++)
		house_free_certificate(&c->certificates[i]);
	sample_free(&c->sample);
	free(c->policy);
	dns_close(c->dns);
}

int
dns_check(const struct request *r)
{
	static struct check c;
	int code;

	c.request = r;
	c.host = r->config->hostname;
	c.domain = r->domain;
	c.report = (struct report){.json = r->json, .quiet = r->quiet};
	c.relayed = r->config->relay_host != NULL;
	house_find_addresses(r, &c.addresses);
	read_certificates(&c);
	read_keys(&c);
	sample_make(r, &c.sample);
	code = read_policy(&c);
	if (code == EX_OK)
		code = shut_in(&c);
	for (size_t i = 0;
	     code == EX_OK && i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&c);
	if (code == EX_OK)
		code = report_end(&c.report);
	free_house(&c);
	return code;
}
