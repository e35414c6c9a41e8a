/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create, memmem */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build.h"
#include "common/config.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "common/submit.h"
#include "mailauth/dkim.h"
#include "smtpd/helo.h"
#include "smtpd/session.h"
#include "tests/fuzz/fake-login.h"
#include "tests/fuzz/fuzz.h"

/*
 * Whole SMTP sessions.  This file takes the place of userdb and queue; the
 * input is the listener, whether the client waits for answers, and all that
 * it says.  Whatever that is: replies are replies, and what is committed is
 * whole, clean, and for somebody who may have it (A1, A8, A10).
 */

#define HELLO "EHLO x.test\r\n"
#define MAIL  "MAIL FROM:<s@x.test> SIZE=100 BODY=8BITMIME\r\n"
#define RCPT  "RCPT TO:<ann@example.test>\r\n"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\0" HELLO MAIL RCPT "RCPT TO:<bob@other.test>\r\nDATA\r\n"
	      "Subject: x\r\n\r\n..body\r\n.\r\nQUIT\r\n"),
    FUZZ_SEED("\0" HELLO MAIL RCPT "DATA\r\na\n.\nb\r.\r\r\n.\r\nNOOP\r\n"),
    FUZZ_SEED("\0HELO x y\r\nRSET\r\nVRFY ann\r\nHELP\r\nMAIL FROM:<>\r\n" RCPT
	      "DATA\r\nReceived: x\r\n\r\n\0\r\n.\r\nMAIL FROM:<>\r\n"),
    FUZZ_SEED("\1" HELLO "AUTH PLAIN AGFubgBwdw==\r\n" MAIL
	      "RCPT TO:<bob@other.test>\r\nDATA\r\nx\r\n.\r\n"),
    FUZZ_SEED("\1" HELLO "AUTH LOGIN\r\nYW5u\r\ncHc=\r\n" MAIL
	      "RSET\r\nAUTH LOGIN\r\n*\r\n"),
    FUZZ_SEED("\1" HELLO "AUTH SCRAM-SHA-256 "
	      "biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n"
	      "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0Fm"
	      "dXhGSWxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpVaE4rVXRlOXl0YWc5empm"
	      "TUhnc3FtbWl6N0FuZFZRPQ==\r\n\r\n" MAIL
	      "RCPT TO:<bob@other.test>\r\nDATA\r\nx\r\n.\r\n"),
    FUZZ_SEED("\1" HELLO "AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIGJhZAEB\r\n"
	      "AQ==\r\nAUTH XOAUTH2\r\n"
	      "dXNlcj1hbm4BYXV0aD1CZWFyZXIgZ29vZAEB\r\nQUIT\r\n"),
    FUZZ_SEED("\1" HELLO "AUTH CRAM-MD5\r\n"
	      "YW5uIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw\r\n"),
    FUZZ_SEED("\2" HELLO MAIL RCPT "DATA\r\n"),
    FUZZ_SEED("\0" HELLO "MAIL FROM:<\"a b\"@[192.0.2.1]> SMTPUTF8\r\n"
	      "RCPT TO:<\xc3\xb6@example.test>\r\n" RCPT "DATA\r\n.\r\n"),
    FUZZ_SEED("\0" HELLO "MAIL FROM:<s@x.test> RET=HDRS ENVID=Q+2Bq\r\n"
	      "RCPT TO:<ann@example.test> NOTIFY=SUCCESS,DELAY "
	      "ORCPT=rfc822;Bob+20x@y.test\r\nDATA\r\n.\r\n"),
    FUZZ_SEED("\0" HELLO "MAIL FROM:<> SMTPUTF8 RET=FULL\r\n"
	      "RCPT TO:<ann@example.test> NOTIFY=NEVER "
	      "ORCPT=utf-8;\xc3\xb6\\x{F6}@y.test\r\nDATA\r\n.\r\n"),
    FUZZ_SEED("\0" HELLO MAIL RCPT "DATA\r\nFrom: a@pass.test\r\n"
	      "Authentication-Results: mail.example.test; spf=pass\r\n"
	      "X-Spam-Flag: NO\r\n\tx\r\n\r\nbody\r\n.\r\n"),
    FUZZ_SEED("\0EHLO pass.test\r\nMAIL FROM:<a@fail.test>\r\n" RCPT
	      "DATA\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple;\r\n"
	      "\td=pass.test; s=s; h=from:to; bh=AAAA; b=BBBB\r\n"
	      "From: \"a\" (b) <a@reject.test>\r\n\r\n.\r\n"),
    FUZZ_SEED("\0GET / HTTP/1.1\r\n"),
    FUZZ_SEED("\4HELO my pc\nMAIL FROM:<a@nowhere.test>\n"
	      "RCPT TO:<ann@example.test>\nDATA\na\n.\n\nb\r\n.\r\n"),
    FUZZ_SEED("\6HELO x\r\nMAIL FROM:<>\r\n" RCPT "RCPT TO:<ann@example."
	      "test>\r\nDATA\r\nDelivered-To: ann@example.test\r\n.\r\n"),
    FUZZ_SEED("\0EHLO .\r\nEHLO x\r\nMAIL FROM:<a@nowhere.test>\r\n"
	      "MAIL FROM:<a@t.test>\r\nMAIL FROM:<>\r\n" RCPT
	      "RCPT TO:<eve@example.test>\r\nDATA\r\n.\r\n"),
    FUZZ_SEEDS_END,
};

enum { SUBMISSION = 1, WAITS_NOT = 2, TOLERATED = 4 };

enum { EVERYTHING = (1 << TOLERANCES) - 1 };

static bool impatient, logged_in, tolerated;
static unsigned committed;

bool __real_stream_has_input(struct stream *);
bool __wrap_stream_has_input(struct stream *);

bool
__wrap_stream_has_input(struct stream *s)
{
	/* All input is there from the start, even before the banner. */
	return s->octets_in > 0 && impatient && __real_stream_has_input(s);
}

/* -- the client's address -- */

void
client_init(struct session *s, int fd)
{
	(void)fd;
	strcpy(s->client.text, "unknown");
	s->plaintext_auth = true;
	s->facts.tolerated = tolerated ? EVERYTHING : 0;
}

const char *
client_name(struct session *s)
{
	return s->client.name;
}

const struct lists_result *
client_lists(struct session *s)
{
	return &s->client.lists;
}

/* -- the DNS -- */

enum dns_status __wrap_dns_txt(
    struct dns *, const char *name, char ***texts, size_t *n);
enum dns_status __wrap_dns_addresses(struct dns *, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n);
enum dns_status __wrap_dns_mx_names(struct dns *, const char *domain,
    struct dns_mx *out, size_t max, size_t *n);
enum dns_status __wrap_dns_ptr(struct dns *, const struct sockaddr_storage *,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n);
enum dns_status __wrap_dns_alias(
    struct dns *, const char *name, char target[DNS_NAME_MAX + 1]);
void __wrap_dns_deadline(struct dns *, int64_t deadline_ms);

/* What a domain has published depends on the letter it begins with. */
enum dns_status
__wrap_dns_txt(struct dns *d, const char *name, char ***texts, size_t *n)
{
	static const char *const records[][2] = {
	    {"pass.test", "v=spf1 +all"},
	    {"fail.test", "v=spf1 exp=why.test -all"},
	    {"why.test", "not %{i} of %{h}, \x1b\xff"},
	    {"_dmarc.reject.test", "v=DMARC1; p=reject; rua=mailto:a@b"},
	    {"_dmarc.x.test", "v=DMARC1; p=quarantine"},
	};

	(void)d;
	*n = 0;
	*texts = NULL;
	if (name[0] == 't')
		return DNS_TEMPORARY;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		if (strcmp(name, records[i][0]) != 0)
			continue;
		*texts = malloc(sizeof(**texts) + strlen(records[i][1]) + 1);
		REQUIRE(*texts != NULL);
		**texts = strcpy((char *)(*texts + 1), records[i][1]);
		*n = 1;
		return DNS_FOUND;
	}
	return DNS_NO_NAME;
}

/* Whether a domain has a host, as well. */
static bool
has_host(const char *domain)
{
	return strchr("xpfr", domain[0]) != NULL;
}

enum dns_status
__wrap_dns_addresses(struct dns *d, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	(void)d;
	(void)family;
	*n = 0;
	if (host[0] == 't')
		return DNS_TEMPORARY;
	if (!has_host(host) || max == 0)
		return DNS_NO_NAME;
	REQUIRE(netaddr_parse("192.0.2.1", 0, out));
	*n = 1;
	return DNS_FOUND;
}

enum dns_status
__wrap_dns_mx_names(struct dns *d, const char *domain, struct dns_mx *out,
    size_t max, size_t *n)
{
	(void)d;
	(void)domain;
	(void)out;
	(void)max;
	*n = 0;
	return DNS_NO_DATA;
}

enum dns_status
__wrap_dns_ptr(struct dns *d, const struct sockaddr_storage *address,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n)
{
	(void)d;
	(void)address;
	(void)names;
	(void)max;
	*n = 0;
	return DNS_NO_NAME;
}

enum dns_status
__wrap_dns_alias(struct dns *d, const char *name, char target[DNS_NAME_MAX + 1])
{
	(void)d;
	(void)name;
	target[0] = '\0';
	return DNS_NO_NAME;
}

void
__wrap_dns_deadline(struct dns *d, int64_t deadline_ms)
{
	(void)d;
	(void)deadline_ms;
}

/* -- userdb -- */

bool
owners_connect(struct owners *o)
{
	(void)o;
	return true;
}

void
owners_close(struct owners *o)
{
	(void)o;
}

void
owners_keep_nothing(struct owners *o)
{
	(void)o;
}

static bool
is_at_home(const char *address)
{
	return strcmp(address, "ann@example.test") == 0 ||
	    strcmp(address, "eve@example.test") == 0;
}

enum verdict
owners_recipient(struct owners *o, const char *address, bool null,
    struct owners_place *place)
{
	const char *domain = strrchr(address, '@');

	(void)o;
	(void)null;
	*place = (struct owners_place){.mailbox = ""};
	if (is_at_home(address))
		return VERDICT_RECIPIENT_OK;
	return domain != NULL && strcmp(domain, "@example.test") == 0
	    ? VERDICT_USER_UNKNOWN
	    : VERDICT_RELAY_DENIED;
}

enum verdict
owners_may_send(struct owners *o, const char *login, const char *address)
{
	(void)o;
	REQUIRE(strcmp(login, "ann@example.test") == 0 && *address != '\0');
	return VERDICT_SENDER_OK;
}

void
owners_take_login(struct owners *o, int end)
{
	(void)o;
	REQUIRE(fake_logged_in && end >= 0);
	close(end);
	logged_in = true;
}

void
owners_forget_login(struct owners *o)
{
	(void)o;
}

/* -- queue -- */

enum verdict
owners_room(struct owners *o, uint64_t size)
{
	(void)o;
	(void)size;
	return VERDICT_OK;
}

enum verdict
owners_open(
    struct owners *o, int client_fd, uint64_t size, struct submission *m)
{
	(void)o;
	(void)size;
	REQUIRE(client_fd == -1);
	*m = (struct submission){.writer = memfd_create("x", 0), .reader = -1};
	REQUIRE(m->writer != -1);
	strcpy(m->id, "ID");
	return VERDICT_OK;
}

void
owners_done(struct owners *o, const struct submission *m)
{
	(void)o;
	REQUIRE(m->writer == -1);
}

int64_t
owners_deadline(void)
{
	return 0;
}

enum verdict
submit_scratch(struct submission *m, int *fd, int64_t deadline)
{
	(void)m;
	(void)deadline;
	*fd = memfd_create("y", 0);
	return VERDICT_OK;
}

void
submit_abort(struct submission *m)
{
	if (m->writer >= 0)
		close(m->writer);
	m->writer = -1;
}

enum verdict
submit_storage_failed(void)
{
	return VERDICT_INTERNAL;
}

static void
check_content(const char *text, size_t n, const struct submit_envelope *e)
{
	size_t lines = 0;

	/* whoever is no user was judged, and that stands above the line */
	REQUIRE(n > e->start && e->start > 0 && text[e->start - 1] == '\n');
	REQUIRE(logged_in ||
	    memmem(text, e->start,
		"\nAuthentication-Results: mail.example.test", 42) != NULL);
	REQUIRE((e->junk != NULL) ==
	    (memmem(text, e->start, "\nX-Spam-Flag: YES\n", 18) != NULL));
	REQUIRE(strncmp(text, "Return-Path: <", 14) == 0);
	REQUIRE(strncmp(text + e->start,
		    logged_in ? "Received: by " : "Received: from ",
		    logged_in ? 13 : 15) == 0);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(text[i] != '\r' && text[i] != '\0');
		lines += text[i] == '\n';
	}
	REQUIRE(e->wire == n + lines);
}

/* Behind Received, which is folded. */
static size_t
skip_received(const char *text, size_t n)
{
	size_t at = 0;

	do {
		const char *lf = memchr(text + at, '\n', n - at);

		REQUIRE(lf != NULL);
		at = (size_t)(lf - text) + 1;
	} while (at < n && (text[at] == ' ' || text[at] == '\t'));
	return at;
}

/* What is signed is what is kept, and what leaves of it is all signed. */
static void
check_facts(const char *text, size_t n, const struct submit_envelope *e)
{
	size_t at = skip_received(text, n), taken;
	struct dkim_signer *signer = dkim_sign_begin();
	struct header_section section;
	struct dkim_facts facts;
	const char *why;

	REQUIRE(signer != NULL);
	header_init(&section);
	taken = header_take(&section, text + at, n - at);
	header_end(&section);
	dkim_sign_body(signer, text + at + taken, n - at - taken);
	why = dkim_sign_end(signer, &section, &facts);
	REQUIRE((e->facts != NULL) == (why == NULL));
	if (why == NULL) {
		REQUIRE(dkim_facts_check(e->facts) == NULL);
		REQUIRE(strcmp(facts.from, e->facts->from) == 0);
		REQUIRE(
		    memcmp(facts.body, e->facts->body, DKIM_HASH_SIZE) == 0);
		REQUIRE(facts.fields.len == e->facts->fields.len &&
		    memcmp(facts.fields.data, e->facts->fields.data,
			facts.fields.len) == 0);
	}
	buf_free(&facts.fields);
	header_free(&section);
	dkim_sign_free(signer);
}

/* What is demanded of those who come to port 25 (smtpd(8)). */
static void
check_stranger(const struct submit_envelope *e)
{
	const char *domain = strrchr(e->sender, '@');

	REQUIRE(helo_is_name(e->helo));
	REQUIRE(e->sender[0] != '\0' || e->nrecipients == 1);
	REQUIRE(domain == NULL || has_host(domain + 1) || domain[1] == '[' ||
	    e->utf8 || strcmp(domain, "@example.test") == 0);
}

enum verdict
submit_commit(
    struct submission *m, const struct submit_envelope *e, int64_t deadline)
{
	struct stat status;
	char *text;

	(void)deadline;
	REQUIRE(e->nrecipients > 0 && e->nrecipients <= 5);
	for (size_t i = 0; i < e->nrecipients; i++)
		REQUIRE(logged_in || is_at_home(e->recipients[i]));
	if (!logged_in && !tolerated)
		check_stranger(e);
	REQUIRE(e->envid == NULL || dsn_is_envid(e->envid));
	for (size_t i = 0; i < e->nrecipients; i++)
		REQUIRE(e->asked[i].orcpt == NULL ||
		    dsn_is_orcpt(e->asked[i].orcpt));
	REQUIRE(fstat(m->writer, &status) == 0);
	text = calloc(1, (size_t)status.st_size + 1);
	REQUIRE(text != NULL);
	REQUIRE(pread(m->writer, text, (size_t)status.st_size, 0) ==
	    status.st_size);
	check_content(text, (size_t)status.st_size, e);
	if (logged_in)
		check_facts(
		    text + e->start, (size_t)status.st_size - e->start, e);
	else
		REQUIRE(e->facts == NULL);
	free(text);
	committed++;
	return VERDICT_OK;
}

/* -- the session -- */

static const struct config *
get_config(void)
{
	static const char text[] = "hostname mail.example.test\n"
				   "domain example.test\nmax-recipients 5\n"
				   "error-delay 0\ngreet-delay 0\n"
				   "offer-dsn everybody\n"
				   "max-message-size 4000\nsmtp-timeout 10s\n"
				   "auth-mechanisms PLAIN LOGIN OAUTHBEARER "
				   "XOAUTH2 CRAM-MD5 SCRAM-SHA-256\n"
#ifdef HAVE_JANSSON
				   "oauth-issuer i\noauth-audience a\n"
				   "oauth-jwks /x\n"
#endif
	    ;
	static struct config config;
	char error[CONFIG_ERROR_MAX];
	int fd;

	if (config.hostname != NULL)
		return &config;
	fd = memfd_create("config", MFD_CLOEXEC);
	REQUIRE(write(fd, text, sizeof(text) - 1) > 0);
	REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
	REQUIRE(config_load_fd(&config, fd, "config", error) == 0);
	close(fd);
	log_threshold(LEVEL_ERROR);
	return &config;
}

/* "NNN ..." or "NNN-...", printable, CRLF; counts what was accepted. */
static unsigned
check_replies(const char *text, size_t n)
{
	unsigned accepted = 0;

	while (n > 0) {
		const char *lf = memchr(text, '\n', n);
		size_t length = lf == NULL ? 0 : (size_t)(lf - text) + 1;

		REQUIRE(length >= 6 && length <= 512 && lf[-1] == '\r');
		REQUIRE(text[0] >= '2' && text[0] <= '5');
		REQUIRE(text[3] == ' ' || text[3] == '-');
		for (size_t i = 0; i < length - 2; i++)
			REQUIRE(text[i] >= ' ' && text[i] <= '~');
		accepted += strncmp(text, "250 2.0.0 queued as ID", 22) == 0;
		text += length;
		n -= length;
	}
	return accepted;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static char replies[1 << 19];
	struct owners owners = OWNERS_INIT;
	char dns; /* its address is all that is looked at */
	int ends[2];
	ssize_t got;
	size_t have = 0;

	if (n == 0 || n > 32768)
		return 0;
	impatient = octets[0] & WAITS_NOT;
	tolerated = octets[0] & TOLERATED;
	logged_in = fake_logged_in = false;
	committed = 0;
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	REQUIRE(
	    send(ends[0], octets + 1, n - 1, MSG_DONTWAIT) == (ssize_t)n - 1);
	shutdown(ends[0], SHUT_WR);
	(void)session_serve(&(struct session_world){.config = get_config(),
				.owners = &owners,
				.dns = (struct dns *)(void *)&dns},
	    octets[0] & SUBMISSION ? LISTENER_SUBMISSION : LISTENER_SMTP, NULL,
	    ends[1], -1);
	while (
	    (got = read(ends[0], replies + have, sizeof(replies) - have)) > 0)
		have += (size_t)got;
	REQUIRE(check_replies(replies, have) == committed);
	close(ends[0]);
	return 0;
}
