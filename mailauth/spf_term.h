/* SPDX-License-Identifier: ISC */
#ifndef MAILAUTH_SPF_TERM_H
#define MAILAUTH_SPF_TERM_H

#include "mailauth/spf_record.h"

/* One term: NULL, or what is wrong with it (a static phrase). */
const char *spf_term_parse(struct span, struct spf_term *);

#endif
