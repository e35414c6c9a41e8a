/* SPDX-License-Identifier: ISC */
#include "keys/sandbox.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "keys/relay.h"

enum { FOLDERS_MAX = 64, FILES_MAX = 32768 };

struct folders {
	size_t n;
	char *paths[FOLDERS_MAX];
};

static struct folders known;

static bool
has(const struct folders *f, const char *path)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->paths[i], path) == 0)
			return true;
	return false;
}

static void
add_folder_of(struct folders *f, const char *path)
{
	char *folder = strdup(path), *slash;

	if (folder == NULL || f->n == FOLDERS_MAX ||
	    (slash = strrchr(folder, '/')) == NULL) {
		free(folder);
		return;
	}
	slash[slash == folder ? 1 : 0] = '\0';
	if (has(f, folder))
		free(folder);
	else
		f->paths[f->n++] = folder;
}

/* The file by its name, and where that leads today. */
static void
add(const struct relay_record *r, int error, void *context)
{
	char real[PATH_MAX];

	if (error != 0 || r->token_file[0] == '\0')
		return;
	add_folder_of(context, r->token_file);
	if (realpath(r->token_file, real) != NULL)
		add_folder_of(context, real);
}

static void
collect(struct folders *f, const struct config *config)
{
	int folder = relay_open_folder(config->keys_dir);

	if (folder == -1 || relay_each(folder, add, f) == -1)
		log_errno(LEVEL_WARNING, "cannot read", config->keys_dir);
	if (folder != -1)
		close(folder);
}

void
keys_confine(const struct config *config)
{
	struct sandbox_folder folders[FOLDERS_MAX + 1] = {{.fd = -1,
	    .path = config->keys_dir,
	    .rights = SANDBOX_READ | SANDBOX_LIST}};

	collect(&known, config);
	for (size_t i = 0; i < known.n; i++)
		folders[i + 1] = (struct sandbox_folder){
		    .fd = -1, .path = known.paths[i], .rights = SANDBOX_READ};
	sandbox_enter(&(struct sandbox){
	    .folders = folders, .nfolders = known.n + 1, .files = FILES_MAX});
}

bool
keys_reaches_all(const struct config *config)
{
	struct folders now = {0};
	bool all = true;

	collect(&now, config);
	for (size_t i = 0; i < now.n; i++) {
		all = all && has(&known, now.paths[i]);
		free(now.paths[i]);
	}
	return all;
}
