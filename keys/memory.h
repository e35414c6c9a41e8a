/* SPDX-License-Identifier: ISC */
#ifndef KEYS_MEMORY_H
#define KEYS_MEMORY_H

#include <stdbool.h>

/*
 * OpenSSL's memory in this process: whatever it frees is wiped, for it leaves
 * text and numbers of keys behind where it decodes them; the keys themselves
 * lie in pages that are neither swapped out nor dumped, with guards around
 * them.  Before anything else of OpenSSL; it reads no openssl.cnf then.
 * False: the pages could not be locked.
 */
bool memory_prepare(void);

#endif
