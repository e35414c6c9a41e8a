/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/buf.h"
#include "common/control.h"
#include "common/keys_client.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/prefork.h"
#include "common/privileges.h"
#include "common/program.h"
#include "common/trust.h"
#include "deliver/deliver.h"

static const char usage[] = "usage: deliver [-c FILE] [-hV]\n"
			    "Speaker: delivers to other hosts; started by "
			    "postrider(8).\n";

/* Without authorities nobody is verified by name; others get their mail. */
static void
warm_up_tls(struct deliver *d)
{
	struct buf trust = BUF_INIT(TRUST_MAX);
	char error[CONFIG_ERROR_MAX];

	if (trust_load(&d->config, &trust, error) == -1)
		log_event(
		    LEVEL_WARNING, "no trust store", log_text("reason", error));
	d->tls = tls_client_new(trust.data, trust.len);
	d->keys = keys_client_new("keys");
	buf_free(&trust);
	if (d->tls == NULL || d->keys == NULL)
		exit(EX_OSERR);
}

/* The resolver's file is out of reach from the chroot. */
static void
warm_up(struct deliver *d)
{
	warm_up_tls(d);
	d->dns = dns_open(&d->config);
	if (d->dns == NULL) {
		log_errno(LEVEL_ERROR, "cannot start", "resolver");
		exit(EX_OSERR);
	}
}

static void
enter_folder(const struct config *config)
{
	struct buf path = BUF_INIT(4096);

	buf_addf(&path, "%s/deliver", config->run_dir);
	if (buf_text(&path) == NULL)
		exit(EX_OSERR);
	privileges_drop(ACCOUNT_DELIVER, buf_text(&path), true);
	buf_free(&path);
}

int
main(int argc, char **argv)
{
	static struct deliver deliver = {.ledger = {.fd = -1}, .stop_fd = -1};
	struct program_options options = {.program = "deliver", .usage = usage};
	struct prefork pool = {
	    .service = "deliver", .serve = worker_serve, .context = &deliver};

	if (program_options(&options, argc, argv) != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	service_begin("deliver", &deliver.config, options.config_path);
	warm_up(&deliver);
	enter_folder(&deliver.config);
	loop_init();
	pool.spare = (unsigned)deliver.config.spare_processes;
	pool.maximum = (unsigned)deliver.config.deliver_processes;
	return prefork_run(&pool);
}
