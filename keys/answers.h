/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ANSWERS_H
#define KEYS_ANSWERS_H

#include "common/config.h"
#include "keys/clients.h"

/*
 * What keys answers, by role (common/protocol.h).  config is read at each
 * answer; renew() is called when relay records may name other folders.
 */
void answers_begin(const struct config *, void (*renew)(void));

/* False: malformed. */
bool answer_request(struct client *, const struct packet *);

#endif
