/* SPDX-License-Identifier: ISC */
#ifndef USERDB_JSON_H
#define USERDB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/cursor.h"

/*
 * JSON from outside.  jansson parses; the bounds are ours: nothing deeper
 * than JSON_DEPTH_MAX, no member twice, an object at the top.
 */
enum { JSON_DEPTH_MAX = 8 };

/* NULL when it is none; json_decref() is the caller's. */
json_t *json_read(struct span text);

/* A member that is a string; NULL when it is absent or another thing. */
const char *json_text(const json_t *object, const char *name);

/*
 * base64url without padding (RFC 7515 section 2), strictly; octets has
 * JSON_OCTETS(text.len) places.
 */
#define JSON_OCTETS(n) (((n) + 3) / 4 * 4)
bool json_octets(struct span text, char *octets, size_t *made);

#endif
