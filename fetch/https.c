/* SPDX-License-Identifier: ISC */
#include "fetch/https.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "build.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/cursor.h"
#include "common/dns.h"
#include "common/log.h"
#include "common/netaddr.h"

enum { ADDRESSES_MAX = 8, CONNECT_MS = 10000, HTTPS_PORT = 443 };

struct transfer {
	const struct https_request *request;
	struct https_answer *answer;
	CURL *curl;
	struct curl_slist *resolve, *connect_to;
	char error[CURL_ERROR_SIZE];
	bool too_big;
};

void
https_begin(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		return;
	log_event(LEVEL_ERROR, "cannot start", log_text("what", "libcurl"),
	    log_text("reason", "curl_global_init failed"));
	exit(EX_OSERR);
}

static bool
refuse(struct https_answer *a, const char *reason)
{
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
	return false;
}

/* -- where it is -- */

/* Host and port of the URL; false with the reason told. */
static bool
take_apart(const struct https_request *r, struct https_answer *a, char **host,
    unsigned *port)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *user = NULL, *text = NULL;
	bool good = false;

	*host = NULL;
	*port = 0;
	if (url == NULL ||
	    curl_url_set(url, CURLUPART_URL, r->url, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_HOST, host, 0) != CURLUE_OK)
		refuse(a, "not a URL");
	else if (strcmp(scheme, "https") != 0)
		refuse(a, "not https");
	else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
		refuse(a, "a user in the URL");
	else
		good = true;
	if (good && curl_url_get(url, CURLUPART_PORT, &text, 0) == CURLUE_OK)
		*port = (unsigned)strtoul(text, NULL, 10);
	curl_free(scheme);
	curl_free(user);
	curl_free(text);
	curl_url_cleanup(url);
	return good;
}

/* NAME:PORT:ADDRESS,ADDRESS...  Curl itself looks up no name. */
static bool
add_addresses(
    struct https *h, struct transfer *t, const char *host, unsigned port)
{
	static const int families[] = {[FAMILY_ANY] = AF_UNSPEC,
	    [FAMILY_IPV4] = AF_INET,
	    [FAMILY_IPV6] = AF_INET6};
	struct sockaddr_storage found[ADDRESSES_MAX];
	struct buf entry = BUF_INIT(2048);
	char text[NETADDR_TEXT_MAX];
	enum dns_status status;
	size_t n;

	status = dns_addresses(h->dns, host,
	    families[h->config->address_family], found, ADDRESSES_MAX, &n);
	if (status != DNS_FOUND) {
		snprintf(t->answer->reason, sizeof(t->answer->reason),
		    "%.255s: %s", host, dns_status_text(status));
		return false;
	}
	buf_addf(&entry, "%s:%u:", host, port);
	for (size_t i = 0; i < n; i++) {
		netaddr_format(&found[i], text);
		buf_addf(&entry,
		    found[i].ss_family == AF_INET6 ? "%s[%s]" : "%s%s",
		    i > 0 ? "," : "", text);
	}
	if (buf_text(&entry) != NULL)
		t->resolve = curl_slist_append(NULL, entry.data);
	buf_free(&entry);
	return t->resolve != NULL || refuse(t->answer, "out of memory");
}

/* The name stays that of the certificate, whatever port it is at. */
static bool
find_way(struct https *h, struct transfer *t)
{
	struct sockaddr_storage literal;
	char *host, way[600];
	unsigned port;
	bool good = take_apart(t->request, t->answer, &host, &port);

	if (good && port == 0) {
		port = t->request->port;
		snprintf(way, sizeof(way), "%.255s:%d:%.255s:%u", host,
		    HTTPS_PORT, host, port);
		t->connect_to = curl_slist_append(NULL, way);
		good = t->connect_to != NULL;
	}
	if (good && host[0] != '[' && !netaddr_parse(host, 0, &literal))
		good = add_addresses(h, t, host, port);
	curl_free(host);
	return good;
}

/* -- what comes -- */

static size_t
take_body(char *octets, size_t one, size_t n, void *context)
{
	struct transfer *t = context;

	(void)one;
	if (buf_add(&t->answer->body, octets, n))
		return n;
	t->too_big = true;
	return 0;
}

/* Cache-Control: ..., max-age=SECONDS, ... */
static size_t
take_header(char *octets, size_t one, size_t n, void *context)
{
	static const char name[] = "cache-control:", item[] = "max-age=";
	struct transfer *t = context;
	const char *at = octets, *end = octets + n;

	(void)one;
	if (n < sizeof(name) - 1 ||
	    strncasecmp(octets, name, sizeof(name) - 1) != 0)
		return n;
	for (; at + sizeof(item) - 1 < end; at++) {
		struct cursor c;

		if (strncasecmp(at, item, sizeof(item) - 1) != 0)
			continue;
		at += sizeof(item) - 1;
		c = cursor_over(at, (size_t)(end - at));
		t->answer->max_age = cursor_decimal(&c);
		t->answer->has_max_age = cursor_ok(&c);
		break;
	}
	return n;
}

/* -- all of it -- */

/* One that is not taken must not leave a default in its place. */
#define SET(option, value)                                                     \
	(curl_easy_setopt(t->curl, option, value) == CURLE_OK)

static bool
set_options(struct https *h, struct transfer *t)
{
	struct curl_blob trust = {.data = h->trust.data,
	    .len = h->trust.len,
	    .flags = CURL_BLOB_NOCOPY};

	return SET(CURLOPT_URL, t->request->url) &&
	    SET(CURLOPT_PROTOCOLS_STR, "https") &&
	    SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_PROXY, "") &&
	    SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_FORBID_REUSE, 1L) &&
	    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	    SET(CURLOPT_USERAGENT, "postrider/" PACKAGE_VERSION) &&
	    SET(CURLOPT_RESOLVE, t->resolve) &&
	    SET(CURLOPT_CONNECT_TO, t->connect_to) &&
	    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	    SET(CURLOPT_SSL_VERIFYPEER, 1L) &&
	    SET(CURLOPT_SSL_VERIFYHOST, 2L) && SET(CURLOPT_CAINFO, NULL) &&
	    SET(CURLOPT_CAPATH, NULL) && SET(CURLOPT_CAINFO_BLOB, &trust) &&
	    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) &&
	    SET(CURLOPT_WRITEFUNCTION, take_body) &&
	    SET(CURLOPT_WRITEDATA, t) &&
	    SET(CURLOPT_HEADERFUNCTION, take_header) &&
	    SET(CURLOPT_HEADERDATA, t) && SET(CURLOPT_ERRORBUFFER, t->error);
}

/* "text/plain; charset=utf-8" is text/plain. */
static bool
is_type(const char *is, const char *wanted)
{
	size_t n = strlen(wanted);

	return is != NULL && strncasecmp(is, wanted, n) == 0 &&
	    (is[n] == '\0' || is[n] == ';' || is[n] == ' ');
}

static bool
judge(struct transfer *t, CURLcode code)
{
	struct https_answer *a = t->answer;
	char *type = NULL;
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->curl, CURLINFO_CONTENT_TYPE, &type);
	if (t->too_big)
		return refuse(a, "too big");
	if (code != CURLE_OK)
		return refuse(a,
		    t->error[0] != '\0' ? t->error : curl_easy_strerror(code));
	if (status >= 300 && status < 400)
		return refuse(a, "a redirect, which is not followed");
	if (status != 200) {
		snprintf(a->reason, sizeof(a->reason), "status %ld", status);
		return false;
	}
	if (t->request->content_type != NULL &&
	    !is_type(type, t->request->content_type)) {
		snprintf(a->reason, sizeof(a->reason), "content type %.200s",
		    type != NULL ? type : "unknown");
		return false;
	}
	return true;
}

/* 0 would be no limit. */
static bool
limit_time(struct transfer *t, int64_t end)
{
	long left = clock_left(end);

	return SET(CURLOPT_TIMEOUT_MS, left > 0 ? left : 1L);
}

bool
https_get(
    struct https *h, const struct https_request *r, struct https_answer *answer)
{
	int64_t end = clock_monotonic_ms() + HTTPS_TIME_MS;
	struct transfer t = {.request = r, .answer = answer};
	bool good;

	*answer = (struct https_answer){
	    .body = BUF_INIT(
		r->max < HTTPS_OCTETS_MAX ? (size_t)r->max : HTTPS_OCTETS_MAX)};
	if (h->trust.len == 0)
		return refuse(answer, "no authority is trusted");
	dns_deadline(h->dns, end);
	good = find_way(h, &t);
	if (good && (t.curl = curl_easy_init()) == NULL)
		good = refuse(answer, "out of memory");
	if (good) {
		good = set_options(h, &t) && limit_time(&t, end)
		    ? judge(&t, curl_easy_perform(t.curl))
		    : refuse(answer, "libcurl does not do as it must");
		curl_easy_cleanup(t.curl);
	}
	curl_slist_free_all(t.resolve);
	curl_slist_free_all(t.connect_to);
	return good;
}
