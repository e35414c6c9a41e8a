/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_POLICY_H
#define TOOLS_DNS_POLICY_H

#include "common/buf.h"
#include "common/sts.h"
#include "tools/dns-tool.h"

/* The domain's MTA-STS policy, RFC 8461 section 3.2. */

/* Its text, as `files` writes it. */
bool policy_write(const struct request *, struct buf *out);

/* The id for its record: another text has another one. */
bool policy_id(const struct buf *text, char id[STS_ID_MAX + 1]);

#endif
