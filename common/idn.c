/* SPDX-License-Identifier: ISC */
#include "common/idn.h"

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "common/utf8.h"

#ifdef HAVE_IDN2
#include <idn2.h>

static bool
convert(const char *domain, char *out)
{
	char *ascii = NULL;
	bool ok = idn2_to_ascii_8z(domain, &ascii,
		      IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
	    strlen(ascii) <= DNS_NAME_MAX;

	if (ok)
		memcpy(out, ascii, strlen(ascii) + 1);
	idn2_free(ascii);
	return ok;
}

#else

static bool
convert(const char *domain, char *out)
{
	(void)domain;
	(void)out;
	return false;
}

#endif

bool
idn_to_ascii(const char *domain, char out[DNS_NAME_MAX + 1])
{
	if (!utf8_is_ascii(domain, strlen(domain)))
		return convert(domain, out);
	return snprintf(out, DNS_NAME_MAX + 1, "%s", domain) <= DNS_NAME_MAX;
}
