/* SPDX-License-Identifier: ISC */
#ifndef COMMON_KEY_TRIAL_H
#define COMMON_KEY_TRIAL_H

#include <stdbool.h>

#include "common/certificate.h"

/*
 * Is that a key, and the certificate's?  The program `keys` looks, started
 * for the purpose, as its own user and confined: nobody else reads a key.
 * Both descriptors stay the caller's.
 */
bool key_trial(int certificate, int key, char reason[CERTIFICATE_REASON_MAX]);

#endif
