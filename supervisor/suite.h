/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_SUITE_H
#define SUPERVISOR_SUITE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/config.h"
#include "common/control.h"
#include "common/loop.h"
#include "supervisor/listeners.h"
#include "supervisor/services.h"
#include "supervisor/throttle.h"

/*
 * The running suite.  A service has one process that serves; while a fresh
 * one takes over, or old sessions finish, it has more.
 */
enum instance_state {
	INSTANCE_STARTING, /* executed, has not said ready */
	INSTANCE_SERVING,
	INSTANCE_DRAINING, /* told to finish */
	INSTANCE_ORPHANS   /* it died; workers of it finish their sessions */
};

struct unit;

struct instance {
	struct unit *unit;
	struct instance *next;
	struct watch control;
	struct timer limit; /* for saying ready */
	pid_t pid;	    /* and its process group */
	int64_t started;    /* monotonic */
	enum instance_state state;
	size_t next_file;	      /* to be handed over, of house_files */
	bool asked;		      /* for its status, no answer yet */
	struct control_status status; /* the last answer */
};

enum { UNIT_PROBLEM_MAX = 256 };

struct unit { /* a service with its processes */
	const struct service *service;
	char program[PATH_MAX];
	int sockets[SERVICE_ROLES_MAX];
	size_t nsockets;
	struct watch log; /* our end */
	bool log_rests;	  /* not listened to for a moment */
	int log_writer;	  /* the services' end */
	struct instance *instances;
	struct throttle throttle;
	struct timer restart;
	bool fresh_wanted; /* a new process is to take over */
	unsigned failures; /* before it was first ready */
	char problem[UNIT_PROBLEM_MAX]; /* the last error that it logged */
};

enum suite_phase { SUITE_STARTING, SUITE_SERVING, SUITE_STOPPING };

struct suite {
	enum suite_phase phase;
	const char *config_path; /* absolute */
	struct config config;
	int config_fd;
	bool foreground;
	struct open_listeners listeners;
	struct open_listeners leaving; /* of the config before a reload */
	struct unit units[SERVICES_MAX];
	size_t nunits;
	int64_t started;
	bool reloading;
	unsigned stop_rank;
	struct timer stop_limit;
	int exit_code;
	/* Why the start failed. */
	char problem[CONFIG_ERROR_MAX];
};

extern struct suite suite;

#define EACH_UNIT(u) \
	struct unit *u = suite.units; u < suite.units + suite.nunits; u++

/* Its first process in that state, or NULL. */
struct instance *unit_in_state(const struct unit *, enum instance_state);

/* Start a process unless one is starting; on failure again a little later. */
void unit_start(struct unit *);

/* Who waits for the end of something; see command.c and start.c. */
struct suite_listener {
	void (*serving)(void);			/* all services are ready */
	void (*reloading)(void);
	void (*reloaded)(const char *problem); /* NULL: it went well */
	void (*status)(void);			/* an answer came */
	void (*stopping)(void);
};

extern const struct suite_listener *suite_listener;

/*
 * Fill suite.units from the services table, with programs, sockets and log
 * channels; -1 with a message in error.
 */
int suite_open(char *error);

/* Start every service; then the loop does the rest. */
void suite_begin(const struct suite_listener *);

/* Drain everything, rank by rank; a second call does not wait any more. */
void suite_stop(int exit_code);

/* -1 with a message in error: nothing has changed.  0: reloaded() comes. */
int suite_reload(char *error);

/* Ask all processes for their status; how many were asked. */
unsigned suite_ask_status(void);

/* -- processes (instance.c) -- */

/* NULL and errno when none could be started. */
struct instance *instance_start(struct unit *);
void instance_drain(struct instance *);
/* Another serves in its place: sessions end when they end. */
void instance_retire(struct instance *);
void instance_hand_config(struct instance *);
/* All that its service gets; as many as it takes now, then the rest. */
void instance_hand_files(struct instance *);
void instance_ask_status(struct instance *);
/* With all its workers. */
void instance_kill(struct instance *);
/*
 * Its process was reaped.  False: workers of it are left, finishing their
 * sessions; to be called again whenever a child has ended.
 */
bool instance_bury(struct instance *);
void instance_free(struct instance *);
/* What it says is told to these (supervise.c). */
void suite_heard_ready(struct instance *);
void suite_heard_renew(struct instance *);
void suite_heard_status(struct instance *);
void suite_overdue(struct instance *);

/* -- log lines of the services (logs.c) -- */

int logs_open(struct unit *);

/* The last lines of services that have ended. */
void logs_finish(void);

/* The sink that the config names; -1 with a message in error. */
int logs_choose_sink(const struct config *, bool foreground, char *error);

#endif
