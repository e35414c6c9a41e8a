/* SPDX-License-Identifier: ISC */
#include "tools/report-unpack.h"

#include <string.h>

#include "build.h"
#include "common/cursor.h"

bool
is_gzip(const char *octets, size_t n)
{
	return n >= 3 && memcmp(octets, "\x1f\x8b\x08", 3) == 0;
}

bool
is_zip(const char *octets, size_t n)
{
	return n >= 4 && memcmp(octets, "PK\3\4", 4) == 0;
}

#ifdef HAVE_ZLIB

#include <limits.h>
#include <zlib.h>

enum { PIECE = 1 << 16, RAW = -MAX_WBITS, GZIP = 16 + MAX_WBITS };

static const char too_big[] = "it unpacks to too much";
static const char broken[] = "what is packed is broken";

/* Where it goes, and how much may still come out. */
struct room {
	size_t *left;
	unpack_sink *sink;
	void *context;
};

static const char *
hand_on(struct room *room, const char *octets, size_t n)
{
	if (n > *room->left) {
		*room->left = 0;
		return too_big;
	}
	*room->left -= n;
	return n > 0 ? room->sink(room->context, octets, n) : NULL;
}

/* One stream; *used: its octets of the input. */
static const char *
inflate_stream(struct room *room, struct span in, int form, size_t *used)
{
	static char piece[PIECE];
	z_stream z = {
	    .next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.len};
	const char *wrong = NULL;
	int rc = Z_OK;

	if (in.len > UINT_MAX || inflateInit2(&z, form) != Z_OK)
		return "out of memory";
	while (wrong == NULL && rc == Z_OK) {
		z.next_out = (Bytef *)piece;
		z.avail_out = sizeof(piece);
		rc = inflate(&z, Z_NO_FLUSH);
		if (rc == Z_OK || rc == Z_STREAM_END)
			wrong =
			    hand_on(room, piece, sizeof(piece) - z.avail_out);
		else
			wrong = broken;
	}
	*used = in.len - z.avail_in;
	inflateEnd(&z);
	return wrong;
}

const char *
unpack_gzip(const char *octets, size_t n, size_t *left, unpack_sink *sink,
    void *context)
{
	struct room room = {left, sink, context};
	const char *wrong = NULL;
	size_t at = 0, used;

	/* Section 2.2: members follow each other; other octets are padding. */
	while (wrong == NULL && is_gzip(octets + at, n - at)) {
		wrong = inflate_stream(
		    &room, (struct span){octets + at, n - at}, GZIP, &used);
		at += used;
	}
	return wrong != NULL ? wrong : sink(context, NULL, 0);
}

bool
pack_gzip(const char *octets, size_t n, struct buf *out)
{
	z_stream z = {
	    .next_in = (Bytef *)(uintptr_t)octets, .avail_in = (uInt)n};
	int rc;

	if (n > UINT_MAX ||
	    deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP,
		MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	do {
		if (!buf_reserve(out, PIECE))
			break;
		z.next_out = (Bytef *)(out->data + out->len);
		z.avail_out = PIECE;
		rc = deflate(&z, Z_FINISH);
		out->len += PIECE - z.avail_out;
	} while (rc == Z_OK);
	deflateEnd(&z);
	return buf_ok(out);
}

/* -- ZIP, as APPNOTE.TXT 6.3 has it: the central directory rules -- */

enum {
	END_SIZE = 22,
	COMMENT_MAX = 65535,
	SIGNED_END = 0x06054b50,
	SIGNED_ENTRY = 0x02014b50,
	SIGNED_FILE = 0x04034b50,
	METHOD_STORED = 0,
	METHOD_DEFLATED = 8
};

struct entry {
	unsigned flags, method;
	size_t packed, offset;
	bool is_folder;
};

static unsigned
little16(struct cursor *c)
{
	unsigned low = cursor_u8(c);

	return low | (unsigned)cursor_u8(c) << 8;
}

static uint32_t
little32(struct cursor *c)
{
	uint32_t low = little16(c);

	return low | (uint32_t)little16(c) << 16;
}

/* A cursor behind the signature of the end record; failed: there is none. */
static struct cursor
find_end(const char *octets, size_t n)
{
	struct cursor c = cursor_over(octets, n);
	size_t at = n;

	while (
	    at >= END_SIZE && n - (at - END_SIZE) <= END_SIZE + COMMENT_MAX) {
		struct cursor here = c;

		cursor_seek(&here, at - END_SIZE);
		if (little32(&here) == SIGNED_END)
			return here;
		at--;
	}
	c.failed = true;
	return c;
}

static bool
read_entry(struct cursor *c, struct entry *e)
{
	unsigned name, extra, comment;
	struct span text;

	if (little32(c) != SIGNED_ENTRY)
		return false;
	cursor_skip(c, 4);
	e->flags = little16(c);
	e->method = little16(c);
	cursor_skip(c, 8);
	e->packed = little32(c);
	cursor_skip(c, 4);
	name = little16(c);
	extra = little16(c);
	comment = little16(c);
	cursor_skip(c, 8);
	e->offset = little32(c);
	text = cursor_take(c, name);
	cursor_skip(c, extra + comment);
	e->is_folder = text.len > 0 && text.data[text.len - 1] == '/';
	return cursor_ok(c);
}

static const char *
unpack_entry(
    struct room *room, const char *octets, size_t n, const struct entry *e)
{
	struct cursor c = cursor_over(octets, n);
	const char *wrong;
	struct span packed;
	unsigned name;
	size_t used;

	cursor_seek(&c, e->offset);
	if (little32(&c) != SIGNED_FILE)
		return broken;
	cursor_skip(&c, 22);
	name = little16(&c);
	cursor_skip(&c, name + little16(&c));
	packed = cursor_take(&c, e->packed);
	if (!cursor_ok(&c))
		return broken;
	if (e->flags & 1)
		return "what is packed is encrypted";
	if (e->method == METHOD_STORED)
		wrong = hand_on(room, packed.data, packed.len);
	else if (e->method == METHOD_DEFLATED)
		wrong = inflate_stream(room, packed, RAW, &used);
	else
		wrong = "it is packed in an unknown way";
	return wrong != NULL ? wrong : room->sink(room->context, NULL, 0);
}

const char *
unpack_zip(const char *octets, size_t n, size_t *left, unpack_sink *sink,
    void *context)
{
	struct room room = {left, sink, context};
	struct cursor end = find_end(octets, n), c = cursor_over(octets, n);
	const char *wrong = NULL;
	unsigned entries;
	struct entry e;

	cursor_skip(&end, 6);
	entries = little16(&end);
	cursor_skip(&end, 4);
	cursor_seek(&c, little32(&end));
	if (!cursor_ok(&end) || !cursor_ok(&c))
		return broken;
	if (entries > UNPACK_FILES_MAX)
		entries = UNPACK_FILES_MAX;
	for (; wrong == NULL && entries > 0; entries--)
		if (!read_entry(&c, &e))
			wrong = broken;
		else if (!e.is_folder)
			wrong = unpack_entry(&room, octets, n, &e);
	return wrong;
}

#else

static const char without[] = "Postrider was built without zlib";

const char *
unpack_gzip(const char *octets, size_t n, size_t *left, unpack_sink *sink,
    void *context)
{
	(void)octets;
	(void)n;
	(void)left;
	(void)sink;
	(void)context;
	return without;
}

const char *
unpack_zip(const char *octets, size_t n, size_t *left, unpack_sink *sink,
    void *context)
{
	return unpack_gzip(octets, n, left, sink, context);
}

bool
pack_gzip(const char *octets, size_t n, struct buf *out)
{
	(void)octets;
	(void)n;
	(void)out;
	return false;
}

#endif
