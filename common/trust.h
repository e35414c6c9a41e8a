/* SPDX-License-Identifier: ISC */
#ifndef COMMON_TRUST_H
#define COMMON_TRUST_H

#include "common/buf.h"

/*
 * The certificates of the authorities that are trusted where we are the
 * client: those of tls-trust, else the system's.  They are read before a
 * speaker enters its chroot.
 */
struct config;

/*
 * Add them to pem, whose bound should be TRUST_MAX.  -1 with a message of at
 * most CONFIG_ERROR_MAX octets in error when there is none.
 */
enum { TRUST_MAX = 4 << 20 };
int trust_load(const struct config *, struct buf *pem, char *error);

#endif
