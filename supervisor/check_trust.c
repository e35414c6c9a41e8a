/* SPDX-License-Identifier: ISC */
#include "build.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/trust.h"
#include "supervisor/report.h"

/* What the suite needs to know whom it talks to, where it is the client. */
void
check_trust(const struct config *config)
{
	struct buf pem = BUF_INIT(TRUST_MAX);
	char error[CONFIG_ERROR_MAX];

	if (trust_load(config, &pem, error) == -1)
		report_warning("%s: no other server is verified", error);
	buf_free(&pem);
#ifndef HAVE_CURL
	report_warning("built without libcurl: no MTA-STS, and no keys of "
		       "tokens by https");
#endif
}
