/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_CERTIFICATE_H
#define SUPERVISOR_CERTIFICATE_H

#include <stdbool.h>

#include "common/config.h"

/*
 * A self-signed certificate for the host name, with a P-256 key that only
 * its owner may read, where the config names none and at the default place
 * there is neither.  Makes STARTTLS possible, which keeps readers of the wire out;
 * nobody can verify it.  An exit code; dry: only say so.
 */
int certificate_make(const struct config *, bool dry);

#endif
