/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "common/config.h"
#include "common/netaddr.h"
#include "common/sasl.h"

static int
file_with(const char *octets, size_t n)
{
	FILE *file = tmpfile();
	int fd;

	assert_non_null(file);
	assert_int_equal(fwrite(octets, 1, n, file), n);
	assert_int_equal(fflush(file), 0);
	fd = dup(fileno(file));
	assert_true(fd >= 0);
	fclose(file);
	return fd;
}

static int
load(struct config *config, const char *octets, size_t n, char *error)
{
	int fd = file_with(octets, n);
	int rc = config_load_fd(config, fd, "test.conf", error);

	close(fd);
	return rc;
}

static void
read_good(struct config *config, const char *text)
{
	char error[CONFIG_ERROR_MAX] = "";

	if (load(config, text, strlen(text), error) != 0)
		fail_msg("%s", error);
}

/* -- defaults -- */

static void
test_defaults(void **state)
{
	struct config c;

	(void)state;
	read_good(&c, "");
	assert_true(c.hostname_guessed);
	assert_non_null(c.hostname);
	assert_int_equal(c.domains.n, 0);
	assert_int_equal(c.listen.n, 10);
	assert_true(c.listen_guessed);
	assert_string_equal(c.listen.items[1].text, "[::]:25");
	assert_int_equal(c.listen.items[9].kind, LISTENER_POP3S);
	assert_int_equal(c.certificates.n, 1);
	assert_non_null(c.certificates.items[0].key);
	assert_int_equal(c.smtp_ports.n, 1);
	assert_int_equal(c.smtp_ports.items[0], 25);
	assert_null(c.relay_host);
	assert_null(c.log_file);
	assert_null(c.postmaster);
	assert_int_equal(c.relay_from.n, 0);
	assert_int_equal(c.allow_plaintext_auth.n, 0);
	assert_int_equal(c.auth_mechanisms,
	    sasl_set("PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS "
		     "OAUTHBEARER XOAUTH2"));
	assert_int_equal(c.tls_tickets,
	    1 << LISTENER_SUBMISSION | 1 << LISTENER_SUBMISSIONS |
		1 << LISTENER_POP3 | 1 << LISTENER_POP3S);
	assert_false(c.apop);
	assert_int_equal(c.max_message_size, 50 * 1024 * 1024);
	assert_int_equal(c.max_recipients, 100);
	assert_int_equal(c.smtp_timeout, 300);
	assert_int_equal(c.login_messages.count, 1000);
	assert_int_equal(c.login_messages.span, 86400);
	assert_int_equal(c.login_recipients.count, 2000);
	assert_int_equal(c.login_new_recipients.count, 400);
	assert_int_equal(c.login_held, 1000);
	assert_int_equal(c.pop3_timeout, 600);
	assert_int_equal(c.queue_lifetime, 5 * 86400);
	assert_int_equal(c.retry_minimum, 300);
	assert_int_equal(c.retry_maximum, 4 * 3600);
	assert_int_equal(c.destination_concurrency, 20);
	assert_int_equal(c.minimum_uid, 1000);
	assert_int_equal(c.address_family, FAMILY_ANY);
	assert_true(c.dkim_sign);
	assert_int_equal(c.bind_from, BIND_FROM_YES);
	assert_true(c.hide_submitter);
	assert_false(c.junk_folder);
	assert_true(c.mail_auth);
	assert_int_equal(c.spf_fail, FAILURE_MARK);
	assert_int_equal(c.dmarc_reject, FAILURE_REJECT);
	assert_int_equal(c.dmarc_quarantine, FAILURE_QUARANTINE);
	assert_int_equal(
	    c.trust_from.n + c.trust_signer.n + c.trust_client.n, 0);
	assert_int_equal(c.lists.n, 0);
	assert_int_equal(c.refuse_score, 3);
	assert_int_equal(c.junk_score, 2);
	assert_int_equal(c.list_timeout, 5);
	assert_int_equal(c.greylist, GREYLIST_SUSPECTS);
	assert_int_equal(c.greylist_delay, 120);
	assert_int_equal(c.greylist_window, 86400);
	assert_true(c.srs);
	assert_false(c.system_users);
	assert_int_equal(c.spare_processes, 2);
	assert_int_equal(c.password_cost, 5);
	assert_false(config_has_oauth(&c));
	assert_string_equal(c.oauth_user_claim, "email");
	config_free(&c);
}

static void
reads_filters(void **state)
{
	struct config c;
	const struct config_milter *m;

	(void)state;
	read_good(&c,
	    "milter unix:/run/a.sock\n"
	    "milter inet:8891@127.0.0.1 timeout=1s/2m/1h default=tempfail "
	    "skip=nobody\n"
	    "milter inet6:8892@::1 skip=relay-from\n"
	    "milter-default accept\nmilter-timeout 5s/6s/7s\n"
	    "milter-skip authenticated relay-from\n"
	    "milter /run/b.sock\n");
	m = c.milters.items;
	assert_int_equal(c.milters.n, 4);
	assert_string_equal(m[0].text, "unix:/run/a.sock");
	assert_string_equal(m[0].path, "/run/a.sock");
	assert_true(m[0].accept);
	assert_int_equal(m[0].skip, MILTER_SKIP_LOGIN | MILTER_SKIP_RELAY);
	assert_int_equal(m[0].limits.connect, 5);
	assert_int_equal(m[0].limits.end, 7);
	assert_null(m[1].path);
	assert_int_equal(netaddr_port(&m[1].address), 8891);
	assert_false(m[1].accept);
	assert_int_equal(m[1].skip, 0);
	assert_int_equal(m[1].limits.command, 120);
	assert_int_equal(m[2].address.ss_family, AF_INET6);
	assert_int_equal(m[2].skip, MILTER_SKIP_RELAY);
	assert_string_equal(m[3].path, "/run/b.sock");
	config_free(&c);
	read_good(&c, "milter /a\n");
	assert_false(c.milters.items[0].accept);
	assert_int_equal(c.milters.items[0].limits.command, 30);
	assert_int_equal(c.milters.items[0].skip, 0);
	config_free(&c);
}

static void
test_relay_tls_by_port(void **state)
{
	static const struct {
		const char *text;
		enum relay_tls tls;
	} rows[] = {
	    {"", RELAY_TLS_OPPORTUNISTIC},
	    {"relay-host a.example\n", RELAY_TLS_OPPORTUNISTIC},
	    {"relay-host a.example:587\n", RELAY_TLS_VERIFIED},
	    {"relay-host [a.example]:465\n", RELAY_TLS_VERIFIED},
	    {"relay-host [192.0.2.1]:587\n", RELAY_TLS_OPPORTUNISTIC},
	    {"relay-host a.example:587\nrelay-tls opportunistic\n",
		RELAY_TLS_OPPORTUNISTIC},
	    {"relay-host a.example\nrelay-tls verified\n", RELAY_TLS_VERIFIED},
	};
	struct config c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_good(&c, rows[i].text);
		assert_int_equal(c.relay_tls, rows[i].tls);
		config_free(&c);
	}
}

/* A default written into a file gives what leaving it out gives. */
static void
test_defaults_written_out(void **state)
{
	char text[8192] = "", line[1024];
	const char *rest, *end;
	struct config c;

	(void)state;
	for (const struct config_keyword *k = config_keywords();
	     k->name != NULL; k++) {
		for (rest = k->fallback; rest != NULL;
		     rest = end != NULL ? end + 2 : NULL) {
			end = k->repeatable ? strstr(rest, ", ") : NULL;
			snprintf(line, sizeof(line), "%s %.*s\n", k->name,
			    (int)(end != NULL ? end - rest
					      : (long)strlen(rest)),
			    rest);
			strncat(text, line, sizeof(text) - strlen(text) - 1);
		}
		assert_non_null(k->help);
		assert_non_null(k->type);
	}
	read_good(&c, text);
	assert_int_equal(c.listen.n, 10);
	assert_int_equal(c.max_message_size, 50 * 1024 * 1024);
	config_free(&c);
}

/* -- a file that uses everything -- */

static const char full[] =
    "# a comment\r\n"
    "\n"
    "\thostname mail.example.org\t# its name\n"
    "domain Example.ORG example.net\r\n"
    "domain b\xc3\xbc"
    "cher.example\n"
    "listen smtp 127.0.0.1:2525 [::1]:2525\n"
    "listen pop3 192.0.2.1\n"
    "tls-certificate /etc/with space/a#b.pem\n"
    "tls-key /etc/a.key\n"
    "tls-certificate /etc/b.pem\n"
    "tls-key /etc/b.key\n"
    "spool-dir /s\nmail-dir /m\ndatabase-dir /d\nrun-dir /r\n"
    "dns-server 127.0.0.1:5353 ::1\n"
    "dns-server 127.0.0.1:53 127.0.0.2\ttrusted\n"
    "smtp-port 25 2525\n"
    "relay-host [relay.example.net]:587\n"
    "relay-tls required\n"
    "relay-from 192.0.2.0/24 2001:db8::/32\n"
    "allow-plaintext-auth 127.0.0.1\n"
    "proxy-from 127.0.0.2 2001:db9::/64\n"
    "auth-mechanisms scram-sha-256-plus CRAM-MD5\napop yes\n"
    "max-message-size 2k\nmax-recipients 1000\n"
    "smtp-timeout 90\nqueue-lifetime 2w\nretry-maximum 1h\n"
    "destination-concurrency 7\n"
    "log-file /var/log/x\nsource-address 192.0.2.7 2001:db8::7\n"
    "address-family ipv6\nminimum-uid 500\ndkim-sign no\nbind-from resent\n"
    "hide-submitter no\njunk folder\nsrs no\nsystem-users yes\n"
    "postmaster root@example.org\n"
    "offer-dsn nobody\ndelay-warning 0\nbounce-copy copy@example.org\n"
    "bounce-size-limit 1M\n"
    "keys-dir /keys\nledger-dir /ledger\nlogin-failures "
    "3\nlogin-failures-network 4\n"
    "login-held 7\nlogin-failures-user 5\nlogin-failure-window 10m\nlogin-memory 2d\n"
    "client-messages 7/90s\nmailbox-messages 0\n"
    "tls-trust /etc/ca.pem\nhttps-port 8443\n"
    "mail-auth no\nspf-fail reject\ndmarc-reject mark\n"
    "dmarc-quarantine mark\ntrust-from Example.ORG a.example\n"
    "trust-client 192.0.2.0/24\ntrust-signer list.example\n"
    "dnsbl BL.example\ndnswl wl.example =127.0.*.2-3,127.1.2.3 -7\n"
    "dnsbl bl.example =127.0.0.2 1\nrefuse-score 4\njunk-score 0\n"
    "list-timeout 2s\ngreylist strangers\ngreylist-delay 1m\n"
    "greylist-window 2h\n"
    "dmarc-reports yes\ndmarc-report-from dmarc@example.org\n"
    "password-cost 7\n"
#ifdef HAVE_JANSSON
    "oauth-issuer https://id.example.org\noauth-audience mail imap\n"
    "oauth-jwks https://id.example.org/keys\noauth-user-claim sub\n"
    "oauth-scope mail.read\noauth-scope mail.send\n"
#endif
    "smtpd-processes 7"; /* no line end */

static void
test_everything(void **state)
{
	char text[NETADDR_TEXT_MAX];
	struct config c;

	(void)state;
	read_good(&c, full);
	assert_false(c.hostname_guessed);
	assert_string_equal(c.hostname, "mail.example.org");
	assert_int_equal(c.domains.n, 3);
	assert_string_equal(c.domains.items[0], "example.org");
	assert_true(config_has_domain(&c, "EXAMPLE.net"));
	assert_false(config_has_domain(&c, "example.com"));
	assert_int_equal(c.listen.n, 3);
	assert_int_equal(c.listen.items[1].kind, LISTENER_SMTP);
	assert_string_equal(c.listen.items[1].text, "[::1]:2525");
	assert_string_equal(c.listen.items[2].text, "192.0.2.1:110");
	assert_int_equal(c.certificates.n, 2);
	assert_string_equal(
	    c.certificates.items[0].certificate, "/etc/with space/a#b.pem");
	assert_string_equal(c.certificates.items[1].key, "/etc/b.key");
	assert_int_equal(c.proxy_from.n, 2);
	assert_int_equal(c.dns_servers.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(c.dns_servers.items[i].trusted, i >= 2);
	netaddr_format_port(&c.dns_servers.items[1].address, text);
	assert_string_equal(text, "[::1]:53");
	assert_int_equal(c.smtp_ports.n, 2);
	assert_string_equal(c.relay_host, "[relay.example.net]");
	assert_int_equal(c.relay_tls, RELAY_TLS_REQUIRED);
	assert_int_equal(c.relay_port, 587);
	assert_int_equal(c.max_message_size, 2048);
	assert_int_equal(c.smtp_timeout, 90);
	assert_int_equal(c.queue_lifetime, 14 * 86400);
	assert_int_equal(c.destination_concurrency, 7);
	assert_int_equal(c.address_family, FAMILY_IPV6);
	assert_false(c.dkim_sign);
	assert_int_equal(c.bind_from, BIND_FROM_RESENT);
	assert_false(c.hide_submitter);
	assert_true(c.junk_folder);
	assert_false(c.mail_auth);
	assert_int_equal(c.spf_fail, FAILURE_REJECT);
	assert_int_equal(c.dmarc_reject, FAILURE_MARK);
	assert_int_equal(c.dmarc_quarantine, FAILURE_MARK);
	assert_int_equal(c.trust_from.n, 2);
	assert_string_equal(c.trust_from.items[0], "example.org");
	assert_int_equal(c.trust_client.items[0].prefix, 24);
	assert_string_equal(c.trust_signer.items[0], "list.example");
	assert_int_equal(c.lists.n, 3);
	assert_string_equal(c.lists.items[0].name, "bl.example");
	assert_int_equal(c.lists.items[0].score, 3);
	assert_int_equal(c.lists.items[0].ncodes, 0);
	assert_int_equal(c.lists.items[1].score, -7);
	assert_int_equal(c.lists.items[1].ncodes, 2);
	assert_int_equal(c.lists.items[1].codes[0].high[2], 255);
	assert_int_equal(c.lists.items[1].codes[0].low[3], 2);
	assert_int_equal(c.lists.items[1].codes[0].high[3], 3);
	assert_int_equal(c.lists.items[1].codes[1].low[1], 1);
	assert_int_equal(c.lists.items[2].score, 1);
	assert_int_equal(c.refuse_score, 4);
	assert_int_equal(c.junk_score, 0);
	assert_int_equal(c.list_timeout, 2);
	assert_int_equal(c.greylist, GREYLIST_STRANGERS);
	assert_int_equal(c.greylist_delay, 60);
	assert_int_equal(c.greylist_window, 7200);
	assert_false(c.srs);
	assert_int_equal(c.offer_dsn, OFFER_DSN_NOBODY);
	assert_int_equal(c.delay_warning, 0);
	assert_string_equal(c.bounce_copy, "copy@example.org");
	assert_int_equal(c.bounce_size_limit, 1 << 20);
	assert_int_equal(c.auth_mechanisms,
	    SASL_SET(SASL_SCRAM_SHA_256_PLUS) | SASL_SET(SASL_CRAM_MD5));
	assert_true(c.apop);
	assert_true(c.system_users);
	assert_int_equal(c.smtpd_processes, 7);
	assert_string_equal(c.ledger_dir, "/ledger");
	assert_int_equal(c.login_failures, 3);
	assert_int_equal(c.login_failures_network, 4);
	assert_int_equal(c.login_failures_user, 5);
	assert_int_equal(c.login_held, 7);
	assert_int_equal(c.login_failure_window, 600);
	assert_int_equal(c.login_memory, 2 * 86400);
	assert_int_equal(c.client_messages.count, 7);
	assert_int_equal(c.client_messages.span, 90);
	assert_int_equal(c.mailbox_messages.count, 0);
	assert_int_equal(c.login_new_recipients.count, 400);
	assert_int_equal(c.login_new_recipients.span, 86400);
	assert_true(c.dmarc_reports);
	assert_string_equal(c.dmarc_report_from, "dmarc@example.org");
	assert_string_equal(c.tls_trust, "/etc/ca.pem");
	assert_int_equal(c.https_port, 8443);
	assert_int_equal(c.password_cost, 7);
#ifdef HAVE_JANSSON
	assert_true(config_has_oauth(&c));
	assert_true(config_jwks_is_url(&c));
	assert_int_equal(c.oauth_audiences.n, 2);
	assert_string_equal(c.oauth_audiences.items[1], "imap");
	assert_string_equal(c.oauth_user_claim, "sub");
	assert_int_equal(c.oauth_scopes.n, 2);
#endif
	config_free(&c);
}

static void
test_places_beside_the_database(void **state)
{
	struct config c;

	(void)state;
	read_good(&c, "hostname a.test\ndatabase-dir /here/users\n");
	assert_string_equal(c.ledger_dir, "/here/users-ledger");
	assert_null(c.tls_trust);
	config_free(&c);
}

/* -- networks -- */

static void
test_networks(void **state)
{
	static const struct {
		const char *address;
		bool inside;
	} rows[] = {
	    {"192.0.2.1", true},
	    {"::ffff:192.0.2.200", true},
	    {"192.0.3.0", false},
	    {"192.0.1.255", false},
	    {"10.1.2.3", true},
	    {"10.1.2.4", false},
	    {"10.64.0.1", true},
	    {"10.128.0.1", false},
	    {"198.51.100.9", true},
	    {"198.51.100.16", false},
	    {"2001:db8:ffff::1", true},
	    {"2001:db9::1", false},
	    {"::1", false},
	    {"127.0.0.1", false},
	};
	struct sockaddr_storage a;
	struct config c;

	(void)state;
	read_good(&c,
	    "relay-from 192.0.2.0/24 10.1.2.3 10.64.0.0/10\n"
	    "relay-from 2001:db8::/32 ::ffff:198.51.100.0/124\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(netaddr_parse(rows[i].address, 99, &a));
		if (config_net_contains(&c.relay_from, &a) != rows[i].inside)
			fail_msg("%s", rows[i].address);
		assert_false(config_net_contains(&c.allow_plaintext_auth, &a));
	}
	a.ss_family = AF_UNIX;
	assert_false(config_net_contains(&c.relay_from, &a));
	config_free(&c);
	read_good(&c,
	    "tls-tickets none\n"
	    "listen submissions 192.0.2.1\nlisten pop3s [::]:9950\n");
	assert_int_equal(c.tls_tickets, 0);
	assert_int_equal(c.listen.items[0].kind, LISTENER_SUBMISSIONS);
	assert_string_equal(c.listen.items[0].text, "192.0.2.1:465");
	assert_true(listener_begins_with_tls(c.listen.items[1].kind));
	config_free(&c);
	read_good(&c, "relay-from 0.0.0.0/0\n");
	assert_true(netaddr_parse("203.0.113.1", 0, &a));
	assert_true(config_net_contains(&c.relay_from, &a));
	assert_true(netaddr_parse("2001:db8::1", 0, &a));
	assert_false(config_net_contains(&c.relay_from, &a));
	config_free(&c);
}

/* -- what is wrong -- */

#define TEN "aaaaaaaaaa"
#define LONG_PATH TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "aaaaa"

#define QUOTE_100                                                              \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                   \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *text, *error; /* error: its beginning */
} faults[] = {
    {"hostname a.example\nlisen smtp 0.0.0.0:25\n",
	"test.conf:2: unknown keyword \"lisen\"; nearest: \"listen\""},
    {"max-mesage-size 1M",
	"test.conf:1: unknown keyword \"max-mesage-size\"; nearest: "
	"\"max-message-size\""},
    {"\n\ntsl-key /k",
	"test.conf:3: unknown keyword \"tsl-key\"; nearest: "
	"\"tls-key\""},
    {"Hostname a.example",
	"test.conf:1: unknown keyword \"Hostname\"; "
	"nearest: \"hostname\""},
    {QUOTE_100 " 1", "test.conf:1: unknown keyword \"xxx"},
    {"hostname", "test.conf:1: \"hostname\" needs a value (host name)"},
    {"hostname # a.example", "test.conf:1: \"hostname\" needs a value"},
    {"hostname a.example\n#\nhostname b.example",
	"test.conf:3: \"hostname\" is already set in line 1"},
    {"hostname two words", "test.conf:1: \"hostname\": \"two words\" is not"},
    {"hostname 192.0.2.1", "test.conf:1: \"hostname\": \"192.0.2.1\" is not"},
    {"hostname a..b", "test.conf:1: \"hostname\": \"a..b\" is not a host"},
    {"hostname -a.b", "test.conf:1: \"hostname\": \"-a.b\" is not a host"},
    {"hostname a_b.c", "test.conf:1: \"hostname\": \"a_b.c\" is not a host"},
    {"domain example.org.", "test.conf:1: \"domain\": \"example.org.\" is"},
    {"domain a.org\ndomain A.org", "test.conf:2: \"domain\": A.org is there"},
    {"listen smtp", "test.conf:1: \"listen\": smtp where?"},
    {"tls-tickets smtp imap",
	"test.conf:1: \"tls-tickets\": \"imap\" is none of none|smtp"},
    {"listen imap 0.0.0.0:143",
	"test.conf:1: \"listen\": service \"imap\" is none of smtp|"},
    {"listen smtp mail.example.org:25", "test.conf:1: \"listen\": \"mail"},
    {"listen smtp 0.0.0.0:0", "test.conf:1: \"listen\": \"0.0.0.0:0\" is"},
    {"listen smtp 0.0.0.0:25\nlisten submission 0.0.0.0:25",
	"test.conf:2: \"listen\": 0.0.0.0:25 is there twice"},
    {"tls-certificate /a\n\n", "test.conf:1: \"tls-certificate\" has no"},
    {"tls-certificate /a\ntls-certificate /b\ntls-key /k",
	"test.conf:2: \"tls-certificate\": the one before, /a, has no"},
    {"tls-key /a", "test.conf:1: \"tls-key\": no \"tls-certificate\""},
    {"tls-certificate /a\ntls-key /k\ntls-key /l",
	"test.conf:3: \"tls-key\": no \"tls-certificate\""},
    {"spool-dir var/spool",
	"test.conf:1: \"spool-dir\": \"var/spool\" is "
	"not an absolute path"},
    {"dns-server resolver.example", "test.conf:1: \"dns-server\": \"resol"},
    {"dns-server trusted", "test.conf:1: \"dns-server\": \"trusted\" is"},
    {"dns-server trusted ::1", "test.conf:1: \"dns-server\": \"trusted\" is"},
    {"tolerate", "test.conf:1: \"tolerate\" needs a value"},
    {"tolerate helo", "test.conf:1: \"tolerate\": of whom? (tolerate helo 1"},
    {"tolerate 192.0.2.1", "test.conf:1: \"tolerate\": \"192.0.2.1\" is none "
			   "of helo|pipelining|"},
    {"tolerate hello 192.0.2.1",
	"test.conf:1: \"tolerate\": \"hello\" is none of helo|"},
    {"tolerate helo helo2 192.0.2.1",
	"test.conf:1: \"tolerate\": \"helo2\" is none of helo|"},
    {"tolerate helo 192.0.2.1 errors",
	"test.conf:1: \"tolerate\": \"errors\" stands behind a network"},
    {"tolerate helo 192.0.2.1/24",
	"test.conf:1: \"tolerate\": \"192.0.2.1/24\" has bits set"},
    {"smtp-port 0", "test.conf:1: \"smtp-port\": \"0\" is not a port"},
    {"smtp-port 25 65536", "test.conf:1: \"smtp-port\": \"65536\" is not"},
    {"relay-host 192.0.2.1", "test.conf:1: \"relay-host\": \"192.0.2.1\""},
    {"relay-host [::1", "test.conf:1: \"relay-host\": \"[::1\" is not"},
    {"relay-host a.example:", "test.conf:1: \"relay-host\": \"a.example:\""},
    {"relay-host a.example:999999", "test.conf:1: \"relay-host\": \"a.exa"},
    {"relay-tls maybe", "test.conf:1: \"relay-tls\": \"maybe\" is none of"},
    {"relay-from 192.0.2.1/24",
	"test.conf:1: \"relay-from\": \"192.0.2.1/24\" has bits set behind "
	"its first 24"},
    {"relay-from 192.0.2.0/33", "test.conf:1: \"relay-from\": \"192.0.2.0/"},
    {"relay-from 192.0.2.0/", "test.conf:1: \"relay-from\": \"192.0.2.0/\""},
    {"relay-from 192.0.2.0/-1", "test.conf:1: \"relay-from\": \"192.0.2.0"},
    {"relay-from 192.0.2.1:25", "test.conf:1: \"relay-from\": \"192.0.2.1:"},
    {"relay-from ::ffff:0.0.0.0/8", "test.conf:1: \"relay-from\": \"::fff"},
    {"allow-plaintext-auth all", "test.conf:1: \"allow-plaintext-auth\": \"a"},
    {"proxy-from haproxy", "test.conf:1: \"proxy-from\": \"haproxy\" is not"},
    {"relay-from 192.0.2.0/24\nproxy-from 198.51.100.1\n"
     "proxy-from 192.0.2.7",
	"test.conf:3: \"proxy-from\": 192.0.2.7/32 is in \"relay-from\", too: "
	"an open relay"},
    {"proxy-from 2001:db8::/32\n\nrelay-from 192.0.2.0/24\n"
     "relay-from 2001:db8:1::/48",
	"test.conf:4: \"proxy-from\": 2001:db8::/32 is in \"relay-from\", too"},
    {"allow-plaintext-auth 0.0.0.0/0\nproxy-from 127.0.0.1",
	"test.conf:2: \"proxy-from\": 127.0.0.1/32 is in "
	"\"allow-plaintext-auth\", too: passwords without TLS"},
    {"auth-mechanisms PLAIN,LOGIN",
	"test.conf:1: \"auth-mechanisms\": \"PLAIN,LOGIN\" is none of PLAIN|"},
    {"auth-mechanisms PLAIN GSSAPI",
	"test.conf:1: \"auth-mechanisms\": \"GSSAPI\" is none of PLAIN|LOGIN"},
    {"dmarc-reports daily", "test.conf:1: \"dmarc-reports\": \"daily\" is"},
    {"dmarc-report-from me", "test.conf:1: \"dmarc-report-from\": \"me\" is"},
    {"apop maybe", "test.conf:1: \"apop\": \"maybe\" is none of no|yes"},
    {"max-message-size 5X",
	"test.conf:1: \"max-message-size\": \"5X\" is not "
	"a size (octets, or with K, M or G: 50M)"},
    {"max-message-size -1", "test.conf:1: \"max-message-size\": \"-1\" is not"},
    {"max-message-size 5 M", "test.conf:1: \"max-message-size\": \"5 M\" is"},
    {"max-message-size 1",
	"test.conf:1: \"max-message-size\": 1 is not "
	"within 1K to 4G"},
    {"max-message-size 99999999999999999999",
	"test.conf:1: \"max-message-size\": \"99999999999999999999\" is not"},
    {"max-message-size 18446744073709551615G",
	"test.conf:1: \"max-message-size\": \"18446744073709551615G\" is not"},
    {"max-recipients 0", "test.conf:1: \"max-recipients\": 0 is not within"},
    {"max-recipients 1k", "test.conf:1: \"max-recipients\": \"1k\" is not"},
    {"smtp-timeout 5M",
	"test.conf:1: \"smtp-timeout\": \"5M\" is not a "
	"duration (seconds, or with m, h, d or w: 5d)"},
    {"smtp-timeout 2h", "test.conf:1: \"smtp-timeout\": 2h is not within"},
    {"retry-maximum 1m\n", "test.conf:1: \"retry-minimum\" is longer than"},
    {"destination-concurrency 0",
	"test.conf:1: \"destination-concurrency\": 0 is not within"},
    {"source-address 192.0.2.1 192.0.2.2",
	"test.conf:1: \"source-address\": 192.0.2.1 and 192.0.2.2 are of one"},
    {"source-address 192.0.2.1:1", "test.conf:1: \"source-address\": \"192"},
    {"address-family ipv5",
	"test.conf:1: \"address-family\": \"ipv5\" is none of any|ipv4|ipv6"},
    {"keys-dir here", "test.conf:1: \"keys-dir\": \"here\" is not"},
    {"ledger-dir here", "test.conf:1: \"ledger-dir\": \"here\" is not"},
    {"client-messages 7", "test.conf:1: \"client-messages\": \"7\" is not a "
			  "rate (a number and a time: 60/1m; 0, or 1 to "
			  "1000000 in 1s to 30d)"},
    {"client-messages 0/1m",
	"test.conf:1: \"client-messages\": \"0/1m\" is not a rate"},
    {"client-messages 1000001/1m",
	"test.conf:1: \"client-messages\": \"1000001/1m\" is not a rate"},
    {"client-messages 5/31d",
	"test.conf:1: \"client-messages\": \"5/31d\" is not a rate"},
    {"client-messages 5/0",
	"test.conf:1: \"client-messages\": \"5/0\" is not a rate"},
    {"client-messages 5/1m 6/1h",
	"test.conf:1: \"client-messages\": \"5/1m 6/1h\" is not a rate"},
    {"client-messages -5/1m",
	"test.conf:1: \"client-messages\": \"-5/1m\" is not a rate"},
    {"client-messages /1m",
	"test.conf:1: \"client-messages\": \"/1m\" is not a rate"},
    {"login-held 1000001", "test.conf:1: \"login-held\": 1000001 is not"},
    {"login-held x", "test.conf:1: \"login-held\": \"x\" is not"},
    {"login-failures 0", "test.conf:1: \"login-failures\": 0 is not within"},
    {"login-failures-network 1k",
	"test.conf:1: \"login-failures-network\": \"1k\" is not"},
    {"login-failures-user x", "test.conf:1: \"login-failures-user\": \"x\""},
    {"login-failure-window 1s",
	"test.conf:1: \"login-failure-window\": 1s is not within"},
    {"login-memory 2000d", "test.conf:1: \"login-memory\": 2000d is not"},
    {"tls-trust ca.pem", "test.conf:1: \"tls-trust\": \"ca.pem\" is not"},
    {"https-port 0", "test.conf:1: \"https-port\": 0 is not within"},
    {"milter 127.0.0.1:8891",
	"test.conf:1: \"milter\": \"127.0.0.1:8891\" is not where a filter "
	"listens (unix:/run/filter.sock, inet:8891@127.0.0.1"},
    {"milter inet:8891@localhost",
	"test.conf:1: \"milter\": \"inet:8891@localhost\" is not where"},
    {"milter inet:0@127.0.0.1", "test.conf:1: \"milter\": \"inet:0@127"},
    {"milter inet:8891@::1", "test.conf:1: \"milter\": \"inet:8891@::1\" is"},
    {"milter inet6:8891@127.0.0.1", "test.conf:1: \"milter\": \"inet6:8891"},
    {"milter unix:run/filter",
	"test.conf:1: \"milter\": \"run/filter\" is not an absolute path"},
    {"milter /a/" LONG_PATH,
	"test.conf:1: \"milter\": a socket's path has at most 107 octets"},
    {"milter /a b=c",
	"test.conf:1: \"milter\": \"b=c\" is none of timeout=|default="},
    {"milter /a default=discard",
	"test.conf:1: \"milter\": \"discard\" is none of tempfail|accept"},
    {"milter /a skip=authenticated,strangers",
	"test.conf:1: \"milter\": \"strangers\" is none of nobody|authent"},
    {"milter /a timeout=30s",
	"test.conf:1: \"milter\": \"30s\" is not three times up to an hour"},
    {"milter-timeout 30s/30s/0",
	"test.conf:1: \"milter-timeout\": \"30s/30s/0\" is not three times"},
    {"milter-timeout 30s/30s/5m/5m", "test.conf:1: \"milter-timeout\": \"30s"},
    {"milter-timeout 30s/30s/2h", "test.conf:1: \"milter-timeout\": \"30s/3"},
    {"milter-default reject",
	"test.conf:1: \"milter-default\": \"reject\" is none of tempfail|"},
    {"milter-skip everybody",
	"test.conf:1: \"milter-skip\": \"everybody\" is none of nobody|"},
    {"mail-auth maybe", "test.conf:1: \"mail-auth\": \"maybe\" is none of"},
    {"spf-fail refuse", "test.conf:1: \"spf-fail\": \"refuse\" is none of"},
    {"dmarc-quarantine reject",
	"test.conf:1: \"dmarc-quarantine\": \"reject\" is none of"},
    {"dnsbl a_b.example", "test.conf:1: \"dnsbl\": \"a_b.example\" is not the"},
    {"dnsbl =127.0.0.2", "test.conf:1: \"dnsbl\": \"=127.0.0.2\" is not the"},
    {"dnsbl a.example -3", "test.conf:1: \"dnsbl\": \"-3\" is not a score (3"},
    {"dnswl a.example 3", "test.conf:1: \"dnswl\": \"3\" is not a score (-3"},
    {"dnsbl a.example 0", "test.conf:1: \"dnsbl\": \"0\" is not a score"},
    {"dnsbl a.example 1001", "test.conf:1: \"dnsbl\": \"1001\" is not a"},
    {"dnsbl a.example =", "test.conf:1: \"dnsbl\": \"=\" is not answers"},
    {"dnsbl a.example =127.0.0", "test.conf:1: \"dnsbl\": \"=127.0.0\" is"},
    {"dnsbl a.example =127.0.0.2,", "test.conf:1: \"dnsbl\": \"=127.0.0.2,\""},
    {"dnsbl a.example =127.0.0.1", "test.conf:1: \"dnsbl\": \"=127.0.0.1\" is"},
    {"dnsbl a.example =127.255.255.2", "test.conf:1: \"dnsbl\": \"=127.255."},
    {"dnsbl a.example =10.0.0.2", "test.conf:1: \"dnsbl\": \"=10.0.0.2\" is"},
    {"dnsbl a.example =127.0.0.9-2", "test.conf:1: \"dnsbl\": \"=127.0.0.9-2"},
    {"dnsbl a.example =127.0.0.256", "test.conf:1: \"dnsbl\": \"=127.0.0.256"},
    {"greylist-delay 2h\ngreylist-window 1h", "test.conf:2: \"greylist-delay\" "},
    {"trust-from a@b.example", "test.conf:1: \"trust-from\": \"a@b.example\""},
    {"trust-client a.example", "test.conf:1: \"trust-client\": \"a.example\""},
    {"bind-from 1", "test.conf:1: \"bind-from\": \"1\" is none"},
    {"hide-submitter maybe",
	"test.conf:1: \"hide-submitter\": \"maybe\" is none"},
    {"dkim-sign never", "test.conf:1: \"dkim-sign\": \"never\" is none"},
    {"junk trash", "test.conf:1: \"junk\": \"trash\" is none of inbox|folder"},
    {"junk inbox|folder", "test.conf:1: \"junk\": \"inbox|folder\" is none"},
    {"srs maybe", "test.conf:1: \"srs\": \"maybe\" is none of no|yes"},
    {"system-users true", "test.conf:1: \"system-users\": \"true\" is none"},
    {"offer-dsn all", "test.conf:1: \"offer-dsn\": \"all\" is none of"},
    {"delay-warning 31d", "test.conf:1: \"delay-warning\": 31d is not"},
    {"bounce-copy root", "test.conf:1: \"bounce-copy\": \"root\" is not"},
    {"bounce-size-limit 17M", "test.conf:1: \"bounce-size-limit\": 17M is"},
    {"postmaster root", "test.conf:1: \"postmaster\": \"root\" is not user"},
    {"postmaster @a.example", "test.conf:1: \"postmaster\": \"@a.example\""},
    {"hostname a\001b", "test.conf:1: control character 0x01"},
    {"#\n# \xff\n", "test.conf:2: not UTF-8"},
};

static void
test_faults(void **state)
{
	char error[CONFIG_ERROR_MAX];
	struct config c;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		memset(&c, 0x55, sizeof(c));
		error[0] = '\0';
		if (load(&c, faults[i].text, strlen(faults[i].text), error) ==
		    0)
			fail_msg("taken: %s", faults[i].text);
		if (strncmp(error, faults[i].error, strlen(faults[i].error)) !=
		    0)
			fail_msg("%s\n instead of %s", error, faults[i].error);
		/* Untouched. */
		for (size_t j = 0; j < sizeof(c); j++)
			assert_int_equal(((unsigned char *)&c)[j], 0x55);
	}
}

static void
test_octets(void **state)
{
	char error[CONFIG_ERROR_MAX], *large;
	struct config c;

	(void)state;
	assert_int_equal(load(&c, "hostname a\0b\n", 13, error), -1);
	assert_string_equal(error, "test.conf:1: control character 0x00");

	large = malloc(2 << 20);
	assert_non_null(large);
	memset(large, '#', 2 << 20);
	assert_int_equal(load(&c, large, 501, error), -1);
	assert_string_equal(
	    error, "test.conf:1: a line of 501 octets; 500 are the most");
	assert_int_equal(load(&c, large, 500, error), 0);
	config_free(&c);
	memset(large, '\n', 2 << 20);
	assert_int_equal(load(&c, large, 2 << 20, error), -1);
	assert_string_equal(error, "test.conf: larger than 1048576 octets");
	free(large);

	assert_int_equal(config_load(&c, "/nonexistent/x.conf", error), -1);
	assert_string_equal(error,
	    "/nonexistent/x.conf: No such file or directory; "
	    "\"postrider init\" makes one");
	assert_int_equal(config_load(&c, "/", error), -1);
	assert_string_equal(error, "/: Is a directory");
}

/* Several processes read one descriptor: its offset does not matter. */
static void
test_shared_descriptor(void **state)
{
	char error[CONFIG_ERROR_MAX];
	int fd = file_with("max-hops 77\n", 12);
	struct config c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(config_load_fd(&c, fd, "x", error), 0);
		assert_int_equal(c.max_hops, 77);
		config_free(&c);
	}
	close(fd);
}

static unsigned
tolerated(const struct config *c, const char *address)
{
	struct sockaddr_storage a;

	assert_true(netaddr_parse(address, 0, &a));
	return config_tolerates(c, &a);
}

static void
tolerances_add_up(void **state)
{
	struct config c;

	(void)state;
	read_good(&c, "hostname a.example\n");
	assert_true(c.sender_domain);
	assert_int_equal(c.error_delay, 1);
	assert_int_equal(tolerated(&c, "192.0.2.1"), 0);
	config_free(&c);
	read_good(&c,
	    "hostname a.example\nsender-domain no\nerror-delay 0\n"
	    "tolerate helo errors 192.0.2.0/24 2001:db8::1\n"
	    "tolerate null-sender 192.0.2.7\n");
	assert_false(c.sender_domain);
	assert_int_equal(c.error_delay, 0);
	assert_int_equal(tolerated(&c, "192.0.2.1"),
	    1U << TOLERATE_HELO | 1U << TOLERATE_ERRORS);
	assert_int_equal(
	    tolerated(&c, "2001:db8::1"), tolerated(&c, "192.0.2.1"));
	assert_int_equal(tolerated(&c, "192.0.2.7"),
	    1U << TOLERATE_HELO | 1U << TOLERATE_ERRORS |
		1U << TOLERATE_NULL_SENDER);
	assert_int_equal(tolerated(&c, "192.0.3.1"), 0);
	config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_defaults_written_out),
	    cmocka_unit_test(test_relay_tls_by_port),
	    cmocka_unit_test(reads_filters),
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_places_beside_the_database),
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_octets),
	    cmocka_unit_test(test_shared_descriptor),
	    cmocka_unit_test(tolerances_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
