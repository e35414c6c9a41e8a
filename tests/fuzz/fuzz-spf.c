/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include <string.h>

#include "common/netaddr.h"
#include "mailauth/spf.h"
#include "mailauth/spf_macro.h"
#include "tests/fuzz/fuzz.h"

/*
 * SPF records, explanations and everything else that the DNS says (A13).  The
 * input is the client's address (an octet), its HELO, the sender, and then
 * the answers, each up to an LF, in the order of the questions: from the
 * beginning again when they are used up, so that a record can lead to itself.
 */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("4mail.example.org\nann@example.org\n"
	      "v=spf1 ip4:192.0.2.0/24 a mx include:b.test -all\n1\n2ab\n"),
    FUZZ_SEED("6mail.example.org\nann@example.org\n"
	      "v=spf1 ptr:b.test exists:%{ir}.%{l1r-}.%{p} redirect=%{d2}\n"
	      "3host.b.test\n1\n"),
    FUZZ_SEED("4h.test\n\nv=spf1 -all exp=%{o}\n"
	      "%{s} %{c} %{t} %{r} %{h} %{S} %{L} %{D2r.-}\n"),
    FUZZ_SEED("4h.test\na@b.test\nv=spf1 include:%{s}.%{s}.%{s}.%{d}\n"),
    FUZZ_SEED("4h.test\na@b.test\nv=spf1 redirect=b.test\n"),
    FUZZ_SEED("6[::1]\n\"a b\"@b.test\nv=spf1 mx//64 a:x/y.z/0//0 ?all\n;\n"
	      "9aaaaaaaaaaaa\n!\n"),
    FUZZ_SEED("4h.test\na@b.test\nv=spf1 a:%{H} a:%%%_%-.%{p} ip6:::1 "
	      "x-y=%{t} all\n"),
    FUZZ_SEEDS_END,
};

struct input {
	const uint8_t *start, *at, *end;
	unsigned txt, addresses, mx, ptr, names;
};

static size_t
take_line(struct input *in, char *out, size_t size)
{
	size_t n = 0;

	for (; in->at < in->end && *in->at != '\n'; in->at++)
		if (n + 1 < size && *in->at != '\0')
			out[n++] = (char)*in->at;
	out[n] = '\0';
	if (in->at < in->end)
		in->at++;
	return n;
}

static size_t
answer(struct input *in, char *out, size_t size)
{
	if (in->at == in->end)
		in->at = in->start;
	return take_line(in, out, size);
}

/* "!" a DNS in trouble, ";" no such name. */
static enum dns_status
status_of(const char *line)
{
	if (line[0] == '!')
		return line[1] == '!' ? DNS_BROKEN : DNS_TEMPORARY;
	if (line[0] == ';')
		return line[1] == ';' ? DNS_NO_DATA : DNS_NO_NAME;
	return DNS_FOUND;
}

static void
check_name(const char *name)
{
	size_t label = 0, n = strlen(name);

	REQUIRE(n > 0 && n <= 253);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(name[i] >= ' ' && name[i] <= '~' && name[i] != '\\');
		label = name[i] == '.' ? 0 : label + 1;
		REQUIRE(label <= 63);
	}
}

static enum dns_status
give_txt(void *context, const char *name, char ***texts, size_t *n)
{
	struct input *in = context;
	static char line[DNS_TEXT_MAX + 1];
	size_t size = answer(in, line, sizeof(line)) + 1;

	in->txt++;
	check_name(name);
	*n = 0;
	*texts = NULL;
	if (status_of(line) != DNS_FOUND)
		return status_of(line);
	*texts = malloc(sizeof(**texts) + size);
	REQUIRE(*texts != NULL);
	(*texts)[0] = (char *)(*texts + 1);
	memcpy((*texts)[0], line, size);
	*n = 1;
	return DNS_FOUND;
}

/* Each octet of the line is an address. */
static enum dns_status
give_addresses(void *context, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	struct input *in = context;
	char line[DNS_RECORDS_MAX + 1];
	size_t count = answer(in, line, sizeof(line));

	in->addresses++;
	if (in->ptr == 0) /* names of the client's are as the DNS has them */
		check_name(host);
	REQUIRE(family == AF_INET || family == AF_INET6);
	*n = 0;
	if (status_of(line) != DNS_FOUND)
		return status_of(line);
	for (size_t i = 0; i < count && *n < max; i++) {
		struct sockaddr_in *in4 = (struct sockaddr_in *)&out[*n];
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out[*n];

		memset(&out[*n], 0, sizeof(out[*n]));
		out[*n].ss_family = (sa_family_t)family;
		if (family == AF_INET)
			memset(&in4->sin_addr, line[i], sizeof(in4->sin_addr));
		else
			memset(
			    &in6->sin6_addr, line[i], sizeof(in6->sin6_addr));
		++*n;
	}
	return *n > 0 ? DNS_FOUND : DNS_NO_DATA;
}

/* As many as the first octet says. */
static size_t
count_names(const char *line, size_t max)
{
	size_t n = (unsigned char)line[0] % 16;

	return n < max ? n : max;
}

static enum dns_status
give_mx(void *context, const char *domain, struct dns_mx *out, size_t max,
    size_t *n)
{
	struct input *in = context;
	char line[DNS_NAME_MAX + 2];

	in->mx++;
	check_name(domain);
	answer(in, line, sizeof(line));
	*n = 0;
	if (status_of(line) != DNS_FOUND)
		return status_of(line);
	*n = count_names(line, max);
	for (size_t i = 0; i < *n; i++) {
		out[i].preference = (uint16_t)i;
		snprintf(out[i].host, sizeof(out[i].host), "mx%zu.test", i);
	}
	return *n > 0 ? DNS_FOUND : DNS_NO_DATA;
}

static enum dns_status
give_ptr(void *context, const struct sockaddr_storage *address,
    char (*names)[DNS_NAME_MAX + 1], size_t max, size_t *n)
{
	struct input *in = context;
	char line[DNS_NAME_MAX + 2];

	in->ptr++;
	REQUIRE(max <= SPF_NAMES_MAX);
	REQUIRE(
	    address->ss_family == AF_INET || address->ss_family == AF_INET6);
	answer(in, line, sizeof(line));
	*n = 0;
	if (status_of(line) != DNS_FOUND)
		return status_of(line);
	*n = count_names(line, max);
	for (size_t i = 0; i < *n; i++)
		memcpy(names[i], line + 1, sizeof(names[i]));
	in->names += (unsigned)*n;
	return *n > 0 ? DNS_FOUND : DNS_NO_DATA;
}

static void
check_result(const struct input *in, const struct spf_result *r)
{
	for (const char *p = r->explanation; *p != '\0'; p++)
		REQUIRE(*p >= ' ' && *p <= '~');
	for (const char *p = r->mechanism; *p != '\0'; p++)
		REQUIRE(*p > ' ' && *p <= '~');
	for (const char *p = r->reason; *p != '\0'; p++)
		REQUIRE(*p >= ' ' && *p <= '~');
	REQUIRE(r->explanation[0] == '\0' || r->result == AUTH_FAIL);
	REQUIRE((r->reason[0] != '\0') ==
	    (r->result == AUTH_TEMPERROR || r->result == AUTH_PERMERROR));
	REQUIRE(r->result != AUTH_POLICY);
	/* the first record, those of ten terms, an explanation */
	REQUIRE(in->txt <= 1 + SPF_TERMS_MAX + 1);
	REQUIRE(in->mx <= SPF_TERMS_MAX);
	REQUIRE(in->ptr <= 1);
	REQUIRE(in->addresses <= SPF_TERMS_MAX * SPF_NAMES_MAX + in->names);
	REQUIRE(in->txt + in->mx <= 1 + SPF_TERMS_MAX + 1);
}

static void
expand(const char *text)
{
	struct sockaddr_storage client;
	struct spf_macros m = {.local = text,
	    .sender_domain = text,
	    .domain = text,
	    .helo = text,
	    .receiver = text,
	    .client = &client,
	    .now = INT64_MIN};
	char name[DNS_NAME_MAX + 1], out[SPF_EXPLANATION_MAX + 1];
	struct span s = {text, strlen(text)};

	REQUIRE(netaddr_parse("2001:db8::1", 0, &client));
	if (strchr(text, 'p') != NULL || strchr(text, 'P') != NULL)
		return; /* there is nobody to ask about names */
	if (spf_expand_target(&m, s, name))
		check_name(name);
	if (!spf_expand_explanation(&m, text, out, sizeof(out)))
		REQUIRE(out[0] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct input in = {octets, octets, octets + n, 0, 0, 0, 0, 0};
	struct resolver resolver = {.txt = give_txt,
	    .addresses = give_addresses,
	    .mx = give_mx,
	    .ptr = give_ptr,
	    .context = &in};
	struct mailauth m = {.resolver = &resolver, .now = 1234567890};
	static char helo[1024], sender[1024], text[DNS_TEXT_MAX + 1];
	struct spf_query q = {.helo = helo, .sender = sender, .receiver = "r"};
	struct spf_result result;
	bool six = n > 0 && octets[0] == '6';

	REQUIRE(netaddr_parse(six ? "6161::1" : "97.97.97.97", 0, &q.client));
	in.at += n > 0;
	take_line(&in, helo, sizeof(helo));
	take_line(&in, sender, sizeof(sender));
	in.start = in.at;
	take_line(&in, text, sizeof(text));
	expand(text);
	in.at = in.start;
	spf_check_sender(&m, &q, &result);
	check_result(&in, &result);
	in = (struct input){in.start, in.start, octets + n, 0, 0, 0, 0, 0};
	spf_check_helo(&m, &q, &result);
	check_result(&in, &result);
	return 0;
}
