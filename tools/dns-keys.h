/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_DNS_KEYS_H
#define TOOLS_DNS_KEYS_H

#include "common/selectors.h"
#include "tools/dns-tool.h"

/*
 * The DKIM keys that sign for a domain: its own, or those of the nearest
 * domain above it that has any.  Their records alone are read, as keys' user.
 */
struct house_key {
	char selector[SELECTOR_NAME_MAX + 1];
	enum selector_state state;
	char record[SELECTOR_RECORD_MAX + 1]; /* "" when it cannot be read */
};

struct house_keys {
	char domain[DNS_NAME_MAX + 1]; /* whose they are */
	size_t n;                      /* 0: there are none */
	struct house_key items[SELECTORS_MAX];
};

/* NULL, or why they cannot be known (until the next call). */
const char *house_read_keys(const struct request *, struct house_keys *);

#endif
