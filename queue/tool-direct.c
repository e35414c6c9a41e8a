/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "queue/load.h"
#include "queue/tool.h"

static struct spool spool;
static bool damaged; /* spool/holds is */

int
direct_open(struct tool *tool, bool complain)
{
	const char *path = tool->config->spool_dir;

	tool->direct = spool_open(&spool, path) == 0;
	if (tool->direct)
		return EX_OK;
	if (!complain)
		return EX_NOINPUT;
	if (errno == EWOULDBLOCK)
		return tool_fail(tool, EX_TEMPFAIL, path,
		    "in use, but its queue cannot be reached");
	return tool_fail(tool, errno == EACCES ? EX_NOPERM : EX_NOINPUT, path,
	    strerror(errno));
}

/* Where the message stands, with its envelope; false: there is none. */
static bool
find(const char *id, enum spool_folder *folder, struct envelope *e)
{
	for (int f = SPOOL_NEW; f <= SPOOL_CUR; f++)
		if (load_peek(&spool, id, (enum spool_folder)f, e) ==
		    LOAD_MESSAGE) {
			*folder = (enum spool_folder)f;
			return true;
		}
	return false;
}

/* -- the index -- */

static int
note(struct tool *tool, const char *id)
{
	enum spool_folder folder;
	struct envelope e;
	struct row row = {.id = strtoull(id, NULL, 16), .state = STATE_WAITING};

	if (!find(id, &folder, &e))
		return EX_OK;
	row.born = e.time;
	row.next = e.next;
	row.attempts = e.attempts;
	if (holds_reason(&tool->rules, &e) != NULL)
		row.state = STATE_HELD;
	envelope_free(&e);
	return index_add(tool, &row) ? EX_OK : tool_no_memory(tool);
}

static int
note_selected(struct tool *tool)
{
	const struct selection *s = &tool->options.selection;
	char id[FS_ID_SIZE];
	int code = EX_OK;

	for (size_t i = 0; code == EX_OK && i < s->n; i++) {
		tool_id(s->ids[i], id);
		code = note(tool, id);
	}
	return code;
}

static int
note_all(struct tool *tool)
{
	int fd = fs_open_dir(spool.envelope, "."), code = EX_OK;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (dir == NULL) {
		code = tool_fail(tool, EX_IOERR, "envelope", strerror(errno));
		if (fd >= 0)
			close(fd);
		return code;
	}
	while (code == EX_OK && (entry = readdir(dir)) != NULL)
		if (spool_is_id(entry->d_name))
			code = note(tool, entry->d_name);
	closedir(dir);
	return code;
}

int
direct_index(struct tool *tool)
{
	int bad = holds_read(&tool->rules, spool.dir);

	if (bad == -1)
		return tool_fail(tool, EX_IOERR, "holds", strerror(errno));
	if (bad > 0)
		(void)tool_fail(tool, EX_OK, "holds", "damaged");
	damaged = bad > 0;
	tool->folder = spool.envelope;
	return tool->options.selection.n > 0 ? note_selected(tool)
					     : note_all(tool);
}

/* -- one message -- */

int
direct_content(const char *id)
{
	int fd = spool_content(&spool, SPOOL_NEW, id);

	return fd == -1 && errno == ENOENT
	    ? spool_content(&spool, SPOOL_CUR, id)
	    : fd;
}

int
direct_delete(struct tool *tool, const char *id)
{
	enum spool_folder folder;
	struct envelope e;

	if (!find(id, &folder, &e))
		return tool_unknown(tool, id);
	envelope_free(&e);
	if (spool_remove(&spool, folder, id, false) == -1)
		return tool_fail(tool, EX_IOERR, id, strerror(errno));
	return EX_OK;
}

/* The line of a hold or a release, when the envelope does not say so yet. */
static int
append(struct tool *tool, const char *id, const char *reason)
{
	enum spool_folder folder;
	struct envelope e;
	struct buf line = BUF_INIT(8 * ENVELOPE_TEXT_MAX);
	int code = EX_OK;

	if (!find(id, &folder, &e))
		return tool_unknown(tool, id);
	if (reason != NULL && e.held == NULL)
		envelope_held_line(&line, tool->now, reason);
	if (reason == NULL && holds_reason(&tool->rules, &e) != NULL)
		envelope_released_line(&line, tool->now);
	if (!buf_ok(&line))
		code = tool_no_memory(tool);
	else if (line.len > 0 &&
	    spool_append(&spool, id, e.whole, line.data, line.len) == -1)
		code = tool_fail(tool, EX_IOERR, id, strerror(errno));
	buf_free(&line);
	envelope_free(&e);
	return code;
}

int
direct_hold(struct tool *tool, const char *id)
{
	return append(tool, id, tool->options.reason);
}

int
direct_release(struct tool *tool, const char *id)
{
	return append(tool, id, NULL);
}

int
direct_rules(struct tool *tool)
{
	struct buf text = BUF_INIT(HOLDS_FILE_MAX);
	int code = EX_OK;

	if (!holds_format(&tool->rules, &text))
		code = tool_no_memory(tool);
	else if (holds_write(spool.dir, damaged, text.data, text.len) == -1)
		code = tool_fail(tool, EX_IOERR, "holds", strerror(errno));
	buf_free(&text);
	return code;
}
