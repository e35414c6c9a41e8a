/* SPDX-License-Identifier: ISC */
#include "keys/trial.h"

#include <string.h>
#include <sysexits.h>

#include "common/certificate.h"
#include "common/inherit.h"
#include "common/privileges.h"
#include "common/sandbox.h"
#include "keys/memory.h"

static const char *
look(int certificate, int key_fd, char *reason)
{
	STACK_OF(X509) *chain = certificate_read_chain(certificate, reason);
	EVP_PKEY *key;
	bool fits;

	if (chain == NULL)
		return reason;
	key = certificate_read_key(key_fd, reason);
	fits = key != NULL && certificate_matches(chain, key);
	EVP_PKEY_free(key);
	certificate_free_chain(chain);
	if (key == NULL)
		return reason;
	return fits ? NULL : "it does not belong to the certificate";
}

int
trial_run(void)
{
	char reason[CERTIFICATE_REASON_MAX];
	const char *wrong;
	int certificate, key;

	inherit_take();
	certificate = inherit_find("tls-certificate");
	key = inherit_find("tls-key");
	if (certificate == -1 || key == -1)
		return EX_USAGE;
	(void)memory_prepare();
	privileges_drop(ACCOUNT_KEYS, "/", false);
	sandbox_enter(&(struct sandbox){.nfolders = 0});
	wrong = look(certificate, key, reason);
	if (wrong == NULL)
		return EX_OK;
	puts(wrong);
	return fflush(stdout) == 0 ? EX_DATAERR : EX_IOERR;
}
