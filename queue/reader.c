/* SPDX-License-Identifier: ISC */
#include "queue/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "queue/facts.h"
#include "queue/hold.h"
#include "queue/load.h"
#include "queue/names.h"

enum {
	BATCH = 256,
	COLD_MS = 50, /* for a batch: it was not in memory */
	FILES = 64
};

static struct {
	int control;
	struct spool *spool;
	struct names names;
	struct packet packet; /* of messages, being filled */
	bool filled;
} reader;

/* Queue is gone: so are we. */
static void
say(const struct packet *p)
{
	if (ipc_send(reader.control, p, -1) != IPC_OK)
		sandbox_exit(EX_UNAVAILABLE);
}

static void
flush(void)
{
	if (reader.filled)
		say(&reader.packet);
	reader.filled = false;
}

static void
tell(const struct facts *f)
{
	char text[FACTS_TEXT_MAX + 1];

	facts_write(f, text);
	if (reader.filled &&
	    reader.packet.len + strlen(text) + 4 > IPC_PACKET_MAX)
		flush();
	if (!reader.filled)
		packet_start(&reader.packet, "messages");
	reader.filled = true;
	packet_text(&reader.packet, "m", text);
}

static void
say_look(const char *folder, const char *name)
{
	static struct packet p;

	packet_start(&p, "look");
	packet_text(&p, "folder", folder);
	packet_text(&p, "name", name);
	say(&p);
}

static void
say_missed(const char *folder, const char *name, int reason)
{
	static struct packet p;

	packet_start(&p, "missed");
	packet_text(&p, "folder", folder);
	packet_text(&p, "name", name);
	packet_text(&p, "reason", strerror(reason));
	say(&p);
}

/* -- names -- */

static DIR *
open_folder(int folder)
{
	int fd = fs_open_dir(folder, "."); /* its own offset */
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL && fd >= 0)
		close(fd);
	return dir;
}

static void
meet(const char *folder, const struct dirent *entry, unsigned place)
{
	const char *name = entry->d_name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (place == 0 || !spool_is_id(name) ||
	    (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN))
		say_look(folder, name);
	else if (!names_add(
		     &reader.names, name, entry->d_ino, (enum name_place)place))
		sandbox_exit(EX_OSERR);
}

static void
read_folder(const char *name, int folder, unsigned place)
{
	DIR *dir = open_folder(folder);
	struct dirent *entry;

	if (dir == NULL) {
		say_missed(name, ".", errno);
		return;
	}
	while ((void)(errno = 0), (entry = readdir(dir)) != NULL)
		meet(name, entry, place);
	if (errno != 0)
		say_missed(name, ".", errno);
	closedir(dir);
}

static void
odd(const char *id, unsigned places)
{
	if ((places & NAME_CUR) != 0)
		say_look("cur", id);
	else if ((places & NAME_NEW) != 0)
		say_look("new", id);
	else
		say_look("envelope", id);
}

/* -- messages -- */

/* Have the disk read a batch at once, not one after the other. */
static void
prefetch(size_t from, size_t to)
{
	char id[FS_ID_SIZE];

	for (size_t i = from; i < to; i++) {
		int fd;

		(void)names_at(&reader.names, i, id);
		fd = spool_envelope(reader.spool, id);
		if (fd == -1)
			continue;
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
		close(fd);
	}
}

/* What is not whole, or cannot be read now, queue looks at itself. */
static void
read_message(size_t i)
{
	static const char *const folders[] = {"new", "cur"};
	char id[FS_ID_SIZE];
	enum spool_folder folder = names_at(&reader.names, i, id);
	struct envelope e;
	struct facts f;

	if (!load_glance(reader.spool, id, &e)) {
		say_look(folders[folder], id);
		return;
	}
	facts_of(&f, id, folder, &e);
	f.held = hold_reason(&e) != NULL;
	envelope_free(&e);
	tell(&f);
}

static void
read_messages(void)
{
	size_t to, n = reader.names.n;
	int64_t began;
	bool cold = false;

	for (size_t from = 0; from < n; from = to) {
		to = n - from < BATCH ? n : from + BATCH;
		began = clock_monotonic_ms();
		if (cold)
			prefetch(from, to);
		for (size_t i = from; i < to; i++)
			read_message(i);
		cold = clock_monotonic_ms() - began > COLD_MS;
	}
	flush();
}

int
reader_run(int control, struct spool *s, bool tmp_too)
{
	const struct sandbox_folder folders[] = {
	    {.fd = s->dir, .rights = SANDBOX_READ | SANDBOX_LIST}};
	const struct sandbox sandbox = {
	    .folders = folders, .nfolders = 1, .files = FILES};
	static struct packet end;

	reader.control = control;
	reader.spool = s;
	sandbox_enter(&sandbox);
	/* Content before envelopes: one whose content was not met is HALF. */
	if (tmp_too)
		read_folder("tmp", s->tmp, 0);
	read_folder("cur", s->content[SPOOL_CUR], NAME_CUR);
	read_folder("new", s->content[SPOOL_NEW], NAME_NEW);
	read_folder("envelope", s->envelope, NAME_ENVELOPE);
	names_merge(&reader.names, odd);
	read_messages();
	names_free(&reader.names);
	packet_start(&end, "end");
	say(&end);
	return EX_OK;
}
