/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/doors.h"
#include "supervisor/snapshot.h"
#include "supervisor/suite.h"

static const char *
moved_folder(const struct config *a, const struct config *b)
{
	if (strcmp(a->run_dir, b->run_dir) != 0)
		return "run-dir";
	if (strcmp(a->spool_dir, b->spool_dir) != 0)
		return "spool-dir";
	if (strcmp(a->mail_dir, b->mail_dir) != 0)
		return "mail-dir";
	if (strcmp(a->database_dir, b->database_dir) != 0)
		return "database-dir";
	if (strcmp(a->ledger_dir, b->ledger_dir) != 0)
		return "ledger-dir";
	if (strcmp(a->keys_dir, b->keys_dir) != 0)
		return "keys-dir";
	return NULL;
}

static int
prepare_reload(
    struct config *config, struct open_listeners *listeners, char *error)
{
	const char *moved = moved_folder(&suite.config, config);

	if (moved != NULL) {
		snprintf(error, CONFIG_ERROR_MAX,
		    "%s: \"%s\" has changed: stop and start", suite.config_path,
		    moved);
		return -1;
	}
	if (listeners_open(config, &suite.listeners, listeners, 0, error) == -1)
		return -1;
	if (doors_open(config, error) == -1) {
		listeners_retire(listeners, &suite.listeners);
		return -1;
	}
	if (logs_choose_sink(config, suite.foreground, error) == -1) {
		listeners_retire(listeners, &suite.listeners);
		return -1;
	}
	return 0;
}

static void
use_config(
    const struct config *config, int fd, const struct open_listeners *listeners)
{
	config_free(&suite.config);
	close(suite.config_fd);
	suite.config = *config;
	suite.config_fd = fd;
	suite.leaving = suite.listeners;
	suite.listeners = *listeners;
	if (files_use(config) == -1)
		log_errno(LEVEL_ERROR, "cannot list", "certificates");
}

static void
reload_unit(struct unit *u)
{
	struct instance *early = unit_in_state(u, INSTANCE_STARTING);

	if (u->service->reload == RELOAD_IN_PLACE) {
		for (struct instance *i = u->instances; i != NULL;
		     i = i->next) {
			instance_hand_config(i);
			instance_hand_files(i);
		}
		return;
	}
	if (early != NULL) /* it has read the config of before */
		instance_drain(early);
	u->fresh_wanted = true;
	loop_timer_stop(&u->restart);
	unit_start(u);
}

int
suite_reload(char *error)
{
	struct open_listeners listeners;
	struct config config;
	int fd;

	if (suite.phase != SUITE_SERVING || suite.reloading ||
	    suite.leaving.n > 0) {
		snprintf(error, CONFIG_ERROR_MAX,
		    "another start, reload or stop is under way");
		return -1;
	}
	fd = snapshot_take(suite.config_path, &config, error);
	if (fd == -1)
		return -1;
	if (prepare_reload(&config, &listeners, error) == -1) {
		config_free(&config);
		close(fd);
		return -1;
	}
	use_config(&config, fd, &listeners);
	suite.reloading = true;
	suite_listener->reloading();
	for (EACH_UNIT(u))
		reload_unit(u);
	return 0;
}
