/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/program.h"
#include "supervisor/commands.h"

/*
 * What smtpd decides smtpd explains, from its own chroot: here nothing is
 * looked at.
 */
int
command_explain(const char *config_path, int argc, char **argv)
{
	char path[4096];
	const char **call = calloc((size_t)argc + 5, sizeof(*call));

	if (call == NULL)
		return program_fail(EX_OSERR, "out of memory");
	if (!program_find("smtpd", path, sizeof(path)))
		return program_fail(EX_OSFILE, "no program \"smtpd\"");
	call[0] = "smtpd";
	call[1] = "-c";
	call[2] = config_path;
	call[3] = "-e";
	call[4] = "--";
	for (int i = 1; i < argc; i++)
		call[4 + i] = argv[i];
	execv(path, (char *const *)(uintptr_t)call);
	perror(path);
	return EX_OSERR;
}
