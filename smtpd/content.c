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
	c->scratched += c->memory.len;
	return fs_write_all(c->scratch, c->memory.data, c->memory.len);
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
	    lseek(c->scratch, 0, SEEK_SET) == -1 ||
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
	else if (c->scratch >= 0)
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

int
content_finish(struct content *c)
{
	if (c->error == 0)
		spill(c, true);
	close_scratch(c);
	errno = c->error;
	return c->error == 0 ? 0 : -1;
}
