/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_UNPACK_H
#define TOOLS_REPORT_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/*
 * What reports are packed in: gzip (RFC 1952), and ZIP, which is read here
 * since a few of its features are all that reports use.  What comes out is
 * handed on in pieces and is never more than *left in all, which it is taken
 * from, however little went in (A18).
 */
enum {
	UNPACKED_MAX = 64 << 20, /* what there is of it for a file */
	UNPACK_FILES_MAX = 16 /* of a ZIP; the rest is not looked at */
};

/*
 * Octets of one document; with NULL it is at its end.  NULL, or why there
 * need be no more (a static phrase).
 */
typedef const char *unpack_sink(void *context, const char *octets, size_t n);

bool is_gzip(const char *octets, size_t n);
bool is_zip(const char *octets, size_t n);

/* NULL, or what is wrong. */
const char *unpack_gzip(const char *octets, size_t n, size_t *left,
    unpack_sink *, void *context);
/* Each file in it is a document. */
const char *unpack_zip(const char *octets, size_t n, size_t *left,
    unpack_sink *, void *context);

/* Append it as gzip, without a name and a time. */
bool pack_gzip(const char *octets, size_t n, struct buf *out);

#endif
