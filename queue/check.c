/* SPDX-License-Identifier: ISC */
#include "queue/check.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/fs.h"
#include "queue/load.h"
#include "queue/names.h"
#include "queue/queue.h"

enum { SHOWN = 20 }; /* lines about damage; the rest is counted */

static struct {
	bool repair;
	struct names names;
	size_t untried, deferred, held;
	size_t bad, repaired;
} found;

__attribute__((format(printf, 1, 2))) static void
damage(const char *format, ...)
{
	va_list arguments;

	if (found.bad++ >= SHOWN)
		return;
	fputs("error: ", stdout);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static void
repaired(const char *what, const char *id)
{
	found.repaired++;
	printf("repaired: %s: %s\n", id, what);
}

/* Names are anybody's octets: none of them reaches a terminal as it is. */
static void
print_foreign(const char *folder, const char *name)
{
	char shown[4 * 255 + 1];
	size_t n = 0;

	for (; *name != '\0' && n + 5 < sizeof(shown); name++)
		if ((unsigned char)*name < ' ' || (unsigned char)*name > '~' ||
		    *name == '\\')
			n += (size_t)snprintf(shown + n, sizeof(shown) - n,
			    "\\x%02x", (unsigned char)*name);
		else
			shown[n++] = *name;
	shown[n] = '\0';
	damage("%s/%s: a foreign name, or no file", folder, shown);
}

/* -- quarantine -- */

/* "envelope.ID": the id, or NULL. */
static const char *
aside_id(const char *name)
{
	const char *prefix = "envelope.";
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && spool_is_id(name + n) ? name + n
								      : NULL;
}

static void
meet_aside(const char *name)
{
	const char *id = aside_id(name);
	bool whole = false;

	if (id == NULL || !check_put_back(id, found.repair, &whole) || !whole)
		return;
	if (found.repair)
		repaired("was whole in quarantine/, and is back", id);
	else
		damage("%s: is whole in quarantine/, and can be put back", id);
}

/* -- folders -- */

static const struct {
	const char *name;
	enum name_place place;
} folders[] = {{"cur", NAME_CUR}, {"new", NAME_NEW},
    {"envelope", NAME_ENVELOPE}, {"quarantine", 0}};

static int
folder_of(size_t i)
{
	const int all[] = {queue.spool.content[SPOOL_CUR],
	    queue.spool.content[SPOOL_NEW], queue.spool.envelope,
	    queue.spool.quarantine};

	return all[i];
}

static bool
meet(size_t i, const struct dirent *entry)
{
	const char *name = entry->d_name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	if (folders[i].place == 0) {
		meet_aside(name);
		return true;
	}
	if (spool_is_id(name) &&
	    (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN))
		return names_add(
		    &found.names, name, entry->d_ino, folders[i].place);
	print_foreign(folders[i].name, name);
	return true;
}

/* What was put back is there no more. */
static size_t
count_aside(void)
{
	int fd = fs_open_dir(queue.spool.quarantine, ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	size_t n = 0;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return 0; /* read_folder() has told */
	}
	while ((entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static int
read_folder(size_t i)
{
	int fd = fs_open_dir(folder_of(i), ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool ok = true;

	if (dir == NULL) {
		printf("error: %s: %s\n", folders[i].name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return EX_NOINPUT;
	}
	while (ok && (entry = readdir(dir)) != NULL)
		ok = meet(i, entry);
	closedir(dir);
	return ok ? EX_OK : EX_OSERR;
}

/* -- messages -- */

static void
odd(const char *id, unsigned places)
{
	switch (places) {
	case NAME_ENVELOPE:
		printf("note: %s: done, or never acknowledged; the next start "
		       "removes its envelope\n",
		    id);
		return;
	case NAME_NEW:
		printf("note: %s: never acknowledged; the next start removes "
		       "it\n",
		    id);
		return;
	case NAME_CUR:
		damage("%s: has no envelope", id);
		return;
	default:
		if (found.repair && check_same_content(id))
			repaired("stood in new/ and in cur/ alike", id);
		else
			damage("%s: stands in new/ and in cur/", id);
	}
}

static void
judge(size_t i)
{
	char id[FS_ID_SIZE], why[LOAD_WHY_SIZE];
	enum spool_folder folder = names_at(&found.names, i, id);
	struct envelope e;

	switch (load_judge(&queue.spool, id, folder, &e, why)) {
	case LOAD_MESSAGE:
		found.held += e.held != NULL;
		found.untried += folder == SPOOL_NEW && e.held == NULL;
		found.deferred += folder == SPOOL_CUR && e.held == NULL;
		envelope_free(&e);
		break;
	case LOAD_SWEPT:
		printf("note: %s: %s: never acknowledged; the next start "
		       "removes it\n",
		    id, why);
		break;
	case LOAD_GONE:
		break;
	default:
		damage("%s: %s", id, why);
	}
}

/* -- the file system -- */

static void
print_features(void)
{
	int writer = -1, reader = -1;
	bool unnamed = fs_unnamed(queue.spool.content[SPOOL_NEW], 0600, &writer,
			   &reader) == 0;
	bool leases = unnamed && fs_no_writer(reader) != -1;

	if (unnamed) {
		close(writer);
		close(reader);
	}
	printf("note: file system: unnamed files %s, leases %s, names keep "
	       "their order over a power cut: %s\n",
	    unnamed ? "yes" : "no", leases ? "yes" : "no",
	    fs_keeps_order(queue.spool.dir) ? "yes" : "no");
}

static void
print_room(void)
{
	struct statvfs is;
	uint64_t unit;

	if (fstatvfs(queue.spool.dir, &is) == -1)
		return;
	unit = is.f_frsize > 0 ? is.f_frsize : is.f_bsize;
	printf("note: free: %" PRIu64 " MiB of %" PRIu64 ", %" PRIu64
	       " inodes of %" PRIu64 "\n",
	    (uint64_t)(is.f_bavail * unit) >> 20,
	    (uint64_t)(is.f_blocks * unit) >> 20, (uint64_t)is.f_favail,
	    (uint64_t)is.f_files);
}

int
check_spool(bool repair)
{
	int code = EX_OK;

	found.repair = repair;
	/* First what comes back, so that it is counted, too. */
	for (size_t i = sizeof(folders) / sizeof(folders[0]); i-- > 0;)
		if (code == EX_OK)
			code = read_folder(i);
	if (code != EX_OK)
		return code;
	names_merge(&found.names, odd);
	for (size_t i = 0; i < found.names.n; i++)
		judge(i);
	names_free(&found.names);
	if (found.bad > SHOWN)
		printf("error: and %zu more\n", found.bad - SHOWN);
	print_features();
	print_room();
	printf("note: messages: %zu not tried, %zu deferred, %zu held, %zu "
	       "damaged; %zu files in quarantine/\n",
	    found.untried, found.deferred, found.held, found.bad,
	    count_aside());
	return found.bad > 0 ? EX_DATAERR : EX_OK;
}
