/* SPDX-License-Identifier: ISC */
#ifndef USERDB_SECRET_H
#define USERDB_SECRET_H

#include "userdb/directory.h"

/*
 * A secret of the database's own, 256 random bits in hexadecimal digits, kept
 * in the note of that name and made where there is none.  One that cannot be
 * stored, on a full disk, is good until the next start.
 */
enum found secret_keep(
    struct directory *, const char *note, char out[DIRECTORY_SECRET + 1]);

#endif
