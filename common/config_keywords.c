/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <string.h>

#include "common/config_reader.h"

#define AT(member) offsetof(struct config, member)
#define RATES "0, or 1 to 1000000 in 1s to 30d"

static const struct config_keyword keywords[] = {
    {"hostname", "host name", NULL, NULL,
	"this machine's full name, in the greeting, Received and Message-ID",
	false, take_hostname, AT(hostname)},
    {"domain", "domain...", NULL, NULL,
	"a domain whose mail is at home here, beside those in the database",
	true, take_domains, AT(domains)},
    {"listen", "service address[:port]...",
	"smtp 0.0.0.0:25, smtp [::]:25, submission 0.0.0.0:587, "
	"submission [::]:587, submissions 0.0.0.0:465, "
	"submissions [::]:465, pop3 0.0.0.0:110, pop3 [::]:110, "
	"pop3s 0.0.0.0:995, pop3s [::]:995",
	"smtp|submission|submissions|pop3|pop3s",
	"where a service takes connections", true, take_listeners, AT(listen)},
    {"tls-certificate", "path", "tls/cert.pem", NULL,
	"certificate with its chain (PEM); a path that is not full begins at "
	"the config's folder",
	true, take_certificate, AT(certificates)},
    {"tls-key", "path", "tls/key.pem", NULL,
	"private key of the tls-certificate before it", true, take_key,
	AT(certificates)},
    {"tls-tickets", "service...", "submission submissions pop3 pop3s",
	"none|smtp|submission|submissions|pop3|pop3s",
	"whose clients may take up a TLS session again without a full "
	"handshake",
	true, take_kinds, AT(tls_tickets)},
    {"spool-dir", "path", LOCALSTATEDIR "/spool/postrider", NULL,
	"messages on their way", false, take_path, AT(spool_dir)},
    {"spool-reserve", "size", "64M", "0 to 1024G",
	"space that new mail leaves free beside the spool, for outcomes and "
	"reports; an eighth of the file system where that is less",
	false, take_size, AT(spool_reserve)},
    {"spool-reserve-inodes", "number", "1000", "0 to 1000000000",
	"the same of inodes", false, take_number, AT(spool_reserve_inodes)},
    {"mail-dir", "path", LOCALSTATEDIR "/mail/postrider", NULL,
	"Maildirs of virtual users, DOMAIN/USER", false, take_path,
	AT(mail_dir)},
    {"database-dir", "path", LOCALSTATEDIR "/lib/postrider", NULL,
	"users, domains and aliases", false, take_path, AT(database_dir)},
    {"run-dir", "path", RUNSTATEDIR "/postrider", NULL,
	"the sockets between the programs; their chroots", false, take_path,
	AT(run_dir)},
    {"dns-server", "address[:port]... [trusted]", NULL, NULL,
	"name server to ask instead of those in resolv.conf; trusted: it "
	"validates DNSSEC, and so DANE is used",
	true, take_servers, AT(dns_servers)},
    {"smtp-port", "port...", "25", "1 to 65535",
	"port of remote servers, tried in order", true, take_ports,
	AT(smtp_ports)},
    {"relay-host", "host[:port]", NULL, NULL,
	"send all outgoing mail there; in [brackets] without an MX look-up",
	false, take_relay_host, AT(relay_host)},
    {"relay-tls", "choice", "opportunistic", "opportunistic|required|verified",
	"what relay-host must show; verified where its port is 587 or 465",
	false, take_relay_tls, AT(relay_tls)},
    {"relay-from", "network...", NULL, NULL,
	"clients that may relay without a login", true, take_networks,
	AT(relay_from)},
    {"allow-plaintext-auth", "network...", NULL, NULL,
	"clients that may log in without TLS", true, take_networks,
	AT(allow_plaintext_auth)},
    {"proxy-from", "network...", NULL, NULL,
	"proxies, which say whose connection they hand on (PROXY protocol)",
	true, take_networks, AT(proxy_from)},
    {"auth-mechanisms", "mechanism...",
	"PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS OAUTHBEARER XOAUTH2",
	"PLAIN|LOGIN|SCRAM-SHA-256|SCRAM-SHA-256-PLUS|OAUTHBEARER|XOAUTH2|"
	"CRAM-MD5",
	"ways to log in that are offered; those with tokens where oauth-jwks "
	"is set",
	false, take_mechanisms, AT(auth_mechanisms)},
    {"bind-from", "choice", "yes", "no|resent|yes",
	"whether those who log in may name in From only what they may send "
	"as; resent: in Resent-From where mail is sent on",
	false, take_bind_from, AT(bind_from)},
    {"hide-submitter", "choice", "yes", "no|yes",
	"whether Received keeps silent about the address of those who log in",
	false, take_choice, AT(hide_submitter)},
    {"apop", "choice", "no", "no|yes",
	"whether POP3 takes APOP, for users with a reversible password", false,
	take_choice, AT(apop)},
    {"max-message-size", "size", "50M", "1K to 4G",
	"largest message taken, in octets as on the wire", false, take_size,
	AT(max_message_size)},
    {"max-recipients", "number", "100", "1 to 100000",
	"recipients of one message; RFC 5321 asks for 100", false, take_number,
	AT(max_recipients)},
    {"max-line-length", "number", "998", "998 to 65536",
	"octets in a line of a message, its CRLF not counted", false,
	take_number, AT(max_line_length)},
    {"max-hops", "number", "50", "10 to 1000",
	"Received fields that make a loop", false, take_number, AT(max_hops)},
    {"max-errors", "number", "20", "1 to 1000",
	"bad commands in a session before it is closed", false, take_number,
	AT(max_errors)},
    {"error-delay", "duration", "1s", "0 to 1m",
	"how long a stranger waits for the answer to each bad command but the "
	"first two",
	false, take_duration, AT(error_delay)},
    {"sender-domain", "choice", "yes", "no|yes",
	"whether the domain of a stranger's sender must exist", false,
	take_choice, AT(sender_domain)},
    {"tolerate", "what... network...", NULL,
	"helo|pipelining|bare-line-ends|sender-domain|null-sender|"
	"delivered-to|errors",
	"what is not demanded of these clients", true, take_tolerances,
	AT(tolerate)},
    {"smtp-timeout", "duration", "5m", "1s to 1h",
	"for a client's next command or the end of its message's next part",
	false, take_duration, AT(smtp_timeout)},
    {"busy-timeout", "duration", "10s", "1s to 1h",
	"the same while all of smtpd-processes are busy and others wait",
	false, take_duration, AT(busy_timeout)},
    {"pop3-timeout", "duration", "10m", "1s to 1d",
	"for a client's next command; RFC 1939 asks for 10m", false,
	take_duration, AT(pop3_timeout)},
    {"queue-lifetime", "duration", "5d", "1m to 30d",
	"how long delivery is tried before the sender is told", false,
	take_duration, AT(queue_lifetime)},
    {"retry-minimum", "duration", "5m", "1s to 1d",
	"wait before the second attempt; doubles with each", false,
	take_duration, AT(retry_minimum)},
    {"retry-maximum", "duration", "4h", "1s to 1d",
	"longest wait between attempts", false, take_duration,
	AT(retry_maximum)},
    {"delay-warning", "duration", "4h", "0 to 30d",
	"how long a message waits before its sender is told; 0: he is not",
	false, take_duration, AT(delay_warning)},
    {"bounce-copy", "address", NULL, NULL,
	"who else gets reports of failure, without the message's text", false,
	take_address, AT(bounce_copy)},
    {"bounce-size-limit", "size", "50K", "0 to 16M",
	"largest message that is returned whole with a report of its failure",
	false, take_size, AT(bounce_size_limit)},
    {"offer-dsn", "choice", "trusted", "trusted|everybody|nobody",
	"who may ask SMTP for reports of success; trusted: who may relay",
	false, take_offer_dsn, AT(offer_dsn)},
    {"destination-concurrency", "number", "20", "1 to 1000",
	"deliveries to one destination at a time, when all is well with it",
	false, take_number, AT(destination_concurrency)},
    {"log-file", "path", NULL, NULL, "log to this file instead of syslog",
	false, take_path, AT(log_file)},
    {"source-address", "address...", NULL, NULL,
	"local address of outgoing connections, one a family", true,
	take_sources, AT(source_addresses)},
    {"address-family", "choice", "any", "any|ipv4|ipv6",
	"family of outgoing connections", false, take_family,
	AT(address_family)},
    {"minimum-uid", "number", "1000", "1 to 4294967294",
	"system users below get no mail", false, take_number, AT(minimum_uid)},
    {"dkim-sign", "choice", "yes", "no|yes",
	"whether mail that leaves is signed where there is a key", false,
	take_choice, AT(dkim_sign)},
    {"junk", "choice", "inbox", "inbox|folder",
	"where suspected junk goes: the inbox or the folder Junk", false,
	take_choice, AT(junk_folder)},
    {"mail-auth", "choice", "yes", "no|yes",
	"whether it is judged who really sent what strangers hand in (SPF, "
	"DKIM, DMARC)",
	false, take_choice, AT(mail_auth)},
    {"spf-fail", "choice", "mark", "mark|quarantine|reject",
	"what becomes of mail whose sender's domain does not send from there",
	false, take_failure, AT(spf_fail)},
    {"dmarc-reject", "choice", "reject", "mark|quarantine|reject",
	"what becomes of mail that is not from the domain in From, which asks "
	"to reject it",
	false, take_failure, AT(dmarc_reject)},
    {"dmarc-quarantine", "choice", "quarantine", "mark|quarantine",
	"the same where the domain asks to set it aside", false, take_failure,
	AT(dmarc_quarantine)},
    {"trust-from", "domain...", NULL, NULL,
	"domains in From, with all below them, whose mail is taken though it "
	"is not proved to be theirs",
	true, take_domains, AT(trust_from)},
    {"trust-client", "network...", NULL, NULL,
	"hosts that forward mail to here: what they send is not refused or set "
	"aside for SPF and DMARC",
	true, take_networks, AT(trust_client)},
    {"trust-signer", "domain...", NULL, NULL,
	"domains whose DKIM signature is as good: lists and forwarders", true,
	take_domains, AT(trust_signer)},
    {"milter", "filter", NULL, NULL,
	"content filter (milter) that mail passes: unix:/path, "
	"inet:port@address or inet6:port@address, and timeout=, default=, "
	"skip= of its own",
	true, take_milter, AT(milters)},
    {"milter-default", "choice", "tempfail", "tempfail|accept",
	"what becomes of mail while a filter fails: it shall come again, or "
	"passes without it",
	false, take_choice, AT(milter_accept)},
    {"milter-timeout", "duration/duration/duration", "30s/30s/5m",
	"1s to 1h each",
	"for a filter to be connected to, for an answer, and at the end of a "
	"message",
	false, take_milter_limits, AT(milter_limits)},
    {"milter-skip", "client...", "nobody",
	"nobody|authenticated|relay-from",
	"whose mail filters do not see", false, take_milter_skip,
	AT(milter_skip)},
    {"dnsbl", "zone [=answers] [score]", NULL, "1 to 1000",
	"list in the DNS of hosts that send what nobody wants; what a client "
	"that is on it is charged, 3",
	true, take_dnsbl, AT(lists)},
    {"dnswl", "zone [=answers] [-score]", NULL, "1 to 1000",
	"list in the DNS of hosts that are known to be good; what is taken off "
	"for it, -3",
	true, take_dnswl, AT(lists)},
    {"refuse-score", "number", "3", "0 to 1000",
	"sum of the lists' scores from which a client is refused; 0: never",
	false, take_number, AT(refuse_score)},
    {"junk-score", "number", "2", "0 to 1000",
	"the same from which what it sends is junk; 0: never", false,
	take_number, AT(junk_score)},
    {"list-timeout", "duration", "5s", "1s to 60s",
	"how long a client waits for what the lists say", false, take_duration,
	AT(list_timeout)},
    {"greylist", "choice", "suspects", "no|suspects|strangers",
	"who must try again before mail is taken from him for the first time",
	false, take_greylist, AT(greylist)},
    {"greylist-delay", "duration", "2m", "1s to 1d",
	"how soon he may", false, take_duration, AT(greylist_delay)},
    {"greylist-window", "duration", "1d", "1m to 30d",
	"how late he may", false, take_duration, AT(greylist_window)},
    {"srs", "choice", "yes", "no|yes",
	"whether the sender is rewritten of mail that aliases send on", false,
	take_choice, AT(srs)},
    {"system-users", "choice", "no", "no|yes",
	"whether the system's accounts get mail in ~/Maildir", false,
	take_choice, AT(system_users)},
    {"postmaster", "address", NULL, NULL,
	"who gets postmaster's mail; postmaster in the first domain", false,
	take_address, AT(postmaster)},
    {"smtpd-processes", "number", "100", "1 to 10000",
	"SMTP sessions at a time", false, take_number, AT(smtpd_processes)},
    {"pop3d-processes", "number", "100", "1 to 10000",
	"POP3 sessions at a time", false, take_number, AT(pop3d_processes)},
    {"deliver-processes", "number", "50", "1 to 10000",
	"outgoing connections at a time", false, take_number,
	AT(deliver_processes)},
    {"max-client-sessions", "number", "50", "1 to 10000",
	"of the SMTP, and of the POP3 sessions, for one client address", false,
	take_number, AT(max_client_sessions)},
    {"max-network-sessions", "number", "50", "1 to 100000",
	"connections to the listener smtp at a time from one network, a /24 "
	"or a /48 of IPv6",
	false, take_number, AT(max_network_sessions)},
    {"max-waiting", "number", "20000", "10 to 1000000",
	"connections to the listener smtp that have not reached an smtpd yet",
	false, take_number, AT(max_waiting)},
    {"greet-delay", "duration", "4s", "0s to 30s",
	"how long a client that is not known waits for the greeting; 0s: not "
	"at all",
	false, take_duration, AT(greet_delay)},
    {"tarpit", "duration", "2s", "0s to 30s",
	"how long each answer takes to a client that is refused", false,
	take_duration, AT(tarpit)},
    {"spare-processes", "number", "2", "1 to 1000",
	"idle processes each of those keeps ready", false, take_number,
	AT(spare_processes)},
    {"keys-dir", "path", NULL, NULL,
	"DKIM keys, and what relay hosts are logged in to with",
	false, take_path, AT(keys_dir)},
    {"ledger-dir", "path", NULL, NULL,
	"what may be forgotten: failed logins, what destinations can do", false,
	take_path, AT(ledger_dir)},
    {"login-failures", "number", "20", "1 to 100000",
	"failed logins from one address before more are refused", false,
	take_number, AT(login_failures)},
    {"login-failures-network", "number", "100", "1 to 100000",
	"the same, from one network of addresses", false, take_number,
	AT(login_failures_network)},
    {"login-failures-user", "number", "50", "1 to 100000",
	"the same, for one user, from where he has not logged in lately", false,
	take_number, AT(login_failures_user)},
    {"login-failure-window", "duration", "1h", "1m to 7d",
	"for how long a failed login counts", false, take_duration,
	AT(login_failure_window)},
    {"login-memory", "duration", "30d", "1h to 365d",
	"for how long an address that a user logged in from is his", false,
	take_duration, AT(login_memory)},
    {"client-connections", "rate", "60/1m", RATES,
	"connections to port 25 from one client", false, take_rate,
	AT(client_connections)},
    {"network-connections", "rate", "300/1m", RATES,
	"the same of its network, a /24 or /48", false, take_rate,
	AT(network_connections)},
    {"client-messages", "rate", "600/1h", RATES,
	"messages from one client that may not relay", false, take_rate,
	AT(client_messages)},
    {"client-recipients", "rate", "2000/1h", RATES,
	"their recipients", false, take_rate, AT(client_recipients)},
    {"unknown-recipients", "rate", "30/1h", RATES,
	"recipients that do not exist before that client gets no more answers",
	false, take_rate, AT(unknown_recipients)},
    {"offences", "rate", "10/1h", RATES,
	"times that a client talks before the greeting or sends garbage before "
	"it is refused for a growing time",
	false, take_rate, AT(offences)},
    {"mailbox-messages", "rate", "300/1h", RATES,
	"messages that strangers may send to one mailbox", false, take_rate,
	AT(mailbox_messages)},
    {"client-memory", "duration", "36d", "1h to 366d",
	"for how long a client whose mail was taken is known", false,
	take_duration, AT(client_memory)},
    {"login-messages", "rate", "1000/1d", RATES,
	"messages that a user may send before more of them are held", false,
	take_rate, AT(login_messages)},
    {"login-recipients", "rate", "2000/1d", RATES,
	"the same of their recipients", false, take_rate,
	AT(login_recipients)},
    {"login-new-recipients", "rate", "400/1d", RATES,
	"the same of recipients to whom that user did not send lately", false,
	take_rate, AT(login_new_recipients)},
    {"login-held", "number", "1000", "0 to 1000000",
	"messages of one user that are held before no more are taken", false,
	take_number, AT(login_held)},
    {"dmarc-reports", "choice", "no", "no|yes",
	"whether the domains that ask for it get aggregate reports (DMARC) "
	"about mail in their name",
	false, take_choice, AT(dmarc_reports)},
    {"dmarc-report-from", "address", NULL, NULL,
	"who sends those reports; as postmaster", false, take_address,
	AT(dmarc_report_from)},
    {"tls-trust", "path", NULL, NULL,
	"certificates (PEM; a file, or a folder of them) of the authorities "
	"that are trusted, instead of the system's",
	false, take_path, AT(tls_trust)},
    {"https-port", "number", "443", "1 to 65535",
	"port of the servers of MTA-STS policies", false, take_number,
	AT(https_port)},
    {"password-cost", "number", "5", "1 to 11",
	"of new password hashes; a step more takes twice the time", false,
	take_number, AT(password_cost)},
    {"oauth-issuer", "name", NULL, NULL,
	"who signs the tokens that log in, as their \"iss\" says", false,
	take_word, AT(oauth_issuer)},
    {"oauth-audience", "name...", NULL, NULL,
	"whom such tokens must be for, one of these in their \"aud\"", true,
	take_words, AT(oauth_audiences)},
    {"oauth-jwks", "path or https address", NULL, NULL,
	"the issuer's keys, a JSON Web Key Set", false, take_key_set,
	AT(oauth_jwks)},
    {"oauth-user-claim", "name", "email", NULL,
	"what in a token names the user", false, take_word,
	AT(oauth_user_claim)},
    {"oauth-scope", "name...", NULL, NULL,
	"what such tokens must have in their \"scope\", all of these", true,
	take_words, AT(oauth_scopes)},
    {.name = NULL},
};

_Static_assert(sizeof(keywords) / sizeof(keywords[0]) <= CONFIG_KEYWORDS_MAX,
    "the reader counts in an array of that size");

const struct config_keyword *
config_keywords(void)
{
	return keywords;
}

const struct config_keyword *
config_keyword_find(const char *name)
{
	for (const struct config_keyword *k = keywords; k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

enum { WORD_MAX = 32 };

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Optimal string alignment distance: how many octets inserted, left out,
 * exchanged or swapped with their neighbour make one word of the other.
 */
static unsigned
distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t m = strnlen(a, WORD_MAX), n = strnlen(b, WORD_MAX);

	for (size_t i = 0; i <= m; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= n; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++)
		for (size_t j = 1; j <= n; j++) {
			d[i][j] =
			    least(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
				1 + least(d[i - 1][j], d[i][j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[m][n];
}

const char *
config_keyword_nearest(const char *name)
{
	const char *nearest = keywords[0].name;

	for (const struct config_keyword *k = keywords + 1; k->name != NULL;
	     k++)
		if (distance(name, k->name) < distance(name, nearest))
			nearest = k->name;
	return nearest;
}
