/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* SOCK_NONBLOCK, pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dns.h"
#include "common/dns_read.h"
#include "common/netaddr.h"
#include "common/privileges.h"
#include "common/self.h"
#include "supervisor/report.h"

/*
 * Does a connection to another mail server come about?  Many providers block
 * port 25.  No stranger is knocked at for that: it is the relay host, or who
 * else takes mail for one of our own domains.  Nothing is said or read there.
 */
enum { CONNECT_MS = 5000, LOOKUP_MS = 5000, TARGETS_MAX = 3, MX_MAX = 8 };

struct outbound {
	const struct config *config;
	struct dns *dns;
	uint16_t port;
	size_t n;
	struct {
		char host[DNS_NAME_MAX + 1];
		struct sockaddr_storage address;
	} targets[TARGETS_MAX];
};

/* -- whom to try -- */

static void
add_address(struct outbound *o, const char *host,
    const struct sockaddr_storage *address)
{
	if (o->n == TARGETS_MAX || self_is_nobody(address))
		return;
	o->targets[o->n].address = *address;
	netaddr_set_port(&o->targets[o->n].address, o->port);
	if (self_is_us(o->config, &o->targets[o->n].address))
		return;
	snprintf(
	    o->targets[o->n].host, sizeof(o->targets[o->n].host), "%s", host);
	o->n++;
}

static void
add_host(struct outbound *o, const char *host)
{
	static const int families[] = {[FAMILY_ANY] = AF_UNSPEC,
	    [FAMILY_IPV4] = AF_INET,
	    [FAMILY_IPV6] = AF_INET6};
	struct sockaddr_storage found[TARGETS_MAX];
	size_t n;

	if (dns_name_equal(host, o->config->hostname))
		return;
	(void)dns_addresses(o->dns, host, families[o->config->address_family],
	    found, TARGETS_MAX, &n);
	for (size_t i = 0; i < n; i++)
		add_address(o, host, &found[i]);
}

static void
add_domain(struct outbound *o, const char *domain, bool implicit)
{
	struct dns_mx mx[MX_MAX];
	enum dns_status status;
	size_t n;

	status = dns_mx(o->dns, domain, mx, MX_MAX, &n);
	for (size_t i = 0; i < n; i++)
		if (mx[i].host[0] != '\0')
			add_host(o, mx[i].host);
	if (status == DNS_NO_DATA && implicit)
		add_host(o, domain);
}

static void
add_relay(struct outbound *o)
{
	struct sockaddr_storage address;
	char name[DNS_NAME_MAX + 1];

	config_relay_name(o->config, name, sizeof(name));
	if (netaddr_parse(name, 0, &address))
		add_address(o, name, &address);
	else if (o->config->relay_host[0] == '[')
		add_host(o, name);
	else
		add_domain(o, name, true);
}

static void
find_targets(struct outbound *o)
{
	const struct config *config = o->config;

	o->port = config->relay_host != NULL ? config->relay_port
					     : config->smtp_ports.items[0];
	dns_deadline(o->dns, clock_monotonic_ms() + LOOKUP_MS);
	if (config->relay_host != NULL)
		add_relay(o);
	else
		for (size_t i = 0; i < config->domains.n && o->n == 0; i++)
			add_domain(o, config->domains.items[i], false);
}

/* -- trying -- */

/* 0, or the errno of a connection that did not come about. */
static int
try_address(const struct config *config, const struct sockaddr_storage *address)
{
	struct sockaddr_storage source;
	int fd = socket(
	    address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0;

	if (fd == -1 ||
	    (self_source(config, address->ss_family, &source) &&
		bind(fd, (struct sockaddr *)&source, netaddr_size(&source)) ==
		    -1) ||
	    (connect(fd, (const struct sockaddr *)address,
		 netaddr_size(address)) == -1 &&
		errno != EINPROGRESS))
		error = errno;
	else if (poll(&poller, 1, CONNECT_MS) <= 0)
		error = ETIMEDOUT;
	else
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (fd != -1)
		close(fd);
	return error;
}

static void
try_targets(const struct outbound *o, FILE *out)
{
	char text[NETADDR_TEXT_MAX];
	int error = 0;

	for (size_t i = 0; i < o->n; i++) {
		netaddr_format_port(&o->targets[i].address, text);
		error = try_address(o->config, &o->targets[i].address);
		if (error == 0) {
			fprintf(out, "-outbound mail: %s at %s can be reached",
			    o->targets[i].host, text);
			return;
		}
	}
	if (o->n == 0)
		fprintf(out,
		    "-outbound mail was not tried: there is no relay-host and "
		    "no other host for our domains");
	else
		fprintf(out, "!outbound mail: cannot connect to %s at %s: %s%s",
		    o->targets[o->n - 1].host, text, strerror(error),
		    error == ETIMEDOUT || error == ENETUNREACH
			? "; many providers block port 25: ask yours, or set "
			  "\"relay-host\""
			: "");
}

/* What the DNS says is not for root to read. */
static _Noreturn void
look(const struct config *config, int out)
{
	static struct outbound o;
	FILE *stream = fdopen(out, "w");

	o.config = config;
	o.dns = dns_open(config);
	if (privileges_are_root())
		privileges_drop(ACCOUNT_DELIVER, "/", false);
	if (stream != NULL && o.dns != NULL) {
		find_targets(&o);
		try_targets(&o, stream);
		fflush(stream);
	}
	_exit(0);
}

static void
tell(const char *text)
{
	if (text[0] == '!')
		report_warning("%s", text + 1);
	else if (text[0] == '-')
		report_note("%s", text + 1);
	else
		report_warning("outbound mail could not be tried");
}

void
check_outbound(const struct config *config)
{
	struct account account;
	char text[1024] = "";
	size_t n = 0;
	ssize_t got;
	int ends[2];
	pid_t pid;

	if (privileges_are_root() &&
	    account_find(ACCOUNT_DELIVER, &account) == -1)
		return; /* check_accounts tells */
	fflush(NULL);
	if (pipe2(ends, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		tell("");
		return;
	}
	if (pid == 0)
		look(config, ends[1]);
	close(ends[1]);
	while (n < sizeof(text) - 1 &&
	    (got = read(ends[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(ends[0]);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	tell(text);
}
