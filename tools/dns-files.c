/* SPDX-License-Identifier: ISC */
#include "tools/dns-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/print.h"
#include "common/program.h"
#include "tools/dns-house.h"
#include "tools/dns-policy.h"

enum { TEXT_MAX = 65536 };

static const struct file {
	const char *path;
	bool (*write)(const struct request *, struct buf *);
	const char *label; /* of the host name that serves it */
} files[] = {
    {".well-known/mta-sts.txt", policy_write, "mta-sts."},
    {"mail/config-v1.1.xml", clients_autoconfig, "autoconfig."},
    {".well-known/autoconfig/mail/config-v1.1.xml", clients_autoconfig, ""},
    {"autodiscover/autodiscover.xml", clients_autodiscover, "autodiscover."},
};

static void
print_file(const struct request *r, const struct file *f)
{
	if (r->json) {
		printf("%s{\"file\": ", f == files ? "[" : ",\n");
		print_json_string(f->path);
		printf(", \"url\": \"https://%s%s/%s\"}", f->label, r->domain,
		    f->path);
		return;
	}
	print_clean(r->folder);
	printf("/%s\n  for https://%s%s/%s\n", f->path, f->label, r->domain,
	    f->path);
}

static int
write_file(const struct request *r, int folder, const struct file *f)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	const char *why = "cannot be made";

	if (f->write(r, &text))
		why = write_below(folder, f->path, &text);
	buf_free(&text);
	if (why != NULL)
		return program_fail(
		    EX_CANTCREAT, "%s/%s: %s", r->folder, f->path, why);
	print_file(r, f);
	return EX_OK;
}

/* Mail programs would find nothing that they could use. */
static void
warn_of_loopback(const struct request *r)
{
	if (house_port(r->config, LISTENER_POP3S) == 0 &&
	    house_port(r->config, LISTENER_POP3) == 0)
		program_fail(0, "warning: no POP3 service but on loopback");
	if (house_port(r->config, LISTENER_SUBMISSIONS) == 0 &&
	    house_port(r->config, LISTENER_SUBMISSION) == 0)
		program_fail(
		    0, "warning: no submission service but on loopback");
}

int
dns_files(const struct request *r)
{
	int folder = fs_open_dir(AT_FDCWD, r->folder), code = EX_OK;

	if (folder == -1)
		return program_fail(EX_CANTCREAT, "%s: %s", r->folder,
		    errno == ELOOP ? "a link" : strerror(errno));
	for (size_t i = 0;
	     code == EX_OK && i < sizeof(files) / sizeof(files[0]); i++)
		code = write_file(r, folder, &files[i]);
	close(folder);
	if (r->json && code == EX_OK)
		puts("]");
	warn_of_loopback(r);
	return code;
}
