/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ANSWERS_H
#define KEYS_ANSWERS_H

#include "common/config.h"
#include "keys/clients.h"

/*
 * What keys answers, by role (common/protocol.h).  config is read at each
 * answer.  records_changed() is called when they may name other folders,
 * shut_out() when a token lies where the sandbox lets nobody in: its folder
 * was made after we started.
 */
void answers_begin(const struct config *, void (*records_changed)(void),
    void (*shut_out)(void));

/* False: malformed. */
bool answer_request(struct client *, const struct packet *);

#endif
