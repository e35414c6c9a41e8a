/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_FILES_H
#define TOOLS_DNS_FILES_H

#include "common/buf.h"
#include "tools/dns-tool.h"

/* What mail programs read to configure themselves (dns-clients.c). */

/* Mozilla's, config-v1.1.xml */
bool clients_autoconfig(const struct request *, struct buf *out);
/* Microsoft's, autodiscover.xml (MS-OXDSCLI section 2.2.4) */
bool clients_autodiscover(const struct request *, struct buf *out);

/*
 * Write a file below an open folder (dns-write.c): path has slashes, its
 * folders are made where they are missing, with mode 0755.  Whole or not at
 * all, by a rename; no link is followed on the way, and what stands there and
 * is no regular file stays.  NULL, or what is wrong (until the next call).
 */
const char *write_below(int folder, const char *path, const struct buf *);

#endif
