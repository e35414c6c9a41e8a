/* SPDX-License-Identifier: ISC */
#ifndef SUPERVISOR_COMMAND_H
#define SUPERVISOR_COMMAND_H

/*
 * run-dir/control, where `postrider stop|reload|status` are heard.  Packets
 * of common/ipc.h, one request a connection:
 *
 *   -> stop
 *   <- done				everything has ended; then EOF, when
 *					the supervisor has, too
 *   -> reload
 *   <- done				all services run with the new config
 *   <- failed text=
 *   -> status
 *   <- service name= state= pid= age= processes= busy= [messages=]
 *					for each process of a service
 *   <- suite version= pid= age= phase= config=	the end
 *
 * Taken from root and from the user who started the suite only.
 */
void command_begin(int listener);

/* Answers to those that wait. */
void command_reloaded(const char *problem);
void command_status_heard(void);
void command_stopped(void);

#endif
