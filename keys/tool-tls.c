/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/certificate.h"
#include "common/key_trial.h"
#include "common/print.h"
#include "common/program.h"
#include "keys/tool.h"

enum { NAMES_MAX = 512, PATH_MAX_OCTETS = 4096 };

/* -- list -- */

struct shown {
	const struct config_certificate *files;
	char id[CERTIFICATE_ID_SIZE]; /* "" where it cannot be read */
	char names[NAMES_MAX];
	const char *type;
	time_t ends;
	/* "": the files are good */
	char problem[CERTIFICATE_REASON_MAX];
	const char *use; /* "yes", "no"; "unknown" when keys does not run */
};

static void
describe(struct shown *s, STACK_OF(X509) *chain)
{
	X509 *leaf = sk_X509_value(chain, 0);

	certificate_names(chain, s->names, sizeof(s->names));
	s->ends = certificate_ends(chain);
	s->type = certificate_type(X509_get0_pubkey(leaf));
	if (!certificate_id(leaf, s->id))
		s->id[0] = '\0';
}

static int
open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static void
try_key(struct shown *s, int certificate)
{
	int fd = open_file(s->files->key);

	if (fd == -1)
		snprintf(
		    s->problem, sizeof(s->problem), "key: %s", strerror(errno));
	else if (key_trial(certificate, fd, s->problem))
		s->problem[0] = '\0';
	if (fd != -1)
		close(fd);
}

static void
look(struct shown *s)
{
	int fd = open_file(s->files->certificate);
	STACK_OF(X509) *chain;

	if (fd == -1) {
		snprintf(s->problem, sizeof(s->problem), "certificate: %s",
		    strerror(errno));
		return;
	}
	chain = certificate_read_chain(fd, s->problem);
	if (chain != NULL) {
		describe(s, chain);
		try_key(s, fd);
		certificate_free_chain(chain);
	}
	close(fd);
}

/* What keys has of these files. */
static void
ask_use(struct shown *s, int fd)
{
	static struct packet p;
	const char *path, *key_path, *id;
	uint64_t count = 1;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT_OPTIONAL("path", PATH_MAX_OCTETS, &path),
	    ATTRIBUTE_TEXT_OPTIONAL("key-path", PATH_MAX_OCTETS, &key_path),
	    ATTRIBUTE_TEXT_OPTIONAL("key", CERTIFICATE_ID_SIZE, &id),
	    ATTRIBUTE_NUMBER("count", &count)};

	s->use = fd >= 0 ? "no" : "unknown";
	for (uint64_t i = 0; fd >= 0 && i < count; i++) {
		packet_start(&p, "pair");
		packet_number(&p, "index", i);
		if (!tool_ask(fd, &p) || !packet_read(&p, "pair", set, 4, 0)) {
			s->use = "unknown";
			return;
		}
		if (path != NULL && id != NULL &&
		    strcmp(path, s->files->certificate) == 0 &&
		    strcmp(id, s->id) == 0)
			s->use = "yes";
	}
}

static void
format_day(time_t when, char *out, size_t size)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}

static void
print_json_pair(const char *name, const char *value)
{
	printf(", \"%s\": ", name);
	print_json_string(value);
}

static void
print_json(const struct shown *s, const char *day)
{
	printf("{\"certificate\": ");
	print_json_string(s->files->certificate);
	print_json_pair("key", s->files->key);
	print_json_pair("type", s->type);
	print_json_pair("names", s->names);
	print_json_pair("until", day);
	print_json_pair("problem", s->problem);
	print_json_pair("in_use", s->use);
	printf("}");
}

static void
print_text(const struct shown *s, const char *day)
{
	print_clean(s->files->certificate);
	if (s->id[0] != '\0')
		printf("\n  %s, until %s, for %s", s->type, day, s->names);
	printf("\n  key ");
	print_clean(s->files->key);
	printf("\n  in use: %s\n", s->use);
	if (s->problem[0] != '\0')
		printf("  cannot be used: %s\n", s->problem);
}

int
tls_list(struct request *r)
{
	const struct config_certificates *list = &r->config->certificates;
	int fd = admin_connect(r->config, "keys"), code = EX_OK;
	char day[32];

	if (r->json)
		printf("[");
	for (size_t i = 0; i < list->n; i++) {
		struct shown s = {.files = &list->items[i], .type = ""};

		look(&s);
		ask_use(&s, fd);
		format_day(s.ends, day, sizeof(day));
		if (r->json)
			printf("%s", i > 0 ? ",\n" : "");
		(r->json ? print_json : print_text)(&s, day);
		if (s.problem[0] != '\0')
			code = EX_DATAERR;
	}
	if (r->json)
		printf("]\n");
	if (fd >= 0)
		close(fd);
	return code;
}

/* -- --self-signed -- */

/* One level of folder, as init makes it: not more than a tls/. */
static int
make_folder(const char *path)
{
	char folder[PATH_MAX_OCTETS];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return EX_OK;
	*slash = '\0';
	if (mkdir(folder, 0755) == 0 || errno == EEXIST)
		return EX_OK;
	return program_fail(
	    EX_CANTCREAT, "cannot make %s: %s", folder, strerror(errno));
}

int
tls_self_signed(struct request *r)
{
	const struct config_certificate *where =
	    &r->config->certificates.items[0];
	int code;

	umask(022);
	code = make_folder(where->certificate);
	if (code == EX_OK)
		code = make_folder(where->key);
	if (code == EX_OK)
		code = certificate_make("postrider-key", where->certificate,
		    where->key, r->config->hostname);
	if (code == EX_OK)
		printf("self-signed certificate for %s: %s, %s\n",
		    r->config->hostname, where->certificate, where->key);
	return code;
}
