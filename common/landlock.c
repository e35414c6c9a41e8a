/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* O_PATH, syscall */
#include "common/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "build.h"

/*
 * Written down here, because the headers of a stable distribution are older
 * than the kernels that it may run on.  Numbers are the kernel's
 * (include/uapi/linux/landlock.h).
 */
enum {
	CALL_CREATE_RULESET = 444,
	CALL_ADD_RULE = 445,
	CALL_RESTRICT_SELF = 446
};

enum { CREATE_VERSION = 1, RULE_PATH = 1, RULE_PORT = 2 };

/* ABI 1 */
#define FS_WRITE_FILE  (1ULL << 1)
#define FS_READ_FILE   (1ULL << 2)
#define FS_READ_DIR    (1ULL << 3)
#define FS_REMOVE_DIR  (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR    (1ULL << 7)
#define FS_MAKE_REG    (1ULL << 8)
#define FS_ABI_1       ((1ULL << 13) - 1)
/* later ones */
#define FS_REFER     (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */

#define NET_BIND_TCP    (1ULL << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)

#define SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL        (1ULL << 1)

/* What a rule for something else than a folder may speak of. */
#define FS_OF_FILES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)

/* Older kernels take the longer structure while its tail is zero. */
struct ruleset {
	uint64_t fs, net, scopes;
};

struct rule_path {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct rule_port {
	uint64_t allowed;
	uint64_t port;
};

static const struct {
	unsigned right;
	uint64_t fs;
} meanings[] = {
    {SANDBOX_READ, FS_READ_FILE},
    {SANDBOX_LIST, FS_READ_DIR},
    {SANDBOX_WRITE, FS_WRITE_FILE | FS_TRUNCATE},
    {SANDBOX_CREATE, FS_MAKE_REG},
    {SANDBOX_REMOVE, FS_REMOVE_FILE},
    {SANDBOX_MOVE, FS_REFER},
    {SANDBOX_FOLDERS, FS_MAKE_DIR},
    {SANDBOX_FOLDERS | SANDBOX_REMOVE, FS_REMOVE_DIR},
};

int
landlock_abi(void)
{
	long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static struct ruleset
handled_by(int abi, const struct sandbox *sandbox)
{
	struct ruleset handled = {.fs = FS_ABI_1};

	if (abi >= 2)
		handled.fs |= FS_REFER;
	if (abi >= 3)
		handled.fs |= FS_TRUNCATE;
	if (abi >= 4)
		handled.net = sandbox->tcp_connect
		    ? NET_BIND_TCP
		    : NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 5)
		handled.fs |= FS_IOCTL_DEV;
	if (abi >= 6)
		handled.scopes = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	return handled;
}

static uint64_t
rights_of(unsigned rights)
{
	uint64_t fs = 0;

	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if ((rights & meanings[i].right) == meanings[i].right)
			fs |= meanings[i].fs;
	return fs;
}

static int
add_descriptor(int ruleset, uint64_t handled, int fd, unsigned rights)
{
	struct stat status;
	struct rule_path rule = {
	    .allowed = rights_of(rights) & handled, .fd = fd};

	if (fstat(fd, &status) == -1)
		return -1;
	if (!S_ISDIR(status.st_mode))
		rule.allowed &= FS_OF_FILES;
	if (rule.allowed == 0)
		return 0;
	return (int)syscall(CALL_ADD_RULE, ruleset, RULE_PATH, &rule, 0);
}

static int
add_folder(int ruleset, uint64_t handled, const struct sandbox_folder *folder)
{
	int fd, rc, saved;

	if (folder->fd >= 0)
		return add_descriptor(
		    ruleset, handled, folder->fd, folder->rights);
	fd = open(folder->path, O_PATH | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	rc = add_descriptor(ruleset, handled, fd, folder->rights);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/* Port 0 is none: it lets a client choose the address that it calls from. */
static int
add_client_port(int ruleset)
{
	struct rule_port rule = {.allowed = NET_BIND_TCP, .port = 0};

	return (int)syscall(CALL_ADD_RULE, ruleset, RULE_PORT, &rule, 0);
}

static int
fill(int ruleset, const struct ruleset *handled, const struct sandbox *sandbox,
    const char **what)
{
	for (size_t i = 0; i < sandbox->nfolders; i++) {
		const struct sandbox_folder *folder = &sandbox->folders[i];

		if (add_folder(ruleset, handled->fs, folder) == 0)
			continue;
		*what = folder->path != NULL ? folder->path : "landlock rule";
		return -1;
	}
#ifdef SANITIZERS
	/* LeakSanitizer walks its own threads and maps there. */
	const struct sandbox_folder own = {
	    .fd = -1, .path = "/proc", .rights = SANDBOX_READ | SANDBOX_LIST};

	if (add_folder(ruleset, handled->fs, &own) == -1)
		return -1;
#endif
	*what = "landlock port";
	if (sandbox->tcp_connect && handled->net != 0)
		return add_client_port(ruleset);
	return 0;
}

int
landlock_enter(const struct sandbox *sandbox, const char **what)
{
	int abi = landlock_abi(), rc, saved;
	struct ruleset handled;
	long ruleset;

	if (abi == 0)
		return 0;
	handled = handled_by(abi, sandbox);
	*what = "landlock ruleset";
	ruleset = syscall(CALL_CREATE_RULESET, &handled, sizeof(handled), 0);
	if (ruleset == -1)
		return -1;
	rc = fill((int)ruleset, &handled, sandbox, what);
	if (rc == 0) {
		*what = "landlock domain";
		rc = (int)syscall(CALL_RESTRICT_SELF, (int)ruleset, 0);
	}
	saved = errno;
	close((int)ruleset);
	errno = saved;
	return rc;
}
