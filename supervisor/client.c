/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/ipc.h"
#include "common/print.h"
#include "supervisor/commands.h"

/* A stop may take as long as all graces together, a reload a warm-up. */
enum { ANSWER_LIMIT_MS = 330000 };

static struct packet packet;

static int
misuse(const char *command, const char *form)
{
	fprintf(stderr, "usage: postrider %s%s\n", command, form);
	return EX_USAGE;
}

static int
lost(const char *command)
{
	fprintf(stderr, "postrider: %s: no answer from the suite\n", command);
	return EX_UNAVAILABLE;
}

int
client_connect(const char *run_dir)
{
	/* From within: the path may be too long for an address. */
	return chdir(run_dir) == 0 ? ipc_connect("control") : -1;
}

/*
 * Where the suite is, from a config that has a mistake in it: it must be
 * possible to stop what runs with the one before.
 */
static bool
find_run_dir(const char *config_path, char *out)
{
	char line[512];
	FILE *file = fopen(config_path, "r");

	for (const struct config_keyword *k = config_keywords();
	     k->name != NULL; k++)
		if (strcmp(k->name, "run-dir") == 0)
			snprintf(out, PATH_MAX, "%s", k->fallback);
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL) {
		char value[sizeof(line)];

		if (sscanf(line, " run-dir %511s", value) == 1)
			snprintf(out, PATH_MAX, "%s", value);
	}
	fclose(file);
	return true;
}

/* The run-dir of that config; false with the message told. */
static bool
learn_run_dir(const char *config_path, const char *verb, char *out)
{
	char error[CONFIG_ERROR_MAX];
	struct config config;

	if (config_load(&config, config_path, error) == 0) {
		snprintf(out, PATH_MAX, "%s", config.run_dir);
		config_free(&config);
		return true;
	}
	fprintf(stderr, "postrider: %s\n", error);
	return strcmp(verb, "reload") != 0 && find_run_dir(config_path, out);
}

/* Connect and ask; -1 with exit code and message. */
static int
request(const char *config_path, const char *verb, int *code)
{
	char run_dir[PATH_MAX];
	int fd;

	if (!learn_run_dir(config_path, verb, run_dir)) {
		*code = EX_CONFIG;
		return -1;
	}
	fd = client_connect(run_dir);
	if (fd == -1) {
		*code = errno == EACCES || errno == EPERM ? EX_NOPERM
							  : EX_UNAVAILABLE;
		fprintf(stderr, "postrider: %s%s/control%s\n",
		    *code == EX_NOPERM ? "not allowed to use "
				       : "not running (nobody answers at ",
		    run_dir, *code == EX_NOPERM ? "" : ")");
		return -1;
	}
	packet_start(&packet, verb);
	if (ipc_send(fd, &packet, -1) == IPC_OK)
		return fd;
	*code = lost(verb);
	close(fd);
	return -1;
}

static bool
next_answer(int fd)
{
	return ipc_receive(fd, &packet,
		   clock_monotonic_ms() + ANSWER_LIMIT_MS) == IPC_OK;
}

int
command_stop(const char *config_path, int argc, char **argv)
{
	int code, fd;

	(void)argv;
	if (argc != 1)
		return misuse("stop", "");
	fd = request(config_path, "stop", &code);
	if (fd == -1)
		return code;
	if (!next_answer(fd) || !packet_read(&packet, "done", NULL, 0, 0))
		return lost("stop");
	/* Its end of the connection goes with the process. */
	while (next_answer(fd))
		packet_close(&packet);
	return EX_OK;
}

int
command_reload(const char *config_path, int argc, char **argv)
{
	const char *text;
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("text", CONFIG_ERROR_MAX, &text)};
	int code, fd;

	(void)argv;
	if (argc != 1)
		return misuse("reload", "");
	fd = request(config_path, "reload", &code);
	if (fd == -1)
		return code;
	if (!next_answer(fd))
		return lost("reload");
	if (packet_read(&packet, "done", NULL, 0, 0))
		return EX_OK;
	if (!packet_read(&packet, "failed", set, 1, 0))
		return lost("reload");
	fprintf(stderr, "postrider: %s\n", text);
	return EX_CONFIG;
}

/* -- status -- */

struct service_line {
	const char *name, *state;
	uint64_t pid, age, processes, busy, messages;
	bool has_messages;
};

struct suite_line {
	const char *version, *phase, *config;
	uint64_t pid, age;
};

static bool
read_service(struct service_line *s)
{
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("name", 64, &s->name),
	    ATTRIBUTE_TEXT("state", 64, &s->state),
	    ATTRIBUTE_NUMBER("pid", &s->pid),
	    ATTRIBUTE_NUMBER("age", &s->age),
	    ATTRIBUTE_NUMBER("processes", &s->processes),
	    ATTRIBUTE_NUMBER("busy", &s->busy),
	    ATTRIBUTE_NUMBER("messages", &s->messages),
	};

	s->has_messages = packet_read(&packet, "service", set, 7, 0);
	return s->has_messages || packet_read(&packet, "service", set, 6, 0);
}

static bool
read_suite(struct suite_line *s)
{
	const struct attribute set[] = {
	    ATTRIBUTE_TEXT("version", 64, &s->version),
	    ATTRIBUTE_NUMBER("pid", &s->pid),
	    ATTRIBUTE_NUMBER("age", &s->age),
	    ATTRIBUTE_TEXT("phase", 64, &s->phase),
	    ATTRIBUTE_TEXT("config", IPC_PACKET_MAX, &s->config),
	};

	return packet_read(&packet, "suite", set, 5, 0);
}

static void
format_age(uint64_t seconds, char *out, size_t size)
{
	if (seconds < 60)
		snprintf(out, size, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		snprintf(out, size, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60,
		    seconds % 60);
	else if (seconds < 86400)
		snprintf(out, size, "%" PRIu64 "h%02" PRIu64 "m",
		    seconds / 3600, seconds / 60 % 60);
	else
		snprintf(out, size, "%" PRIu64 "d%02" PRIu64 "h",
		    seconds / 86400, seconds / 3600 % 24);
}

static void
show_service(const struct service_line *s, bool json, bool first)
{
	char age[48], messages[24] = "-";

	if (json) {
		printf("%s\n    {\"name\": \"%s\", \"state\": \"%s\", "
		       "\"pid\": %" PRIu64 ", \"age\": %" PRIu64
		       ", \"processes\": %" PRIu64 ", \"busy\": %" PRIu64,
		    first ? "" : ",", s->name, s->state, s->pid, s->age,
		    s->processes, s->busy);
		if (s->has_messages)
			printf(", \"messages\": %" PRIu64, s->messages);
		putchar('}');
		return;
	}
	format_age(s->age, age, sizeof(age));
	if (s->has_messages)
		snprintf(messages, sizeof(messages), "%" PRIu64, s->messages);
	printf("%-10s %-9s %8" PRIu64 " %8s %9" PRIu64 " %9" PRIu64 " %9s\n",
	    s->name, s->state, s->pid, age, s->processes, s->busy, messages);
}

static void
show_suite(const struct suite_line *s, bool json)
{
	char age[48];

	if (json) {
		printf("\n  ],\n  \"version\": \"%s\",\n  \"phase\": \"%s\",\n"
		       "  \"pid\": %" PRIu64 ",\n  \"age\": %" PRIu64
		       ",\n  \"config\": ",
		    s->version, s->phase, s->pid, s->age);
		print_json_string(s->config);
		puts("\n}");
		return;
	}
	format_age(s->age, age, sizeof(age));
	printf("postrider %s, pid %" PRIu64 ", %s for %s, config %s\n",
	    s->version, s->pid, s->phase, age, s->config);
}

int
command_status(const char *config_path, int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0, first = true;
	struct service_line service;
	struct suite_line whole;
	int code, fd;

	if (argc != 1 && !json)
		return misuse("status", " [--json]");
	fd = request(config_path, "status", &code);
	if (fd == -1)
		return code;
	if (!next_answer(fd))
		return lost("status");
	if (json)
		printf("{\n  \"services\": [");
	else
		puts("SERVICE    STATE          PID      AGE PROCESSES      "
		     "BUSY  MESSAGES");
	for (; read_service(&service); first = false) {
		show_service(&service, json, first);
		if (!next_answer(fd))
			return lost("status");
	}
	if (!read_suite(&whole))
		return lost("status");
	show_suite(&whole, json);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
