/* SPDX-License-Identifier: ISC */
#include "mailbox/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cursor.h"
#include "common/fs.h"
#include "common/log.h"
#include "mailbox/folder.h"
#include "mailbox/sizes.h"
#include "mailbox/wire.h"

/* 256 MiB of names are some three million messages. */
enum { NAMES_MAX = 256 << 20 };

const char *
snapshot_name(const struct snapshot *s, size_t i)
{
	return s->names.data + s->messages[i].name;
}

static uint64_t
time_of(const char *name)
{
	struct cursor c = cursor_over(name, strlen(name));

	return cursor_decimal(&c);
}

/* -- order: time, what never changes, the rest of the base -- */

static unsigned
rank(char c)
{
	if (c == '\0' || c == ':')
		return 0;
	return c == ',' ? 1 : (unsigned char)c + 1U;
}

static int
compare_bases(const char *a, const char *b)
{
	while (rank(*a) == rank(*b) && rank(*a) != 0)
		a++, b++;
	return (rank(*a) > rank(*b)) - (rank(*a) < rank(*b));
}

static int
compare_to(const struct snapshot *s, const struct snapshot_message *m,
    uint64_t time, const char *name)
{
	if (m->time != time)
		return m->time < time ? -1 : 1;
	return compare_bases(s->names.data + m->name, name);
}

int
snapshot_compare(const struct snapshot *s, size_t i, const char *name)
{
	return compare_to(s, &s->messages[i], time_of(name), name);
}

static const struct snapshot *sorting; /* for qsort */

static int
compare_messages(const void *left, const void *right)
{
	const struct snapshot_message *a = left, *b = right;
	int order =
	    compare_to(sorting, a, b->time, sorting->names.data + b->name);

	/* The same message twice: that which was read last stands first. */
	return order != 0 ? order : (a->name < b->name) - (a->name > b->name);
}

/* A message that was met twice, moving, is one. */
static void
sort(struct snapshot *s)
{
	size_t kept = 0;

	if (s->n == 0)
		return;
	sorting = s;
	qsort(s->messages, s->n, sizeof(*s->messages), compare_messages);
	for (size_t i = 1; i < s->n; i++)
		if (compare_to(s, &s->messages[kept], s->messages[i].time,
			snapshot_name(s, i)) != 0)
			s->messages[++kept] = s->messages[i];
	s->n = kept + 1;
}

/* -- reading the folders -- */

struct reading {
	struct snapshot *snapshot;
	bool is_new;
};

static bool
is_regular(
    const struct snapshot *s, const char *name, unsigned char type, bool is_new)
{
	int fd;

	if (type != DT_UNKNOWN)
		return type == DT_REG;
	fd = fs_open_file(is_new ? s->new : s->cur, name);
	if (fd != -1)
		close(fd);
	return fd != -1;
}

static bool
add_message(struct snapshot *s, const struct snapshot_message *m)
{
	size_t room = s->room == 0 ? 256 : 2 * s->room;
	struct snapshot_message *more;

	if (s->n == s->room) {
		more = reallocarray(s->messages, room, sizeof(*more));
		if (more == NULL)
			return false;
		s->messages = more;
		s->room = room;
	}
	s->messages[s->n++] = *m;
	return true;
}

static bool
add_name(const char *name, unsigned char type, void *context)
{
	struct reading *reading = context;
	struct snapshot *s = reading->snapshot;
	struct maildir_parts parts;
	struct snapshot_message m = {.time = time_of(name),
	    .name = (uint32_t)s->names.len,
	    .is_new = reading->is_new};

	if (!maildir_parse(name, &parts) ||
	    !is_regular(s, name, type, reading->is_new))
		return true;
	m.has_octets = parts.has_wire;
	m.octets = parts.wire;
	s->failed =
	    !buf_add(&s->names, name, strlen(name) + 1) || !add_message(s, &m);
	return !s->failed;
}

static int
read_folder(struct snapshot *s, const char *folder, bool is_new,
    bool (*each)(const char *, unsigned char, void *))
{
	struct reading reading = {.snapshot = s, .is_new = is_new};

	if (folder_each(s->maildir, folder, each, &reading) == -1)
		return -1;
	if (!s->failed)
		return 0;
	errno = ENOMEM;
	return -1;
}

/* -- sizes that no name tells -- */

static int
count_octets(int folder, const char *name, uint64_t *octets)
{
	static char block[65536];
	struct wire_count count = {0};
	ssize_t n;
	int fd = openat(folder, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	do {
		n = read(fd, block, sizeof(block));
		if (n > 0)
			wire_add(&count, block, (size_t)n);
	} while (n == (ssize_t)sizeof(block) || (n == -1 && errno == EINTR));
	close(fd);
	*octets = wire_total(&count);
	return n == -1 ? -1 : 0;
}

/* False when it is not to be had. */
static bool
measure_one(struct snapshot *s, size_t i)
{
	struct snapshot_message *m = &s->messages[i];

	if (m->has_octets)
		return true;
	if (count_octets(m->is_new ? s->new : s->cur, snapshot_name(s, i),
		&m->octets) == -1) {
		log_event(LEVEL_WARNING, "message left out",
		    log_text("what", snapshot_name(s, i)),
		    log_text("reason", strerror(errno)));
		return false;
	}
	m->has_octets = m->counted = 1;
	s->measured++;
	return true;
}

static void
measure(struct snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (!measure_one(s, i))
			continue;
		s->octets += s->messages[i].octets;
		s->messages[kept++] = s->messages[i];
	}
	s->n = kept;
}

void
snapshot_none(struct snapshot *s)
{
	*s = (struct snapshot){.maildir = -1,
	    .new = -1,
	    .cur = -1,
	    .tmp = -1,
	    .names = BUF_INIT(NAMES_MAX)};
}

int
snapshot_take(struct snapshot *s, int maildir, int sizes)
{
	*s =
	    (struct snapshot){.maildir = maildir, .names = BUF_INIT(NAMES_MAX)};
	s->new = fs_open_dir(maildir, "new");
	s->cur = fs_open_dir(maildir, "cur");
	s->tmp = fs_open_dir(maildir, "tmp");
	/* In the order in which a message moves. */
	if (s->new == -1 || s->cur == -1 || s->tmp == -1 ||
	    read_folder(s, "new", true, add_name) == -1 ||
	    read_folder(s, "cur", false, add_name) == -1)
		return -1;
	sort(s);
	sizes_load(sizes, s);
	measure(s);
	return 0;
}

void
snapshot_free(struct snapshot *s)
{
	const int folders[] = {s->maildir, s->new, s->cur, s->tmp};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (folders[i] != -1)
			close(folders[i]);
	buf_free(&s->names);
	free(s->messages);
	snapshot_none(s);
}

void
snapshot_uidl(
    const struct snapshot *s, size_t i, char out[MAILDIR_UIDL_MAX + 1])
{
	const char *name = snapshot_name(s, i);
	char whole[MAILDIR_NAME_MAX + 1];
	size_t n = strcspn(name, ":");

	maildir_uidl(name, out);
	if (!(i > 0 && maildir_same(snapshot_name(s, i - 1), name)) &&
	    !(i + 1 < s->n && maildir_same(snapshot_name(s, i + 1), name)))
		return;
	/* Two messages that differ only behind the first comma: take all of
	 * the name, made so that it is digested. */
	snprintf(whole, sizeof(whole), "%.*s", (int)n, name);
	for (char *c = whole; *c != '\0'; c++)
		if (*c == ',')
			*c = ' ';
	maildir_uidl(whole, out);
}

/* -- found again under other flags -- */

static bool
note_name(const char *name, unsigned char type, void *context)
{
	struct reading *reading = context;
	struct snapshot *s = reading->snapshot;
	uint64_t time = time_of(name);
	size_t low = 0, high = s->n;

	(void)type;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct snapshot_message *m = &s->messages[middle];
		int order = compare_to(s, m, time, name);

		if (order == 0) {
			if (strcmp(snapshot_name(s, middle), name) != 0) {
				m->name = (uint32_t)s->names.len;
				s->failed =
				    !buf_add(&s->names, name, strlen(name) + 1);
			}
			m->is_new = reading->is_new;
			return !s->failed;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return true;
}

static int
look_again(struct snapshot *s)
{
	if (read_folder(s, "new", true, note_name) == -1 ||
	    read_folder(s, "cur", false, note_name) == -1)
		return -1;
	return 0;
}

int
snapshot_open(struct snapshot *s, size_t i)
{
	for (int tries = 0; tries < 3; tries++) {
		const struct snapshot_message *m = &s->messages[i];
		int fd = fs_open_file(
		    m->is_new ? s->new : s->cur, snapshot_name(s, i));

		if (fd != -1 || errno != ENOENT)
			return fd;
		if (tries < 2 && look_again(s) == -1)
			return -1;
	}
	errno = ENOENT;
	return -1;
}
