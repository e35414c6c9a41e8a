/* SPDX-License-Identifier: ISC */
#ifndef COMMON_SASL_CHANNEL_H
#define COMMON_SASL_CHANNEL_H

#include "common/config.h"
#include "common/sasl.h"
#include "common/stream.h"

/*
 * The channel that this stream is now, bound to its TLS where it has any.
 * The stream is kept, not copied.  Programs that call it link with SSL_LIBS.
 */
struct sasl_channel sasl_channel_of(const struct stream *);

/*
 * What the config lets a client use over this stream: under TLS, or in the
 * clear where that is allowed to him; those with tokens where anybody can
 * check one.
 */
unsigned sasl_offer(
    const struct config *, const struct stream *, bool plaintext_allowed);

#endif
