/* SPDX-License-Identifier: ISC */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "common/config.h"
#include "common/prefork.h"
#include "fetch/https.h"

/* The HTTPS speaker: what its workers inherit from their parent. */
struct fetch {
	struct config config;
	struct https https;
};

/* A worker's life. */
int worker_serve(struct worker *, void *fetch);

#endif
