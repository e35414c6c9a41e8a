/* SPDX-License-Identifier: ISC */
/* user.h: what is there, for people and for programs. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/buf.h"
#include "common/print.h"
#include "common/program.h"
#include "userdb/app.h"
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
	struct buf grants; /* of all users listed: address NUL target NUL ... */
	size_t granted;    /* octets of it, shown so far */
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
	    .config = r->config,
	    .json = (r->options & OPTION_JSON) != 0,
	    .grants = BUF_INIT(SIZE_MAX / 2)};

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

/* This user's, one a call, then NULL.  They come in the order of users. */
static const char *
next_grant(struct list *l, const char *address)
{
	size_t at = l->granted;

	while (at < l->grants.len) {
		const char *whose = l->grants.data + at;
		const char *target = whose + strlen(whose) + 1;

		at = (size_t)(target + strlen(target) + 1 - l->grants.data);
		if (strcmp(whose, address) == 0) {
			l->granted = at;
			return target;
		}
	}
	return NULL;
}

static void
take_grant(const struct entry *e, void *context)
{
	struct list *l = context;
	char address[ADDRESS_TEXT_MAX + 1];

	address_format(&e->name, address);
	buf_add(&l->grants, address, strlen(address) + 1);
	buf_add(&l->grants, e->target, strlen(e->target) + 1);
}

static void
put_grants_json(struct list *l, const char *address)
{
	const char *target;
	bool first = true;

	printf(", \"may_send_as\": [");
	for (; (target = next_grant(l, address)) != NULL; first = false) {
		printf("%s", first ? "" : ", ");
		print_json_string(target);
	}
	printf("]");
}

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
	printf("\"scram\": %s, \"reversible\": %s, ",
	    e->scram[0] != '\0' ? "true" : "false",
	    e->secret[0] != '\0' ? "true" : "false");
	printf("\"created\": %" PRIu64 ", \"changed\": %" PRIu64, e->created,
	    e->changed);
}

static void
put_user(const struct entry *e, void *context)
{
	struct list *l = context;
	char address[ADDRESS_TEXT_MAX + 1];
	const char *target;

	address_format(&e->name, address);
	if (l->json) {
		put_user_json(l, e, address);
		put_grants_json(l, address);
		putchar('}');
		return;
	}
	printf("%s%s%s%s%s", address, e->system[0] != '\0' ? " system=" : "",
	    e->system, e->disabled ? " disabled" : "",
	    e->hash[0] == '\0' ? " no-password" : "");
	while ((target = next_grant(l, address)) != NULL)
		printf(" may-send-as=%s", target);
	putchar('\n');
}

int
user_list(struct request *r)
{
	struct list l = begin_list(r);
	int code = client_each(r->client, "grant", take_grant, &l);

	if (code == EX_OK && !buf_ok(&l.grants))
		code = program_fail(EX_OSERR, "out of memory");
	if (code == EX_OK)
		code = client_each(r->client, "user", put_user, &l);
	end_list(&l);
	buf_free(&l.grants);
	return code;
}

const char *
time_text(uint64_t when, char text[TIME_TEXT])
{
	time_t seconds = (time_t)when;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		text[0] = '\0';
	return text;
}

static void
put_time(const char *what, uint64_t when)
{
	char text[TIME_TEXT];

	if (when != 0)
		printf("%s %s\n", what, time_text(when, text));
}

/* -- one user, or an alias -- */

struct shown {
	struct list list;
	struct entry user;
	bool is_user;
	size_t napps;
	struct entry apps[APP_COUNT_MAX];
};

static void
put_app_json(const struct entry *app, bool first)
{
	printf("%s{", first ? "" : ", ");
	put_json_pair("name", app->target);
	printf(", \"created\": %" PRIu64 ", \"used\": %" PRIu64 "}",
	    app->created, app->used);
}

static void
show_user_json(struct shown *s, const char *address)
{
	put_user_json(&s->list, &s->user, address);
	printf(", \"app_passwords\": [");
	for (size_t i = 0; i < s->napps; i++)
		put_app_json(&s->apps[i], i == 0);
	printf("]");
	put_grants_json(&s->list, address);
	failures_put(s->list.config, address, true);
	limits_put(s->list.config, &s->user, address, true);
	printf("}");
}

static void
put_app(const struct entry *app)
{
	char created[TIME_TEXT], used[TIME_TEXT];

	printf("app      %s, made %s, ", app->target,
	    time_text(app->created, created));
	if (app->used != 0)
		printf("last used %s\n", time_text(app->used, used));
	else
		printf("never used\n");
}

static const char *
login_text(const struct shown *s)
{
	if (s->user.disabled)
		return "disabled";
	if (s->user.hash[0] != '\0')
		return "yes";
	return s->napps > 0 ? "by app password only" : "no password";
}

static void
show_user(struct shown *s)
{
	const struct entry *e = &s->user;
	char address[ADDRESS_TEXT_MAX + 1];
	const char *target;

	name_format(&e->name, address);
	if (s->list.json) {
		show_user_json(s, address);
		return;
	}
	printf("user     %s\n", address);
	if (e->system[0] != '\0')
		printf("mailbox  ~%s/Maildir\n", e->system);
	else
		printf("mailbox  %s/%s/%s\n", s->list.config->mail_dir,
		    e->name.domain, e->name.local);
	printf("login    %s\n", login_text(s));
	if (e->hash[0] != '\0')
		printf("scram    %s\n",
		    e->scram[0] != '\0' ? "yes" : "from the next login on");
	if (e->secret[0] != '\0')
		printf("secret   kept reversibly, for CRAM-MD5 and APOP\n");
	for (size_t i = 0; i < s->napps; i++)
		put_app(&s->apps[i]);
	while ((target = next_grant(&s->list, address)) != NULL)
		printf("sends as %s\n", target);
	failures_put(s->list.config, address, false);
	limits_put(s->list.config, e, address, false);
	put_time("created ", e->created);
	put_time("changed ", e->changed);
}

static void
show_target(struct list *l, const struct entry *e)
{
	char address[ADDRESS_TEXT_MAX + 1];

	name_format(&e->name, address);
	if (!l->json) {
		printf("alias    %s\ntarget   %s\n", address, e->target);
		return;
	}
	begin_item(l);
	printf("{");
	put_json_pair("alias", address);
	printf(", ");
	put_json_pair("target", e->target);
	printf("}");
}

static void
take_entry(const struct entry *e, void *context)
{
	struct shown *s = context;

	if (e->type == ENTRY_USER) {
		s->user = *e;
		s->is_user = true;
	} else if (e->type == ENTRY_APP) {
		if (s->napps < APP_COUNT_MAX)
			s->apps[s->napps++] = *e;
	} else if (e->type == ENTRY_GRANT) {
		take_grant(e, &s->list);
	} else {
		show_target(&s->list, e);
	}
}

int
user_show(struct request *r)
{
	static struct packet p;
	static struct shown s;
	int first = EX_OK;

	s.list = begin_list(r);
	for (int i = 0; i < r->argc; i++) {
		int code;

		s.is_user = false;
		s.napps = 0;
		buf_reset(&s.list.grants);
		s.list.granted = 0;
		packet_start(&p, "show");
		packet_text(&p, "address", r->argv[i]);
		code = client_call(r->client, &p);
		if (code == EX_OK)
			code = client_lines(&p, take_entry, &s);
		if (s.is_user)
			show_user(&s);
		if (first == EX_OK)
			first = code;
	}
	end_list(&s.list);
	buf_free(&s.list.grants);
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
