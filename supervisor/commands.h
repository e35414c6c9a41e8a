/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_COMMANDS_H
#define SUPERVISOR_COMMANDS_H

/*
 * The commands of postrider(8).  argv[0] is the command itself.  Each
 * returns an exit code of sysexits(3) and has told the user what was wrong.
 */
typedef int postrider_command(const char *config_path, int argc, char **argv);

postrider_command command_start; /* start.c */
postrider_command command_stop;  /* client.c */
postrider_command command_reload;
postrider_command command_status;
postrider_command command_check; /* check.c */
postrider_command command_init;  /* init.c */
postrider_command command_explain; /* explain.c */

/* The running suite's control socket; -1 and errno.  Changes the folder. */
int client_connect(const char *run_dir);

#endif
