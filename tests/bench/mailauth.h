/* SPDX-License-Identifier: ISC */
#ifndef TESTS_BENCH_MAILAUTH_H
#define TESTS_BENCH_MAILAUTH_H

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the programs that measure the checks of mail have in common. */

static inline double
processor_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The most memory that was resident so far, KiB. */
static inline long
most_resident(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kib;
}

/* A whole file, with a NUL behind it. */
static inline char *
slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	long size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		err(1, "%s", path);
	rewind(f);
	text = malloc((size_t)size + 1);
	if (text == NULL || fread(text, 1, (size_t)size, f) != (size_t)size)
		err(1, "%s", path);
	fclose(f);
	text[size] = '\0';
	*n = (size_t)size;
	return text;
}

/* The record of that name in a zone of "name TAB text" lines, its length. */
static inline const char *
zone_find(const char *zone, const char *name, size_t *length)
{
	const size_t n = strlen(name);

	for (const char *p = zone; *p != '\0';) {
		size_t line = strcspn(p, "\n");

		if (line > n && strncasecmp(p, name, n) == 0 && p[n] == '\t') {
			*length = line - n - 1;
			return p + n + 1;
		}
		p += line + (p[line] == '\n');
	}
	return NULL;
}

#endif
