/* SPDX-License-Identifier: ISC */
#include "supervisor/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/loop.h"
#include "supervisor/suite.h"

enum { LOOK_MS = 1000 };

struct house_files house_files;

static struct {
	struct timer timer;
	unsigned restless; /* sets that were another at the last look */
	void (*changed)(unsigned sets);
} looking;

/* -- one file -- */

static struct file_seen
look_at(const char *path)
{
	struct stat s;

	if (stat(path, &s) == -1)
		return (struct file_seen){.error = errno};
	return (struct file_seen){.device = s.st_dev,
	    .inode = s.st_ino,
	    .size = (unsigned long long)s.st_size,
	    .modified = s.st_mtim,
	    .changed = s.st_ctim};
}

static bool
is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
is_same(const struct file_seen *a, const struct file_seen *b)
{
	return a->error == b->error && a->device == b->device &&
	    a->inode == b->inode && a->size == b->size &&
	    is_same_time(&a->modified, &b->modified) &&
	    is_same_time(&a->changed, &b->changed);
}

/* The name is the postmaster's; what lies there may be anything. */
int
files_open(const struct house_file *f)
{
	struct stat status;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1)
		return -1;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
	close(fd);
	return -1;
}

/* -- the list -- */

static void
free_files(struct house_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->items[i].path);
	free(files->items);
	*files = (struct house_files){0};
}

static bool
add(struct house_files *files, enum file_set set, const char *name,
    const char *path, size_t index, size_t count)
{
	struct house_file *grown =
	    reallocarray(files->items, files->n + 1, sizeof(*files->items));

	if (grown == NULL)
		return false;
	files->items = grown;
	grown[files->n] = (struct house_file){
	    .set = set, .name = name, .index = index, .count = count};
	if (path != NULL) {
		grown[files->n].path = strdup(path);
		if (grown[files->n].path == NULL)
			return false;
		grown[files->n].seen = look_at(path);
	}
	files->n++;
	return true;
}

static bool
is_missing(const char *path)
{
	return access(path, F_OK) == -1 && errno == ENOENT;
}

/* Nobody named any, and where init makes some there are none. */
static bool
are_unnamed(const struct config *config)
{
	const struct config_certificate *first = config->certificates.items;

	return config->certificates_guessed && is_missing(first->certificate) &&
	    is_missing(first->key);
}

static bool
add_certificates(struct house_files *files, const struct config *config)
{
	const struct config_certificates *list = &config->certificates;

	if (list->n == 0 || are_unnamed(config))
		return add(files, FILES_TLS, "tls-certificate", NULL, 0, 0);
	for (size_t i = 0; i < list->n; i++)
		if (!add(files, FILES_TLS, "tls-certificate",
			list->items[i].certificate, i, list->n) ||
		    !add(files, FILES_TLS, "tls-key", list->items[i].key, i,
			list->n))
			return false;
	return true;
}

/* fetch gets one that is an address. */
static bool
add_tokens(struct house_files *files, const struct config *config)
{
	const char *path = config->oauth_jwks;

	if (path == NULL || path[0] != '/')
		return add(files, FILES_TOKENS, "oauth-jwks", NULL, 0, 0);
	return add(files, FILES_TOKENS, "oauth-jwks", path, 0, 1);
}

int
files_use(const struct config *config)
{
	struct house_files files = {0};

	if (!add_certificates(&files, config) || !add_tokens(&files, config)) {
		free_files(&files);
		errno = ENOMEM;
		return -1;
	}
	free_files(&house_files);
	house_files = files;
	return 0;
}

/* -- looking -- */

/* Which sets are others than at the last look. */
static unsigned
look(void)
{
	unsigned sets = 0;

	for (size_t i = 0; i < house_files.n; i++) {
		struct house_file *f = &house_files.items[i];
		struct file_seen now;

		if (f->path == NULL)
			continue;
		now = look_at(f->path);
		if (!is_same(&now, &f->seen))
			sets |= f->set;
		f->seen = now;
	}
	return sets;
}

/* The default pair has come into being. */
static bool
is_first_pair_there(void)
{
	return house_files.n > 0 && house_files.items[0].set == FILES_TLS &&
	    house_files.items[0].count == 0 &&
	    suite.config.certificates_guessed && !are_unnamed(&suite.config);
}

static void
look_again(struct timer *t)
{
	unsigned restless = look(), still = looking.restless & ~restless;

	if (is_first_pair_there() && files_use(&suite.config) == 0)
		restless |= FILES_TLS;
	looking.restless = restless;
	if (still != 0)
		looking.changed(still);
	loop_timer(t, LOOK_MS);
}

void
files_begin(void (*changed)(unsigned sets))
{
	looking.changed = changed;
	looking.timer.fire = look_again;
	loop_timer(&looking.timer, LOOK_MS);
}
