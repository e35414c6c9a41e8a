/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_SERVICES_H
#define SUPERVISOR_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/config.h"
#include "supervisor/files.h"

/*
 * The house as data: which programs there are, what each one is given, and
 * whose socket lies in which folder.  Nothing else in supervisor/ knows a
 * service by name.
 */
enum service_reload {
	RELOAD_FRESH,	/* a fresh process takes over, then the old drains */
	RELOAD_IN_PLACE /* one at a time: it is handed the new config */
};

enum { SERVICE_ROLES_MAX = 8, SERVICES_MAX = 16 };

struct service {
	const char *name;    /* of the program */
	const char *source;  /* folder in the source tree; NULL: its name */
	const char *account; /* it drops to this one itself */
	enum service_reload reload;
	unsigned rank;	   /* a stop ends the highest rank first */
	unsigned grace_s;  /* how long it may take to finish then */
	unsigned listeners; /* a bit for each listener_kind that it serves */
	unsigned files;	    /* sets that it is handed (files.h) */
	/* Folders in which a socket named after it lies: see protocol.h. */
	const char *roles[SERVICE_ROLES_MAX];
};

/* Ends with a NULL name; at most SERVICES_MAX. */
extern const struct service services[];

/*
 * Folders in run-dir.  group NULL: only root.  Started by an ordinary user,
 * each belongs to that user alone, but for those that are anybody's.
 */
struct role_folder {
	const char *name;
	const char *group;
	mode_t folder_mode, socket_mode;
};

/* Ends with a NULL name. */
extern const struct role_folder role_folders[];

const struct role_folder *role_folder_find(const char *name);

/* Where the service's program lies; false when it is nowhere. */
bool service_program(const struct service *, char *path, size_t size);

#endif
