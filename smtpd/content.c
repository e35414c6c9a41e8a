/* SPDX-License-Identifier: ISC */
#include "smtpd/content.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/fs.h"

enum { READ_MAX = 65536 };

void
content_init(struct content *c, int fd, struct buf *headers)
{
	*c = (struct content){.fd = fd,
	    .headers = headers,
	    .memory = BUF_INIT(CONTENT_MEMORY + READ_MAX),
	    .before = {.memory = BUF_INIT(CONTENT_MEMORY + READ_MAX)},
	    .scratch = -1};
}

void
content_wait_for_headers(
    struct content *c, int (*open_scratch)(void *), void *context)
{
	c->open_scratch = open_scratch;
	c->context = context;
}

static void
close_scratch(struct content *c)
{
	if (c->scratch >= 0)
		close(c->scratch);
	c->scratch = -1;
}

void
content_free(struct content *c)
{
	buf_free(&c->memory);
	buf_free(&c->before.memory);
	close_scratch(c);
}

static void
fail(struct content *c, int error)
{
	c->error = error;
	buf_free(&c->memory);
	close_scratch(c);
}

/* The first write: headers and content together, if the kernel will. */
static int
write_with_headers(struct content *c)
{
	struct iovec parts[] = {{c->headers->data, c->headers->len},
	    {c->memory.data, c->memory.len}};
	ssize_t n;
	size_t done;

	if (!buf_ok(c->headers)) {
		errno = ENOMEM;
		return -1;
	}
	do
		n = writev(c->fd, parts, 2);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	done = (size_t)n;
	if (done < c->headers->len &&
	    fs_write_all(
		c->fd, c->headers->data + done, c->headers->len - done) == -1)
		return -1;
	done = done > c->headers->len ? done - c->headers->len : 0;
	return fs_write_all(c->fd, c->memory.data + done, c->memory.len - done);
}

static int
write_scratch(struct content *c)
{
	if (c->scratch == -1 &&
	    (c->scratch = c->open_scratch(c->context)) == -1)
		return -1;
	if (fs_write_at(c->scratch, c->memory.data, c->memory.len,
		(off_t)(c->base + c->scratched)) == -1)
		return -1;
	c->scratched += c->memory.len;
	return 0;
}

/* Headers, what waited in the scratch file, and the rest. */
static int
write_all_of_it(struct content *c)
{
	if (!buf_ok(c->headers)) {
		errno = ENOMEM;
		return -1;
	}
	if (fs_write_all(c->fd, c->headers->data, c->headers->len) == -1 ||
	    lseek(c->scratch, (off_t)c->base, SEEK_SET) == -1 ||
	    fs_copy(c->scratch, c->fd, c->scratched) == -1)
		return -1;
	return fs_write_all(c->fd, c->memory.data, c->memory.len);
}

static void
spill(struct content *c, bool all)
{
	int rc;

	if (c->open_scratch != NULL && !all)
		rc = write_scratch(c);
	else if (c->scratched > 0)
		rc = write_all_of_it(c);
	else if (c->spilled)
		rc = fs_write_all(c->fd, c->memory.data, c->memory.len);
	else
		rc = write_with_headers(c);
	c->spilled = c->open_scratch == NULL || all;
	if (rc == -1)
		fail(c, errno);
	else
		buf_reset(&c->memory);
}

char *
content_room(struct content *c, size_t n)
{
	if (c->error == 0 && c->memory.len >= CONTENT_MEMORY)
		spill(c, false);
	if (c->error == 0 && !buf_reserve(&c->memory, n))
		fail(c, ENOMEM);
	return c->error == 0 ? c->memory.data + c->memory.len : NULL;
}

void
content_came(struct content *c, size_t n)
{
	c->memory.len += n;
}

void
content_add(struct content *c, const char *octets, size_t n)
{
	char *room;

	if (n == 0)
		return;
	room = content_room(c, n);
	if (room == NULL)
		return;
	memcpy(room, octets, n);
	content_came(c, n);
}

void
content_discard(struct content *c)
{
	if (c->error == 0)
		fail(c, ECANCELED);
}

uint64_t
content_octets(const struct content *c)
{
	return c->scratched + c->memory.len;
}

ssize_t
content_read(struct content *c, uint64_t at, char *out, size_t n)
{
	uint64_t left;
	ssize_t got;

	if (c->error != 0) {
		errno = c->error;
		return -1;
	}
	if (at >= c->scratched) {
		left = content_octets(c) - at;
		n = n < left ? n : (size_t)left;
		if (n > 0)
			memcpy(out, c->memory.data + (at - c->scratched), n);
		return (ssize_t)n;
	}
	left = c->scratched - at;
	do
		got = pread(c->scratch, out, n < left ? n : (size_t)left,
		    (off_t)(c->base + at));
	while (got == -1 && errno == EINTR);
	if (got > 0)
		return got;
	fail(c, got == 0 ? EIO : errno); /* 0: somebody has cut it off */
	errno = c->error;
	return -1;
}

void
content_replace(struct content *c)
{
	if (c->error != 0)
		return;
	c->before.memory = c->memory;
	c->before.base = c->base;
	c->before.scratched = c->scratched;
	c->memory = BUF_INIT(CONTENT_MEMORY + READ_MAX);
	c->base += c->scratched;
	c->scratched = 0;
}

void
content_replaced(struct content *c, bool keep_new)
{
	if (c->error != 0)
		return;
	if (keep_new) {
		buf_free(&c->before.memory);
	} else {
		buf_free(&c->memory);
		c->memory = c->before.memory;
		c->base = c->before.base;
		c->scratched = c->before.scratched;
	}
	c->before.memory = BUF_INIT(CONTENT_MEMORY + READ_MAX);
}

int
content_finish(struct content *c)
{
	if (c->error == 0)
		spill(c, true);
	close_scratch(c);
	errno = c->error;
	return c->error == 0 ? 0 : -1;
}
