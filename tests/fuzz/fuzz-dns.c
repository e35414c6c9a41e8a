/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "common/dns_query.h"
#include "common/netaddr.h"
#include "tests/fuzz/fuzz.h"

/*
 * Answers of the DNS (A14).  This file takes the place of dns_query.c: the
 * input is cut into answers, whose headers and questions are right, so that
 * what stands behind them is what varies.
 */

const struct fuzz_seed fuzz_seeds[] = {
    /* an MX record with a compressed owner and host */
    FUZZ_SEED("\x40\x84\x00\x00\x01"
	      "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x01\x00\x09"
	      "\x00\x0a\x04mail\xc0\x0c"),
    /* a CNAME and the address of its target */
    FUZZ_SEED("\x40\x84\x00\x00\x02"
	      "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x01\x00\x04\x01x\xc0\x0c"
	      "\x01x\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04"
	      "\x7f\x00\x00\x01"),
    FUZZ_SEED("\x30\x84\x00\x00\x01"
	      "\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x01\x00\x06\x02hi\x02yo"),
    FUZZ_SEED("\x30\x84\x00\x00\x01"
	      "\xc0\x0c\x00\x0c\x00\x01\x00\x00\x00\x01\x00\x07\x05"
	      "a.b c\x00"),
    FUZZ_SEED("\x05\x84\x03\x00\x00"),
    /* a TLSA record, with AD */
    FUZZ_SEED("\x30\x84\xa0\x00\x01"
	      "\xc0\x0c\x00\x34\x00\x01\x00\x00\x00\x01\x00\x05\x03\x01\x01"
	      "ab"),
    /* a CNAME asked for by itself */
    FUZZ_SEED("\x40\x84\xa0\x00\x01"
	      "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x01\x00\x04\x01x\xc0\x0c"),
    FUZZ_SEEDS_END,
};

static const uint8_t *input;
static size_t left;

int64_t
dns_limit(const struct dns *d)
{
	(void)d;
	return 0;
}

static size_t
take(unsigned char *out, size_t n)
{
	if (n > left)
		n = left;
	memcpy(out, input, n);
	input += n;
	left -= n;
	return n;
}

static size_t
add_question(unsigned char *out, const char *name, uint16_t type)
{
	size_t n = 0;

	while (*name != '\0') {
		size_t label = strcspn(name, ".");

		out[n++] = (unsigned char)(label & 63);
		memcpy(out + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	out[n++] = 0;
	out[n++] = (unsigned char)(type >> 8);
	out[n++] = (unsigned char)type;
	out[n++] = 0;
	out[n++] = 1;
	return n;
}

/* Of the input: length of the records, two octets of flags, the count. */
enum dns_status
dns_ask(struct dns *d, const char *name, uint16_t type, int64_t deadline)
{
	unsigned char *p = d->packet, about[5] = {0};
	size_t n = 12;

	(void)deadline;
	REQUIRE(strlen(name) <= DNS_NAME_MAX);
	if (take(about, sizeof(about)) == 0)
		return DNS_TEMPORARY;
	memset(p, 0, n);
	p[2] = about[1];
	p[3] = about[2];
	p[5] = 1;
	p[6] = about[3];
	p[7] = about[4];
	n += add_question(p + n, name, type);
	n += take(p + n, about[0]);
	return dns_read_answer(&d->answer, p, n, 0, name, type);
}

static void
check_host(const char *name)
{
	REQUIRE(strlen(name) <= DNS_NAME_MAX);
	REQUIRE(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") ==
	    strlen(name));
}

static void
look_up_mx(struct dns *d)
{
	static struct dns_mx mx[DNS_RECORDS_MAX];
	size_t n;

	if (dns_mx(d, "example.test", mx, DNS_RECORDS_MAX, &n) != DNS_FOUND)
		return;
	REQUIRE(n > 0);
	for (size_t i = 0; i < n; i++) {
		check_host(mx[i].host);
		REQUIRE(mx[i].host[0] != '\0' || n == 1);
	}
}

static void
look_up_texts(struct dns *d)
{
	char **texts;
	size_t n;

	if (dns_txt(d, "example.test", &texts, &n) != DNS_FOUND)
		return;
	for (size_t i = 0; i < n; i++)
		REQUIRE(strlen(texts[i]) <= DNS_TEXT_MAX);
	free(texts);
}

static void
look_up_tlsa(struct dns *d)
{
	struct dns_tlsa *records;
	char target[DNS_NAME_MAX + 1];
	unsigned sum = 0;
	size_t n;

	if (dns_tlsa(d, "_25._tcp.example.test", &records, &n) == DNS_FOUND)
		REQUIRE(n > 0 && n <= DNS_RECORDS_MAX);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(records[i].len > 0);
		for (size_t j = 0; j < records[i].len; j++)
			sum += records[i].data[j];
	}
	REQUIRE(sum < 255U * DNS_PACKET_MAX);
	free(records);
	if (dns_alias(d, "example.test", target) == DNS_FOUND)
		check_host(target);
	REQUIRE(!dns_secure(d)); /* nobody said "trusted" */
}

static void
look_up_client(struct dns *d)
{
	struct sockaddr_storage addresses[4], client;
	char name[DNS_NAME_MAX + 1];
	size_t n;

	(void)dns_addresses(d, "example.test", AF_UNSPEC, addresses, 4, &n);
	REQUIRE(n <= 4);
	REQUIRE(netaddr_parse("127.0.0.1", 0, &client));
	if (dns_confirmed_name(d, &client, name) == DNS_FOUND)
		check_host(name);
	else
		REQUIRE(name[0] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static struct dns d;
	static void (*const look_ups[])(struct dns *) = {
	    look_up_mx, look_up_texts, look_up_client, look_up_tlsa};
	struct dns_answer *a = &d.answer;

	d.deadline = -1;
	(void)dns_read_answer(a, octets, n, 0, "example.test", DNS_TYPE_MX);
	(void)dns_is_truncated(octets, n);
	for (size_t i = 0; i < sizeof(look_ups) / sizeof(look_ups[0]); i++) {
		input = octets;
		left = n;
		look_ups[i](&d);
	}
	return 0;
}
