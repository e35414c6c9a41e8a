/* SPDX-License-Identifier: ISC */
#ifndef USERDB_PROMPT_H
#define USERDB_PROMPT_H

#include "userdb/password.h"

/*
 * A password: one line of standard input, or twice from the terminal, which
 * does not show it.  Exit codes of sysexits.h; what is wrong has been said.
 */
int prompt_password(
    const char *whose, bool from_stdin, char out[PASSWORD_MAX + 1]);

#endif
