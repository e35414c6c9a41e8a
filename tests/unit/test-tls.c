/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/unit/tls-peer.h"

static char folder[] = "/tmp/test-tls-XXXXXX";
static char trust[64];
static struct tls_pair a_ec, a_rsa, b_ec, wild;
static SSL_CTX *openssl;

static struct tls_server *
make_server(size_t n, const struct tls_pair *pairs)
{
	struct tls_server *server = tls_server_new("smtp");

	assert_non_null(server);
	assert_true(tls_server_set(server, pairs, n));
	return server;
}

static struct tls_client *
new_client(void)
{
	/* one that cannot be read stands first */
	char pem[16384] = "-----BEGIN CERTIFICATE-----\nAAAA\n"
			  "-----END CERTIFICATE-----\n";
	size_t n = strlen(pem);
	FILE *f = fopen(trust, "r");

	n += fread(pem + n, 1, sizeof(pem) - n, f);
	fclose(f);
	return tls_client_new(pem, n);
}

/* A handshake with this peer; our end. */
static enum tls_result
accept_peer(
    struct tls_server *server, struct peer *p, struct stream *s, char *error)
{
	*s = start_peer(p);
	return tls_accept(server, s, true, error);
}

static void
end_peer(struct peer *p, struct stream *s)
{
	stream_close(s);
	join_peer(p);
}

/* The peer's result of one whole session in which nothing is said. */
static enum tls_result
meet(struct tls_server *server, struct peer *p)
{
	char error[TLS_ERROR_MAX];
	struct stream s;
	struct span octets;

	if (accept_peer(server, p, &s, error) == TLS_OK)
		assert_int_equal(stream_peek(&s, &octets), STREAM_EOF);
	end_peer(p, &s);
	return p->result;
}

/* -- both ends -- */

static void
echo_twice(struct peer *p)
{
	struct span line;
	bool bare;

	for (int i = 0; i < 2; i++) {
		if (stream_line(&p->stream, 1000, &line, &bare) != STREAM_OK)
			return;
		stream_put(&p->stream, line.data, line.len);
		stream_puts(&p->stream, "\r\n");
	}
	(void)stream_flush(&p->stream);
}

static void
both_ends(void **state)
{
	const char *names[] = {"other.test", "a.test"};
	struct tls_server *server = make_server(1, &a_ec);
	struct peer p = {.client = new_client(),
	    .demand = {.policy = TLS_NAMES,
		.server_name = "a.test",
		.names = names,
		.nnames = 2},
	    .talk = echo_twice};
	char error[TLS_ERROR_MAX];
	unsigned char binding[TLS_BINDING_MAX];
	struct tls_info info;
	struct stream s;
	struct span line;
	size_t n;
	bool bare;

	(void)state;
	assert_int_equal(accept_peer(server, &p, &s, error), TLS_OK);
	assert_true(tls_info(&s, &info));
	assert_string_equal(info.protocol, "TLSv1.3");
	assert_string_equal(info.summary, "TLSv1.3:TLS_AES_256_GCM_SHA384");
	assert_string_equal(info.name, "a.test");
	assert_int_equal(info.bits, 256);
	stream_puts(&s, "one\r\ntwo\r\n");
	assert_int_equal(stream_line(&s, 1000, &line, &bare), STREAM_OK);
	assert_memory_equal(line.data, "one", 3);
	assert_int_equal(stream_line(&s, 1000, &line, &bare), STREAM_OK);
	assert_memory_equal(line.data, "two", 3);
	assert_int_equal(stream_line(&s, 1000, &line, &bare), STREAM_EOF);
	assert_int_equal(s.octets_in, 10);
	assert_int_equal(s.octets_out, 10);
	for (int i = 0; i < 2; i++) {
		assert_true(tls_binding(&s, i, binding, &n));
		assert_int_equal(n, 32);
		assert_int_equal(p.nbinding[i], 32);
		assert_memory_equal(binding, p.binding[i], 32);
	}
	end_peer(&p, &s);
	assert_int_equal(p.result, TLS_OK);
	assert_true(p.info.verified);
	assert_string_equal(p.info.cipher, info.cipher);
	tls_client_free(p.client);
	tls_server_free(server);
}

static void
without_tls_there_is_nothing(void **state)
{
	unsigned char binding[TLS_BINDING_MAX];
	struct tls_info info;
	struct stream s = {.layer = NULL};
	size_t n;

	(void)state;
	assert_false(tls_info(&s, &info));
	assert_string_equal(info.summary, "");
	assert_false(tls_binding(&s, TLS_EXPORTER, binding, &n));
	assert_false(tls_binding(&s, TLS_SERVER_END_POINT, binding, &n));
}

enum { MUCH = 3 << 20 };

static void
send_much(struct peer *p)
{
	char octets[1000];

	for (size_t n = 0; n < MUCH; n += sizeof(octets)) {
		memset(octets, (int)(n / sizeof(octets)), sizeof(octets));
		stream_put(&p->stream, octets, sizeof(octets));
	}
	(void)stream_flush(&p->stream);
}

static void
much(void **state)
{
	struct tls_server *server = make_server(1, &a_rsa);
	struct peer p = {.client = new_client(), .talk = send_much};
	char error[TLS_ERROR_MAX];
	struct stream s;
	struct span octets;
	size_t got = 0;

	(void)state;
	assert_int_equal(accept_peer(server, &p, &s, error), TLS_OK);
	while (stream_peek(&s, &octets) == STREAM_OK) {
		for (size_t i = 0; i < octets.len; i++, got++)
			if ((unsigned char)octets.data[i] !=
			    (unsigned char)(got / 1000))
				fail_msg("octet %zu", got);
		stream_took(&s, octets.len);
	}
	assert_true(got >= MUCH);
	assert_int_equal(s.octets_in, got);
	end_peer(&p, &s);
	tls_client_free(p.client);
	tls_server_free(server);
}

/* -- who the server is -- */

static void
verify(struct tls_server *server, const char *name, enum tls_policy policy,
    struct peer *p)
{
	const char *names[] = {name};

	*p = (struct peer){.client = new_client(),
	    .demand = {.policy = policy,
		.server_name = name,
		.names = names,
		.nnames = name != NULL}};
	(void)meet(server, p);
	tls_client_free(p->client);
}

static void
names(void **state)
{
	struct tls_server *server = make_server(1, &a_ec);
	struct tls_server *stranger = make_server(1, &b_ec);
	struct peer p;

	(void)state;
	verify(server, "a.test", TLS_NAMES, &p);
	assert_int_equal(p.result, TLS_OK);
	assert_true(p.info.verified);
	verify(server, "b.test", TLS_NAMES, &p);
	assert_int_equal(p.result, TLS_UNVERIFIED);
	assert_string_equal(p.error, "hostname mismatch");
	/* The common name is no name (RFC 6125 section 6.4.4). */
	verify(server, "common.test", TLS_NAMES, &p);
	assert_int_equal(p.result, TLS_UNVERIFIED);
	verify(stranger, "b.test", TLS_NAMES, &p);
	assert_int_equal(p.result, TLS_UNVERIFIED);
	verify(server, NULL, TLS_NAMES, &p);
	assert_int_equal(p.result, TLS_UNVERIFIED);
	verify(stranger, "wrong.test", TLS_ANY, &p);
	assert_int_equal(p.result, TLS_OK);
	assert_false(p.info.verified);
	tls_server_free(server);
	tls_server_free(stranger);
}

static void
records(void **state)
{
	static const struct {
		uint8_t usage;
		bool right;
		enum tls_result result;
		bool verified;
	} cases[] = {
	    {3, true, TLS_OK, true},
	    {3, false, TLS_UNVERIFIED, false},
	    {2, false, TLS_UNVERIFIED, false},
	    {1, true, TLS_OK, false}, /* RFC 7672 section 3.1.3 */
	    {0, false, TLS_OK, false},
	};
	struct tls_server *server = make_server(1, &b_ec);
	unsigned char *spki = NULL, digest[32];
	int n = i2d_PUBKEY(b_ec.key, &spki);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_record record = {cases[i].usage, 1, 1, digest, 32};
		struct peer p = {.client = new_client(),
		    .demand = {.policy = TLS_DANE,
			.server_name = "mx.elsewhere.test",
			.records = &record,
			.nrecords = 1}};

		EVP_Digest(spki, (size_t)n, digest, NULL, EVP_sha256(), NULL);
		digest[0] ^= !cases[i].right;
		assert_int_equal(meet(server, &p), cases[i].result);
		assert_int_equal(p.info.verified, cases[i].verified);
		tls_client_free(p.client);
	}
	OPENSSL_free(spki);
	tls_server_free(server);
}

/* -- which certificate -- */

static bool
is_shown(const struct peer *p, const struct tls_pair *pair)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	X509_digest(leaf_of(pair), EVP_sha256(), digest, NULL);
	return memcmp(p->leaf, digest, 32) == 0;
}

static void
choice_of_certificate(void **state)
{
	const struct tls_pair pairs[] = {b_ec, a_ec, wild, a_rsa};
	static const struct {
		const char *name, *signatures;
		const struct tls_pair *shown;
	} cases[] = {
	    {NULL, "ECDSA+SHA256:rsa_pss_rsae_sha256", &b_ec},
	    {"nobody.elsewhere", "ECDSA+SHA256:rsa_pss_rsae_sha256", &b_ec},
	    {"a.test", "ECDSA+SHA256:rsa_pss_rsae_sha256", &a_ec},
	    {"A.Test", "rsa_pss_rsae_sha256", &a_rsa},
	    {"b.test", "ECDSA+SHA256", &b_ec},
	    {"www.wild.test", "ECDSA+SHA256", &wild},
	    {"deep.www.wild.test", "ECDSA+SHA256", &b_ec},
	    {"wild.test", "ECDSA+SHA256", &b_ec},
	};
	struct tls_server *server = make_server(4, pairs);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer p = {.context = SSL_CTX_new(TLS_client_method()),
		    .server_name = cases[i].name};

		SSL_CTX_set1_sigalgs_list(p.context, cases[i].signatures);
		assert_int_equal(meet(server, &p), TLS_OK);
		if (!is_shown(&p, cases[i].shown))
			fail_msg("case %zu: %s", i, p.leaf_kind);
		SSL_SESSION_free(p.session);
		SSL_CTX_free(p.context);
	}
	tls_server_free(server);
}

static void
change_of_certificates(void **state)
{
	const struct tls_pair wrong[] = {b_ec, {a_ec.chain, b_ec.key}};
	struct tls_server *server = make_server(1, &a_ec);
	struct peer p = {.context = openssl};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	log_to_file(null, "test");
	assert_false(tls_server_set(server, wrong, 2));
	log_to_stderr("test");
	close(null);
	assert_int_equal(meet(server, &p), TLS_OK);
	assert_true(is_shown(&p, &a_ec));
	SSL_SESSION_free(p.session);
	p.session = NULL;
	assert_true(tls_server_set(server, &b_ec, 1));
	assert_int_equal(meet(server, &p), TLS_OK);
	assert_true(is_shown(&p, &b_ec));
	SSL_SESSION_free(p.session);
	assert_true(tls_server_set(server, NULL, 0));
	assert_false(tls_server_ready(server));
	tls_server_free(server);
}

/* -- what a client may want -- */

static void
alpn(void **state)
{
	static const struct {
		const char *offered;
		enum tls_result result;
	} cases[] = {{NULL, TLS_OK}, {"smtp", TLS_OK}, {"h2", TLS_FAILED},
	    {"http/1.1", TLS_FAILED}, {"smt", TLS_FAILED}};
	struct tls_server *server = make_server(1, &a_ec);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer p = {.context = openssl, .alpn = cases[i].offered};

		assert_int_equal(meet(server, &p), cases[i].result);
		SSL_SESSION_free(p.session);
	}
	tls_server_free(server);
}

static void
versions_and_ciphers(void **state)
{
	static const struct {
		int version;
		const char *ciphers;
		enum tls_result result;
	} cases[] = {
	    {TLS1_1_VERSION, "ALL:@SECLEVEL=0", TLS_FAILED},
	    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", TLS_OK},
	    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA", TLS_FAILED},
	    {TLS1_3_VERSION, "DEFAULT", TLS_OK},
	};
	struct tls_server *server = make_server(1, &a_ec);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer p = {.context = SSL_CTX_new(TLS_client_method())};

		SSL_CTX_set_min_proto_version(p.context, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(p.context, cases[i].version);
		assert_int_equal(
		    SSL_CTX_set_cipher_list(p.context, cases[i].ciphers), 1);
		assert_int_equal(meet(server, &p), cases[i].result);
		SSL_SESSION_free(p.session);
		SSL_CTX_free(p.context);
	}
	tls_server_free(server);
}

/* -- tickets -- */

static void
read_a_line(struct peer *p)
{
	char octets[16];

	/* In TLS 1.3 the ticket comes before it. */
	(void)SSL_read(p->ssl, octets, sizeof(octets));
}

/* A session that takes up the peer's last; was it taken up? */
static bool
resume(struct tls_server *server, bool tickets, struct peer *p)
{
	char error[TLS_ERROR_MAX];
	unsigned char end_point[TLS_BINDING_MAX];
	SSL_SESSION *before = p->session;
	struct tls_info info;
	struct stream s;
	struct span octets;
	size_t n;

	p->context = openssl;
	p->talk = read_a_line;
	s = start_peer(p);
	assert_int_equal(tls_accept(server, &s, tickets, error), TLS_OK);
	stream_puts(&s, "hello\r\n");
	assert_int_equal(stream_peek(&s, &octets), STREAM_EOF);
	assert_true(tls_info(&s, &info));
	assert_true(tls_binding(&s, TLS_SERVER_END_POINT, end_point, &n));
	end_peer(p, &s);
	SSL_SESSION_free(before);
	assert_int_equal(info.resumed, p->resumed);
	assert_memory_equal(end_point, p->leaf, n);
	return p->resumed;
}

static void
tickets(void **state)
{
	unsigned char keys[3][TLS_TICKET_KEY_SIZE];
	const struct tls_pair changed[] = {b_ec, a_ec};
	struct tls_server *server = make_server(1, &a_ec);
	struct peer p = {.context = openssl};

	(void)state;
	for (int i = 0; i < 3; i++)
		memset(keys[i], 'a' + i, sizeof(keys[i]));
	assert_false(resume(server, true, &p));
	assert_false(SSL_SESSION_is_resumable(p.session));
	tls_server_tickets(server, keys[0], NULL);
	assert_false(resume(server, false, &p));
	assert_false(SSL_SESSION_is_resumable(p.session));
	assert_false(resume(server, true, &p));
	assert_true(resume(server, true, &p));
	tls_server_tickets(server, keys[1], keys[0]);
	assert_true(resume(server, true, &p));
	tls_server_tickets(server, keys[2], keys[0]);
	assert_false(resume(server, true, &p));
	/* Under other certificates, among them the one that was seen ... */
	assert_true(tls_server_set(server, changed, 2));
	assert_true(resume(server, true, &p));
	/* ... and then not. */
	assert_true(tls_server_set(server, &b_ec, 1));
	assert_false(resume(server, true, &p));
	SSL_SESSION_free(p.session);
	tls_server_free(server);
}

/* -- misbehaviour -- */

static void
silence_and_dripping_end(void **state)
{
	/* The begin of a ClientHello that never gets whole. */
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03";
	struct tls_server *server = make_server(1, &a_ec);
	char error[TLS_ERROR_MAX];

	(void)state;
	for (size_t n = 0; n < sizeof(hello); n++) {
		struct stream s;
		int ends[2];
		int64_t began = clock_monotonic_ms();

		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
		assert_int_equal(write(ends[1], hello, n), (ssize_t)n);
		stream_init(&s, ends[0], ends[0]);
		stream_limit(&s, 20);
		assert_int_equal(
		    tls_accept(server, &s, false, error), TLS_TIMEOUT);
		assert_in_range(clock_monotonic_ms() - began, 20, 5000);
		stream_close(&s);
		close(ends[1]);
	}
	tls_server_free(server);
}

static void
update_keys_for_ever(struct peer *p)
{
	while (SSL_key_update(p->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
	    SSL_do_handshake(p->ssl) == 1)
		continue;
}

/* Records without data are no sign of life (A21). */
static void
records_without_data(void **state)
{
	struct tls_server *server = make_server(1, &a_ec);
	struct peer p = {.context = openssl, .talk = update_keys_for_ever};
	char error[TLS_ERROR_MAX];
	struct stream s;
	struct span octets;

	(void)state;
	assert_int_equal(accept_peer(server, &p, &s, error), TLS_OK);
	stream_limit(&s, 200);
	assert_int_equal(stream_peek(&s, &octets), STREAM_TIMEOUT);
	assert_false(stream_has_input(&s));
	end_peer(&p, &s);
	SSL_SESSION_free(p.session);
	tls_server_free(server);
}

static void
say_hello(struct peer *p)
{
	char octet;

	/* Not with the handshake, which would be read together. */
	(void)SSL_read(p->ssl, &octet, 1);
	(void)SSL_write(p->ssl, "hello\r\n", 7);
	(void)SSL_read(p->ssl, &octet, 1);
}

/* Not even what waits there, for it might be without an end. */
static void
nothing_is_read_after_the_deadline(void **state)
{
	struct tls_server *server = make_server(1, &a_ec);
	struct peer p = {.context = openssl, .talk = say_hello};
	char error[TLS_ERROR_MAX], octets[16];
	struct stream s;
	short events = 0;

	(void)state;
	assert_int_equal(accept_peer(server, &p, &s, error), TLS_OK);
	stream_puts(&s, "!");
	assert_int_equal(stream_flush(&s), STREAM_OK);
	assert_int_equal(stream_wait(&s, POLLIN), STREAM_OK);
	stream_limit(&s, 0);
	assert_int_equal(
	    s.layer->read(s.layer_context, octets, sizeof(octets), &events),
	    -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(events, POLLIN);
	assert_false(stream_has_input(&s));
	stream_limit(&s, SOON);
	assert_true(stream_has_input(&s));
	end_peer(&p, &s);
	SSL_SESSION_free(p.session);
	tls_server_free(server);
}

static ssize_t
read_nothing(void *context, void *octets, size_t n, short *events)
{
	(void)context, (void)octets, (void)n;
	*events = POLLIN;
	errno = EAGAIN;
	return -1;
}

static void
end_nothing(void *context)
{
	(void)context;
}

/* The same, for ever: there is always something to read, and never input. */
static void
a_layer_that_is_kept_busy(void **state)
{
	static const struct stream_layer busy = {
	    .read = read_nothing, .end = end_nothing};
	struct stream s;
	struct span octets;
	int ends[2];

	(void)state;
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	assert_int_equal(write(ends[1], "x", 1), 1);
	stream_init(&s, ends[0], ends[0]);
	stream_layer(&s, &busy, NULL);
	stream_limit(&s, 50);
	assert_int_equal(stream_peek(&s, &octets), STREAM_TIMEOUT);
	assert_false(stream_has_input(&s));
	stream_close(&s);
	close(ends[1]);
}

static void
renegotiate(struct peer *p)
{
	char octet;

	SSL_renegotiate(p->ssl);
	(void)SSL_do_handshake(p->ssl);
	(void)SSL_read(p->ssl, &octet, 1);
}

static void
no_renegotiation(void **state)
{
	struct tls_server *server = make_server(1, &a_ec);
	struct peer p = {
	    .context = SSL_CTX_new(TLS_client_method()), .talk = renegotiate};
	char error[TLS_ERROR_MAX];
	struct stream s;
	struct span octets;

	(void)state;
	SSL_CTX_set_max_proto_version(p.context, TLS1_2_VERSION);
	assert_int_equal(accept_peer(server, &p, &s, error), TLS_OK);
	assert_int_not_equal(stream_peek(&s, &octets), STREAM_OK);
	end_peer(&p, &s);
	SSL_SESSION_free(p.session);
	SSL_CTX_free(p.context);
	tls_server_free(server);
}

static void
say_and_go(struct peer *p)
{
	p->not_blocking_end = true;
	SSL_write(p->ssl, "half a li", 9);
}

static void
say_end_and_go_on(struct peer *p)
{
	SSL_write(p->ssl, "whole\r\n", 7);
	SSL_shutdown(p->ssl);
	(void)send(p->fd, "QUIT\r\n", 6, 0); /* they may be gone already */
	p->not_blocking_end = true;
}

static void
say_nonsense(struct peer *p)
{
	(void)send(p->fd, "RSET\r\nQUIT\r\n", 12, 0);
	p->not_blocking_end = true;
}

/* A5: the end of TLS is the end, whatever comes or does not come. */
static void
teardown(void **state)
{
	static const struct {
		void (*talk)(struct peer *);
		bool whole;
		enum stream_result last;
	} cases[] = {
	    {say_and_go, false, STREAM_EOF},
	    {say_end_and_go_on, true, STREAM_EOF},
	    {say_nonsense, false, STREAM_ERROR},
	};
	struct tls_server *server = make_server(1, &a_ec);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer p = {.context = openssl, .talk = cases[i].talk};
		char error[TLS_ERROR_MAX];
		struct stream s;
		struct span line;
		bool bare;

		assert_int_equal(accept_peer(server, &p, &s, error), TLS_OK);
		if (cases[i].whole)
			assert_int_equal(
			    stream_line(&s, 100, &line, &bare), STREAM_OK);
		for (int again = 0; again < 3; again++) {
			assert_int_equal(
			    stream_line(&s, 100, &line, &bare), cases[i].last);
			assert_true(stream_has_input(&s));
		}
		end_peer(&p, &s);
		SSL_SESSION_free(p.session);
	}
	tls_server_free(server);
}

/* A3: what came in the clear is never taken for what came protected. */
static void
what_was_sent_ahead(void **state)
{
	struct tls_server *server = make_server(1, &a_ec);
	struct peer p = {.client = new_client(), .talk = echo_twice};
	char error[TLS_ERROR_MAX];
	struct stream s;
	struct span line;
	int ends[2];
	bool bare;

	(void)state;
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	stream_init(&s, ends[0], ends[0]);
	stream_limit(&s, SOON);
	assert_int_equal(write(ends[1], "STARTTLS\r\nNOOP\r\nRS", 18), 18);
	assert_int_equal(stream_line(&s, 100, &line, &bare), STREAM_OK);
	assert_true(stream_has_input(&s));
	p.fd = ends[1];
	pthread_create(&p.thread, NULL, run_peer, &p);
	assert_int_equal(tls_accept(server, &s, false, error), TLS_OK);
	assert_false(stream_has_input(&s));
	stream_puts(&s, "x\r\ny\r\n");
	assert_int_equal(stream_line(&s, 100, &line, &bare), STREAM_OK);
	assert_int_equal(line.len, 1);
	end_peer(&p, &s);
	tls_client_free(p.client);
	tls_server_free(server);
}

static void
discard(void **state)
{
	struct stream s;
	struct span line;
	int ends[2];
	bool bare;

	(void)state;
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	stream_init(&s, ends[0], ends[0]);
	stream_limit(&s, SOON);
	assert_false(stream_discard(&s));
	assert_int_equal(write(ends[1], "a\r\nb", 4), 4);
	assert_int_equal(stream_line(&s, 100, &line, &bare), STREAM_OK);
	assert_true(stream_discard(&s));
	assert_false(stream_discard(&s));
	assert_int_equal(write(ends[1], "c\r\n", 3), 3);
	assert_int_equal(stream_line(&s, 100, &line, &bare), STREAM_OK);
	assert_int_equal(line.len, 1);
	assert_memory_equal(line.data, "c", 1);
	stream_close(&s);
	close(ends[1]);
}

/* -- against openssl(1) -- */

static pid_t
run_openssl_program(int in, int out, const char *const *arguments)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp("openssl", (char *const *)arguments);
	_exit(127);
}

static int
listen_somewhere(char *address, size_t n)
{
	struct sockaddr_storage a;
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &length), 0);
	snprintf(address, n, "127.0.0.1:%u",
	    ((unsigned char *)&a)[2] * 256U + ((unsigned char *)&a)[3]);
	return fd;
}

static void
openssl_client(void **state)
{
	struct tls_server *server = make_server(1, &a_ec);
	char address[64], error[TLS_ERROR_MAX];
	int listener = listen_somewhere(address, sizeof(address)), in[2],
	    out[2];
	const char *arguments[] = {"openssl", "s_client", "-connect", address,
	    "-servername", "a.test", "-verify_return_error", "-CAfile", trust,
	    "-verify_hostname", "a.test", "-quiet", NULL};
	struct stream s;
	struct span line;
	bool bare;
	char answer[8] = "";
	pid_t pid;
	int fd, status;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = run_openssl_program(in[0], out[1], arguments);
	fd = accept(listener, NULL, NULL);
	stream_init(&s, fd, fd);
	stream_limit(&s, SOON);
	assert_int_equal(tls_accept(server, &s, false, error), TLS_OK);
	stream_puts(&s, "220 x\r\n");
	assert_int_equal(stream_flush(&s), STREAM_OK);
	assert_int_equal(read(out[0], answer, 7), 7);
	assert_string_equal(answer, "220 x\r\n");
	assert_int_equal(write(in[1], "EHLO\r\n", 6), 6);
	assert_int_equal(stream_line(&s, 100, &line, &bare), STREAM_OK);
	assert_int_equal(line.len, 4);
	stream_close(&s);
	close(in[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(in[0]), close(out[0]), close(out[1]), close(listener);
	tls_server_free(server);
}

static void
openssl_server(void **state)
{
	char certificate[80], key[80], address[64], error[TLS_ERROR_MAX];
	int listener = listen_somewhere(address, sizeof(address)), in[2],
	    out[2];
	const char *arguments[] = {"openssl", "s_server", "-accept", address,
	    "-cert", certificate, "-key", key, "-quiet", "-naccept", "1", NULL};
	const char *names[] = {"a.test"};
	struct tls_demand demand = {TLS_NAMES, "a.test", names, 1, NULL, 0};
	struct tls_client *client = new_client();
	struct sockaddr_storage a;
	socklen_t length = sizeof(a);
	struct tls_info info;
	struct stream s;
	struct span line;
	bool bare;
	int fd = -1, status;
	pid_t pid;

	(void)state;
	snprintf(certificate, sizeof(certificate), "%s/a.pem", folder);
	snprintf(key, sizeof(key), "%s/a.key", folder);
	write_pair(&a_rsa, certificate, key);
	getsockname(listener, (struct sockaddr *)&a, &length);
	close(listener); /* its port is openssl's now */
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = run_openssl_program(in[0], out[1], arguments);
	for (int i = 0; i < 1000; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&a, length) == 0)
			break;
		close(fd);
		poll(NULL, 0, 10);
	}
	stream_init(&s, fd, fd);
	stream_limit(&s, SOON);
	assert_int_equal(tls_connect(client, &s, &demand, error), TLS_OK);
	assert_true(tls_info(&s, &info));
	assert_true(info.verified);
	assert_int_equal(write(in[1], "250 fine\r\n", 10), 10);
	assert_int_equal(stream_line(&s, 100, &line, &bare), STREAM_OK);
	stream_close(&s);
	close(in[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(in[0]), close(out[0]), close(out[1]);
	unlink(certificate), unlink(key);
	tls_client_free(client);
}

/* -- all of it -- */

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(trust, sizeof(trust), "%s/trust.pem", folder);
	openssl = SSL_CTX_new(TLS_client_method());
	a_ec = make_pair("EC", "DNS:a.test,DNS:also-a.test");
	a_rsa = make_pair("RSA", "DNS:a.test");
	b_ec = make_pair("EC", "DNS:b.test");
	wild = make_pair("EC", "DNS:*.wild.test");
	FILE *f = fopen(trust, "w");
	PEM_write_X509(f, leaf_of(&a_ec));
	PEM_write_X509(f, leaf_of(&a_rsa));
	return fclose(f);
}

static int
tear_down(void **state)
{
	(void)state;
	free_pair(&a_ec), free_pair(&a_rsa), free_pair(&b_ec), free_pair(&wild);
	SSL_CTX_free(openssl);
	unlink(trust);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends),
	    cmocka_unit_test(without_tls_there_is_nothing),
	    cmocka_unit_test(much),
	    cmocka_unit_test(names),
	    cmocka_unit_test(records),
	    cmocka_unit_test(choice_of_certificate),
	    cmocka_unit_test(change_of_certificates),
	    cmocka_unit_test(alpn),
	    cmocka_unit_test(versions_and_ciphers),
	    cmocka_unit_test(tickets),
	    cmocka_unit_test(silence_and_dripping_end),
	    cmocka_unit_test(records_without_data),
	    cmocka_unit_test(nothing_is_read_after_the_deadline),
	    cmocka_unit_test(a_layer_that_is_kept_busy),
	    cmocka_unit_test(no_renegotiation),
	    cmocka_unit_test(teardown),
	    cmocka_unit_test(what_was_sent_ahead),
	    cmocka_unit_test(discard),
	    cmocka_unit_test(openssl_client),
	    cmocka_unit_test(openssl_server),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
