/* SPDX-License-Identifier: ISC */
#ifndef KEYS_SANDBOX_H
#define KEYS_SANDBOX_H

#include <stdbool.h>

#include "common/config.h"

/*
 * keys reads keys-dir and the folders that relay records name for their
 * tokens, nothing else; it opens no key.  That is fixed when it starts.
 */
void keys_confine(const struct config *);

/* No record names a folder that was not known then. */
bool keys_reaches_all(const struct config *);

#endif
