/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SASL_MECHANISM_H
#define COMMON_SASL_MECHANISM_H

#include "common/sasl.h"

/* The inside of the SASL server: what its mechanisms share. */

/* A step of one; response is never NULL but where the server begins. */
typedef enum sasl_step sasl_run(struct sasl_server *, const char *response,
    size_t n, struct buf *challenge);

sasl_run sasl_plain_step, sasl_login_step, sasl_cram_md5_step;
sasl_run sasl_scram_step;
sasl_run sasl_oauthbearer_step, sasl_xoauth2_step;

/*
 * One name, password or token, of 1 to max octets, as a string; false when
 * it has a NUL or another length.
 */
bool sasl_text(const char *octets, size_t n, char *out, size_t max);

enum sasl_step sasl_ended(struct sasl_server *, enum verdict);

/* Refused here, without asking the backend; it writes the line in the log. */
enum sasl_step sasl_refused(
    struct sasl_server *, const char *user, const char *reason);

#endif
