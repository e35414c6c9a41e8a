/* SPDX-License-Identifier: ISC */
#include "userdb/prompt.h"

#include <sysexits.h>

#include "common/program.h"
#include "common/prompt.h"
#include "userdb/client.h"

int
prompt_password(const char *whose, bool from_stdin, char out[PASSWORD_MAX + 1])
{
	const char *wrong;
	int code = prompt_secret(whose, from_stdin, out, PASSWORD_MAX + 1);

	if (code == EX_OK && (wrong = password_check(out)) != NULL)
		code = program_fail(EX_DATAERR, "%s: %s", whose, wrong);
	return code;
}
