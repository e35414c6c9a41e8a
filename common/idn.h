/* SPDX-License-Identifier: ISC */
#ifndef COMMON_IDN_H
#define COMMON_IDN_H

#include <stdbool.h>

#include "common/dns.h"

/*
 * A domain as the DNS has it: U-labels become A-labels (RFC 5891), ASCII
 * stays as it is.  False when it is no domain name, or when it has U-labels
 * and this build has no libidn2.
 */
bool idn_to_ascii(const char *domain, char out[DNS_NAME_MAX + 1]);

#endif
