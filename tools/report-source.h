/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_REPORT_SOURCE_H
#define TOOLS_REPORT_SOURCE_H

#include <stdbool.h>

/*
 * The files that the command line names, one after the other.  A process of
 * its own opens them, so that whoever reads what strangers wrote need not be
 * root, nor have any right to open a file.
 */
enum { SOURCE_NAME_MAX = 4096, SOURCE_REASON_MAX = 200 };

struct source_file {
	char name[SOURCE_NAME_MAX];
	int fd;         /* to read; -1: see reason */
	bool in_folder; /* it is one of many, whatever it is about */
	char reason[SOURCE_REASON_MAX];
};

struct source; /* opaque */

/*
 * Names of files and folders; of a folder that is a Maildir its new and cur,
 * else the files in it.  "-" is standard input.  NULL and errno.
 */
struct source *source_begin(char *const *names, int n);

/* fd is the caller's.  False: these were all. */
bool source_next(struct source *, struct source_file *);

/* True: all were seen. */
bool source_end(struct source *);

#endif
