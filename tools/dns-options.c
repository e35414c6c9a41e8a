/* SPDX-License-Identifier: ISC */
#include "tools/dns-options.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "common/address.h"
#include "common/cursor.h"
#include "common/netaddr.h"
#include "common/program.h"
#include "common/sts.h"

enum { DNS_PORT = 53 };

/* -- each takes its value, or says what is wrong with it -- */

static int
take_address(struct request *r, const char *value)
{
	if (r->naddresses == DNS_TOOL_ADDRESSES_MAX)
		return program_fail(
		    EX_USAGE, "more than %d addresses", DNS_TOOL_ADDRESSES_MAX);
	if (!netaddr_parse(value, 0, &r->addresses[r->naddresses]) ||
	    netaddr_port(&r->addresses[r->naddresses]) != 0)
		return program_fail(
		    EX_USAGE, "--ip: not an address: %s", value);
	r->naddresses++;
	return EX_OK;
}

static int
take_mx(struct request *r, const char *value)
{
	if (r->nmx == DNS_TOOL_MX_MAX)
		return program_fail(
		    EX_USAGE, "more than %d --mx", DNS_TOOL_MX_MAX);
	if (!config_is_domain(value, false))
		return program_fail(
		    EX_USAGE, "--mx: not a host name: %s", value);
	r->mx[r->nmx++] = value;
	return EX_OK;
}

static int
take_mode(struct request *r, const char *value)
{
	if (strcmp(value, "testing") != 0 && strcmp(value, "enforce") != 0 &&
	    strcmp(value, "none") != 0)
		return program_fail(EX_USAGE,
		    "--mode: \"%s\" is none of testing, enforce, none", value);
	r->mode = value;
	return EX_OK;
}

static int
take_max_age(struct request *r, const char *value)
{
	struct cursor c = cursor_over(value, strlen(value));
	uint64_t seconds = cursor_decimal(&c);

	if (!cursor_done(&c) || seconds > STS_AGE_MAX)
		return program_fail(EX_USAGE,
		    "--max-age: \"%s\" is not a number of seconds up to %d",
		    value, STS_AGE_MAX);
	r->max_age = (uint32_t)seconds;
	return EX_OK;
}

static int
take_web(struct request *r, const char *value)
{
	if (!config_is_domain(value, false))
		return program_fail(
		    EX_USAGE, "--web: not a host name: %s", value);
	r->web = value;
	return EX_OK;
}

/* What needs no escapes within a record's "mailto:" (RFC 6068). */
static const char mailto[] = "abcdefghijklmnopqrstuvwxyz0123456789"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_+@";

static int
take_reports(struct request *r, const char *value)
{
	struct address address;
	const char *why = address_parse(value, 0, &address);

	if (why == NULL && value[strspn(value, mailto)] != '\0')
		why = "a plain one, please: letters, digits, and .-_+";
	if (why != NULL)
		return program_fail(EX_USAGE, "--reports: %s: %s", value, why);
	r->reports = value;
	return EX_OK;
}

static int
take_json(struct request *r, const char *value)
{
	(void)value;
	r->json = true;
	return EX_OK;
}

static int
take_quiet(struct request *r, const char *value)
{
	(void)value;
	r->quiet = true;
	return EX_OK;
}

static int
take_policy(struct request *r, const char *value)
{
	r->policy = value;
	return EX_OK;
}

static int
take_dns(struct request *r, const char *value)
{
	if (!netaddr_parse(value, DNS_PORT, &r->server))
		return program_fail(
		    EX_USAGE, "--dns: not an address: %s", value);
	return EX_OK;
}

static const struct {
	const char *name;
	int argument;
	unsigned commands;
	int (*take)(struct request *, const char *value);
} known[] = {
    {"ip", required_argument, DNS_SHOW | DNS_CHECK, take_address},
    {"mx", required_argument, DNS_SHOW | DNS_FILES, take_mx},
    {"mode", required_argument, DNS_SHOW | DNS_FILES, take_mode},
    {"max-age", required_argument, DNS_SHOW | DNS_FILES, take_max_age},
    {"web", required_argument, DNS_SHOW, take_web},
    {"reports", required_argument, DNS_SHOW, take_reports},
    {"json", no_argument, DNS_SHOW | DNS_FILES | DNS_CHECK, take_json},
    {"policy", required_argument, DNS_CHECK, take_policy},
    {"dns", required_argument, DNS_CHECK, take_dns},
    {"quiet", no_argument, DNS_CHECK, take_quiet},
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

int
options_read(struct request *r, unsigned command, int argc, char **argv)
{
	struct option options[KNOWN + 1] = {{0}};
	int letter, code = EX_OK, n = 0;

	for (int i = 0; i < KNOWN; i++)
		if ((known[i].commands & command) != 0)
			options[n++] = (struct option){
			    known[i].name, known[i].argument, NULL, i};
	optind = 0;
	while (code == EX_OK &&
	    (letter = getopt_long(argc, argv, "", options, NULL)) != -1)
		code = letter == '?' ? EX_USAGE : known[letter].take(r, optarg);
	return code;
}
