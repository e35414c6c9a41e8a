/* SPDX-License-Identifier: ISC */
/*
 * pop3load PORT CLIENTS SECONDS USERS PASSWORD COMMAND...
 *
 * CLIENTS processes, each with a session after the other on 127.0.0.1: USER,
 * PASS, each COMMAND with its whole answer, QUIT.  COMMAND "ALL" is STAT and
 * a RETR of every message.  With SECONDS 0 each client has one session.
 * USERS is a printf pattern such as u%d@example.test; client number n is
 * user n.  Prints "SESSIONS MESSAGES SECONDS"; fails if any session did.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tally {
	unsigned long sessions, messages;
	bool failed;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static FILE *
dial(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((in_port_t)strtoul(port, NULL, 10)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return NULL;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fdopen(fd, "r");
}

/* A reply's first line; lines up to the dot are read and forgotten. */
static bool
reply(FILE *f, char *line, int size, bool more)
{
	if (fgets(line, size, f) == NULL || strncmp(line, "+OK", 3) != 0)
		return false;
	if (more) {
		char rest[4096];
		bool begin = true;

		for (;;) {
			if (fgets(rest, sizeof(rest), f) == NULL)
				return false;
			if (begin && strcmp(rest, ".\r\n") == 0)
				break;
			begin = strchr(rest, '\n') != NULL;
		}
	}
	return true;
}

static bool
say(FILE *f, const char *verb, const char *argument, char *line, int size)
{
	bool more = strcmp(verb, "RETR") == 0 ||
	    (argument[0] == '\0' &&
		(strcmp(verb, "LIST") == 0 || strcmp(verb, "UIDL") == 0));
	char text[512];
	int n = snprintf(text, sizeof(text), "%s%s%s\r\n", verb,
	    argument[0] != '\0' ? " " : "", argument);

	return n > 0 && (size_t)n < sizeof(text) &&
	    write(fileno(f), text, (size_t)n) == n &&
	    reply(f, line, size, more);
}

static bool
retrieve_all(FILE *f, struct tally *t, char *line, int size)
{
	unsigned long count;

	if (!say(f, "STAT", "", line, size))
		return false;
	count = strtoul(line + 3, NULL, 10);
	for (unsigned long i = 1; i <= count; i++) {
		char number[24];

		(void)snprintf(number, sizeof(number), "%lu", i);
		if (!say(f, "RETR", number, line, size))
			return false;
		t->messages++;
	}
	return true;
}

static bool
session(const char *port, const char *user, const char *password,
    char **commands, struct tally *t)
{
	char line[1024];
	FILE *f = dial(port);
	bool ok;

	if (f == NULL)
		return false;
	ok = reply(f, line, sizeof(line), false) &&
	    say(f, "USER", user, line, sizeof(line)) &&
	    say(f, "PASS", password, line, sizeof(line));
	for (; ok && *commands != NULL; commands++)
		ok = strcmp(*commands, "ALL") == 0
		    ? retrieve_all(f, t, line, sizeof(line))
		    : say(f, *commands, "", line, sizeof(line));
	ok = ok && say(f, "QUIT", "", line, sizeof(line));
	fclose(f);
	t->sessions += ok;
	return ok;
}

static void
client(int number, char **argv, struct tally *t)
{
	char user[256];
	const char *at = strstr(argv[4], "%d");
	double end = now() + strtod(argv[3], NULL);

	(void)snprintf(user, sizeof(user), "%.*s%d%s",
	    at == NULL ? 0 : (int)(at - argv[4]), argv[4], number,
	    at == NULL ? "" : at + 2);
	do
		if (!session(argv[1], user, argv[5], argv + 6, t))
			t->failed = true;
	while (!t->failed && now() < end);
}

int
main(int argc, char **argv)
{
	int clients = argc > 6 ? atoi(argv[2]) : 0;
	struct tally *tallies, sum = {0};
	double begin;

	if (clients < 1 || clients > 10000) {
		fprintf(stderr,
		    "usage: pop3load port clients seconds users "
		    "password command...\n");
		return 2;
	}
	tallies = mmap(NULL, (size_t)clients * sizeof(*tallies),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		return 1;
	begin = now();
	for (int i = 0; i < clients; i++)
		switch (fork()) {
		case -1:
			perror("pop3load: fork");
			return 1;
		case 0:
			client(i + 1, argv, &tallies[i]);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < clients; i++) {
		sum.sessions += tallies[i].sessions;
		sum.messages += tallies[i].messages;
		sum.failed |= tallies[i].failed;
	}
	printf("%lu %lu %.6f\n", sum.sessions, sum.messages, now() - begin);
	return sum.failed;
}
