/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/print.h"
#include "queue/describe.h"
#include "queue/tool-print.h"
#include "queue/words.h"

/* The columns in front of sender, recipients and last words. */
enum { FIXED_COLUMNS = 46, OUTPUT_SIZE = 65536 };

struct list {
	unsigned long long count;
	bool cut;
	size_t width; /* of the terminal, when lines are cut there */
};

/* -- text -- */

/* At most so many characters; a line that was cut stays so. */
static void
put_within(const char *text, const struct list *l, size_t *left)
{
	char part[1024];
	size_t n = 0;

	if (!l->cut) {
		print_clean(text);
		return;
	}
	for (; *text != '\0' && *left > 0 && n + 4 < sizeof(part); (*left)--)
		do
			part[n++] = *text++;
		while (((unsigned char)*text & 0xc0) == 0x80 &&
		    n + 1 < sizeof(part));
	part[n] = '\0';
	print_clean(part);
}

static void
put_recipients(const struct envelope *e, const struct list *l, size_t *left)
{
	size_t pending = envelope_count(e, RECIPIENT_PENDING);
	char more[48];

	for (size_t i = 0; i < e->n; i++)
		if (e->recipients[i].state == RECIPIENT_PENDING) {
			put_within(" to <", l, left);
			put_within(e->recipients[i].address, l, left);
			put_within(">", l, left);
			break;
		}
	if (pending > 1) {
		snprintf(more, sizeof(more), " and %zu more", pending - 1);
		put_within(more, l, left);
	}
}

static char *
add_column(char *at, const char *text, size_t width, bool left)
{
	size_t n = strlen(text), blanks = n < width ? width - n : 0;

	memset(at, ' ', width);
	memcpy(at + (left ? 0 : blanks), text, n);
	at += n + blanks;
	*at++ = ' ';
	return at;
}

static void
put_text(const struct tool *tool, const struct row *row,
    const struct envelope *e, const struct list *l)
{
	char id[FS_ID_SIZE], size[WORDS_SIZE], age[WORDS_SIZE];
	char next[WORDS_SIZE] = "", line[128 + 4 * WORDS_SIZE], *at;
	size_t left = l->width > FIXED_COLUMNS ? l->width - FIXED_COLUMNS : 0;
	const char *reason = describe_reason(e, &tool->rules);

	tool_id(row->id, id);
	words_size(size, e->content);
	words_age(age, tool->now - e->time);
	if (row->next > tool->now)
		words_age(next, row->next - tool->now);
	at = add_column(line, id, 16, true);
	at = add_column(at, size, 5, false);
	at = add_column(at, age, 4, false);
	*at++ = ' ';
	at = add_column(at, state_name(row->state), 8, true);
	at = add_column(at, next, 4, false);
	*at++ = ' ';
	fwrite(line, 1, (size_t)(at - line), stdout);
	put_within("<", l, &left);
	put_within(e->sender, l, &left);
	put_within(">", l, &left);
	put_recipients(e, l, &left);
	if (reason[0] != '\0') {
		put_within(": ", l, &left);
		put_within(reason, l, &left);
	}
	putchar('\n');
}

static void
begin_text(struct list *l)
{
	struct winsize size;

	l->cut = isatty(STDOUT_FILENO) == 1 &&
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col > FIXED_COLUMNS + 10;
	l->width = l->cut ? size.ws_col : 0;
	printf("%-16s %5s %4s  %-8s %4s  %s\n", "id", "size", "age", "state",
	    "next", "from, to, last words");
}

/* -- both -- */

static int
put_one(struct tool *tool, const struct row *row, const struct envelope *e,
    void *context)
{
	struct list *l = context;

	l->count++;
	if (tool->json) {
		print_message_json(tool, row, e);
		puts("}");
	} else {
		put_text(tool, row, e, l);
	}
	if (ferror(stdout))
		return tool_fail(tool, EX_IOERR, "write", "failed");
	return EX_OK;
}

int
list_run(struct tool *tool)
{
	struct list l = {0};
	int code, missing;

	tool->brief = true;
	code = index_load(tool);

	if (code != EX_OK)
		return code;
	/* Only this thread writes, and much. */
	(void)__fsetlocking(stdout, FSETLOCKING_BYCALLER);
	if (isatty(STDOUT_FILENO) != 1)
		(void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_SIZE);
	if (!tool->json)
		begin_text(&l);
	code = scan(tool, put_one, &l);
	if (!tool->json)
		printf("%llu message%s\n", l.count, l.count == 1 ? "" : "s");
	missing = index_missing(tool);
	return code == EX_OK ? missing : code;
}
