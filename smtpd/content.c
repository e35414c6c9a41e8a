/* SPDX-License-Identifier: ISC */
#include "smtpd/content.h"

#include <errno.h>
#include <sys/uio.h>

#include "common/fs.h"

enum { READ_MAX = 65536 };

void
content_init(struct content *c, int fd, struct buf *headers)
{
	*c = (struct content){.fd = fd,
	    .headers = headers,
	    .memory = BUF_INIT(CONTENT_MEMORY + READ_MAX)};
}

void
content_free(struct content *c)
{
	buf_free(&c->memory);
}

static void
fail(struct content *c, int error)
{
	c->error = error;
	buf_free(&c->memory);
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

static void
spill(struct content *c)
{
	int rc = c->spilled ? fs_write_all(c->fd, c->memory.data, c->memory.len)
			    : write_with_headers(c);

	c->spilled = true;
	if (rc == -1)
		fail(c, errno);
	else
		buf_reset(&c->memory);
}

char *
content_room(struct content *c, size_t n)
{
	if (c->error == 0 && c->memory.len >= CONTENT_MEMORY)
		spill(c);
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
content_discard(struct content *c)
{
	if (c->error == 0)
		fail(c, ECANCELED);
}

int
content_finish(struct content *c)
{
	if (c->error == 0)
		spill(c);
	errno = c->error;
	return c->error == 0 ? 0 : -1;
}
