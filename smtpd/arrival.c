/* SPDX-License-Identifier: ISC */
#include "smtpd/arrival.h"

#include <stdio.h>
#include <string.h>

#include "common/cursor.h"
#include "common/netaddr.h"

enum { SCORE_TEXT_MAX = 12, SCORE_MOST = 1000000 };

void
arrival_write(const struct arrival *a, struct packet *p)
{
	char client[NETADDR_TEXT_MAX], score[SCORE_TEXT_MAX];

	packet_start(p, "arrival");
	if (a->client.ss_family != AF_UNSPEC) {
		netaddr_format(&a->client, client);
		packet_text(p, "client", client);
	}
	if (a->proxied)
		packet_number(p, "proxied", 1);
	if (a->greeted)
		packet_number(p, "greeted", 1);
	if (a->known)
		packet_number(p, "known", 1);
	snprintf(score, sizeof(score), "%d", a->score);
	packet_text(p, "score", score);
	if (a->lists[0] != '\0')
		packet_text(p, "lists", a->lists);
	packet_number(p, "waited", a->waited);
}

static bool
read_score(const char *text, int *score)
{
	bool negative = text[0] == '-';
	struct cursor c =
	    cursor_over(text + negative, strlen(text + negative));
	uint64_t value = cursor_decimal(&c);

	if (!cursor_done(&c) || value > SCORE_MOST)
		return false;
	*score = negative ? -(int)value : (int)value;
	return true;
}

bool
arrival_read(const struct packet *p, struct arrival *a)
{
	const char *client, *score, *lists;
	uint64_t proxied, greeted, known;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT_OPTIONAL("client", NETADDR_TEXT_MAX, &client),
	    ATTRIBUTE_NUMBER_OPTIONAL("proxied", &proxied),
	    ATTRIBUTE_NUMBER_OPTIONAL("greeted", &greeted),
	    ATTRIBUTE_NUMBER_OPTIONAL("known", &known),
	    ATTRIBUTE_TEXT("score", SCORE_TEXT_MAX, &score),
	    ATTRIBUTE_TEXT_OPTIONAL("lists", ARRIVAL_LISTS_MAX, &lists),
	    ATTRIBUTE_NUMBER("waited", &a->waited)};

	if (!packet_read(p, "arrival", set, sizeof(set) / sizeof(set[0]), 1) ||
	    !read_score(score, &a->score))
		return false;
	a->client = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
	if (client != NULL && !netaddr_parse(client, 0, &a->client))
		return false;
	a->proxied = proxied == 1;
	a->greeted = greeted == 1;
	a->known = known == 1;
	snprintf(a->lists, sizeof(a->lists), "%s", lists != NULL ? lists : "");
	return true;
}
