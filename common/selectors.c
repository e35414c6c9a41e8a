/* SPDX-License-Identifier: ISC */
#include "common/selectors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/certificate.h"
#include "common/cursor.h"
#include "common/fs.h"
#include "common/idn.h"

enum { FILE_MAX = 16384 };

static const char *const kinds[] = {
    [SELECTOR_RSA] = "rsa", [SELECTOR_ED25519] = "ed25519"};
static const char *const states[] = {[SELECTOR_WAITING] = "waiting",
    [SELECTOR_ACTIVE] = "active",
    [SELECTOR_RETIRED] = "retired"};

const char *
selector_kind_name(enum selector_kind kind)
{
	return kinds[kind];
}

const char *
selector_state_name(enum selector_state state)
{
	return states[state];
}

/* -- names -- */

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A label of a host's name, or of one with "_" as some have. */
static bool
is_label(const char *text, size_t n)
{
	enum { LABEL_MAX = 63 };

	if (n == 0 || n > LABEL_MAX || text[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_letter_or_digit(text[i]) && text[i] != '-' &&
		    text[i] != '_')
			return false;
	return true;
}

bool
selectors_domain(const char *text, char out[DNS_NAME_MAX + 1])
{
	const char *label;
	size_t n;

	if (!idn_to_ascii(text, out))
		return false;
	for (char *c = out; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	for (label = out;; label += n + 1) {
		n = strcspn(label, ".");
		if (!is_label(label, n))
			return false;
		if (label[n] == '\0')
			return true;
	}
}

bool
selector_is_name(const char *text)
{
	return is_label(text, strlen(text));
}

/* -- the list -- */

static bool
take_word(struct span line, size_t *at, char *out, size_t max)
{
	const char *begin = line.data + *at;
	const char *blank = memchr(begin, ' ', line.len - *at);
	size_t n = blank != NULL ? (size_t)(blank - begin) : line.len - *at;

	if (n == 0 || n > max || memchr(begin, '\0', n) != NULL)
		return false;
	memcpy(out, begin, n);
	out[n] = '\0';
	*at += n + (blank != NULL);
	return true;
}

static bool
find_word(const char *word, const char *const *words, size_t n, unsigned *found)
{
	for (*found = 0; *found < n; (*found)++)
		if (strcmp(words[*found], word) == 0)
			return true;
	return false;
}

static bool
parse_line(struct span line, struct selector *s)
{
	char kind[16], state[16], since[24];
	unsigned number;
	struct cursor c;
	size_t at = 0;

	if (!take_word(line, &at, s->name, SELECTOR_NAME_MAX) ||
	    !take_word(line, &at, kind, sizeof(kind) - 1) ||
	    !take_word(line, &at, state, sizeof(state) - 1) ||
	    !take_word(line, &at, since, sizeof(since) - 1) || at != line.len ||
	    line.data[at - 1] == ' ' || !selector_is_name(s->name) ||
	    !find_word(kind, kinds, 2, &number))
		return false;
	s->kind = (enum selector_kind)number;
	if (!find_word(state, states, 3, &number))
		return false;
	s->state = (enum selector_state)number;
	c = cursor_over(since, strlen(since));
	s->since = (int64_t)cursor_decimal(&c);
	return cursor_done(&c) && s->since >= 0;
}

bool
selectors_parse(const char *text, size_t n, struct selectors *out)
{
	struct cursor c = cursor_over(text, n);

	*out = (struct selectors){0};
	while (cursor_left(&c) > 0) {
		struct span line = cursor_until(&c, '\n');
		struct selector s = {.since = 0};

		if (!cursor_ok(&c) || out->n == SELECTORS_MAX ||
		    !parse_line(line, &s) ||
		    selectors_find(out, s.name) != NULL ||
		    (s.state == SELECTOR_ACTIVE &&
			selectors_active(out, s.kind) != NULL))
			return false;
		out->items[out->n++] = s;
	}
	return true;
}

struct selector *
selectors_find(struct selectors *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->items[i].name, name) == 0)
			return &s->items[i];
	return NULL;
}

struct selector *
selectors_active(struct selectors *s, enum selector_kind kind)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].kind == kind &&
		    s->items[i].state == SELECTOR_ACTIVE)
			return &s->items[i];
	return NULL;
}

/* -- folders -- */

static int
open_below(int parent, const char *name, bool make)
{
	if (make && fs_make_dir(parent, name, 0700) == -1)
		return -1;
	return fs_open_dir(parent, name);
}

int
selectors_open(const char *keys_dir, bool make)
{
	int keys = fs_open_dir(AT_FDCWD, keys_dir), folder, saved;

	if (keys == -1)
		return -1;
	folder = open_below(keys, "dkim", make);
	saved = errno;
	close(keys);
	errno = saved;
	return folder;
}

int
selectors_open_domain(int folder, const char *domain, bool make)
{
	return open_below(folder, domain, make);
}

/* -- files -- */

int
selectors_read(int domain, struct selectors *s)
{
	int fd = fs_open_file(domain, "selectors"), rc;
	char *text;
	size_t n;

	*s = (struct selectors){0};
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	rc = fs_read_all(fd, FILE_MAX, &text, &n);
	close(fd);
	if (rc == -1)
		return -1;
	if (!selectors_parse(text, n, s)) {
		errno = EBADMSG;
		rc = -1;
	}
	free(text);
	return rc;
}

/* A name that begins with a dot is no selector's. */
static int
replace(int domain, const char *name, const void *octets, size_t n)
{
	static const char beside[] = ".new";
	int fd, rc = -1;

	(void)unlinkat(domain, beside, 0);
	fd = openat(domain, beside,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (fs_write_all(fd, octets, n) == 0 && fsync(fd) == 0 &&
	    renameat(domain, beside, domain, name) == 0)
		rc = fsync(domain);
	close(fd);
	return rc;
}

int
selectors_write(int domain, const struct selectors *s)
{
	struct buf text = BUF_INIT(FILE_MAX);
	int rc = -1;

	for (size_t i = 0; i < s->n; i++) {
		const struct selector *one = &s->items[i];

		buf_addf(&text, "%s %s %s %" PRId64 "\n", one->name,
		    kinds[one->kind], states[one->state], one->since);
	}
	if (buf_ok(&text))
		rc = replace(domain, "selectors", text.len > 0 ? text.data : "",
		    text.len);
	else
		errno = ENOMEM;
	buf_free(&text);
	return rc;
}

enum { FILE_NAME_SIZE = SELECTOR_NAME_MAX + 8 };

static const char *
file_name(const char *selector, const char *kind, char out[FILE_NAME_SIZE])
{
	snprintf(out, FILE_NAME_SIZE, "%s.%s", selector, kind);
	return out;
}

int
selectors_read_record(
    int domain, const char *name, char out[SELECTOR_RECORD_MAX + 1])
{
	char file[FILE_NAME_SIZE], *text;
	size_t n, length;
	int fd = fs_open_file(domain, file_name(name, "txt", file)), rc;

	if (fd == -1)
		return -1;
	rc = fs_read_all(fd, SELECTOR_RECORD_MAX, &text, &n);
	close(fd);
	if (rc == -1)
		return -1;
	length = n;
	if (length > 0 && text[length - 1] == '\n')
		length--;
	memcpy(out, text, length);
	out[length] = '\0';
	free(text);
	for (size_t i = 0; i < length; i++)
		if (out[i] < ' ' || out[i] > '~' || out[i] == '"' ||
		    out[i] == '\\')
			rc = -1;
	if (rc == -1)
		errno = EBADMSG;
	return rc;
}

int
selectors_write_record(int domain, const char *name, const char *record)
{
	char file[FILE_NAME_SIZE];

	return replace(
	    domain, file_name(name, "txt", file), record, strlen(record));
}

int
selectors_remove_files(int domain, const char *name)
{
	static const char *const all[] = {"pem", "txt"};
	char file[FILE_NAME_SIZE];

	for (size_t i = 0; i < 2; i++)
		if (unlinkat(domain, file_name(name, all[i], file), 0) == -1 &&
		    errno != ENOENT)
			return -1;
	return fsync(domain);
}

EVP_PKEY *
selectors_read_key(int domain, const char *name)
{
	char file[FILE_NAME_SIZE], reason[CERTIFICATE_REASON_MAX];
	EVP_PKEY *key;
	int fd = fs_open_file(domain, file_name(name, "pem", file));

	if (fd == -1)
		return NULL;
	key = certificate_read_key(fd, reason);
	close(fd);
	if (key == NULL)
		errno = EBADMSG;
	return key;
}

int
selectors_write_key(int domain, const char *name, EVP_PKEY *key)
{
	BIO *pem = BIO_new(BIO_s_secmem());
	char file[FILE_NAME_SIZE], *text;
	int rc = -1;
	long n;

	file_name(name, "pem", file);
	if (pem != NULL &&
	    PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) ==
		1 &&
	    (n = BIO_get_mem_data(pem, &text)) > 0)
		rc = replace(domain, file, text, (size_t)n);
	else
		errno = ENOMEM;
	BIO_free(pem);
	return rc;
}
