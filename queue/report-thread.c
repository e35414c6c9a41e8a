/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "common/cursor.h"
#include "queue/report-parts.h"

/* What the header of the message says of its place among others. */

/* So many ids of those before it, the first and the last of them. */
enum { IDS_MAX = 20, ID_OCTETS_MAX = 250 };

struct ids {
	struct span id[IDS_MAX];
	size_t n;
};

/* The end of the field that begins here: behind the line end of its last. */
static size_t
field_end(const struct report *r, size_t n, size_t at)
{
	do {
		const char *next = memchr(r->octets + at, '\n', n - at);

		at = next != NULL ? (size_t)(next - r->octets) + 1 : n;
	} while (at < n && (r->octets[at] == ' ' || r->octets[at] == '\t'));
	return at;
}

bool
report_field(const struct report *r, const char *name, struct span *value)
{
	size_t n = report_header_length(r), length = strlen(name), end, at;

	for (at = 0; at < n; at = end) {
		const char *p = r->octets + at + length;

		end = field_end(r, n, at);
		if (end - at <= length ||
		    strncasecmp(r->octets + at, name, length) != 0)
			continue;
		while (p < r->octets + end && (*p == ' ' || *p == '\t'))
			p++;
		if (p == r->octets + end || *p != ':')
			continue;
		*value =
		    (struct span){p + 1, (size_t)(r->octets + end - p - 1)};
		return true;
	}
	return false;
}

/* An angle-addr, or nearly one: nothing that breaks a line of ours. */
static bool
is_message_id(struct span id)
{
	if (id.len < 3 || id.len > ID_OCTETS_MAX || id.data[0] != '<' ||
	    id.data[id.len - 1] != '>')
		return false;
	for (size_t i = 1; i < id.len - 1; i++)
		if (id.data[i] <= ' ' || id.data[i] > '~' ||
		    id.data[i] == '<' || id.data[i] == '>')
			return false;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
add_id(struct ids *ids, struct span id)
{
	if (ids->n == IDS_MAX) {
		memmove(ids->id + 1, ids->id + 2,
		    (IDS_MAX - 2) * sizeof(ids->id[0]));
		ids->n--;
	}
	ids->id[ids->n++] = id;
}

static void
read_ids(const struct report *r, const char *name, struct ids *ids)
{
	struct span value, word;

	*ids = (struct ids){.n = 0};
	if (!report_field(r, name, &value))
		return;
	while (value.len > 0) {
		for (word = (struct span){value.data, 0};
		     word.len < value.len && !is_blank(word.data[word.len]);)
			word.len++;
		if (is_message_id(word))
			add_id(ids, word);
		if (word.len < value.len)
			word.len++;
		value.data += word.len;
		value.len -= word.len;
	}
}

void
report_thread(struct report *r)
{
	struct ids own, before;

	read_ids(r, "Message-ID", &own);
	if (own.n != 1)
		return;
	read_ids(r, "References", &before);
	if (before.n == 0) {
		read_ids(r, "In-Reply-To", &before);
		before.n = before.n == 1;
	}
	add_id(&before, own.id[0]);
	buf_addf(&r->text, "In-Reply-To: %.*s\nReferences:", (int)own.id[0].len,
	    own.id[0].data);
	for (size_t i = 0; i < before.n; i++)
		buf_addf(&r->text, "%s %.*s", i == 0 ? "" : "\n",
		    (int)before.id[i].len, before.id[i].data);
	buf_addc(&r->text, '\n');
}

/* -- mail that nobody waits for -- */

static bool
says(const struct report *r, const char *name, const char *word)
{
	struct span value;
	size_t n = strlen(word);

	if (!report_field(r, name, &value))
		return false;
	while (value.len > 0 && is_blank(*value.data)) {
		value.data++;
		value.len--;
	}
	return value.len >= n && strncasecmp(value.data, word, n) == 0;
}

bool
report_is_unattended(const struct report *r)
{
	static const char *const words[] = {"bulk", "list", "junk"};
	struct span value;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (says(r, "Precedence", words[i]))
			return true;
	return report_field(r, "List-Id", &value) ||
	    report_field(r, "List-Post", &value) ||
	    (report_field(r, "Auto-Submitted", &value) &&
		!says(r, "Auto-Submitted", "no"));
}
