/* SPDX-License-Identifier: ISC */
/*
 * ask-lists CONFIG [ADDRESS...]: what the lists of a config say of the
 * addresses that come on standard input, one a line: "ADDRESS MILLISECONDS
 * SCORE NAMES TEXT", in the order in which it is known.  With ADDRESS...: of
 * those, one after the other, as who has no loop asks. Ends with its input,
 * once all is told; the log is on standard error.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dns.h"
#include "common/loop.h"
#include "common/netaddr.h"
#include "smtpd/lists.h"

struct question {
	char text[NETADDR_TEXT_MAX];
	int64_t began;
};

static struct config config;
static struct lists *lists;
static unsigned waiting;
static bool at_end;

static void
print(const struct question *q, const struct lists_result *r)
{
	printf("%s %" PRId64 " %" PRId64 " %s %s\n", q->text,
	    clock_monotonic_ms() - q->began, r->score,
	    r->names[0] != '\0' ? r->names : "-", r->text);
	fflush(stdout);
}

static void
done(void *context, const struct lists_result *result)
{
	print(context, result);
	free(context);
	if (--waiting == 0 && at_end)
		loop_stop(0);
}

static void
take(const char *text)
{
	struct question *q = calloc(1, sizeof(*q));
	struct sockaddr_storage address;
	struct lists_result result;

	if (q == NULL || !netaddr_parse(text, 0, &address))
		exit(EX_USAGE);
	snprintf(q->text, sizeof(q->text), "%s", text);
	q->began = clock_monotonic_ms();
	waiting++;
	if (lists_ask(lists, &address, done, q, &result) == NULL)
		done(q, &result);
}

static void
input(struct watch *watch, uint32_t events)
{
	static char text[65536];
	static size_t n;
	ssize_t got = read(watch->fd, text + n, sizeof(text) - 1 - n);
	char *line = text, *end;

	(void)events;
	if (got <= 0) {
		at_end = true;
		loop_unwatch(watch);
		if (waiting == 0)
			loop_stop(0);
		return;
	}
	n += (size_t)got;
	text[n] = '\0';
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		take(line);
	}
	n -= (size_t)(line - text);
	memmove(text, line, n);
}

static void
look_up(struct dns *dns, const char *text)
{
	struct question q = {.began = clock_monotonic_ms()};
	struct sockaddr_storage address;
	struct lists_result result;

	if (!netaddr_parse(text, 0, &address))
		exit(EX_USAGE);
	snprintf(q.text, sizeof(q.text), "%s", text);
	lists_look_up(&config, dns, &address, &result);
	print(&q, &result);
}

static int
serve(void)
{
	struct watch watch = {
	    .fd = STDIN_FILENO, .events = EPOLLIN, .ready = input};

	loop_init();
	lists = lists_open(&config);
	if (lists == NULL || loop_watch(&watch) == -1)
		return EX_OSERR;
	(void)loop_run();
	lists_close(lists);
	return EX_OK;
}

int
main(int argc, char **argv)
{
	char error[CONFIG_ERROR_MAX];
	struct dns *dns;
	int rc = EX_OK;

	if (argc < 2 || config_load(&config, argv[1], error) == -1)
		return EX_USAGE;
	dns = dns_open(&config);
	for (int i = 2; i < argc; i++)
		look_up(dns, argv[i]);
	dns_close(dns);
	if (argc == 2)
		rc = serve();
	config_free(&config);
	return rc;
}
