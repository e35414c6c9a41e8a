/* SPDX-License-Identifier: ISC */
/* fetch: gets policies and keys by HTTPS for those who own them. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/control.h"
#include "common/dns.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/trust.h"
#include "fetch/fetch.h"

enum { SPARE = 2, MAXIMUM = 8 };

static const char usage[] = "usage: fetch [-c FILE] [-hV]\n"
			    "Speaker: gets what is published by HTTPS; "
			    "started by postrider(8).\n";

/* What cannot be read from within the chroot. */
static void
warm_up(struct fetch *f)
{
	char error[CONFIG_ERROR_MAX];

	f->https.config = &f->config;
	f->https.trust = BUF_INIT(TRUST_MAX);
	f->https.dns = dns_open(&f->config);
	if (f->https.dns == NULL) {
		log_errno(LEVEL_ERROR, "cannot start", "resolver");
		exit(EX_OSERR);
	}
	https_begin();
	/* Without any, nothing can be verified: each fetch fails, and says so.
	 */
	if (trust_load(&f->config, &f->https.trust, error) == -1)
		log_event(LEVEL_WARNING, "no trust", log_text("reason", error));
}

static void
enter_folder(const struct config *config)
{
	struct buf path = BUF_INIT(4096);

	buf_addf(&path, "%s/fetch", config->run_dir);
	if (buf_text(&path) == NULL)
		exit(EX_OSERR);
	privileges_drop(ACCOUNT_FETCH, buf_text(&path), true);
	buf_free(&path);
}

int
main(int argc, char **argv)
{
	static struct fetch fetch;
	struct program_options options = {.program = "fetch", .usage = usage};
	const struct prefork pool = {.service = "fetch",
	    .spare = SPARE,
	    .maximum = MAXIMUM,
	    .serve = worker_serve,
	    .context = &fetch};

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	service_begin("fetch", &fetch.config, options.config_path);
	warm_up(&fetch);
	enter_folder(&fetch.config);
	loop_init();
	return prefork_run(&pool);
}
