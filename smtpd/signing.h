/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SIGNING_H
#define SMTPD_SIGNING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/dkim_facts.h"
#include "mailauth/header.h"

/*
 * A message of somebody who may send mail out: what DKIM signs of it is
 * collected while it passes by.  Queue decides whether it is signed, keys signs
 * it.
 */
struct signing; /* opaque */

struct signing *signing_begin(void); /* NULL without memory */
void signing_body(struct signing *, const char *octets, size_t n);
void signing_free(struct signing *); /* NULL is fine */

/*
 * The message is at its end; these n octets of fields stand in front of its
 * own.  NULL, or why it cannot be signed.  The facts are freed with the
 * signing.
 */
const char *signing_end(struct signing *, const struct header_section *,
    const char *fields, size_t n, const struct dkim_facts **facts);

#endif
