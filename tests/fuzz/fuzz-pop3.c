/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create */
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "build.h"
#include "common/config.h"
#include "common/log.h"
#include "common/netaddr.h"
#include "common/proxy.h"
#include "pop3d/pop3.h"
#include "tests/fuzz/fake-login.h"
#include "tests/fuzz/fuzz.h"

/*
 * Whole POP3 sessions.  This file takes the place of userdb and mailbox.
 * Nothing of a mailbox is touched without a login, and lines are lines.
 */

#define LOGIN "USER ann\r\nPASS pw\r\n"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(LOGIN "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 2 1\r\nQUIT\r\n"),
    FUZZ_SEED(LOGIN "DELE 1\r\nDELE 3\r\nLIST 1\r\nLIST 2\r\nRSET\r\n"
		    "UIDL 2\r\nNOOP\r\nDELE 2\r\nQUIT\r\n"),
    FUZZ_SEED("CAPA\r\nUSER x\r\nPASS no\r\nSTAT\r\nGET / HTTP/1.0\r\n"),
    FUZZ_SEED("AUTH PLAIN AGFubgBwdw==\r\nSTAT\r\nQUIT\r\n"),
    FUZZ_SEED("AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\nYW5u\r\ncHc=\r\nSTAT\r\n"),
    FUZZ_SEED("AUTH SCRAM-SHA-256\r\n"
	      "biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n"
	      "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0Fm"
	      "dXhGSWxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpVaE4rVXRlOXl0YWc5empm"
	      "TUhnc3FtbWl6N0FuZFZRPQ==\r\n\r\nSTAT\r\n"),
    FUZZ_SEED("AUTH OAUTHBEARER biwsAWF1dGg9QmVhcmVyIGJhZAEB\r\nAQ==\r\n"
	      "APOP ann 00000000000000000000000000000000\r\nSTAT\r\n"),
    FUZZ_SEED(LOGIN "TOP 1 0\r\nTOP 1 99999999999999999999\r\nRETR 0\r\n"),
    FUZZ_SEEDS_END,
};

static const char message[] = "Subject: x\n\n.dot\nbody\n";
enum { COUNT = 3 };
static bool logged_in;
static bool deleted[COUNT + 1];

/* -- the connection -- */

bool __wrap_stream_has_input(struct stream *);

/* All input is there from the start. */
bool
__wrap_stream_has_input(struct stream *s)
{
	(void)s;
	return false;
}

/* -- mailbox -- */

enum maildrop_result
maildrop_begin(struct maildrop *d, int fd)
{
	REQUIRE(fake_logged_in && !logged_in);
	*d = (struct maildrop){.fd = fd, .count = COUNT, .octets = 300};
	logged_in = true;
	memset(deleted, 0, sizeof(deleted));
	return MAILDROP_OK;
}

void
maildrop_end(struct maildrop *d)
{
	close(d->fd);
}

static void
require_message(uint64_t number)
{
	REQUIRE(logged_in && number >= 1 && number <= COUNT);
}

bool
maildrop_item(
    struct maildrop *d, uint64_t number, uint64_t *octets, const char **uidl)
{
	(void)d;
	require_message(number);
	REQUIRE(!deleted[number]);
	*octets = 100;
	*uidl = "unique";
	return true;
}

int
maildrop_open(struct maildrop *d, uint64_t number, uint64_t *wire)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	(void)d;
	require_message(number);
	REQUIRE(!deleted[number]);
	REQUIRE(write(fd, message, sizeof(message) - 1) > 0);
	REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
	*wire = 100;
	return fd;
}

bool
maildrop_is_deleted(const struct maildrop *d, uint64_t number)
{
	(void)d;
	require_message(number);
	return deleted[number];
}

bool
maildrop_delete(struct maildrop *d, uint64_t number)
{
	require_message(number);
	deleted[number] = true;
	d->deleted++;
	return true;
}

void
maildrop_seen(struct maildrop *d, uint64_t number)
{
	(void)d;
	require_message(number);
}

void
maildrop_reset(struct maildrop *d)
{
	REQUIRE(logged_in);
	memset(deleted, 0, sizeof(deleted));
	d->deleted = 0;
}

bool
maildrop_commit(struct maildrop *d, uint64_t *removed, uint64_t *failed)
{
	REQUIRE(logged_in);
	*removed = d->deleted;
	*failed = 0;
	return true;
}

/* -- the session -- */

static const struct config *
get_config(void)
{
	static const char text[] = "hostname mail.example.test\n"
				   "domain example.test\n"
				   "allow-plaintext-auth 127.0.0.1\napop yes\n"
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

static void
check_lines(const char *text, size_t n)
{
	REQUIRE(n > 5 && memcmp(text, "+OK ", 4) == 0);
	while (n > 0) {
		const char *lf = memchr(text, '\n', n);
		size_t length = lf == NULL ? 0 : (size_t)(lf - text) + 1;

		REQUIRE(length >= 2 && length <= POP3_RESPONSE_MAX);
		REQUIRE(lf[-1] == '\r');
		for (size_t i = 0; i < length - 2; i++)
			REQUIRE(text[i] >= ' ' && text[i] <= '~');
		text += length;
		n -= length;
	}
}

/* Short enough that all the answers wait in the socket. */
static size_t
talk(const uint8_t *octets, size_t n, char *replies, size_t max)
{
	struct proxy_client client = {.proxied = false};
	int ends[2];
	size_t have = 0;
	ssize_t got;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	REQUIRE(send(ends[0], octets, n, MSG_DONTWAIT) == (ssize_t)n);
	shutdown(ends[0], SHUT_WR);
	REQUIRE(netaddr_parse("127.0.0.1", 0, &client.address));
	(void)pop3_serve(
	    &(struct pop3_world){.config = get_config(), .userdb = -1},
	    LISTENER_POP3, &client, ends[1], ends[1]);
	while ((got = read(ends[0], replies + have, max - have)) > 0)
		have += (size_t)got;
	close(ends[0]);
	return have;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static char replies[1 << 20];

	logged_in = fake_logged_in = false;
	if (n <= 2048)
		check_lines(replies, talk(octets, n, replies, sizeof(replies)));
	return 0;
}
