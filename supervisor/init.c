/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/certificate.h"
#include "common/fs.h"
#include "common/privileges.h"
#include "supervisor/accounts.h"
#include "supervisor/commands.h"
#include "supervisor/folders.h"
#include "supervisor/sockets.h"

/* etc/postrider.conf, a line a string. */
static const char *const default_config[] = {
#include "supervisor/default-config.h"
    NULL};

enum { CONFIG_TEXT_MAX = 65536 };

/* -- a config where there is none -- */

/* mail.example.org -> example.org; example.org stays; "" for a bare name. */
static const char *
domain_of(const char *hostname)
{
	const char *dot = strchr(hostname, '.');

	if (dot == NULL)
		return "";
	return strchr(dot + 1, '.') != NULL ? dot + 1 : hostname;
}

/*
 * The example's own names stand there as what to replace; where nothing is
 * known they become a comment.
 */
static bool
add_line(struct buf *out, const char *line, const char *hostname)
{
	const char *known = NULL;
	size_t n = strcspn(line, " ");

	if (strncmp(line, "hostname ", n + 1) == 0)
		known = domain_of(hostname)[0] != '\0' ? hostname : "";
	else if (strncmp(line, "domain ", n + 1) == 0)
		known = domain_of(hostname);
	if (known == NULL)
		return buf_addf(out, "%s\n", line);
	if (known[0] == '\0')
		return buf_addf(out, "#%s\n", line);
	return buf_addf(out, "%.*s %s\n", (int)n, line, known);
}

/* What this machine is called, from a config that says nothing. */
static bool
guess_hostname(char *out, size_t size)
{
	char error[CONFIG_ERROR_MAX];
	struct config config;

	if (config_load(&config, "/dev/null", error) == -1)
		return false;
	snprintf(out, size, "%s", config.hostname);
	config_free(&config);
	return true;
}

static bool
default_text(struct buf *out)
{
	char hostname[256];

	if (!guess_hostname(hostname, sizeof(hostname)))
		return false;
	for (size_t i = 0; default_config[i] != NULL; i++)
		add_line(out, default_config[i], hostname);
	return buf_ok(out);
}

static int
write_config(const char *path, const struct buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd == -1 || fs_write_all(fd, text->data, text->len) == -1 ||
	    fsync(fd) == -1) {
		fprintf(stderr, "postrider: cannot write %s: %s\n", path,
		    strerror(errno));
		if (fd != -1) {
			close(fd);
			unlink(path);
		}
		return EX_CANTCREAT;
	}
	close(fd);
	return EX_OK;
}

/* In a dry run the folders are those of the config that would be written. */
static int
load_text(const struct buf *text, const char *path, struct config *config)
{
	char error[CONFIG_ERROR_MAX];
	FILE *file = tmpfile();
	int code = EX_OSERR;

	if (file != NULL &&
	    fs_write_all(fileno(file), text->data, text->len) == 0)
		code = config_load_fd(config, fileno(file), path, error) == 0
		    ? EX_OK
		    : EX_SOFTWARE;
	if (file != NULL)
		fclose(file);
	return code;
}

static int
begin_config(const char *path, bool dry, struct config *config)
{
	struct buf text = BUF_INIT(CONFIG_TEXT_MAX);
	int code;

	printf("config %s\n", path);
	if (!default_text(&text))
		code = EX_OSERR;
	else if (dry)
		code = load_text(&text, path, config);
	else
		code = folder_make_above(path, false);
	if (code == EX_OK && !dry)
		code = write_config(path, &text);
	buf_free(&text);
	return code;
}

static int
take_config(const char *path, bool dry, struct config *config)
{
	char error[CONFIG_ERROR_MAX];
	int code;

	if (access(path, F_OK) == -1 && errno == ENOENT) {
		code = begin_config(path, dry, config);
		if (code != EX_OK || dry)
			return code;
	}
	if (config_load(config, path, error) == 0)
		return EX_OK;
	fprintf(stderr, "postrider: %s\n", error);
	return EX_CONFIG;
}

/* -- the rest -- */

static int
make_folders(const struct config *config, bool dry)
{
	char error[CONFIG_ERROR_MAX];
	struct stat status;
	int code = EX_OK;

	for (const struct house_folder *f = house_folders;
	     code == EX_OK && f->owner != NULL; f++)
		code = folder_make(f, config, dry);
	if (code == EX_OK)
		code = folder_make_above(config->run_dir, dry);
	if (code != EX_OK)
		return code;
	if (stat(config->run_dir, &status) == -1)
		printf("mkdir %s (and the folders in it)\n", config->run_dir);
	if (dry || sockets_make_folders(config->run_dir, error) == 0)
		return EX_OK;
	fprintf(stderr, "postrider: %s\n", error);
	return EX_CANTCREAT;
}

static bool
knows_hostname(const struct config *config)
{
	return strchr(config->hostname, '.') != NULL;
}

/* Where the config names none and at the default place there is neither. */
static bool
wants_certificate(const struct config *config)
{
	const struct config_certificate *where = &config->certificates.items[0];

	return config->certificates_guessed &&
	    access(where->certificate, F_OK) != 0 &&
	    access(where->key, F_OK) != 0;
}

/*
 * So that a first try has TLS, too.  A certificate for a name that is about to
 * be changed would stay, and no client would take it.
 */
static int
make_certificate(const struct config *config, bool dry)
{
	const struct config_certificate *where = &config->certificates.items[0];
	int code;

	if (!wants_certificate(config) || !knows_hostname(config))
		return EX_OK;
	code = folder_make_above(where->certificate, dry);
	if (code == EX_OK)
		code = folder_make_above(where->key, dry);
	printf("self-signed certificate for %s: %s, %s\n", config->hostname,
	    where->certificate, where->key);
	if (code != EX_OK || dry)
		return code;
	return certificate_make(
	    "postrider", where->certificate, where->key, config->hostname);
}

static void
advise(const struct config *config, const char *path)
{
	if (!knows_hostname(config))
		printf("Set \"hostname\" in %s: this machine's full name is "
		       "not known.%s\n",
		    path,
		    wants_certificate(config)
			? "  Then run \"postrider init\" again: it makes the "
			  "certificate for that name."
			: "");
	if (config->domains.n == 0)
		printf("Set \"domain\" in %s: no mail is at home here yet.\n",
		    path);
}

int
command_init(const char *config_path, int argc, char **argv)
{
	bool dry = argc == 2 && strcmp(argv[1], "-n") == 0;
	bool root = privileges_are_root();
	struct config config;
	int code;

	if (argc > 2 || (argc == 2 && !dry)) {
		fputs("usage: postrider init [-n]\n", stderr);
		return EX_USAGE;
	}
	umask(022);
	code = take_config(config_path, dry, &config);
	if (code != EX_OK)
		return code;
	if (root)
		code = accounts_make(dry);
	if (code == EX_OK)
		code = make_folders(&config, dry);
	/* A user's config may lie where he writes nothing: he goes without. */
	if (code == EX_OK && make_certificate(&config, dry) != EX_OK && root)
		code = EX_CANTCREAT;
	advise(&config, config_path);
	config_free(&config);
	if (fflush(stdout) != 0 && code == EX_OK)
		code = EX_IOERR;
	return code;
}
