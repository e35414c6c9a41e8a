/* SPDX-License-Identifier: ISC */
#include "tools/dns-policy.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "common/dns_read.h"

enum { ID_OCTETS = 8 };

static bool
is_repeated(const struct request *r, size_t index)
{
	if (dns_name_equal(r->mx[index], r->config->hostname))
		return true;
	for (size_t i = 0; i < index; i++)
		if (dns_name_equal(r->mx[i], r->mx[index]))
			return true;
	return false;
}

bool
policy_write(const struct request *r, struct buf *out)
{
	buf_addf(out, "version: STSv1\nmode: %s\n", r->mode);
	buf_addf(out, "mx: %s\n", r->config->hostname);
	for (size_t i = 0; i < r->nmx; i++)
		if (!is_repeated(r, i))
			buf_addf(out, "mx: %s\n", r->mx[i]);
	return buf_addf(out, "max_age: %" PRIu32 "\n", r->max_age);
}

bool
policy_id(const struct buf *text, char id[STS_ID_MAX + 1])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!buf_ok(text) ||
	    EVP_Digest(text->data, text->len, hash, &n, EVP_sha256(), NULL) !=
		1 ||
	    n < ID_OCTETS)
		return false;
	for (size_t i = 0; i < ID_OCTETS; i++)
		snprintf(id + 2 * i, 3, "%02x", hash[i]);
	return true;
}
