/* SPDX-License-Identifier: ISC */
/*
 * tlsload [-x] [-b] [-u USERS -p PASSWORD] PROTOCOL PORT CLIENTS SECONDS
 *
 * CLIENTS processes, each with a session after the other on 127.0.0.1:
 * greeting, TLS, a login where USERS is given, QUIT.  Every handshake is a
 * full TLS 1.3 one with an ECDSA P-256 certificate (which nobody verifies,
 * the signature by its key is), or the session counts as failed.
 *
 * PROTOCOL	smtp (STARTTLS), smtps, pop3 (STLS), pop3s; clear-smtp and
 *		clear-pop3 without TLS
 * -u		a printf pattern such as u%d@example.test; client number n is
 *		user n.  AUTH PLAIN in SMTP, USER and PASS in POP3
 * -x		the login must be refused; the session ends with that
 * -b		client number n comes from 127.1.n.1
 *
 * With SECONDS 0 each client has one session.  Prints "SESSIONS SECONDS
 * CPU-SECONDS", the last of the clients alone; fails if any session did.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 1024 };

struct tally {
	unsigned long sessions;
	bool failed;
};

struct load {
	SSL_CTX *tls;
	const char *users, *password;
	bool smtp, clear, implicit, refused, many_addresses;
	in_port_t port;
	double seconds;
};

struct session {
	BIO *io, *socket; /* a buffer; what is below it, or below TLS */
	const struct load *load;
	int number;
	char line[LINE]; /* last of the last reply */
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
dial(const struct load *load, int number)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons(load->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(0x7f010001U | (unsigned)number << 8)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0)
		return -1;
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((load->many_addresses &&
		bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0) ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
reply(struct session *s)
{
	s->line[0] = '\0';
	do
		if (BIO_gets(s->io, s->line, sizeof(s->line)) < 4)
			return false;
	while (s->load->smtp && s->line[3] == '-');
	return s->line[0] == (s->load->smtp ? '2' : '+');
}

static bool
refused(const struct session *s)
{
	return s->line[0] == (s->load->smtp ? '5' : '-');
}

static bool
say(struct session *s, const char *line)
{
	return BIO_puts(s->io, line) > 0 && BIO_puts(s->io, "\r\n") > 0 &&
	    BIO_flush(s->io) == 1 && reply(s);
}

/* What comes after a handshake is worth counting only if this is true. */
static bool
as_agreed(SSL *ssl)
{
	X509 *x = SSL_get0_peer_certificate(ssl);
	char curve[32];

	return SSL_version(ssl) == TLS1_3_VERSION && !SSL_session_reused(ssl) &&
	    x != NULL &&
	    EVP_PKEY_get_group_name(
		X509_get0_pubkey(x), curve, sizeof(curve), NULL) == 1 &&
	    strcmp(curve, "prime256v1") == 0;
}

/* Puts TLS under the buffer. */
static bool
protect(struct session *s)
{
	SSL *ssl;
	BIO *tls = BIO_new_ssl(s->load->tls, 1);

	if (tls == NULL)
		return false;
	BIO_pop(s->io);
	BIO_push(s->io, BIO_push(tls, s->socket));
	return BIO_get_ssl(tls, &ssl) == 1 &&
	    SSL_set_tlsext_host_name(ssl, "mail.example.test") == 1 &&
	    BIO_do_handshake(tls) == 1 && as_agreed(ssl);
}

static bool
auth_plain(struct session *s, const char *user)
{
	static const char verb[] = "AUTH PLAIN ";
	char text[LINE / 2], line[LINE];
	int n = snprintf(text, sizeof(text), "%c%s%c%s", '\0', user, '\0',
	    s->load->password);

	if (n < 0 || (size_t)n >= sizeof(text))
		return false;
	memcpy(line, verb, sizeof(verb));
	EVP_EncodeBlock((unsigned char *)line + sizeof(verb) - 1,
	    (const unsigned char *)text, n);
	return say(s, "EHLO client.test") && say(s, line);
}

static bool
user_pass(struct session *s, const char *user)
{
	char line[LINE];

	(void)snprintf(line, sizeof(line), "USER %s", user);
	if (!say(s, line))
		return false;
	(void)snprintf(line, sizeof(line), "PASS %s", s->load->password);
	return say(s, line);
}

static bool
login(struct session *s)
{
	const char *users = s->load->users, *at = strstr(users, "%d");
	char user[LINE / 4];

	(void)snprintf(user, sizeof(user), "%.*s%d%s",
	    at == NULL ? 0 : (int)(at - users), users, s->number,
	    at == NULL ? "" : at + 2);
	return s->load->smtp ? auth_plain(s, user) : user_pass(s, user);
}

static bool
start_tls(struct session *s)
{
	if (s->load->smtp && !say(s, "EHLO client.test"))
		return false;
	return say(s, s->load->smtp ? "STARTTLS" : "STLS") && protect(s);
}

static bool
converse(struct session *s)
{
	const struct load *load = s->load;

	if ((load->implicit && !protect(s)) || !reply(s) ||
	    (!load->clear && !load->implicit && !start_tls(s)))
		return false;
	if (load->refused)
		return !login(s) && refused(s);
	return (load->users == NULL || login(s)) && say(s, "QUIT");
}

static bool
session(const struct load *load, int number)
{
	int fd = dial(load, number);
	struct session s = {.load = load, .number = number};
	bool ok;

	if (fd < 0)
		return false;
	s.socket = BIO_new_socket(fd, BIO_CLOSE);
	s.io = BIO_new(BIO_f_buffer());
	if (s.socket == NULL || s.io == NULL)
		return false;
	BIO_push(s.io, s.socket);
	ok = converse(&s);
	if (!ok)
		fprintf(stderr, "tlsload: %d: %s\n", number, s.line);
	BIO_free_all(s.io);
	return ok;
}

static void
client(const struct load *load, int number, struct tally *t)
{
	double end = now() + load->seconds;

	do
		if (session(load, number))
			t->sessions++;
		else
			t->failed = true;
	while (!t->failed && now() < end);
}

static SSL_CTX *
client_tls(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL ||
	    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set1_sigalgs_list(tls, "ECDSA+SHA256") != 1)
		return NULL;
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	return tls;
}

static bool
protocol(struct load *load, const char *name)
{
	load->clear = strncmp(name, "clear-", 6) == 0;
	if (load->clear)
		name += 6;
	load->smtp = strncmp(name, "smtp", 4) == 0;
	if (!load->smtp && strncmp(name, "pop3", 4) != 0)
		return false;
	load->implicit = strcmp(name + 4, "s") == 0;
	return name[4] == '\0' || (load->implicit && !load->clear);
}

static int
options(struct load *load, int argc, char **argv)
{
	int c, clients;

	while ((c = getopt(argc, argv, "bp:u:x")) != -1)
		switch (c) {
		case 'b':
			load->many_addresses = true;
			break;
		case 'p':
			load->password = optarg;
			break;
		case 'u':
			load->users = optarg;
			break;
		case 'x':
			load->refused = true;
			break;
		default:
			return -1;
		}
	argv += optind;
	if (argc - optind != 4 || !protocol(load, argv[0]) ||
	    (load->users == NULL) != (load->password == NULL) ||
	    (load->refused && load->users == NULL))
		return -1;
	load->port = (in_port_t)strtoul(argv[1], NULL, 10);
	load->seconds = strtod(argv[3], NULL);
	clients = atoi(argv[2]);
	return clients < 1 || clients > 255 ? -1 : clients;
}

static void
print(const struct tally *tallies, int clients, double seconds)
{
	unsigned long sessions = 0;
	struct rusage used;

	for (int i = 0; i < clients; i++)
		sessions += tallies[i].sessions;
	getrusage(RUSAGE_CHILDREN, &used);
	printf("%lu %.6f %.6f\n", sessions, seconds,
	    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

int
main(int argc, char **argv)
{
	struct load load = {.tls = client_tls()};
	int clients = options(&load, argc, argv), failed = 0;
	struct tally *tallies;
	double begin = now();

	if (clients == -1) {
		fprintf(stderr,
		    "usage: tlsload [-bx] [-u users -p password] "
		    "protocol port clients seconds\n");
		return 2;
	}
	tallies = mmap(NULL, (size_t)clients * sizeof(*tallies),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED || load.tls == NULL)
		return 1;
	for (int i = 0; i < clients; i++)
		switch (fork()) {
		case -1:
			perror("tlsload: fork");
			return 1;
		case 0:
			client(&load, i + 1, &tallies[i]);
			_exit(tallies[i].failed);
		}
	for (int status; wait(&status) > 0;)
		failed |= status;
	print(tallies, clients, now() - begin);
	return failed != 0;
}
