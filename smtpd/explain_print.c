/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "common/print.h"
#include "smtpd/explain.h"

static const char *const results[] = {
    [RULE_IDLE] = "does not apply",
    [RULE_PASSES] = "passes",
    [RULE_DECIDES] = "refuses",
    [RULE_UNKNOWN] = "not known here",
    [RULE_NOT_REACHED] = "not reached",
};

/* What is being told about. */
static const char *now;
static bool begun;

void
explain_step(const struct explain *e, const char *step)
{
	if (e->json && !begun)
		fputs("{\"rules\": [", stdout);
	else if (!e->json)
		printf("%s:\n", step);
	now = step;
}

static void
print_member(const char *name, const char *value, const char *behind)
{
	printf("\"%s\": ", name);
	print_json_string(value);
	fputs(behind, stdout);
}

void
explain_rule(void *context, const struct policy_told *told)
{
	const struct explain *e = context;

	if (!e->json) {
		printf("  %-16s %-14s  %s", told->rule, results[told->result],
		    told->keyword);
		if (told->value[0] != '\0')
			fputs(": ", stdout);
		print_clean(told->value);
		putchar('\n');
		return;
	}
	fputs(begun ? ",\n  {" : "\n  {", stdout);
	begun = true;
	print_member("step", now, ", ");
	print_member("rule", told->rule, ", ");
	print_member("result", results[told->result], ", ");
	print_member("keyword", told->keyword, ", ");
	print_member("value", told->value, "}");
}

void
explain_end(const struct explain *e, const struct explain_answer *a)
{
	if (!e->json) {
		printf("%s: %d %s %s", a->step, a->smtp, a->enhanced, a->text);
		if (a->rule[0] != '\0')
			printf(" (rule %s)", a->rule);
		putchar('\n');
		return;
	}
	puts("],");
	print_member("step", a->step, ", ");
	print_member("rule", a->rule, ", ");
	print_member("verdict", a->verdict, ", ");
	printf("\"smtp\": %d, ", a->smtp);
	print_member("enhanced", a->enhanced, ", ");
	print_member("text", a->text, "}\n");
}
