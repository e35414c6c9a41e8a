/* SPDX-License-Identifier: ISC */
#ifndef USERDB_APP_H
#define USERDB_APP_H

#include <stdbool.h>

#include "userdb/entry.h"

/*
 * App passwords: made here, never chosen, so that one digest is as good a
 * lock as a slow hash, and looking at one costs no time.  Groups of four of
 * a to z and 2 to 7, 120 bits in all: "k3xr-77qm-...".
 */
enum {
	APP_LETTERS = 24,
	APP_TEXT = 29,
	APP_USED_S = 3600,  /* how exactly its last use is known */
	APP_COUNT_MAX = 20, /* for one user */
};

/* A new one and its digest; false when there is no randomness. */
bool app_make(char text[APP_TEXT + 1], char digest[ENTRY_DIGEST_MAX + 1]);

/*
 * The digest of one that somebody typed, in any case, with or without the
 * hyphens; false for what cannot be one.
 */
bool app_digest(const char *typed, char digest[ENTRY_DIGEST_MAX + 1]);

/* Is it a digest's text? */
bool app_is_digest(const char *text);

#endif
