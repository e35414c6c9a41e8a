/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dns.h"
#include "common/ipc.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/protocol.h"
#include "common/sandbox.h"
#include "keys/tool-dkim.h"
#include "mailauth/dkim.h"

/*
 * New keys sign from the moment on when their records are in the DNS.  What
 * the DNS says is read by a process of its own, which can neither reach the
 * keys nor write anything; it has a name and the record that is expected
 * there, and answers with a word.
 */
enum { LOOKUP_MS = 10000, PATIENCE_MS = 2 * LOOKUP_MS };

/* -- the process that looks -- */

/* The same key, whatever stands around it. */
static bool
is_same_key(const char *published, const char *expected)
{
	struct dkim_key theirs = {.key = NULL}, ours = {.key = NULL};
	bool same = dkim_key_parse(published, &theirs) == NULL &&
	    dkim_key_parse(expected, &ours) == NULL && theirs.key != NULL &&
	    ours.key != NULL && EVP_PKEY_eq(theirs.key, ours.key) == 1;

	EVP_PKEY_free(theirs.key);
	EVP_PKEY_free(ours.key);
	return same;
}

/* Verifiers may take any one of several records: there must be but one. */
static const char *
look(struct dns *dns, const char *name, const char *expected)
{
	const char *word = "missing";
	char **texts = NULL;
	size_t n = 0;

	dns_deadline(dns, clock_monotonic_ms() + LOOKUP_MS);
	switch (dns_txt(dns, name, &texts, &n)) {
	case DNS_FOUND:
		word = n == 1 && is_same_key(texts[0], expected) ? "seen"
								 : "other";
		free(texts);
		break;
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		break;
	default:
		word = "unknown";
	}
	return word;
}

static bool
serve(struct dns *dns, int fd, struct packet *p)
{
	const char *name, *expected, *word;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("name", DNS_NAME_MAX, &name),
	    ATTRIBUTE_TEXT("record", SELECTOR_RECORD_MAX, &expected)};

	if (!packet_read(p, "look", set, 2, 0))
		return false;
	word = look(dns, name, expected);
	packet_start(p, word);
	return ipc_send(fd, p, -1) == IPC_OK;
}

static _Noreturn void
become_looker(const struct config *config, int fd)
{
	static const struct sandbox sandbox = {
	    .tcp_connect = true, .files = 32};
	static struct packet p;
	struct dns *dns = dns_open(config);

	if (privileges_are_root())
		privileges_drop(ACCOUNT_DELIVER, "/", false);
	sandbox_enter(&sandbox);
	while (dns != NULL && ipc_receive(fd, &p, -1) == IPC_OK &&
	    serve(dns, fd, &p))
		continue;
	sandbox_exit(EX_OK);
}

static int
start_looker(const struct config *config)
{
	int ends[2];
	pid_t pid;

	if (ipc_pair(ends) == -1)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		become_looker(config, ends[1]);
	}
	close(ends[1]);
	if (pid != -1)
		return ends[0];
	close(ends[0]);
	return -1;
}

/* -- what it says -- */

struct checking {
	int fd;
	bool quiet;   /* nothing about what is and was as it should be */
	size_t nseen; /* of the domain's that wait */
	char seen[SELECTORS_MAX][SELECTOR_NAME_MAX + 1];
};

/* seen, missing, other or unknown */
static const char *
ask(struct checking *c, const struct dkim_place *p, const struct selector *s)
{
	static struct packet packet;
	char record[SELECTOR_RECORD_MAX + 1];
	char name[DNS_NAME_MAX + SELECTOR_NAME_MAX + 16];

	snprintf(name, sizeof(name), "%s._domainkey.%s", s->name, p->name);
	if (strlen(name) > DNS_NAME_MAX ||
	    selectors_read_record(p->domain, s->name, record) == -1)
		return "unknown";
	packet_start(&packet, "look");
	packet_text(&packet, "name", name);
	packet_text(&packet, "record", record);
	if (ipc_call(c->fd, &packet, clock_monotonic_ms() + PATIENCE_MS) !=
	    IPC_OK)
		return "unknown";
	return packet_verb(&packet);
}

/* What it means, in the order of states; the code is the worst of them. */
static const struct meaning {
	const char *word;
	struct {
		int code;
		const char *text;
	} of[2]; /* waiting, active */
} meanings[] = {
    {"seen",
	{{EX_OK, "its record is there: in use from now on"},
	    {EX_OK, "in use, its record is there"}}},
    {"missing",
	{{EX_TEMPFAIL, "waits: there is no record yet"},
	    {EX_DATAERR, "in use, and its record is gone"}}},
    {"other",
	{{EX_DATAERR, "waits: another record is there, or several"},
	    {EX_DATAERR, "in use, and another record is there, or several"}}},
    {NULL,
	{{EX_TEMPFAIL, "waits: the DNS does not tell"},
	    {EX_TEMPFAIL, "in use; the DNS does not tell"}}},
};

static int
check_selector(
    struct checking *c, const struct dkim_place *p, const struct selector *s)
{
	const char *word = ask(c, p, s);
	const struct meaning *m = meanings;
	enum selector_state state = s->state;

	while (m->word != NULL && strcmp(m->word, word) != 0)
		m++;
	if (state == SELECTOR_WAITING && m->of[state].code == EX_OK)
		memcpy(c->seen[c->nseen++], s->name, sizeof(s->name));
	if (!c->quiet || m->of[state].code != EX_OK ||
	    state == SELECTOR_WAITING)
		printf("%s %s: %s\n", p->name, s->name, m->of[state].text);
	return m->of[state].code;
}

static int
worse(int a, int b)
{
	if (a == EX_DATAERR || b == EX_OK)
		return a;
	return a == EX_OK || b == EX_DATAERR ? b : a;
}

/*
 * The DNS takes its time, and somebody may have changed the list meanwhile.
 * Newer ones of a kind stand behind older ones, and are used instead.
 */
static int
use_seen(const struct checking *c, struct dkim_place *p)
{
	int code = dkim_hold(p);

	for (size_t i = 0; i < c->nseen && code == EX_OK; i++) {
		struct selector *s = selectors_find(&p->selectors, c->seen[i]);

		if (s != NULL && s->state == SELECTOR_WAITING)
			dkim_use(p, s);
	}
	return code == EX_OK ? dkim_save(p) : code;
}

static int
check_domain(struct dkim_place *p, void *context)
{
	struct checking *c = context;
	int worst = EX_OK, code;

	c->nseen = 0;
	for (size_t i = 0; i < p->selectors.n; i++)
		if (p->selectors.items[i].state != SELECTOR_RETIRED)
			worst = worse(worst,
			    check_selector(c, p, &p->selectors.items[i]));
	code = c->nseen > 0 ? use_seen(c, p) : EX_OK;
	return code != EX_OK ? code : worst;
}

int
dkim_check(struct request *r)
{
	struct checking c = {
	    .fd = start_looker(r->config), .quiet = r->quiet};
	struct dkim_place p;
	int worst, code;

	if (c.fd == -1)
		return program_fail(EX_OSERR, "%s", strerror(errno));
	worst = dkim_open(&p, r->config);
	if (worst == EX_OK && r->argc == 0)
		worst = dkim_each_domain(&p, check_domain, &c);
	for (int i = 0; i < r->argc && p.folder != -1; i++) {
		code = dkim_open_domain(&p, r->argv[i], false);
		if (code == EX_OK)
			code = check_domain(&p, &c);
		worst = worse(worst, code);
	}
	dkim_close(&p);
	close(c.fd);
	return worst;
}
