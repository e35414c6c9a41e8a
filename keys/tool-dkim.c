/* SPDX-License-Identifier: ISC */
#include "keys/tool-dkim.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/certificate.h"
#include "common/clock.h"
#include "common/program.h"
#include "mailauth/dkim.h"

enum { RSA_BITS = 2048 };

/* -- places -- */

int
dkim_open(struct dkim_place *p, const struct config *config)
{
	int code = tool_become_keys();

	*p = (struct dkim_place){.config = config, .folder = -1, .domain = -1};
	if (code != EX_OK)
		return code;
	p->folder = selectors_open(config->keys_dir, true);
	return p->folder != -1 ? EX_OK : tool_no_folder(config, "dkim");
}

static int
fail_domain(const struct dkim_place *p, int code)
{
	return program_fail(code, "%s/dkim/%s: %s", p->config->keys_dir,
	    p->name,
	    errno == EBADMSG ? "\"selectors\" cannot be understood"
			     : strerror(errno));
}

int
dkim_open_domain(struct dkim_place *p, const char *domain, bool make)
{
	if (p->domain != -1)
		close(p->domain);
	p->domain = -1;
	p->selectors = (struct selectors){0};
	/* d= has two labels at least. */
	if (!selectors_domain(domain, p->name) ||
	    (make && strchr(p->name, '.') == NULL))
		return program_fail(EX_DATAERR, "\"%s\" is no domain", domain);
	p->domain = selectors_open_domain(p->folder, p->name, make);
	if (p->domain == -1 && errno == ENOENT)
		return program_fail(EX_NOHOST, "%s has no keys", p->name);
	if (p->domain == -1)
		return fail_domain(p, EX_CANTCREAT);
	return selectors_read(p->domain, &p->selectors) == 0
	    ? EX_OK
	    : fail_domain(p, EX_DATAERR);
}

int
dkim_hold(struct dkim_place *p)
{
	int rc;

	do
		rc = flock(p->domain, LOCK_EX);
	while (rc == -1 && errno == EINTR);
	if (rc == -1)
		return fail_domain(p, EX_OSERR);
	return selectors_read(p->domain, &p->selectors) == 0
	    ? EX_OK
	    : fail_domain(p, EX_DATAERR);
}

int
dkim_save(struct dkim_place *p)
{
	return selectors_write(p->domain, &p->selectors) == 0
	    ? EX_OK
	    : fail_domain(p, EX_IOERR);
}

void
dkim_close(struct dkim_place *p)
{
	if (p->domain != -1)
		close(p->domain);
	if (p->folder != -1)
		close(p->folder);
}

void
dkim_use(struct dkim_place *p, struct selector *s)
{
	struct selector *old = selectors_active(&p->selectors, s->kind);

	if (old == s)
		return;
	if (old != NULL) {
		old->state = SELECTOR_RETIRED;
		old->since = clock_now();
	}
	s->state = SELECTOR_ACTIVE;
	s->since = clock_now();
}

static int
run_for(struct request *r, bool make,
    int (*run)(struct dkim_place *, struct request *))
{
	struct dkim_place p;
	int code = dkim_open(&p, r->config);

	if (code == EX_OK)
		code = dkim_open_domain(&p, r->argv[0], make);
	if (code == EX_OK)
		code = dkim_hold(&p);
	if (code == EX_OK)
		code = run(&p, r);
	dkim_close(&p);
	return code;
}

/* -- new keys -- */

/* "2026-11", "2026-11b" ...: one that neither kind has a name of. */
static bool
find_base(struct selectors *s, char *out, size_t size)
{
	char month[16], name[SELECTOR_NAME_MAX + 1];
	time_t now = (time_t)clock_now();
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(month, sizeof(month), "%Y-%m", &tm) == 0)
		return false;
	for (char letter = 'a'; letter <= 'z'; letter++) {
		bool taken = false;

		snprintf(out, size, "%s%.*s", month, letter > 'a', &letter);
		for (int i = 0; i < SELECTOR_KINDS; i++) {
			snprintf(name, sizeof(name), "%s-%s", out,
			    selector_kind_name((enum selector_kind)i));
			taken = taken || selectors_find(s, name) != NULL;
		}
		if (!taken)
			return true;
	}
	return false;
}

static int
store(struct dkim_place *p, struct selector *s, EVP_PKEY *key)
{
	struct buf record = BUF_INIT(SELECTOR_RECORD_MAX);
	const char *text;
	int rc = -1;

	errno = ENOMEM;
	if (dkim_key_record(key, &record) && (text = buf_text(&record)) != NULL)
		rc = selectors_write_key(p->domain, s->name, key) == 0
		    ? selectors_write_record(p->domain, s->name, text)
		    : -1;
	buf_free(&record);
	if (rc == -1)
		return fail_domain(p, EX_CANTCREAT);
	s->state = SELECTOR_WAITING;
	s->since = clock_now();
	p->selectors.items[p->selectors.n++] = *s;
	return EX_OK;
}

static int
make_one(struct dkim_place *p, const char *base, enum selector_kind kind)
{
	struct selector s = {.kind = kind};
	EVP_PKEY *key = kind == SELECTOR_RSA
	    ? EVP_RSA_gen(RSA_BITS)
	    : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int code;

	if (key == NULL) {
		ERR_clear_error();
		return program_fail(EX_OSERR, "cannot make a key");
	}
	snprintf(
	    s.name, sizeof(s.name), "%s-%s", base, selector_kind_name(kind));
	code = store(p, &s, key);
	EVP_PKEY_free(key);
	return code;
}

static int
make_pair(struct dkim_place *p)
{
	char base[24];
	int code = EX_OK;

	if (p->selectors.n + SELECTOR_KINDS > SELECTORS_MAX ||
	    !find_base(&p->selectors, base, sizeof(base)))
		return program_fail(EX_CANTCREAT,
		    "%s has too many keys: --delete some that are retired",
		    p->name);
	for (int i = 0; code == EX_OK && i < SELECTOR_KINDS; i++)
		code = make_one(p, base, (enum selector_kind)i);
	return code == EX_OK ? dkim_save(p) : code;
}

/* -- records -- */

int
dkim_print_record(const struct dkim_place *p, const struct selector *s)
{
	enum { STRING_MAX = 255 };
	char record[SELECTOR_RECORD_MAX + 1];
	const char *rest = record;

	if (selectors_read_record(p->domain, s->name, record) == -1)
		return program_fail(EX_IOERR, "%s/dkim/%s/%s.txt: %s",
		    p->config->keys_dir, p->name, s->name, strerror(errno));
	printf("%s._domainkey.%s. IN TXT (", s->name, p->name);
	for (size_t n = strlen(record); n > 0; n = strlen(rest)) {
		if (n > STRING_MAX)
			n = STRING_MAX;
		printf("\n\t\"%.*s\"", (int)n, rest);
		rest += n;
	}
	printf(" )\n");
	return EX_OK;
}

static int
print_records(struct dkim_place *p)
{
	bool waits = false;
	int code = EX_OK;

	for (size_t i = 0; code == EX_OK && i < p->selectors.n; i++) {
		const struct selector *s = &p->selectors.items[i];

		if (s->state == SELECTOR_RETIRED)
			continue;
		code = dkim_print_record(p, s);
		waits = waits || s->state == SELECTOR_WAITING;
	}
	if (waits)
		printf("; publish these, then say: postrider-key dkim --check "
		       "%s\n",
		    p->name);
	return code;
}

static size_t
count(const struct dkim_place *p, enum selector_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < p->selectors.n; i++)
		n += p->selectors.items[i].state == state;
	return n;
}

static int
make_or_show(struct dkim_place *p, struct request *r)
{
	int code = EX_OK;

	(void)r;
	if (count(p, SELECTOR_WAITING) + count(p, SELECTOR_ACTIVE) == 0)
		code = make_pair(p);
	return code == EX_OK ? print_records(p) : code;
}

int
dkim_make(struct request *r)
{
	return run_for(r, true, make_or_show);
}

static int
rotate(struct dkim_place *p, struct request *r)
{
	int code;

	(void)r;
	if (count(p, SELECTOR_WAITING) > 0)
		return program_fail(EX_UNAVAILABLE,
		    "new keys of %s wait for their records already", p->name);
	code = make_pair(p);
	return code == EX_OK ? print_records(p) : code;
}

int
dkim_rotate(struct request *r)
{
	return run_for(r, false, rotate);
}

/* -- by hand -- */

static int
find(struct dkim_place *p, const char *name, struct selector **found)
{
	*found = selectors_find(&p->selectors, name);
	return *found != NULL
	    ? EX_OK
	    : program_fail(EX_DATAERR, "%s has no selector %s", p->name, name);
}

static int
activate(struct dkim_place *p, struct request *r)
{
	struct selector *s;

	for (int i = 1; i < r->argc; i++) {
		int code = find(p, r->argv[i], &s);

		if (code != EX_OK)
			return code;
		dkim_use(p, s);
	}
	return dkim_save(p);
}

int
dkim_activate(struct request *r)
{
	return run_for(r, false, activate);
}

/* The list first: nobody looks for a file that it does not name. */
static int
remove_keys(struct dkim_place *p, struct request *r)
{
	struct selector *s, was;
	int code = EX_OK;

	for (int i = 1; code == EX_OK && i < r->argc; i++) {
		code = find(p, r->argv[i], &s);
		if (code != EX_OK)
			break;
		was = *s;
		p->selectors.n--;
		memmove(s, s + 1,
		    (size_t)(p->selectors.items + p->selectors.n - s) *
			sizeof(*s));
		code = dkim_save(p);
		if (code == EX_OK &&
		    selectors_remove_files(p->domain, was.name) == -1)
			code = fail_domain(p, EX_IOERR);
		if (code == EX_OK && was.state == SELECTOR_ACTIVE)
			program_fail(0, "note: %s was in use", was.name);
	}
	if (code == EX_OK && p->selectors.n == 0 &&
	    unlinkat(p->domain, "selectors", 0) == 0)
		(void)unlinkat(p->folder, p->name, AT_REMOVEDIR);
	return code;
}

int
dkim_delete(struct request *r)
{
	return run_for(r, false, remove_keys);
}

/* -- keys of another program -- */

static int import_fd = -1;

static int
import(struct dkim_place *p, struct request *r)
{
	char reason[CERTIFICATE_REASON_MAX];
	EVP_PKEY *key = certificate_read_key(import_fd, reason);
	struct selector s = {.kind = SELECTOR_RSA};
	int code = EX_DATAERR;

	if (key == NULL)
		return program_fail(EX_DATAERR, "%s: %s", r->import, reason);
	snprintf(s.name, sizeof(s.name), "%s", r->argv[1]);
	if (EVP_PKEY_is_a(key, "ED25519"))
		s.kind = SELECTOR_ED25519;
	if (s.kind == SELECTOR_RSA && !EVP_PKEY_is_a(key, "RSA"))
		program_fail(0, "%s: no RSA or Ed25519 key", r->import);
	else if (!selector_is_name(r->argv[1]))
		program_fail(0, "\"%s\" is no selector", r->argv[1]);
	else if (selectors_find(&p->selectors, s.name) != NULL ||
	    p->selectors.n == SELECTORS_MAX)
		program_fail(0, "%s has that selector, or too many", p->name);
	else
		code = store(p, &s, key);
	EVP_PKEY_free(key);
	if (code == EX_OK)
		code = dkim_save(p);
	return code == EX_OK ? print_records(p) : code;
}

/* Opened as who calls, read as keys' user. */
int
dkim_import(struct request *r)
{
	int code;

	import_fd =
	    open(r->import, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (import_fd == -1)
		return program_fail(
		    EX_NOINPUT, "%s: %s", r->import, strerror(errno));
	code = run_for(r, true, import);
	close(import_fd);
	return code;
}
