/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_FOLDERS_H
#define SUPERVISOR_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/config.h"

/*
 * The folders that outlive a boot, with owners and modes: what `init` makes
 * and `check` looks at.  Started by an ordinary user all are that user's.
 */
struct house_folder {
	size_t where;	   /* of its path in struct config */
	const char *below; /* a folder in that one, or NULL */
	const char *owner, *group;
	mode_t mode;
};

/* Ends with a NULL owner. */
extern const struct house_folder house_folders[];

/* Path, owner and mode as they should be; -1 when an account is missing. */
struct folder_wanted {
	char path[4096];
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool made; /* just now */
};
int folder_wanted(const struct house_folder *, const struct config *,
    struct folder_wanted *);

/* Make it or set it right; dry: only say so.  An exit code. */
int folder_make(const struct house_folder *, const struct config *, bool dry);

/* Make the folders above a path, as mkdir -p does. */
int folder_make_above(const char *path, bool dry);

#endif
