/* SPDX-License-Identifier: ISC */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The configuration: one `keyword value...` a line, `#` begins a comment.
 * The keywords are one table (config_keywords), from which the reader,
 * `postrider check` and postrider.conf(5) come.
 */

struct config_list { /* of strings, in the order of the file */
	size_t n;
	char **items;
};

struct config_net { /* an address and a prefix length */
	struct sockaddr_storage address; /* port 0 */
	unsigned prefix;
};

struct config_nets {
	size_t n;
	struct config_net *items;
};

enum listener_kind {
	LISTENER_SMTP,
	LISTENER_SUBMISSION,
	LISTENER_SUBMISSIONS,
	LISTENER_POP3,
	LISTENER_POP3S,
	LISTENER_KINDS
};

struct config_listener {
	enum listener_kind kind;
	struct sockaddr_storage address; /* with port */
	char text[64];			 /* as written: 0.0.0.0:25, [::1]:25 */
};

struct config_listeners {
	size_t n;
	struct config_listener *items;
};

struct config_server { /* an address with port */
	struct sockaddr_storage address;
	bool trusted; /* it validates, and nobody sits on the way to it */
};

struct config_servers {
	size_t n;
	struct config_server *items;
};

struct config_ports {
	size_t n;
	uint16_t *items;
};

struct config_certificate {
	char *certificate, *key;
};

struct config_certificates {
	size_t n;
	struct config_certificate *items;
};

/* Whose mail a filter does not see. */
enum { MILTER_SKIP_LOGIN = 1, MILTER_SKIP_RELAY = 2 };

struct config_milter_limits { /* seconds; of end: for all of one message */
	uint64_t connect, command, end;
};

/* A content filter.  What it does not say itself is that of all. */
struct config_milter {
	char *text;			 /* its address, as written */
	char *path;			 /* of a Unix socket; NULL: address */
	struct sockaddr_storage address; /* with port */
	struct config_milter_limits limits;
	bool accept; /* without it, if it fails; else try again later */
	unsigned skip;
	bool has_limits, has_default, has_skip; /* the reader's */
};

enum { CONFIG_MILTERS_MAX = 16 };

struct config_milters {
	size_t n;
	struct config_milter *items;
};

enum address_family { FAMILY_ANY, FAMILY_IPV4, FAMILY_IPV6 };

/* An answer of a list: each octet lies within its two, both included. */
struct config_code {
	uint8_t low[4], high[4];
};

enum { CONFIG_ZONES_MAX = 32, CONFIG_CODES_MAX = 16 };

/* A line of dnsbl or dnswl: one zone may have several. */
struct config_zone {
	char *name;    /* lower case */
	int64_t score; /* below zero: a dnswl */
	size_t ncodes; /* 0: every answer that may be a listing */
	struct config_code codes[CONFIG_CODES_MAX];
};

struct config_zones {
	size_t n; /* at most CONFIG_ZONES_MAX */
	struct config_zone *items;
};

/* What those who log in may write in From only of themselves. */
enum bind_from {
	BIND_FROM_NO,
	BIND_FROM_RESENT, /* or else in the newest block of Resent- fields */
	BIND_FROM_YES
};

/* Who must come twice (RFC 6647). */
enum greylist {
	GREYLIST_NO,
	GREYLIST_SUSPECTS, /* without a confirmed name, or listed */
	GREYLIST_STRANGERS /* everybody who is not known */
};

/* What relay-host must show before it gets a message. */
enum relay_tls {
	RELAY_TLS_OPPORTUNISTIC, /* nothing */
	RELAY_TLS_REQUIRED,	 /* TLS */
	RELAY_TLS_VERIFIED	 /* and that it is who it should be */
};

/* To whom smtpd offers DSN (RFC 3461). */
enum offer_dsn {
	OFFER_DSN_TRUSTED, /* those who may relay */
	OFFER_DSN_EVERYBODY,
	OFFER_DSN_NOBODY
};

/* What smtpd does not demand of some clients; config_tolerances names it. */
enum tolerance {
	TOLERATE_HELO,
	TOLERATE_PIPELINING,
	TOLERATE_BARE_LINE_ENDS,
	TOLERATE_SENDER_DOMAIN,
	TOLERATE_NULL_SENDER,
	TOLERATE_DELIVERED_TO,
	TOLERATE_ERRORS,
	TOLERANCES
};

struct config_tolerance { /* a line of it */
	unsigned what; /* a set of 1 << enum tolerance */
	struct config_nets nets;
};

struct config_tolerances {
	size_t n;
	struct config_tolerance *items;
};

/* What becomes of mail that is not what it says it is. */
enum failure_answer {
	FAILURE_MARK,       /* taken; its Authentication-Results tell */
	FAILURE_QUARANTINE, /* taken, as junk */
	FAILURE_REJECT
};

/* So many within a span, as many at once; 0: without a limit. */
struct config_rate {
	uint64_t count, span; /* seconds */
};

/* Durations are in seconds, sizes in octets. */
struct config {
	char *hostname;
	bool hostname_guessed; /* the file does not say it */
	struct config_list domains; /* lower case */
	struct config_listeners listen;
	bool listen_guessed; /* the file does not say where */
	struct config_certificates certificates;
	bool certificates_guessed; /* the file names none */
	uint64_t tls_tickets;	   /* a set of 1 << enum listener_kind */
	char *spool_dir, *mail_dir, *database_dir, *run_dir;
	char *keys_dir, *ledger_dir;
	uint64_t spool_reserve, spool_reserve_inodes; /* kept free */
	struct config_servers dns_servers; /* none: resolv.conf */
	struct config_ports smtp_ports;	   /* at least one */
	char *relay_host;		   /* NULL: none; brackets kept */
	uint16_t relay_port;
	enum relay_tls relay_tls;
	struct config_nets relay_from, allow_plaintext_auth;
	struct config_nets proxy_from; /* none of those two are in it */
	uint64_t auth_mechanisms; /* a set, common/sasl.h */
	bool apop;
	uint64_t max_message_size;
	uint64_t max_recipients, max_line_length, max_hops, max_errors;
	uint64_t error_delay;
	struct config_tolerances tolerate;
	bool sender_domain; /* that of a stranger's sender must exist */
	uint64_t busy_timeout;
	uint64_t smtp_timeout, pop3_timeout, queue_lifetime;
	uint64_t retry_minimum, retry_maximum;
	uint64_t delay_warning;     /* 0: never */
	uint64_t bounce_size_limit; /* of a message that is returned whole */
	char *bounce_copy;          /* NULL: nobody gets one */
	uint64_t destination_concurrency;
	char *log_file; /* NULL: syslog */
	struct config_list source_addresses; /* at most one a family */
	enum address_family address_family;
	uint64_t minimum_uid;
	enum offer_dsn offer_dsn;
	bool dkim_sign;
	enum bind_from bind_from; /* of those who log in */
	bool hide_submitter;      /* of the same */
	bool junk_folder; /* junk folder */
	bool mail_auth;	  /* strangers' mail is judged */
	struct config_milters milters; /* in order */
	struct config_milter_limits milter_limits;
	bool milter_accept;
	unsigned milter_skip;
	enum failure_answer spf_fail, dmarc_reject, dmarc_quarantine;
	struct config_list trust_from, trust_signer; /* lower case */
	struct config_nets trust_client;
	struct config_zones lists; /* dnsbl and dnswl, as they stand */
	uint64_t refuse_score, junk_score; /* 0: never */
	uint64_t list_timeout;
	enum greylist greylist;
	uint64_t greylist_delay, greylist_window;
	bool srs; /* senders of what aliases send on are rewritten */
	bool system_users;
	char *postmaster; /* NULL: postmaster@ the first domain */
	uint64_t smtpd_processes, pop3d_processes, deliver_processes;
	uint64_t spare_processes;
	uint64_t max_client_sessions;
	uint64_t max_network_sessions, max_waiting; /* smtp-gate's */
	uint64_t greet_delay, tarpit;
	/* failed logins within the window before more are refused */
	uint64_t login_failures, login_failures_network, login_failures_user;
	uint64_t login_failure_window, login_memory;
	/* What strangers may do on port 25; of each client, each network */
	struct config_rate client_connections, network_connections;
	struct config_rate client_messages, client_recipients;
	struct config_rate unknown_recipients, offences;
	struct config_rate mailbox_messages; /* to one mailbox */
	uint64_t client_memory; /* who sent mail that was taken is known */
	/* what a login may send */
	struct config_rate login_messages, login_recipients;
	struct config_rate login_new_recipients;
	uint64_t login_held; /* messages of one, before no more are taken */
	bool dmarc_reports; /* counted, and postrider-report sends them */
	char *dmarc_report_from; /* NULL: as postmaster */
	char *tls_trust; /* NULL: the system's certificates */
	uint64_t https_port;
	uint64_t password_cost;
	/* Logins with tokens; NULL and none where there are no such. */
	char *oauth_issuer;
	struct config_list oauth_audiences; /* at least one with an issuer */
	char *oauth_jwks;		    /* path or URL, with an issuer */
	char *oauth_user_claim;
	struct config_list oauth_scopes; /* all of them are needed */
};

enum { CONFIG_ERROR_MAX = 512 };

struct config_reader;

struct config_keyword {
	const char *name;
	const char *type;     /* "host name", "duration", ...: for the man page */
	const char *fallback; /* the default as it would be written, or NULL;
			       * several values have ", " between them */
	const char *bounds;   /* "1 to 1000", "any|ipv4|ipv6", or NULL */
	const char *help;     /* one line */
	bool repeatable;
	/* The reader's: takes a value, and where in struct config it goes. */
	bool (*take)(struct config_reader *, const struct config_keyword *,
	    const char *value);
	size_t where;
};

/* Ends with a NULL name. */
const struct config_keyword *config_keywords(void);

/*
 * Read a config.  On failure -1, and error (CONFIG_ERROR_MAX octets) says
 * file, line, what is wrong and the nearest keyword.  The config is whole
 * (every default filled in) or untouched.
 */
int config_load(struct config *, const char *path, char *error);
int config_load_fd(struct config *, int fd, const char *name, char *error);
void config_free(struct config *);

/* The file that is read without -c: sysconfdir/postrider/postrider.conf */
const char *config_default_path(void);

/* Is the address (any port) within one of the networks?  ::ffff:a.b.c.d
 * counts as a.b.c.d. */
bool config_net_contains(
    const struct config_nets *, const struct sockaddr_storage *);

/* The first of these networks that has an address in common with one of the
 * others; NULL: none has. */
const struct config_net *config_nets_shared(
    const struct config_nets *, const struct config_nets *others);

/*
 * 192.0.2.0/24, 2001:db8::1: an address, or with the length of a prefix.  Bits
 * behind that may be set.
 */
bool config_read_net(const char *text, struct config_net *);

/* What is tolerated of that address: a set of 1 << enum tolerance. */
unsigned config_tolerates(
    const struct config *, const struct sockaddr_storage *);

/* Can anybody log in with a token? */
bool config_has_oauth(const struct config *);
bool config_jwks_is_url(const struct config *);

/* relay-host without brackets; "" when there is none. */
void config_relay_name(const struct config *, char *out, size_t size);

/* "60/1m" or "0", as the config has a rate; false: it is none. */
bool config_parse_rate(const char *text, struct config_rate *);
enum { CONFIG_RATE_SIZE = 48 };
void config_format_rate(const struct config_rate *, char out[CONFIG_RATE_SIZE]);

bool config_has_domain(const struct config *, const char *domain);

/* LDH labels (RFC 1123 section 2.1), or with utf8 those of RFC 5890, too. */
bool config_is_domain(const char *text, bool utf8);

const char *listener_name(enum listener_kind); /* "smtp", ... */
bool listener_named(const char *, enum listener_kind *);

/* No octet in the clear: submissions, pop3s. */
bool listener_begins_with_tls(enum listener_kind);

#endif
