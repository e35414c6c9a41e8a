/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "supervisor/report.h"

/*
 * Keys that are not there cost logins with tokens alone.  What is in them is
 * for userdb's checkers to look at.
 */
void
check_tokens(const struct config *config)
{
	int fd;

	if (!config_has_oauth(config))
		return;
	if (config_jwks_is_url(config)) {
#ifndef HAVE_CURL
		report_warning("oauth-jwks %s: built without libcurl: no "
			       "logins with tokens",
		    config->oauth_jwks);
#endif
		return;
	}
	fd = open(
	    config->oauth_jwks, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1)
		report_warning("oauth-jwks %s: %s: no logins with tokens",
		    config->oauth_jwks, strerror(errno));
	else
		close(fd);
}
