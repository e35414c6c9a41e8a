/* SPDX-License-Identifier: ISC */
#ifndef COMMON_CONFIG_READER_H
#define COMMON_CONFIG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"

/*
 * The inside of the config reader: config.c reads lines, config_keywords.c
 * has the table, config_values.c the types of values.
 */
struct config_reader {
	struct config *config;
	const char *name; /* of the file, for messages */
	unsigned line;	  /* 0: outside the file */
	char *error;	  /* CONFIG_ERROR_MAX */
};

/* Say what is wrong, with file and line in front; returns false. */
bool config_fail(struct config_reader *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* -- the table -- */

enum { CONFIG_KEYWORDS_MAX = 160 };

const struct config_keyword *config_keyword_find(const char *name);

/* The keyword that was probably meant. */
const char *config_keyword_nearest(const char *name);

/* -- types of values: the table's take functions -- */

typedef bool config_take(
    struct config_reader *, const struct config_keyword *, const char *value);

config_take take_hostname;    /* char * */
config_take take_domains;     /* struct config_list */
config_take take_path;	      /* char *, absolute */
config_take take_address;     /* char *, a mail address */
config_take take_number;      /* uint64_t */
config_take take_size;	      /* uint64_t, octets */
config_take take_duration;    /* uint64_t, seconds */
config_take take_rate;	      /* struct config_rate */
config_take take_family;      /* enum address_family */
config_take take_choice;      /* bool: false for the first choice */
config_take take_listeners;   /* struct config_listeners */
config_take take_certificate; /* struct config_certificates */
config_take take_key;	      /* the key of the last certificate */
config_take take_kinds;	      /* uint64_t, a set of 1 << listener_kind */
config_take take_servers;     /* struct config_servers */
config_take take_ports;	      /* struct config_ports */
config_take take_relay_host;  /* relay_host and relay_port */
config_take take_mechanisms;  /* uint64_t, a set (common/sasl.h) */
config_take take_offer_dsn;   /* enum offer_dsn */
config_take take_relay_tls;   /* enum relay_tls */
config_take take_failure;     /* enum failure_answer */
config_take take_dnsbl;	      /* struct config_zones */
config_take take_dnswl;	      /* the same */
config_take take_bind_from;   /* enum bind_from */
config_take take_greylist;    /* enum greylist */
config_take take_networks;    /* struct config_nets */
config_take take_tolerances;  /* struct config_tolerances */
config_take take_sources;     /* struct config_list of addresses */
config_take take_word;	      /* char *, without spaces */
config_take take_words;	      /* struct config_list */
config_take take_key_set;     /* char *, absolute path or https URL */
config_take take_milter;      /* struct config_milters */
config_take take_milter_limits; /* struct config_milter_limits */
config_take take_milter_skip; /* unsigned, a set */

/* -- what those are made of -- */

void *config_member(struct config_reader *, const struct config_keyword *);

/* Room for one element more; NULL with the error told. */
void *config_grow(struct config_reader *, void *items, size_t n, size_t size);

/* Copy the text there, in place of what was. */
bool config_set_text(struct config_reader *, char **where, const char *text);

bool config_add_text(
    struct config_reader *, struct config_list *, const char *text);

/* 30s, 5m; false: it is no duration. */
bool config_read_duration(const char *text, uint64_t *seconds);

/* What no filter says of itself; and their end. */
void config_fill_milters(struct config *);
void config_free_milters(struct config *);

/* Lower case, of the letters of ASCII. */
void config_lower_case(char *text);

/* One network more; a word that is none is told. */
bool config_add_network(struct config_reader *, const struct config_keyword *,
    struct config_nets *, const char *word);

/* Hand every word of the value to take(). */
bool config_each_word(struct config_reader *, const struct config_keyword *,
    const char *value, config_take *take);

#endif
