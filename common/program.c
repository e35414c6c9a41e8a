/* SPDX-License-Identifier: ISC */
#include "common/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "common/config.h"

static const char *own_name;

static _Noreturn void
misused(const struct program_options *o)
{
	fputs(o->usage, stderr);
	exit(EX_USAGE);
}

/* Output that was asked for and did not arrive is a failure. */
static _Noreturn void
finish_output(void)
{
	exit(fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : EX_IOERR);
}

int
program_options(struct program_options *o, int argc, char **argv)
{
	char letters[64];
	int letter;

	/* "+": options end at the command, whose own follow it. */
	if (snprintf(letters, sizeof(letters), "+c:Vh%s",
		o->extra != NULL ? o->extra : "") >= (int)sizeof(letters))
		abort();
	own_name = o->program;
	o->config_path = config_default_path();
	while ((letter = getopt(argc, argv, letters)) != -1) {
		switch (letter) {
		case 'c':
			o->config_path = optarg;
			break;
		case 'V':
			printf("%s %s\n", o->program, PACKAGE_VERSION);
			finish_output();
		case 'h':
			fputs(o->usage, stdout);
			finish_output();
		case '?':
			misused(o);
		default:
			if (!o->option(letter, optarg))
				misused(o);
		}
	}
	return optind;
}

int
program_fail(int code, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "%s: ", own_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

const char *
program_folder(void)
{
	const char *folder = getenv("POSTRIDER_LIBEXEC");

	return folder != NULL && folder[0] == '/' ? folder : LIBEXECDIR;
}

static bool
is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	    (status.st_mode & 0111) != 0;
}

bool
program_find(const char *name, char *path, size_t size)
{
	return program_find_in(name, name, path, size);
}

bool
program_find_in(
    const char *folder, const char *name, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%s", program_folder(), name);

	if (n < 0 || (size_t)n >= size)
		return false;
	if (is_program(path))
		return true;
	n = snprintf(path, size, "%s/%s/%s", program_folder(), folder, name);
	return n > 0 && (size_t)n < size && is_program(path);
}
