/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* process_vm_readv, syscall, mount, unshare, pipe2 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "build.h"
#include "common/fs.h"
#include "common/privileges.h"
#include "common/sandbox.h"

#ifdef SANITIZERS
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* root/spool, root/mail: granted; root/other: not. */
static char root[] = "/tmp/test-sandbox-XXXXXX";
static int root_fd, spool, mail, other;
static struct sandbox_support support;

static int
set_up(void **state)
{
	int fd;

	(void)state;
	support = sandbox_probe();
	if (mkdtemp(root) == NULL || chmod(root, 0755) == -1)
		return -1;
	root_fd = fs_open_dir(AT_FDCWD, root);
	fs_make_dir(root_fd, "spool", 0777);
	fs_make_dir(root_fd, "mail", 0777);
	fs_make_dir(root_fd, "other", 0777);
	spool = fs_open_dir(root_fd, "spool");
	mail = fs_open_dir(root_fd, "mail");
	other = fs_open_dir(root_fd, "other");
	fd = openat(spool, "old", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd == -1 || fs_write_all(fd, "spooled", 7) == -1)
		return -1;
	close(fd);
	fd = openat(other, "secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	close(fd);
	return other == -1 ? -1 : 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"spool/old", "spool/new",
	    "spool/made", "spool/deep", "mail/new", "mail/made", "mail/old",
	    "mail/jailed", "other/secret", "spool", "mail", "other"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (unlinkat(root_fd, names[i], 0) == -1)
			unlinkat(root_fd, names[i], AT_REMOVEDIR);
	close(spool);
	close(mail);
	close(other);
	close(root_fd);
	return rmdir(root);
}

/* In a child: say which check failed and leave. */
#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__,        \
			    #condition, strerror(errno));                      \
			return 1;                                              \
		}                                                              \
	} while (0)
#define CHECK_FAILS(call, reason) CHECK((call) == -1 && errno == (reason))

/* Run in a child of its own; its wait status. */
static int
in_child(int (*body)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(body());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
enter(const struct sandbox_folder *folders, size_t n)
{
	sandbox_enter(&(struct sandbox){.folders = folders, .nfolders = n});
}

/* -- files -- */

static int
only_what_is_granted(void)
{
	const struct sandbox_folder folders[] = {
	    {.fd = spool, .rights = SANDBOX_READ},
	    {.fd = -1, .path = "/nonexistent/folder", .rights = SANDBOX_READ},
	};
	char text[8];
	int kept = openat(other, "secret", O_RDWR | O_CLOEXEC), fd;

	enter(folders, 2);
	fd = fs_open_file(spool, "old");
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 7);
	CHECK_FAILS(openat(spool, "old", O_RDWR), EACCES);
	CHECK_FAILS(openat(spool, "old", O_RDONLY | O_TRUNC), EACCES);
	CHECK_FAILS(openat(spool, "made", O_WRONLY | O_CREAT, 0600), EACCES);
	CHECK_FAILS(openat(spool, ".", O_RDONLY | O_DIRECTORY), EACCES);
	CHECK_FAILS(unlinkat(spool, "old", 0), EACCES);
	CHECK_FAILS(mkdirat(spool, "deep", 0700), EACCES);
	CHECK_FAILS(symlinkat("old", spool, "made"), EACCES);
	CHECK_FAILS(linkat(spool, "old", spool, "made", 0), EACCES);
	CHECK_FAILS(fs_open_file(other, "secret"), EACCES);
	CHECK_FAILS(open("/etc/passwd", O_RDONLY), EACCES);
	CHECK_FAILS(open("/", O_RDONLY | O_DIRECTORY), EACCES);

	/* What it was given before stays. */
	CHECK(write(kept, "kept", 4) == 4);
	CHECK(pread(kept, text, sizeof(text), 0) == 4);
	CHECK(ftruncate(kept, 0) == 0);
	return 0;
}

static int
every_right_has_a_meaning(void)
{
	const struct sandbox_folder folders[] = {
	    {.fd = spool,
		.rights = SANDBOX_READ | SANDBOX_LIST | SANDBOX_WRITE |
		    SANDBOX_CREATE | SANDBOX_REMOVE | SANDBOX_FOLDERS},
	    {.fd = mail, .rights = SANDBOX_READ | SANDBOX_CREATE},
	};
	int writer, reader, fd;

	enter(folders, 2);
	CHECK((fd = fs_open_dir(AT_FDCWD, root)) == -1 && errno == EACCES);
	CHECK(openat(spool, ".", O_RDONLY | O_DIRECTORY) >= 0);
	CHECK((fd = openat(spool, "made", O_RDWR | O_CREAT, 0600)) >= 0);
	CHECK(ftruncate(fd, 10) == 0);
	CHECK(openat(spool, "made", O_WRONLY | O_TRUNC) >= 0);
	CHECK(renameat(spool, "made", spool, "new") == 0);
	CHECK(unlinkat(spool, "new", 0) == 0);
	CHECK(mkdirat(spool, "deep", 0700) == 0);
	CHECK(unlinkat(spool, "deep", AT_REMOVEDIR) == 0);
	CHECK(fs_unnamed(spool, 0600, &writer, &reader) == 0);
	CHECK(fs_link(reader, spool, "new") == 0);
	CHECK(unlinkat(spool, "new", 0) == 0);
	/* Not even with every right: between folders. */
	CHECK_FAILS(linkat(spool, "old", mail, "old", 0), EXDEV);
	CHECK_FAILS(mknodat(spool, "made", S_IFIFO | 0600, 0), EACCES);
	return 0;
}

enum { HAND_OVER = SANDBOX_READ | SANDBOX_CREATE | SANDBOX_MOVE };

static int
moves_between_folders(void)
{
	const struct sandbox_folder folders[] = {
	    {.fd = spool, .rights = HAND_OVER | SANDBOX_REMOVE},
	    {.fd = mail, .rights = HAND_OVER},
	};
	int fd = fs_open_file(spool, "old");

	enter(folders, 2);
	CHECK(fs_link(fd, mail, "old") == 0);
	CHECK(linkat(spool, "old", mail, "new", 0) == 0);
	CHECK(renameat(spool, "old", mail, "made") == 0);
	CHECK_FAILS(linkat(mail, "made", other, "made", 0), EACCES);
	return 0;
}

/* A file must not gain rights by its move. */
static int
moves_gain_nothing(void)
{
	const struct sandbox_folder folders[] = {
	    {.fd = spool, .rights = HAND_OVER},
	    {.fd = mail, .rights = HAND_OVER | SANDBOX_WRITE},
	};

	enter(folders, 2);
	CHECK_FAILS(linkat(spool, "old", mail, "gained", 0), EXDEV);
	return 0;
}

static int
links_from_within_chroot(void)
{
	const struct sandbox_folder folders[] = {{.fd = -1,
	    .path = "/",
	    .rights = SANDBOX_READ | SANDBOX_WRITE | SANDBOX_CREATE}};
	char where[64];
	int writer, reader, here;

	CHECK(fs_keep_proc() == 0);
	snprintf(where, sizeof(where), "%s/mail", root);
	privileges_drop("nobody", where, true);
	here = fs_open_dir(AT_FDCWD, "/");
	enter(folders, 1);
	CHECK(fs_unnamed(here, 0600, &writer, &reader) == 0);
	CHECK(fs_link(reader, here, "jailed") == 0);
	CHECK(fs_open_file(here, "jailed") >= 0);
	CHECK_FAILS(fs_open_file(other, "secret"), EACCES);
	CHECK(fs_open_file(other, "../mail/jailed") >= 0);
	return 0;
}

static void
files(void **state)
{
	(void)state;
	if (support.landlock == 0)
		skip();
	assert_int_equal(in_child(only_what_is_granted), 0);
	assert_int_equal(in_child(every_right_has_a_meaning), 0);
}

static void
links(void **state)
{
	(void)state;
	if (support.landlock < 2)
		skip();
	assert_int_equal(in_child(moves_gain_nothing), 0);
	assert_int_equal(in_child(moves_between_folders), 0);
}

static void
links_in_chroot(void **state)
{
	(void)state;
	if (support.landlock == 0 || geteuid() != 0)
		skip();
	assert_int_equal(in_child(links_from_within_chroot), 0);
}

/* -- network -- */

static struct sockaddr_in service;

static int
tcp(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
dial(int fd)
{
	return connect(fd, (struct sockaddr *)&service, sizeof(service));
}

static int
nobody_to_call(void)
{
	int old = tcp(), pair[2];
	struct sockaddr_in any = {.sin_family = AF_INET};

	enter(NULL, 0);
	if (support.seccomp) {
		CHECK_FAILS(tcp(), EPERM);
		CHECK_FAILS(socket(AF_INET6, SOCK_DGRAM, 0), EPERM);
	}
	if (support.landlock >= 4) {
		CHECK_FAILS(dial(old), EACCES);
		CHECK_FAILS(
		    bind(old, (struct sockaddr *)&any, sizeof(any)), EACCES);
	}
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	return 0;
}

static int
a_client_calls(void)
{
	struct sockaddr_in from = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd;

	sandbox_enter(&(struct sandbox){.tcp_connect = true});
	fd = tcp();
	CHECK(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
	CHECK(dial(fd) == 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
	if (support.landlock >= 4) {
		from.sin_port = htons(2525);
		CHECK_FAILS(bind(tcp(), (struct sockaddr *)&from, sizeof(from)),
		    EACCES);
	}
	return 0;
}

static int
accepts_what_was_opened(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);
	int listener = tcp(), caller = tcp(), fd;

	CHECK(bind(listener, (struct sockaddr *)&address, n) == 0);
	CHECK(listen(listener, 1) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &n) == 0);
	CHECK(connect(caller, (struct sockaddr *)&address, n) == 0);
	enter(NULL, 0);
	CHECK((fd = accept(listener, NULL, NULL)) >= 0);
	CHECK(write(fd, "220", 3) == 3);
	return 0;
}

static void
network(void **state)
{
	socklen_t n = sizeof(service);
	int listener = tcp();

	(void)state;
	service = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(listener, (struct sockaddr *)&service, n), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&service, &n), 0);
	assert_int_equal(in_child(nobody_to_call), 0);
	assert_int_equal(in_child(a_client_calls), 0);
	assert_int_equal(in_child(accepts_what_was_opened), 0);
	close(listener);
}

static int abstract_listener = -1;

static int
no_abstract_sockets(void)
{
	struct sockaddr_un address;
	socklen_t n = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(getsockname(abstract_listener, (struct sockaddr *)&address, &n) ==
	    0);
	enter(NULL, 0);
	CHECK_FAILS(connect(fd, (struct sockaddr *)&address, n), EPERM);
	return 0;
}

static void
abstract_names(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	if (support.landlock < 6)
		skip();
	abstract_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Only the family: the kernel finds an abstract name. */
	assert_int_equal(bind(abstract_listener, (struct sockaddr *)&address,
			     sizeof(address.sun_family)),
	    0);
	assert_int_equal(listen(abstract_listener, 1), 0);
	assert_int_equal(in_child(no_abstract_sockets), 0);
	close(abstract_listener);
}

/* -- processes -- */

static int
no_other_program(void)
{
	char *const arguments[] = {(char *)"/bin/true", NULL};
	/* Landlock says EACCES where there is no seccomp. */
	int reason = support.seccomp ? EPERM : EACCES;

	enter(NULL, 0);
	CHECK_FAILS(execve(arguments[0], arguments, NULL), reason);
	return 0;
}

static int
no_other_process(void)
{
	pid_t child;

	enter(NULL, 0);
	child = fork();
	if (child == 0)
		_exit(0);
	CHECK(child == -1);
	return 0;
}

static int
a_parent_forks(void)
{
	int status;
	pid_t child;

	sandbox_enter(&(struct sandbox){.forks = true});
	CHECK((child = fork()) >= 0);
	if (child == 0) {
		enter(NULL, 0);
		pause();
	}
	/* From outside the child's domain into it. */
	CHECK(kill(child, SIGTERM) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK((child = fork()) >= 0);
	if (child == 0) {
		enter(NULL, 0);
		_exit(kill(getppid(), 0) == -1 && errno == EPERM ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(status == 0);
	if (support.seccomp) {
		CHECK_FAILS(unshare(CLONE_NEWUSER), EPERM);
		CHECK_FAILS((int)syscall(
				SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
		    EPERM);
	}
	return 0;
}

static pid_t sibling;
static char sibling_secret[] = "a password of the other session";

static int
siblings_are_out_of_reach(void)
{
	char stolen[sizeof(sibling_secret)];
	struct iovec to = {stolen, sizeof(stolen)};
	struct iovec from = {sibling_secret, sizeof(sibling_secret)};

	enter(NULL, 0);
	if (support.seccomp || support.landlock >= 6) {
		CHECK_FAILS(kill(sibling, 0), EPERM);
		CHECK_FAILS(kill(sibling, SIGKILL), EPERM);
		CHECK_FAILS(
		    (int)syscall(SYS_tgkill, sibling, sibling, SIGTERM), EPERM);
	}
	CHECK_FAILS(process_vm_readv(sibling, &to, 1, &from, 1, 0), EPERM);
	CHECK_FAILS(process_vm_writev(sibling, &to, 1, &from, 1, 0), EPERM);
	CHECK_FAILS(ptrace(PTRACE_ATTACH, sibling, NULL, NULL), EPERM);
	if (support.seccomp) {
		CHECK_FAILS(
		    (int)syscall(434 /* pidfd_open */, sibling, 0), EPERM);
		CHECK_FAILS(
		    (int)syscall(438 /* pidfd_getfd */, 0, 0, 0), EPERM);
	}
	return 0;
}

static volatile sig_atomic_t caught;

static void catch (int number)
{
	caught = number;
}

static int
signals_to_itself_work(void)
{
	enter(NULL, 0);
	signal(SIGUSR1, catch);
	CHECK(raise(SIGUSR1) == 0 && caught == SIGUSR1);
	caught = 0;
	CHECK(kill(getpid(), SIGUSR1) == 0 && caught == SIGUSR1);
	return 0;
}

static int
aborts(void)
{
	enter(NULL, 0);
	abort();
}

static int
doors_are_shut(void)
{
	static const long calls[] = {SYS_mount, SYS_umount2, SYS_pivot_root,
	    SYS_chroot, SYS_unshare, SYS_setns, SYS_add_key, SYS_keyctl,
	    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_init_module,
	    425 /* io_uring_setup */, SYS_open_by_handle_at};

	if (!support.seccomp)
		return 0;
	enter(NULL, 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		/* Arguments with which the kernel itself says otherwise. */
		errno = 0;
		if (syscall(calls[i], -1, -1, -1, -1, -1) == -1 &&
		    errno == EPERM)
			continue;
		fprintf(stderr, "call %ld: %s\n", calls[i], strerror(errno));
		return 1;
	}
	return 0;
}

static void
programs_and_processes(void **state)
{
	(void)state;
	if (support.seccomp || support.landlock > 0)
		assert_int_equal(in_child(no_other_program), 0);
	if (support.seccomp && !SANITIZED)
		assert_int_equal(in_child(no_other_process), 0);
	assert_int_equal(in_child(a_parent_forks), 0);
	assert_int_equal(in_child(doors_are_shut), 0);
}

static void
siblings(void **state)
{
	int status, ends[2];
	char c;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	sibling = fork();
	assert_true(sibling >= 0);
	if (sibling == 0) {
		enter(NULL, 0);
		fs_write_all(ends[1], "x", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ends[0], &c, 1), 1);
	status = in_child(siblings_are_out_of_reach);
	kill(sibling, SIGKILL);
	waitpid(sibling, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(status, 0);
}

/* With exit(3), not _exit(2): LeakSanitizer must find its way. */
static int
ends_in_peace(void)
{
	enter(NULL, 0);
	exit(0);
}

static void
own_signals(void **state)
{
	int status;

	(void)state;
	assert_int_equal(in_child(signals_to_itself_work), 0);
	assert_int_equal(in_child(ends_in_peace), 0);
	status = in_child(aborts);
	assert_true(
	    SANITIZED || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
	assert_true(status != 0);
}

/* The filter that children find ready is theirs, not their parent's. */
static void
prepared_by_the_parent(void **state)
{
	(void)state;
	sandbox_prepare();
	assert_int_equal(in_child(signals_to_itself_work), 0);
	assert_int_equal(in_child(doors_are_shut), 0);
	assert_int_equal(in_child(a_parent_forks), 0);
	siblings(state);
}

/* -- limits -- */

static int
is_limited(void)
{
	struct rlimit bounds;
	int fd;

	sandbox_enter(
	    &(struct sandbox){.files = 20, .memory = (size_t)1 << 30});
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(getrlimit(RLIMIT_CORE, &bounds) == 0 && bounds.rlim_max == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &bounds) == 0 && bounds.rlim_cur == 20 &&
	    bounds.rlim_max == 20);
	while ((fd = dup(0)) >= 0)
		CHECK(fd < 20);
	CHECK(errno == EMFILE);
	CHECK(SANITIZED ||
	    mmap(NULL, (size_t)2 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0) == MAP_FAILED);
	CHECK(mmap(NULL, (size_t)1 << 20, PROT_READ,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	return 0;
}

static int
limits_only_fall(void)
{
	struct rlimit bounds = {10, 15};

	CHECK(setrlimit(RLIMIT_NOFILE, &bounds) == 0);
	sandbox_enter(&(struct sandbox){.files = 100});
	CHECK(getrlimit(RLIMIT_NOFILE, &bounds) == 0 && bounds.rlim_max == 15);
	return 0;
}

static void
limits(void **state)
{
	(void)state;
	assert_int_equal(in_child(is_limited), 0);
	assert_int_equal(in_child(limits_only_fall), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files),
	    cmocka_unit_test(links_in_chroot),
	    cmocka_unit_test(network),
	    cmocka_unit_test(abstract_names),
	    cmocka_unit_test(programs_and_processes),
	    cmocka_unit_test(siblings),
	    cmocka_unit_test(own_signals),
	    cmocka_unit_test(prepared_by_the_parent),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(links),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
