/* SPDX-License-Identifier: ISC */
#ifndef KEYS_RELAY_H
#define KEYS_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/keys_client.h"

/*
 * What relay hosts are logged in to with: a file each in keys-dir/relay/,
 * named after the host, of lines
 *
 *	user NAME
 *	password SECRET		or
 *	token-file PATH		whose first line is the token, read each time
 *
 * written by postrider-key at one stroke, read when deliver asks.
 */
enum { RELAY_HOST_MAX = 253, RELAY_PATH_MAX = 1024 };

struct relay_record {
	char host[RELAY_HOST_MAX + 1]; /* lower case, no brackets */
	char user[KEYS_RELAY_USER_MAX + 1];
	char password[KEYS_RELAY_SECRET_MAX + 1];
	char token_file[RELAY_PATH_MAX + 1]; /* "": it has a password */
};

/*
 * The host as records are named: "[Relay.Example.NET]" is relay.example.net.
 * False when it is none.
 */
bool relay_host_name(const char *text, char out[RELAY_HOST_MAX + 1]);

/* The folder of the records; -1 and errno. */
int relay_open_folder(const char *keys_dir);

/* The text of a record, which is cut up.  False: it is none. */
bool relay_parse(char *text, struct relay_record *);

/* -1 and errno; ENOENT: there is none, EBADMSG: it cannot be understood. */
int relay_read(int folder, const char *host, struct relay_record *);
int relay_write(int folder, const struct relay_record *);
int relay_delete(int folder, const char *host);

/*
 * Tell each, in no order; those that cannot be understood with their reason.
 * -1 and errno when the folder cannot be read.
 */
int relay_each(int folder,
    void (*found)(const struct relay_record *, int error, void *context),
    void *context);

/* The token in the file: its first line.  -1 and errno. */
int relay_read_token(const char *path, char out[KEYS_RELAY_SECRET_MAX + 1]);

#endif
