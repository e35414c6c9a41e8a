/* SPDX-License-Identifier: ISC */
#include "mailauth/tool_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/netaddr.h"
#include "common/program.h"

enum { TIMEOUT_MOST_S = 3600 };

static bool
read_number(const char *text, int64_t least, int64_t most, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *out >= least &&
	    *out <= most;
}

/* "<ann@example.org>" as in SMTP, "Ann <ann@example.org>" as in From. */
static const char *
without_brackets(char *value)
{
	char *begin = strrchr(value, '<');
	size_t n = strlen(value);

	if (begin == NULL || value[n - 1] != '>')
		return value;
	value[n - 1] = '\0';
	return begin + 1;
}

/* "example.org=pass": cut in two where it stands. */
static int
take_identity(char *value, struct dmarc_identity *identities, size_t *n)
{
	char *equals = strrchr(value, '=');
	struct dmarc_identity *identity = &identities[*n];

	if (*n == DMARC_IDENTITIES_MAX)
		return program_fail(EX_USAGE, "%d identities are the most",
		    DMARC_IDENTITIES_MAX);
	if (equals == NULL || equals == value ||
	    !auth_result_named(equals + 1, &identity->result))
		return program_fail(EX_USAGE, "%s is no domain=result", value);
	*equals = '\0';
	identity->domain = value;
	++*n;
	return EX_OK;
}

/* EX_OK, or what is wrong with the option's value was said. */
static int
take_option(struct request *r, int option, char *value)
{
	switch (option) {
	case OPTION_IP:
		r->ip = value;
		if (!netaddr_parse(value, 0, &r->client) ||
		    netaddr_port(&r->client) != 0)
			return program_fail(
			    EX_USAGE, "%s is no address", value);
		break;
	case OPTION_HELO:
		r->helo = value;
		break;
	case OPTION_FROM:
		r->from = without_brackets(value);
		break;
	case OPTION_DOMAIN:
		r->domain = value;
		break;
	case OPTION_SELECTOR:
		r->selector = value;
		break;
	case OPTION_KEY:
		r->key = value;
		break;
	case OPTION_SPF:
		return take_identity(value, r->spf, &r->nspf);
	case OPTION_DKIM:
		return take_identity(value, r->dkim, &r->ndkim);
	case OPTION_DNS:
		r->dns = value;
		break;
	case OPTION_DNS_TIMEOUT:
		if (!read_number(value, 1, TIMEOUT_MOST_S, &r->dns_timeout))
			return program_fail(EX_USAGE,
			    "--dns-timeout is 1 to %d seconds", TIMEOUT_MOST_S);
		break;
	case OPTION_NOW:
		if (!read_number(value, 0, INT64_MAX, &r->mailauth.now))
			return program_fail(
			    EX_USAGE, "--now is seconds since the epoch");
		break;
	default:
		break;
	}
	return EX_OK;
}

int
options_read(struct request *r, int *argc, char ***argv, unsigned *given)
{
	static const struct option known[] = {
	    {"ip", required_argument, NULL, OPTION_IP},
	    {"helo", required_argument, NULL, OPTION_HELO},
	    {"from", required_argument, NULL, OPTION_FROM},
	    {"domain", required_argument, NULL, OPTION_DOMAIN},
	    {"selector", required_argument, NULL, OPTION_SELECTOR},
	    {"key", required_argument, NULL, OPTION_KEY},
	    {"spf", required_argument, NULL, OPTION_SPF},
	    {"dkim", required_argument, NULL, OPTION_DKIM},
	    {"dns", required_argument, NULL, OPTION_DNS},
	    {"dns-timeout", required_argument, NULL, OPTION_DNS_TIMEOUT},
	    {"now", required_argument, NULL, OPTION_NOW},
	    {"json", no_argument, NULL, OPTION_JSON},
	    {"exit-code", no_argument, NULL, OPTION_EXIT_CODE}, {0}};
	int option, code;

	optind = 0;
	while ((option = getopt_long(*argc, *argv, "v", known, NULL)) != -1) {
		if (option == '?')
			return tool_misused();
		if (option == 'v')
			option = OPTION_VERBOSE;
		*given |= (unsigned)option;
		code = take_option(r, option, optarg);
		if (code != EX_OK)
			return code;
	}
	r->json = (*given & OPTION_JSON) != 0;
	r->verbose = (*given & OPTION_VERBOSE) != 0;
	r->exit_code = (*given & OPTION_EXIT_CODE) != 0;
	*argc -= optind;
	*argv += optind;
	return EX_OK;
}
