/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_CALLER_H
#define SENDMAIL_CALLER_H

#include <sys/types.h>

/* Who runs this program: known by the real uid, never by the environment. */
struct caller {
	uid_t uid;
	char login[65]; /* the uid in digits where the system knows no name */
	char name[256]; /* the full name, or "" */
};

void caller_find(struct caller *);

/*
 * The full name in a GECOS field: up to the first comma, an "&" for the
 * login name with its first letter in upper case.  out has n octets.
 */
void caller_full_name(
    const char *gecos, const char *login, char *out, size_t n);

#endif
