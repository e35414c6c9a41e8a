/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <sys/types.h>

#include <opendkim/dkim.h>

#include "tests/bench/mailauth.h"

/*
 * What opendkim's library takes to verify the same messages, keys from the
 * same zone (mailauth-cost.c).
 *
 *	opendkim-cost dkim MESSAGE ZONE N	microseconds a message
 *	opendkim-cost stream MESSAGE ZONE	MiB a second, and KiB of memory
 */
enum { PIECE = 16384 };

static const char *zone;

static DKIM_CBSTAT
find_key(DKIM *d, DKIM_SIGINFO *s, unsigned char *out, size_t size)
{
	char name[512];
	size_t n;
	const char *text;

	(void)d;
	snprintf(name, sizeof(name), "%s._domainkey.%s",
	    (const char *)dkim_sig_getselector(s),
	    (const char *)dkim_sig_getdomain(s));
	text = zone_find(zone, name, &n);
	if (text == NULL || n >= size)
		return DKIM_CBSTAT_NOTFOUND;
	memcpy(out, text, n);
	out[n] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

/* With CRLF line ends, as a milter has it. */
static char *
slurp_crlf(const char *path, size_t *n)
{
	char *text = slurp(path, n), *out = malloc(2 * *n + 1);
	size_t made = 0;

	for (size_t i = 0; i < *n; i++) {
		if (text[i] == '\n')
			out[made++] = '\r';
		out[made++] = text[i];
	}
	out[made] = '\0';
	*n = made;
	free(text);
	return out;
}

static void
check(const char *what, DKIM_STAT status)
{
	if (status != DKIM_STAT_OK)
		errx(1, "%s: %s", what, dkim_getresultstr(status));
}

static void
verify(DKIM_LIB *library, char *message, size_t n)
{
	DKIM_STAT status;
	DKIM *d = dkim_verify(library, (unsigned char *)"x", NULL, &status);
	char *p = message, *body = strstr(message, "\r\n\r\n");
	bool new_key = false;

	check("dkim_verify", status);
	while (p < body) {
		char *end = p;

		do
			end = strstr(end + 1, "\r\n");
		while (end < body && (end[2] == ' ' || end[2] == '\t'));
		check("dkim_header",
		    dkim_header(d, (unsigned char *)p, (size_t)(end - p)));
		p = end + 2;
	}
	check("dkim_eoh", dkim_eoh(d));
	for (p = body + 4; p < message + n;) {
		size_t left = (size_t)(message + n - p);
		size_t piece = left < PIECE ? left : PIECE;

		check("dkim_body", dkim_body(d, (unsigned char *)p, piece));
		p += piece;
	}
	check("dkim_eom", dkim_eom(d, &new_key));
	dkim_free(d);
}

int
main(int argc, char **argv)
{
	DKIM_LIB *library = dkim_init(NULL, NULL);
	size_t n;
	long before, times = argc == 5 ? atol(argv[4]) : 1;
	double began;
	char *message;

	if (argc < 4)
		errx(64, "usage: see the source");
	message = slurp_crlf(argv[2], &n);
	zone = slurp(argv[3], &n);
	n = strlen(message);
	dkim_set_key_lookup(library, find_key);
	if (argc == 5)
		verify(library, message, n);
	before = most_resident();
	began = processor_seconds();
	for (long i = 0; i < times; i++)
		verify(library, message, n);
	began = processor_seconds() - began;
	if (argc == 5)
		printf("%.3f\n", began / (double)times * 1e6);
	else
		printf("%.3f %ld\n", (double)n / began / 1048576,
		    most_resident() - before);
	dkim_close(library);
	free(message);
	return 0;
}
