/* SPDX-License-Identifier: ISC */
/* user.h: what is there, for people and for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/print.h"
#include "userdb/name.h"
#include "userdb/user.h"

static void
put_json_pair(const char *name, const char *text)
{
	printf("\"%s\": ", name);
	print_json_string(text);
}

struct list {
	const struct config *config;
	bool json, any;
	char group[ADDRESS_TEXT_MAX + 1]; /* the alias whose targets come */
};

static void
begin_item(struct list *l)
{
	printf("%s", l->any ? ",\n  " : "\n  ");
	l->any = true;
}

static struct list
begin_list(const struct request *r)
{
	struct list l = {
	    .config = r->config, .json = (r->options & OPTION_JSON) != 0};

	if (l.json)
		putchar('[');
	return l;
}

static void
end_list(const struct list *l)
{
	if (l->json)
		printf("%s]\n", l->any ? "\n" : "");
}

/* -- users -- */

static void
put_user_json(struct list *l, const struct entry *e, const char *address)
{
	begin_item(l);
	printf("{");
	put_json_pair("address", address);
	printf(", \"enabled\": %s, \"password\": %s, ",
	    e->disabled ? "false" : "true",
	    e->hash[0] != '\0' ? "true" : "false");
	if (e->system[0] != '\0') {
		put_json_pair("system", e->system);
		printf(", ");
	}
	printf("\"created\": %" PRIu64 ", \"changed\": %" PRIu64 "}",
	    e->created, e->changed);
}

static void
put_user(const struct entry *e, void *context)
{
	struct list *l = context;
	char address[ADDRESS_TEXT_MAX + 1];

	address_format(&e->name, address);
	if (l->json) {
		put_user_json(l, e, address);
		return;
	}
	printf("%s%s%s%s%s\n", address, e->system[0] != '\0' ? " system=" : "",
	    e->system, e->disabled ? " disabled" : "",
	    e->hash[0] == '\0' ? " no-password" : "");
}

int
user_list(struct request *r)
{
	struct list l = begin_list(r);
	int code = client_each(r->client, "user", put_user, &l);

	end_list(&l);
	return code;
}

static void
put_time(const char *what, uint64_t when)
{
	time_t seconds = (time_t)when;
	struct tm tm;
	char text[64];

	if (when == 0 || gmtime_r(&seconds, &tm) == NULL)
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	printf("%s %s\n", what, text);
}

static void
put_entry(const struct entry *e, void *context)
{
	struct list *l = context;
	char address[ADDRESS_TEXT_MAX + 1];

	name_format(&e->name, address);
	if (l->json && e->type == ENTRY_USER) {
		put_user_json(l, e, address);
		return;
	}
	if (l->json) {
		begin_item(l);
		printf("{");
		put_json_pair("alias", address);
		printf(", ");
		put_json_pair("target", e->target);
		printf("}");
		return;
	}
	if (e->type == ENTRY_ALIAS) {
		printf("alias    %s\ntarget   %s\n", address, e->target);
		return;
	}
	printf("user     %s\n", address);
	if (e->system[0] != '\0')
		printf("mailbox  ~%s/Maildir\n", e->system);
	else
		printf("mailbox  %s/%s/%s\n", l->config->mail_dir,
		    e->name.domain, e->name.local);
	printf("login    %s\n",
	    e->disabled              ? "disabled"
		: e->hash[0] == '\0' ? "no password"
				     : "yes");
	put_time("created ", e->created);
	put_time("changed ", e->changed);
}

int
user_show(struct request *r)
{
	static struct packet p;
	struct list l = begin_list(r);
	int first = EX_OK;

	for (int i = 0; i < r->argc; i++) {
		int code;

		packet_start(&p, "show");
		packet_text(&p, "address", r->argv[i]);
		code = client_call(r->client, &p);
		if (code == EX_OK)
			code = client_lines(&p, put_entry, &l);
		if (first == EX_OK)
			first = code;
	}
	end_list(&l);
	return first;
}

/* -- domains -- */

static void
put_domain(struct list *l, const char *domain, bool of_config)
{
	if (!l->json) {
		printf("%s%s\n", domain, of_config ? " config" : "");
		return;
	}
	begin_item(l);
	printf("{");
	put_json_pair("domain", domain);
	printf(", \"config\": %s}", of_config ? "true" : "false");
}

static void
put_other_domain(const struct entry *e, void *context)
{
	struct list *l = context;

	if (!config_has_domain(l->config, e->name.domain))
		put_domain(l, e->name.domain, false);
}

int
domain_list(struct request *r)
{
	struct list l = begin_list(r);
	int code;

	for (size_t i = 0; i < r->config->domains.n; i++)
		put_domain(&l, r->config->domains.items[i], true);
	code = client_each(r->client, "domain", put_other_domain, &l);
	end_list(&l);
	return code;
}

/* -- aliases -- */

static void
put_alias(const struct entry *e, void *context)
{
	struct list *l = context;
	char name[ADDRESS_TEXT_MAX + 1];

	name_format(&e->name, name);
	if (!l->json) {
		printf("%s %s\n", name, e->target);
		return;
	}
	if (l->any && strcmp(name, l->group) == 0) {
		printf(", ");
		print_json_string(e->target);
		return;
	}
	if (l->any)
		printf("]}");
	begin_item(l);
	printf("{");
	put_json_pair("alias", name);
	printf(", \"targets\": [");
	print_json_string(e->target);
	memcpy(l->group, name, sizeof(name));
}

int
alias_list(struct request *r)
{
	struct list l = begin_list(r);
	int code = client_each(r->client, "alias", put_alias, &l);

	if (l.json && l.any)
		printf("]}");
	end_list(&l);
	return code;
}
