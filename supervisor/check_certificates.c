/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/certificate.h"
#include "common/clock.h"
#include "common/key_trial.h"
#include "supervisor/report.h"

enum { DAY_S = 86400, SOON_DAYS = 14 };

static void
format_day(time_t when, char *out, size_t size)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}

static void
check_dates(STACK_OF(X509) *chain, const char *path)
{
	time_t now = clock_now(), from = certificate_begins(chain),
	       until = certificate_ends(chain);
	char day[16];

	format_day(until, day, sizeof(day));
	if (until < now)
		report_error("certificate %s expired on %s", path, day);
	else if (until - now < SOON_DAYS * DAY_S)
		report_warning("certificate %s expires on %s, in %ld days",
		    path, day, (long)((until - now) / DAY_S));
	format_day(from, day, sizeof(day));
	if (from > now)
		report_error(
		    "certificate %s is not valid before %s", path, day);
}

/* Our own error or nothing; the certificate stays open. */
static STACK_OF(X509) *
check_chain(const char *path, int *fd)
{
	char reason[CERTIFICATE_REASON_MAX];
	STACK_OF(X509) *chain;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd == -1) {
		report_error("certificate %s: %s", path, strerror(errno));
		return NULL;
	}
	chain = certificate_read_chain(*fd, reason);
	if (chain == NULL)
		report_error("certificate %s: %s", path, reason);
	else
		check_dates(chain, path);
	return chain;
}

static void
check_key(const char *path, int certificate)
{
	char reason[CERTIFICATE_REASON_MAX];
	struct stat is;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1 || fstat(fd, &is) == -1) {
		report_error("key %s: %s", path, strerror(errno));
		return;
	}
	if ((is.st_mode & 0007) != 0)
		report_warning("key %s can be used by every user (mode %04o)",
		    path, (unsigned)is.st_mode & 07777);
	if (certificate >= 0 && !key_trial(certificate, fd, reason))
		report_error("key %s: %s", path, reason);
	close(fd);
}

/* Whether it covers our host name, or that cannot be known. */
static bool
check_pair(const struct config_certificate *pair, const char *hostname)
{
	int fd;
	STACK_OF(X509) *chain = check_chain(pair->certificate, &fd);
	bool covers = chain == NULL || certificate_covers(chain, hostname);

	check_key(pair->key, chain != NULL ? fd : -1);
	certificate_free_chain(chain);
	if (fd != -1)
		close(fd);
	return covers;
}

static bool
are_missing(const struct config *config)
{
	const struct config_certificate *first = config->certificates.items;

	return config->certificates_guessed &&
	    access(first->certificate, F_OK) == -1 &&
	    access(first->key, F_OK) == -1;
}

static void
report_missing(const struct config *config)
{
	for (size_t i = 0; i < config->listen.n && !config->listen_guessed; i++)
		if (listener_begins_with_tls(config->listen.items[i].kind)) {
			report_error("no certificate for \"listen %s\" "
				     "(\"postrider init\" makes one)",
			    listener_name(config->listen.items[i].kind));
			return;
		}
	report_warning("no certificate: no TLS (\"postrider init\" makes one)");
}

void
check_certificates(const struct config *config)
{
	const struct config_certificates *list = &config->certificates;
	bool covered = false;

	if (are_missing(config)) {
		report_missing(config);
		return;
	}
	for (size_t i = 0; i < list->n; i++)
		covered |= check_pair(&list->items[i], config->hostname);
	if (!covered)
		report_warning("no certificate covers the host name %s: "
			       "clients that verify it will not go on%s",
		    config->hostname,
		    config->certificates_guessed
			? " (remove certificate and key, and \"postrider "
			  "init\" makes new ones)"
			: "");
}
