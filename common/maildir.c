/* SPDX-License-Identifier: ISC */
#include "common/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cursor.h"
#include "common/fs.h"

/*
 * FNV-1a.  It only has to tell apart the few mailboxes that a message has
 * and the names in one Maildir; nothing is trusted for it.
 */
static uint64_t
digest(const char *octets, size_t n)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		hash =
		    (hash ^ (unsigned char)octets[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static bool
is_id(const char *id)
{
	return *id != '\0' &&
	    id[strspn(id,
		"0123456789abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] == '\0';
}

bool
maildir_name(char out[MAILDIR_NAME_MAX + 1], const struct timespec *accepted,
    const char *id, const char *mailbox, uint64_t octets, uint64_t wire)
{
	int n;

	if (accepted->tv_sec < 0 || !is_id(id))
		return false;
	n = snprintf(out, MAILDIR_NAME_MAX + 1,
	    "%lld.M%06ld_%s.%016" PRIx64 ",S=%" PRIu64 ",W=%" PRIu64,
	    (long long)accepted->tv_sec, accepted->tv_nsec / 1000, id,
	    digest(mailbox, strlen(mailbox)), octets, wire);
	return n > 0 && n <= MAILDIR_NAME_MAX;
}

/* A field that is a letter, "=" and digits, nothing else. */
static bool
read_field(const char *field, size_t n, char letter, uint64_t *value)
{
	struct cursor c = cursor_over(field, n);

	if (n < 3 || field[0] != letter || field[1] != '=')
		return false;
	cursor_skip(&c, 2);
	*value = cursor_decimal(&c);
	return cursor_done(&c);
}

bool
maildir_parse(const char *name, struct maildir_parts *parts)
{
	const char *field, *end;
	size_t n;

	*parts = (struct maildir_parts){.flags = ""};
	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL)
		return false;
	parts->base = strcspn(name, ":");
	parts->unique = strcspn(name, ",:");
	if (strncmp(name + parts->base, ":2,", 3) == 0)
		parts->flags = name + parts->base + 3;

	end = name + parts->base;
	for (field = name + parts->unique; field < end; field += n) {
		field++;
		n = strcspn(field, ",:");
		if (!parts->has_size)
			parts->has_size =
			    read_field(field, n, 'S', &parts->size);
		if (!parts->has_wire)
			parts->has_wire =
			    read_field(field, n, 'W', &parts->wire);
	}
	return true;
}

bool
maildir_same(const char *name, const char *other)
{
	size_t n = strcspn(name, ",:");

	return n == strcspn(other, ",:") && memcmp(name, other, n) == 0;
}

/*
 * What comes before the sizes and flags: other programs correct a size, and
 * every reader changes flags.
 */
void
maildir_uidl(const char *name, char out[MAILDIR_UIDL_MAX + 1])
{
	enum { KEPT = MAILDIR_UIDL_MAX - 17 };
	size_t n = strcspn(name, ",:");
	bool plain = n > 0 && n <= MAILDIR_UIDL_MAX;

	for (size_t i = 0; i < n && plain; i++)
		plain = name[i] > 0x20 && name[i] < 0x7f;
	if (plain) {
		memcpy(out, name, n);
		out[n] = '\0';
		return;
	}
	for (size_t i = 0; i < KEPT; i++)
		out[i] =
		    i < n && name[i] > 0x20 && name[i] < 0x7f ? name[i] : '_';
	snprintf(out + KEPT, MAILDIR_UIDL_MAX + 1 - KEPT, "-%016" PRIx64,
	    digest(name, n));
}

static int
make_parts(int maildir)
{
	static const char *const parts[] = {"tmp", "new", "cur"};
	bool made = false;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (faccessat(maildir, parts[i], F_OK, AT_SYMLINK_NOFOLLOW) ==
		    0)
			continue;
		if (fs_make_dir(maildir, parts[i], 0700) == -1)
			return -1;
		made = true;
	}
	return made ? fs_sync(maildir) : 0;
}

static int
make_maildir(int parent, const char *path)
{
	if (fs_make_dir(parent, path, 0700) == -1 ||
	    fs_sync_dir(parent, ".") == -1)
		return -1;
	return fs_open_dir(parent, path);
}

int
maildir_open(int parent, const char *path, bool create)
{
	int maildir = fs_open_dir(parent, path);

	if (maildir == -1 && errno == ENOENT && create)
		maildir = make_maildir(parent, path);
	if (maildir != -1 && create && make_parts(maildir) == -1) {
		int saved = errno;

		close(maildir);
		errno = saved;
		return -1;
	}
	return maildir;
}
