/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SELECTORS_H
#define COMMON_SELECTORS_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/dns.h"

/*
 * DKIM keys: a folder each domain in keys-dir/dkim/, named after the domain,
 * with
 *
 *	SELECTOR.pem	a private key
 *	SELECTOR.txt	what is to be published of it
 *	selectors	what they are for: a line each, in the order made,
 *			SELECTOR rsa|ed25519 waiting|active|retired SECONDS
 *
 * waiting: until its record is in the DNS; active: signs, at most one of each
 * kind; retired: signs no more, its record stays for what is on its way;
 * SECONDS: since when.  postrider-key writes them, each at one stroke, while
 * it has a lock on the folder (flock(2)); keys reads them.
 */
enum {
	SELECTORS_MAX = 16, /* of a domain */
	SELECTOR_NAME_MAX = 63
};

enum selector_kind { SELECTOR_RSA, SELECTOR_ED25519, SELECTOR_KINDS };
enum selector_state { SELECTOR_WAITING, SELECTOR_ACTIVE, SELECTOR_RETIRED };

const char *selector_kind_name(enum selector_kind);
const char *selector_state_name(enum selector_state);

struct selector {
	char name[SELECTOR_NAME_MAX + 1];
	enum selector_kind kind;
	enum selector_state state;
	int64_t since; /* unix seconds */
};

struct selectors {
	size_t n;
	struct selector items[SELECTORS_MAX];
};

/*
 * The domain as its folder is named: lower case, A-labels.  False when it is
 * none: what comes out leads nowhere else.
 */
bool selectors_domain(const char *text, char out[DNS_NAME_MAX + 1]);

/* Can a selector be named so?  One label, lower case. */
bool selector_is_name(const char *text);

/* The text of a "selectors" file; false: it is none. */
bool selectors_parse(const char *text, size_t n, struct selectors *);

/*
 * keys-dir/dkim, and a domain's folder in it (make: if it is not there).  -1
 * and errno.
 */
int selectors_open(const char *keys_dir, bool make);
int selectors_open_domain(int folder, const char *domain, bool make);

/*
 * In a domain's folder.  -1 and errno; EBADMSG: it cannot be understood.  No
 * file: there are none.
 */
int selectors_read(int domain, struct selectors *);
int selectors_write(int domain, const struct selectors *);

/* NULL when it has none of that name, or that is in use as this kind. */
struct selector *selectors_find(struct selectors *, const char *name);
struct selector *selectors_active(struct selectors *, enum selector_kind);

/*
 * What is to be published of a selector: the text of its TXT record, kept
 * beside the key, so that nobody needs that to tell.  -1 and errno.
 */
enum { SELECTOR_RECORD_MAX = 2048 };
int selectors_read_record(
    int domain, const char *name, char out[SELECTOR_RECORD_MAX + 1]);
int selectors_write_record(int domain, const char *name, const char *record);

/* Key and record; ENOENT is no error. */
int selectors_remove_files(int domain, const char *name);

/* NULL and errno, or EBADMSG. */
EVP_PKEY *selectors_read_key(int domain, const char *name);
int selectors_write_key(int domain, const char *name, EVP_PKEY *);

#endif
