/* SPDX-License-Identifier: ISC */
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/certificate.h"

bool
certificate_covers(STACK_OF(X509) *chain, const char *hostname)
{
	return X509_check_host(sk_X509_value(chain, 0), hostname, 0,
		   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static time_t
seconds(const ASN1_TIME *when)
{
	struct tm tm;

	return when != NULL && ASN1_TIME_to_tm(when, &tm) == 1 ? timegm(&tm)
							       : -1;
}

time_t
certificate_begins(STACK_OF(X509) *chain)
{
	return seconds(X509_get0_notBefore(sk_X509_value(chain, 0)));
}

time_t
certificate_ends(STACK_OF(X509) *chain)
{
	return seconds(X509_get0_notAfter(sk_X509_value(chain, 0)));
}

static void
add(char *out, size_t size, const ASN1_STRING *name)
{
	const unsigned char *octets = ASN1_STRING_get0_data(name);
	int n = ASN1_STRING_length(name);
	size_t used = strlen(out);

	if (n <= 0 || used + (size_t)n + 3 > size)
		return;
	if (used > 0) {
		memcpy(out + used, ", ", 2);
		used += 2;
	}
	for (int i = 0; i < n; i++)
		if (octets[i] > ' ' && octets[i] < 0x7f)
			out[used++] = (char)octets[i];
	out[used] = '\0';
}

void
certificate_names(STACK_OF(X509) *chain, char *out, size_t size)
{
	X509 *leaf = sk_X509_value(chain, 0);
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(leaf);
	int common = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			add(out, size, name->d.dNSName);
	}
	if (out[0] == '\0' && common >= 0)
		add(out, size,
		    X509_NAME_ENTRY_get_data(
			X509_NAME_get_entry(subject, common)));
	GENERAL_NAMES_free(names);
	ERR_clear_error();
}
