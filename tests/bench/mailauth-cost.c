/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <fcntl.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "mailauth/dkim_body.h"
#include "mailauth/judge.h"
#include "tests/bench/mailauth.h"

/*
 * What the checks of mail cost, over a DNS in memory.
 *
 *	mailauth-cost make FOLDER		a key, a zone, messages
 *	mailauth-cost judge MESSAGE ZONE N	microseconds a message
 *	mailauth-cost dkim MESSAGE ZONE N	likewise, of DKIM alone
 *	mailauth-cost sign MESSAGE KEY N	likewise, and of the bare key
 *	mailauth-cost stream MESSAGE ZONE	MiB a second, and KiB of memory
 */
enum { NOW = 1764500000, BIG = 25 << 20, SMALL = 4096, PIECE = 16384 };

static enum dns_status
txt(void *zone, const char *name, char ***texts, size_t *n)
{
	size_t length;
	const char *text = zone_find(zone, name, &length);

	*n = 0;
	if (text == NULL)
		return DNS_NO_NAME;
	*texts = malloc(sizeof(char *) + length + 1);
	if (*texts == NULL)
		return DNS_TEMPORARY;
	**texts = memcpy(*texts + 1, text, length);
	(**texts)[length] = '\0';
	*n = 1;
	return DNS_FOUND;
}

static enum dns_status
addresses(void *zone, const char *host, int family,
    struct sockaddr_storage *out, size_t max, size_t *n)
{
	(void)zone, (void)host, (void)family, (void)out, (void)max;
	*n = 0;
	return DNS_NO_DATA;
}

static void
check(const char *what, enum auth_result result)
{
	if (result != AUTH_PASS)
		errx(1, "%s is %s", what, auth_result_name(result));
}

static void
judge_one(const struct mailauth *m, const char *message, size_t n)
{
	struct spf_query spf = {.helo = "mx.example.org",
	    .sender = "ann@example.org",
	    .receiver = "mx.example.net"};
	struct sockaddr_in *client = (struct sockaddr_in *)&spf.client;
	struct header_section h;
	struct judgement result;
	struct judge *j;
	size_t used;

	client->sin_family = AF_INET;
	inet_pton(AF_INET, "192.0.2.25", &client->sin_addr);
	header_init(&h);
	used = header_take(&h, message, n);
	j = judge_begin(m, &spf, &h);
	judge_body(j, message + used, n - used);
	judge_end(j, &result);
	check("SPF", result.sender.result);
	check("DKIM", result.signatures[0].result);
	check("DMARC", result.dmarc.result);
	judgement_free(&result);
	judge_free(j);
	header_free(&h);
}

static void
dkim_one(const struct mailauth *m, const char *message, size_t n)
{
	struct dkim_result results[DKIM_SIGNATURES_MAX];
	struct header_section h;
	struct dkim_verifier *v;
	size_t used;

	header_init(&h);
	used = header_take(&h, message, n);
	v = dkim_verify_begin(m, &h);
	dkim_verify_body(v, message + used, n - used);
	dkim_verify_end(v, results);
	check("DKIM", results[0].result);
	dkim_verify_free(v);
	header_free(&h);
}

static void
repeat(const struct mailauth *m, const char *path, long times,
    void (*one)(const struct mailauth *, const char *, size_t))
{
	size_t n;
	char *message = slurp(path, &n);
	double began;

	one(m, message, n); /* what the library looks up once */
	began = processor_seconds();
	for (long i = 0; i < times; i++)
		one(m, message, n);
	printf("%.3f\n", (processor_seconds() - began) / (double)times * 1e6);
	free(message);
}

/* As it arrives: in pieces, none of them kept. */
static void
stream(const struct mailauth *m, const char *path)
{
	struct dkim_result results[DKIM_SIGNATURES_MAX];
	struct dkim_verifier *v = NULL;
	struct header_section h;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	static char octets[PIECE];
	size_t total = 0;
	long before;
	double began;
	ssize_t n;

	(void)dkim_sha256();
	before = most_resident();
	began = processor_seconds();
	header_init(&h);
	while ((n = read(fd, octets, sizeof(octets))) > 0) {
		size_t used = header_take(&h, octets, (size_t)n);

		if (h.done && v == NULL)
			v = dkim_verify_begin(m, &h);
		if (v != NULL)
			dkim_verify_body(v, octets + used, (size_t)n - used);
		total += (size_t)n;
	}
	dkim_verify_end(v, results);
	check("DKIM", results[0].result);
	dkim_verify_free(v);
	header_free(&h);
	close(fd);
	printf("%.3f %ld\n",
	    (double)total / (processor_seconds() - began) / 1048576,
	    most_resident() - before);
}

/* -- signing -- */

static void
sign_one(const char *message, size_t n, EVP_PKEY *key, struct buf *field)
{
	struct dkim_signer *s = dkim_sign_begin();
	struct dkim_facts facts;
	struct header_section h;
	size_t used;

	header_init(&h);
	used = header_take(&h, message, n);
	header_end(&h);
	dkim_sign_body(s, message + used, n - used);
	if (dkim_sign_end(s, &h, &facts) != NULL ||
	    !dkim_sign(&facts, "example.org", "bench", NOW, key, field))
		errx(1, "cannot sign");
	buf_free(&facts.fields);
	dkim_sign_free(s);
	header_free(&h);
}

static void
sign_bare(EVP_PKEY *key)
{
	unsigned char digest[32] = {1}, octets[512];
	size_t n = sizeof(octets);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);

	if (EVP_PKEY_sign_init(c) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(c, dkim_sha256()) != 1 ||
	    EVP_PKEY_sign(c, octets, &n, digest, sizeof(digest)) != 1)
		errx(1, "cannot sign");
	EVP_PKEY_CTX_free(c);
}

static void
sign_many(const char *path, const char *key_path, long times)
{
	double began, whole = 0, bare = 0;
	struct buf field = BUF_INIT(65536);
	FILE *f = fopen(key_path, "re");
	EVP_PKEY *key =
	    f == NULL ? NULL : PEM_read_PrivateKey(f, NULL, NULL, NULL);
	size_t n;
	char *message = slurp(path, &n);

	if (key == NULL)
		errx(1, "%s: no key", key_path);
	fclose(f);
	for (long i = -1; i < times; i++) {
		buf_reset(&field);
		began = processor_seconds();
		sign_one(message, n, key, &field);
		whole += i < 0 ? 0 : processor_seconds() - began;
		began = processor_seconds();
		sign_bare(key);
		bare += i < 0 ? 0 : processor_seconds() - began;
	}
	printf("%.3f %.3f\n", whole / (double)times * 1e6,
	    bare / (double)times * 1e6);
	buf_free(&field);
	EVP_PKEY_free(key);
	free(message);
}

/* -- what the others read -- */

static FILE *
create(const char *folder, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	if (f == NULL)
		err(1, "%s", path);
	return f;
}

static void
make_message(const char *folder, const char *name, size_t size, EVP_PKEY *key)
{
	static const char header[] =
	    "From: Ann <ann@example.org>\nTo: Bob <bob@example.net>\n"
	    "Subject: a message of an ordinary size\n"
	    "Date: Mon, 30 Nov 2026 10:00:00 +0000\n"
	    "Message-ID: <1@example.org>\nMIME-Version: 1.0\n"
	    "Content-Type: text/plain; charset=utf-8\n\n";
	static const char line[] = "The quick brown fox jumps over the lazy dog"
				   " and sleeps until the morning.\n";
	struct buf message = BUF_INIT(2 * BIG), field = BUF_INIT(65536);
	FILE *f = create(folder, name);

	buf_adds(&message, header);
	while (message.len < size)
		buf_adds(&message, line);
	sign_one(message.data, message.len, key, &field);
	fwrite(field.data, 1, field.len, f);
	fwrite(message.data, 1, message.len, f);
	if (fclose(f) != 0)
		err(1, "%s", name);
	buf_free(&field);
	buf_free(&message);
}

static void
make_all(const char *folder)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct buf record = BUF_INIT(4096);
	FILE *f = create(folder, "zone");

	if (!dkim_key_record(key, &record))
		errx(1, "no key");
	fprintf(f,
	    "example.org\tv=spf1 ip4:192.0.2.0/24 -all\n"
	    "mx.example.org\tv=spf1 ip4:192.0.2.0/24 -all\n"
	    "bench._domainkey.example.org\t%s\n"
	    "_dmarc.example.org\tv=DMARC1; p=reject; "
	    "rua=mailto:d@example.org\n",
	    buf_text(&record));
	fclose(f);
	f = create(folder, "key");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	make_message(folder, "small", SMALL, key);
	make_message(folder, "big", BIG, key);
	buf_free(&record);
	EVP_PKEY_free(key);
}

int
main(int argc, char **argv)
{
	struct resolver resolver = {.txt = txt, .addresses = addresses};
	struct mailauth m = {.resolver = &resolver, .now = NOW + 1};
	const char *what = argc > 2 ? argv[1] : "";
	size_t n;

	if (strcmp(what, "make") == 0) {
		make_all(argv[2]);
		return 0;
	}
	if (strcmp(what, "sign") == 0 && argc == 5) {
		sign_many(argv[2], argv[3], atol(argv[4]));
		return 0;
	}
	if (argc < 4)
		errx(64, "usage: see the source");
	resolver.context = slurp(argv[3], &n);
	if (strcmp(what, "stream") == 0)
		stream(&m, argv[2]);
	else if (argc == 5)
		repeat(&m, argv[2], atol(argv[4]),
		    strcmp(what, "dkim") == 0 ? dkim_one : judge_one);
	free(resolver.context);
	return 0;
}
