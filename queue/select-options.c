/* SPDX-License-Identifier: ISC */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "queue/holds.h"
#include "queue/select.h"
#include "queue/words.h"

/* "@example.org" is short for "*@example.org". */
static bool
keep_pattern(char **where, const char *pattern, const char **why)
{
	bool domain = pattern[0] == '@';
	size_t n = strlen(pattern);

	*why = NULL;
	if (n >= HOLD_NAME_MAX) {
		*why = "too long";
		return false;
	}
	if (*where != NULL) {
		*why = "given twice";
		return false;
	}
	*where = malloc(n + 2);
	if (*where == NULL)
		return false;
	(*where)[0] = '*';
	memcpy(*where + domain, pattern, n + 1);
	return true;
}

static bool
keep_address(char **where, const char *pattern, const char **why)
{
	size_t n = strlen(pattern);

	/* <ADDRESS>, as it is shown everywhere */
	if (n >= 2 && pattern[0] == '<' && pattern[n - 1] == '>') {
		char *inner = strndup(pattern + 1, n - 2);
		bool ok;

		*why = NULL;
		ok = inner != NULL && keep_pattern(where, inner, why);
		free(inner);
		return ok;
	}
	if (n == 0) {
		*why = "empty; the null sender is <>";
		return false;
	}
	return keep_pattern(where, pattern, why);
}

bool
select_sender(struct selection *s, const char *text, const char **why)
{
	return keep_address(&s->sender, text, why);
}

bool
select_recipient(struct selection *s, const char *text, const char **why)
{
	return keep_address(&s->recipient, text, why);
}

bool
select_login(struct selection *s, const char *text, const char **why)
{
	return keep_address(&s->login, text, why);
}

bool
select_domain(struct selection *s, const char *text, const char **why)
{
	if (text[0] == '@')
		text++;
	if (text[0] != '\0')
		return keep_pattern(&s->domain, text, why);
	*why = "empty";
	return false;
}

bool
select_uid(struct selection *s, const char *text, const char **why)
{
	struct passwd *user = getpwnam(text);
	uint64_t number = 0;

	*why = "no such user";
	if (text[0] >= '0' && text[0] <= '9' &&
	    (!words_read_size(text, &number) || number >= UINT32_MAX))
		return false;
	if (user != NULL)
		number = user->pw_uid;
	else if (text[0] < '0' || text[0] > '9')
		return false;
	s->has_uid = true;
	s->uid = (int64_t)number;
	return true;
}

bool
select_older(struct selection *s, const char *text, const char **why)
{
	*why = "not an age, like 90, 5m, 2h or 3d";
	s->has_older = words_read_age(text, &s->older);
	return s->has_older;
}

bool
select_younger(struct selection *s, const char *text, const char **why)
{
	*why = "not an age, like 90, 5m, 2h or 3d";
	s->has_younger = words_read_age(text, &s->younger);
	return s->has_younger;
}

bool
select_size(struct selection *s, const char *text, const char **why)
{
	*why = "not +SIZE (at least) or -SIZE (at most), like +10M";
	if (text[0] == '+')
		return s->has_least = words_read_size(text + 1, &s->least);
	if (text[0] == '-')
		return s->has_most = words_read_size(text + 1, &s->most);
	return false;
}

bool
select_states(struct selection *s, const char *text, const char **why)
{
	char word[16];
	size_t n;
	enum queue_state state;

	*why = "not of incoming, active, ready, waiting, held";
	for (;; text += n + 1) {
		n = strcspn(text, ",");
		if (n == 0 || n >= sizeof(word))
			return false;
		memcpy(word, text, n);
		word[n] = '\0';
		if (!state_named(word, &state))
			return false;
		s->states |= 1u << state;
		if (text[n] == '\0')
			return true;
	}
}
