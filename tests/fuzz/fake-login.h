/* SPDX-License-Identifier: ISC */
#ifndef FUZZ_FAKE_LOGIN_H
#define FUZZ_FAKE_LOGIN_H

#include "common/login.h"

/*
 * Takes the place of common/login.c, and with it userdb's: "ann" has the
 * password "pw", whoever has the token "good" or the digest 000...0, or
 * proves to know "pencil" in RFC 7677's conversation, is ann, too.
 */
extern bool fake_logged_in; /* to be set to false by the target */

#endif
