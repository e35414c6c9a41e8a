/* SPDX-License-Identifier: ISC */
#ifndef USERDB_NAME_H
#define USERDB_NAME_H

#include "common/address.h"

/*
 * Names of the user database.  Domains are in lower case as everywhere;
 * local parts of our own domains, too: RFC 5321 section 2.4 leaves their
 * case to us.
 */

/* ASCII letters in place. */
void name_lower(char *text);

/*
 * An address of ours, in lower case; the domain may be missing.  NULL, or
 * what is wrong.
 */
const char *name_parse(const char *text, struct address *);

/* The same, or "@domain", which catches all: no local part. */
const char *name_parse_alias(const char *text, struct address *);

/* As text, with "@domain" for what catches all; ADDRESS_TEXT_MAX + 1. */
void name_format(const struct address *, char *out);

/*
 * May a mailbox, and so a folder, have this name?  A dot-atom (RFC 5321
 * section 4.1.2) without "/", so neither "..", nor hidden, nor elsewhere.
 * NULL, or why not.
 */
const char *name_check_mailbox(const struct address *);

/* A domain that we may be responsible for: no address literal. */
const char *name_check_domain(const char *domain);

/* The address without +detail; false when there is none. */
bool name_strip_detail(const struct address *, struct address *plain);

#endif
