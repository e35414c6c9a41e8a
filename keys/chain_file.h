/* SPDX-License-Identifier: ISC */
#ifndef KEYS_CHAIN_FILE_H
#define KEYS_CHAIN_FILE_H

#include <openssl/x509.h>

/*
 * The chain in PEM, leaf first, as a sealed file in memory: who has a
 * descriptor of it reads it, and nobody changes it.  -1 and errno.
 */
int chain_file_make(STACK_OF(X509) *);

#endif
