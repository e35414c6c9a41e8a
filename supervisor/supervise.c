/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "supervisor/doors.h"
#include "supervisor/sockets.h"
#include "supervisor/suite.h"

/* Starts that fail for a passing reason are repeated so often. */
enum { START_TRIES = 5 };

struct suite suite = {.config_fd = -1};

const struct suite_listener *suite_listener;

/* -- questions about the whole -- */

struct instance *
unit_in_state(const struct unit *u, enum instance_state state)
{
	struct instance *i = u->instances;

	while (i != NULL && i->state != state)
		i = i->next;
	return i;
}

static bool
all_serve(void)
{
	for (EACH_UNIT(u))
		if (unit_in_state(u, INSTANCE_SERVING) == NULL ||
		    unit_in_state(u, INSTANCE_STARTING) != NULL ||
		    u->fresh_wanted)
			return false;
	return true;
}

/* -- starting -- */

void
unit_start(struct unit *u)
{
	if (suite.phase == SUITE_STOPPING ||
	    unit_in_state(u, INSTANCE_STARTING) != NULL)
		return;
	if (instance_start(u) == NULL) {
		log_errno(LEVEL_ERROR, "cannot start", u->service->name);
		loop_timer(&u->restart, throttle_next(&u->throttle, 0));
	}
}

static void
restart_due(struct timer *t)
{
	unit_start(container_of(t, struct unit, restart));
}

static void
start_later(struct unit *u, int64_t lived_ms)
{
	int64_t delay;

	if (u->restart.slot != 0)
		return;
	delay = throttle_next(&u->throttle, lived_ms);
	if (delay > 0)
		log_event(LEVEL_WARNING, "restarting",
		    log_text("service", u->service->name),
		    log_delay("delay", delay));
	loop_timer(&u->restart, delay);
}

static void
finish_reload(const char *problem)
{
	if (!suite.reloading)
		return;
	suite.reloading = false;
	if (problem == NULL)
		log_event(LEVEL_INFO, "reloaded",
		    log_text("what", suite.config_path));
	else
		log_event(LEVEL_ERROR, "reload incomplete",
		    log_text("reason", problem));
	suite_listener->reloaded(problem);
}

static void
begin_serving(void)
{
	if (suite.phase == SUITE_STOPPING || !all_serve())
		return;
	/* Who held these listeners has been told to finish. */
	listeners_retire(&suite.leaving, &suite.listeners);
	doors_settle(&suite.config);
	finish_reload(NULL);
	if (suite.phase == SUITE_STARTING) {
		suite.phase = SUITE_SERVING;
		suite_listener->serving();
	}
}

void
suite_heard_ready(struct instance *new)
{
	struct unit *u = new->unit;

	if (new->state != INSTANCE_STARTING)
		return;
	loop_timer_stop(&new->limit);
	new->state = INSTANCE_SERVING;
	u->fresh_wanted = false;
	log_event(LEVEL_INFO, "ready", log_text("service", u->service->name),
	    log_number("pid", new->pid),
	    log_delay("delay", clock_monotonic_ms() - new->started));
	for (struct instance *i = u->instances; i != NULL; i = i->next)
		if (i != new)
			instance_retire(i);
	begin_serving();
}

/*
 * A fresh process has another address layout, at which a worker's crash may
 * have been somebody's guess, and a sandbox of its own.
 */
void
suite_heard_renew(struct instance *i)
{
	struct unit *u = i->unit;

	if (i->state != INSTANCE_SERVING || suite.phase == SUITE_STOPPING)
		return;
	if (u->service->reload == RELOAD_IN_PLACE) {
		instance_drain(i);
		return;
	}
	u->fresh_wanted = true;
	start_later(u, clock_monotonic_ms() - i->started);
}

void
suite_heard_status(struct instance *i)
{
	(void)i;
	suite_listener->status();
}

void
suite_overdue(struct instance *i)
{
	log_event(LEVEL_ERROR, "not ready in time",
	    log_text("service", i->unit->service->name),
	    log_number("pid", i->pid));
	instance_kill(i);
}

/* -- stopping -- */

static bool
rank_is_done(unsigned rank)
{
	for (EACH_UNIT(u))
		if (u->service->rank == rank && u->instances != NULL)
			return false;
	return true;
}

static void
drain_rank(unsigned rank)
{
	unsigned grace = 0;

	for (EACH_UNIT(u)) {
		if (u->service->rank != rank)
			continue;
		if (u->service->grace_s > grace)
			grace = u->service->grace_s;
		for (struct instance *i = u->instances; i != NULL; i = i->next)
			instance_drain(i);
	}
	loop_timer(&suite.stop_limit, (int64_t)grace * 1000);
}

static void
continue_stop(void)
{
	while (rank_is_done(suite.stop_rank)) {
		if (suite.stop_rank == 0) {
			loop_timer_stop(&suite.stop_limit);
			loop_stop(suite.exit_code);
			return;
		}
		drain_rank(--suite.stop_rank);
	}
}

static void
kill_rank(struct timer *t)
{
	(void)t;
	for (EACH_UNIT(u)) {
		if (u->service->rank < suite.stop_rank)
			continue;
		for (struct instance *i = u->instances; i != NULL;
		     i = i->next) {
			log_event(LEVEL_WARNING, "killed",
			    log_text("service", u->service->name),
			    log_number("pid", i->pid),
			    log_text("reason", "did not finish in time"));
			instance_kill(i);
		}
	}
	/* Whom a stuck disk keeps is looked after again. */
	loop_timer(&suite.stop_limit, 1000);
}

void
suite_stop(int exit_code)
{
	if (suite.phase == SUITE_STOPPING) {
		kill_rank(NULL);
		return;
	}
	suite.phase = SUITE_STOPPING;
	suite.exit_code = exit_code;
	suite.stop_limit.fire = kill_rank;
	finish_reload("the suite is stopping");
	suite_listener->stopping();
	/* Their workers have them still; the ports end with those. */
	for (size_t i = 0; i < suite.listeners.n; i++)
		close(suite.listeners.items[i].fd);
	suite.listeners.n = 0;
	for (EACH_UNIT(u)) {
		loop_timer_stop(&u->restart);
		if (u->service->rank > suite.stop_rank)
			suite.stop_rank = u->service->rank;
	}
	drain_rank(suite.stop_rank);
	continue_stop();
}

/* -- the end of a process -- */

static void
describe_end(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}

/* The suite starts whole or not at all. */
static void
give_up_start(struct unit *u, const char *how)
{
	snprintf(suite.problem, sizeof(suite.problem), "%s: %s%s%s",
	    u->service->name, how, u->problem[0] != '\0' ? ": " : "",
	    u->problem);
	log_event(LEVEL_ERROR, "start failed",
	    log_text("service", u->service->name), log_text("reason", how));
	suite_stop(EX_UNAVAILABLE);
}

/* What a suite before this one, still on its way out, may cause. */
static bool
may_pass(const struct unit *u, int status)
{
	return u->failures < START_TRIES &&
	    (WIFSIGNALED(status) || WEXITSTATUS(status) == EX_TEMPFAIL);
}

static void
replace(struct unit *u, int status, const char *how, int64_t lived)
{
	char problem[UNIT_PROBLEM_MAX];

	u->failures++;
	if (suite.phase == SUITE_STARTING && !may_pass(u, status)) {
		give_up_start(u, how);
		return;
	}
	if (unit_in_state(u, INSTANCE_STARTING) != NULL)
		return;
	if (u->fresh_wanted || unit_in_state(u, INSTANCE_SERVING) == NULL) {
		snprintf(problem, sizeof(problem),
		    "%s ended before it was ready (%s); it is tried again",
		    u->service->name, how);
		finish_reload(problem);
		start_later(u, lived);
	}
}

/* SIGTERM is for those that are not ready yet. */
static bool
has_obeyed(int status)
{
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	    (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void
ended(struct instance *i, int status)
{
	struct unit *u = i->unit;
	int64_t lived = clock_monotonic_ms() - i->started;
	bool told = i->state == INSTANCE_DRAINING;
	char how[64];

	describe_end(status, how, sizeof(how));
	if (told && has_obeyed(status))
		log_event(LEVEL_INFO, "stopped",
		    log_text("service", u->service->name),
		    log_number("pid", i->pid));
	else
		log_event(LEVEL_ERROR, "service died",
		    log_text("service", u->service->name),
		    log_number("pid", i->pid), log_text("reason", how));
	if (instance_bury(i))
		instance_free(i);
	if (suite.phase != SUITE_STOPPING)
		replace(u, status, how, lived);
}

static struct instance *
find_pid(pid_t pid)
{
	for (EACH_UNIT(u))
		for (struct instance *i = u->instances; i != NULL; i = i->next)
			if (i->pid == pid && i->state != INSTANCE_ORPHANS)
				return i;
	return NULL;
}

static void
bury_orphans(void)
{
	struct instance *next;

	for (EACH_UNIT(u))
		for (struct instance *i = u->instances; i != NULL; i = next) {
			next = i->next;
			if (i->state == INSTANCE_ORPHANS && instance_bury(i))
				instance_free(i);
		}
}

static void
reap(int signo)
{
	struct instance *i;
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		i = find_pid(pid);
		if (i != NULL)
			ended(i, status);
	}
	bury_orphans();
	if (suite.phase == SUITE_STOPPING)
		continue_stop();
}

/* -- begin -- */

int
suite_open(char *error)
{
	if (files_use(&suite.config) == -1) {
		snprintf(error, CONFIG_ERROR_MAX, "%s", strerror(errno));
		return -1;
	}
	for (const struct service *s = services; s->name != NULL; s++) {
		struct unit *u = &suite.units[suite.nunits++];
		int n;

		u->service = s;
		u->restart.fire = restart_due;
		if (!service_program(s, u->program, sizeof(u->program))) {
			snprintf(error, CONFIG_ERROR_MAX,
			    "no program \"%s\" in %s", s->name,
			    program_folder());
			return -1;
		}
		n = sockets_open(suite.config.run_dir, s, u->sockets, error);
		if (n == -1)
			return -1;
		u->nsockets = (size_t)n;
		if (logs_open(u) == -1) {
			snprintf(error, CONFIG_ERROR_MAX,
			    "cannot open a log channel: %s", strerror(errno));
			return -1;
		}
	}
	return 0;
}

static void
stop_on(int signo)
{
	log_event(LEVEL_INFO, "stopping", log_number("signal", signo));
	suite_stop(EX_OK);
}

static void
reload_on(int signo)
{
	char error[CONFIG_ERROR_MAX];

	(void)signo;
	if (suite_reload(error) == -1)
		log_event(
		    LEVEL_ERROR, "not reloaded", log_text("reason", error));
}

static void
files_changed(unsigned sets)
{
	for (EACH_UNIT(u)) {
		if ((u->service->files & sets) == 0)
			continue;
		for (struct instance *i = u->instances; i != NULL; i = i->next)
			instance_hand_files(i);
	}
}

void
suite_begin(const struct suite_listener *l)
{
	suite_listener = l;
	suite.phase = SUITE_STARTING;
	suite.started = clock_monotonic_ms();
	/* Workers that outlive their parent are counted, and ended, here. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	loop_signal(SIGCHLD, reap);
	loop_signal(SIGTERM, stop_on);
	loop_signal(SIGINT, stop_on);
	loop_signal(SIGHUP, reload_on);
	files_begin(files_changed);
	for (EACH_UNIT(u))
		unit_start(u);
}

unsigned
suite_ask_status(void)
{
	unsigned asked = 0;

	for (EACH_UNIT(u))
		for (struct instance *i = u->instances; i != NULL; i = i->next)
			if (i->state == INSTANCE_SERVING ||
			    i->state == INSTANCE_DRAINING) {
				instance_ask_status(i);
				asked++;
			}
	return asked;
}
