/* SPDX-License-Identifier: ISC */
/* When files that the supervisor opens for others are handed over anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/files.h"
#include "supervisor/suite.h"

struct suite suite;

static char folder[] = "/tmp/test-files-XXXXXX";
static struct timer *looking;
static unsigned handed; /* sets, since the last look */

/* The loop's part: a second passes when the test says so. */
int __wrap_loop_timer(struct timer *, int64_t after_ms);

int
__wrap_loop_timer(struct timer *t, int64_t after_ms)
{
	assert_int_equal(after_ms, 1000);
	looking = t;
	return 0;
}

static void
changed(unsigned sets)
{
	handed |= sets;
}

static unsigned
look(void)
{
	handed = 0;
	looking->fire(looking);
	return handed;
}

static const char *
path_of(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* Another file each time, whatever the clock's grain. */
static void
replace(const char *name, const char *text)
{
	const char *path = path_of(name), *new = path_of("new");
	FILE *file = fopen(new, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(new, path), 0);
}

static void
point(const char *name, const char *target)
{
	const char *path = path_of(name), *new = path_of("new");

	assert_int_equal(symlink(target, new), 0);
	assert_int_equal(rename(new, path), 0);
}

static struct config_certificate pair;

static void
use(bool guessed, char *jwks)
{
	pair.certificate = strdup(path_of("cert"));
	pair.key = strdup(path_of("key"));
	suite.config = (struct config){.certificates = {1, &pair},
	    .certificates_guessed = guessed,
	    .oauth_jwks = jwks};
	assert_int_equal(files_use(&suite.config), 0);
	files_begin(changed);
}

static int
begin(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(strcpy(folder, "/tmp/test-files-XXXXXX")));
	replace("cert", "1");
	replace("key", "1");
	use(false, NULL);
	return 0;
}

static int
end(void **state)
{
	static const char *const names[] = {
	    "cert", "key", "cert1", "cert2", "jwks", "new"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(path_of(names[i]));
	free(pair.certificate);
	free(pair.key);
	return rmdir(folder);
}

static void
what_keeps_still_is_handed_over_once(void **state)
{
	(void)state;
	assert_int_equal(look(), 0);
	assert_int_equal(look(), 0);
	replace("cert", "2");
	assert_int_equal(look(), 0);
	assert_int_equal(look(), FILES_TLS);
	assert_int_equal(look(), 0);
}

static void
what_goes_on_changing_is_waited_for(void **state)
{
	(void)state;
	replace("cert", "2");
	assert_int_equal(look(), 0);
	replace("key", "2");
	assert_int_equal(look(), 0);
	replace("cert", "3");
	assert_int_equal(look(), 0);
	assert_int_equal(look(), FILES_TLS);
}

static void
links_are_followed(void **state)
{
	(void)state;
	replace("cert1", "same");
	replace("cert2", "same");
	point("cert", "cert1");
	(void)look();
	assert_int_equal(look(), FILES_TLS);
	point("cert", "cert2");
	assert_int_equal(look(), 0);
	assert_int_equal(look(), FILES_TLS);
	replace("cert2", "another");
	assert_int_equal(look(), 0);
	assert_int_equal(look(), FILES_TLS);
}

static void
going_and_coming_are_changes(void **state)
{
	(void)state;
	assert_int_equal(unlink(path_of("key")), 0);
	assert_int_equal(look(), 0);
	assert_int_equal(look(), FILES_TLS);
	assert_int_equal(look(), 0);
	replace("key", "1");
	assert_int_equal(look(), 0);
	assert_int_equal(look(), FILES_TLS);
}

static void
each_set_is_for_itself(void **state)
{
	char jwks[256];

	(void)state;
	snprintf(jwks, sizeof(jwks), "%s", path_of("jwks"));
	replace("jwks", "1");
	suite.config.oauth_jwks = jwks;
	assert_int_equal(files_use(&suite.config), 0);
	replace("jwks", "2");
	assert_int_equal(look(), 0);
	replace("key", "2");
	assert_int_equal(look(), FILES_TOKENS);
	assert_int_equal(look(), FILES_TLS);
	suite.config.oauth_jwks = NULL;
	assert_int_equal(files_use(&suite.config), 0);
}

static void
a_default_pair_may_come_later(void **state)
{
	(void)state;
	assert_int_equal(unlink(path_of("cert")), 0);
	assert_int_equal(unlink(path_of("key")), 0);
	suite.config.certificates_guessed = true;
	assert_int_equal(files_use(&suite.config), 0);
	assert_int_equal(house_files.items[0].count, 0);
	assert_int_equal(look(), 0);
	replace("key", "1");
	assert_int_equal(look(), 0);
	replace("cert", "1");
	assert_int_equal(look(), 0);
	assert_int_equal(look(), FILES_TLS);
	assert_int_equal(house_files.items[0].count, 1);
	assert_string_equal(house_files.items[1].path, pair.key);
}

static void
only_files_are_opened(void **state)
{
	struct house_file f = {.path = strdup(path_of("new"))};
	int fd;

	(void)state;
	assert_int_equal(mkfifo(f.path, 0600), 0);
	assert_int_equal(files_open(&f), -1);
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(files_open(&f), -1);
	free(f.path);
	f.path = folder;
	assert_int_equal(files_open(&f), -1);
	fd = files_open(&house_files.items[0]);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_keeps_still_is_handed_over_once),
	    TEST(what_goes_on_changing_is_waited_for),
	    TEST(links_are_followed),
	    TEST(going_and_coming_are_changes),
	    TEST(each_set_is_for_itself),
	    TEST(a_default_pair_may_come_later),
	    TEST(only_files_are_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
