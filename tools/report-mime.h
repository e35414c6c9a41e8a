/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_MIME_H
#define TOOLS_REPORT_MIME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The parts of a message (RFC 2045, RFC 2046), decoded, also those of
 * messages within it.  Nesting and number are bounded (A19): what is deeper
 * or later is not looked at.
 */
enum { MIME_DEPTH_MAX = 8, MIME_PARTS_MAX = 64 };

/*
 * found() is given each part that has no parts itself, in order, and returns
 * false to stop.  Either line end will do.  False without memory.
 */
bool mime_each(const char *message, size_t n,
    bool (*found)(const char *octets, size_t n, void *context), void *context);

#endif
