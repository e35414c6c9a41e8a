/* SPDX-License-Identifier: ISC */
/*
 * gateload idle PORT COUNT
 *	COUNT connections to 127.0.0.1, each greeted, 50 from each address and
 *	100 from each network; then "ready", and held until the end of standard
 *	input.
 * gateload talk PORT RATE SECONDS
 *	RATE connections a second, from 250 addresses in turn, that talk before
 *	they are greeted, each until it is hung up on.  Prints how many were.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_MOST = 4096 };

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
connect_from(uint32_t from, uint16_t port)
{
	struct sockaddr_in here = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
	struct sockaddr_in there = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1)
		die("socket");
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) == -1)
		die("bind");
	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) == -1)
		die("connect");
	return fd;
}

static void
idle(uint16_t port, unsigned count)
{
	char octets[512];
	int *fds = calloc(count, sizeof(*fds));

	if (fds == NULL)
		die("calloc");
	for (unsigned i = 0; i < count; i++)
		fds[i] = connect_from(
		    0x7f020001 + (i / 100 << 8) + i / 50 % 2, port);
	for (unsigned i = 0; i < count; i++) {
		if (recv(fds[i], octets, sizeof(octets), 0) < 4 ||
		    memcmp(octets, "220 ", 4) != 0) {
			fprintf(stderr, "number %u was not greeted\n", i);
			exit(1);
		}
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, octets, sizeof(octets)) > 0)
		continue;
}

/* Reset, not waited for: the ports are needed again. */
static bool
has_ended(int fd)
{
	const struct linger now_ = {.l_onoff = 1};
	char octets[512];
	ssize_t n = recv(fd, octets, sizeof(octets), MSG_DONTWAIT);

	if (n == -1 && errno == EAGAIN)
		return false;
	if (n > 0 && recv(fd, octets, sizeof(octets), MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now_, sizeof(now_));
	close(fd);
	return true;
}

static void
talk(uint16_t port, double rate, double seconds)
{
	static int open[OPEN_MOST];
	size_t n = 0;
	unsigned long begun = 0, ended = 0;
	double start = now();

	while (now() - start < seconds) {
		while ((double)begun < (now() - start) * rate &&
		    n < OPEN_MOST) {
			open[n] = connect_from(
			    0x7f030001 + (uint32_t)(begun % 5 << 8) +
				(uint32_t)(begun / 5 % 50),
			    port);
			(void)send(open[n++], "EHLO bot\r\n", 10, MSG_NOSIGNAL);
			begun++;
		}
		for (size_t i = 0; i < n;) {
			if (!has_ended(open[i])) {
				i++;
				continue;
			}
			open[i] = open[--n];
			ended++;
		}
		poll(NULL, 0, 2);
	}
	printf("%lu %.3f\n", ended, now() - start);
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc == 4 && strcmp(argv[1], "idle") == 0)
		idle((uint16_t)atoi(argv[2]), (unsigned)atoi(argv[3]));
	else if (argc == 5 && strcmp(argv[1], "talk") == 0)
		talk((uint16_t)atoi(argv[2]), atof(argv[3]), atof(argv[4]));
	else
		return 64;
	return 0;
}
