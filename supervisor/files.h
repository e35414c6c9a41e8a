/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_FILES_H
#define SUPERVISOR_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/config.h"

/*
 * Files that perhaps only root may open, as certbot makes keys: opened here
 * by their names in the config, handed over as descriptors (common/control.h)
 * and never read.  Once a second each name is looked at, through all links;
 * where another file is found the whole set is handed over anew, as soon as
 * it has kept still for a second: who renews a certificate replaces two.
 */
enum file_set {
	FILES_TLS = 1,   /* tls-certificate and tls-key, in turn */
	FILES_TOKENS = 2 /* oauth-jwks */
};

struct house_file {
	enum file_set set;
	const char *name; /* as it is handed over */
	size_t index, count;
	char *path; /* owned; NULL with count 0: there are none */
	/* What was there at the last look; error: an errno instead. */
	struct file_seen {
		int error;
		unsigned long long device, inode, size;
		struct timespec modified, changed;
	} seen;
};

/* All of them, set by set. */
struct house_files {
	size_t n;
	struct house_file *items;
};

extern struct house_files house_files;

/* List what this config names; -1 and errno, the list is as before then. */
int files_use(const struct config *);

/* Begin to look; changed() is told which sets are to be handed over. */
void files_begin(void (*changed)(unsigned sets));

/* Open one: a descriptor, or -1 and errno. */
int files_open(const struct house_file *);

#endif
