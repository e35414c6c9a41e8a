# SPDX-License-Identifier: ISC
"""What each running program may touch, as the kernel tells it: accounts,
roots, no_new_privs, seccomp, capabilities, open descriptors."""
import grp
import os
import pwd
import re
import socket

import pytest

from suite import build_folder, descendants, has, process_name

ANN = "ann@example.test"
CAP_SETGID, CAP_SETUID = 1 << 6, 1 << 7

# service: account, chroot below run-dir, capabilities it may keep
HOUSE = {
    "smtpd": ("postrider-smtpd", True, 0),
    "smtp-gate": ("postrider-smtpd", True, 0),
    "pop3d": ("postrider-pop3d", True, 0),
    "deliver": ("postrider-deliver", True, 0),
    "queue": ("postrider-queue", False, 0),
    "userdb": ("postrider-db", False, 0),
    "ledger": ("postrider-ledger", False, 0),
    "keys": ("postrider-keys", False, 0),
    "mailbox": ("postrider-mail", False, CAP_SETUID | CAP_SETGID),
}
SPEAKERS = ("smtpd", "smtp-gate", "pop3d", "deliver")
FOLDERS = {"smtp-gate": "gate"}  # others bear the name of their service
if has("CURL"):
    HOUSE["fetch"] = ("postrider-fetch", True, 0)
    SPEAKERS += ("fetch",)


class Process:
    """/proc of one process."""

    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/status") as f:
            self.status = dict(
                line.rstrip("\n").split(":\t", 1) for line in f
                if ":\t" in line)

    def ids(self, which):
        return {int(n) for n in self.status[which].split()}

    def root(self):
        return os.readlink(f"/proc/{self.pid}/root")

    def capabilities(self):
        return (int(self.status["CapEff"], 16) |
                int(self.status["CapPrm"], 16))

    def descriptors(self):
        """{fd: what it is}"""
        folder = f"/proc/{self.pid}/fd"
        found = {}
        for fd in os.listdir(folder):
            try:
                found[int(fd)] = os.readlink(os.path.join(folder, fd))
            except FileNotFoundError:
                continue
        return found


def processes(suite):
    return [(name, Process(pid)) for name, pids in suite.services().items()
            for pid in pids]


def groups_of(account):
    """The account's own group and those that list it."""
    user = pwd.getpwnam(account)
    return {user.pw_gid} | {g.gr_gid for g in grp.getgrall()
                            if account in g.gr_mem}


def has_children(pid):
    return any(process_name(p) == process_name(pid)
               for p in descendants(pid))


def has_seccomp():
    with open(os.path.join(build_folder(), "build.h")) as f:
        text = f.read()
    return (re.search(r"^#define HAVE_SECCOMP 1", text, re.M) and
            not re.search(r"^#define SANITIZERS 1", text, re.M))


@pytest.fixture
def busy(make_suite):
    """A suite in which every speaker has a session open."""
    suite = make_suite(users=[ANN]).start()
    smtp = suite.smtp()
    smtp.ehlo()
    smtp.docmd("MAIL FROM:<x@elsewhere.test>")
    assert smtp.docmd(f"RCPT TO:<{ANN}>")[0] == 250
    pop3 = suite.pop3(ANN)
    pop3.stat()
    yield suite
    pop3.quit()
    smtp.quit()


def test_every_service_runs(busy):
    assert set(busy.services()) == set(HOUSE)


def test_accounts(busy, as_root):
    for name, process in processes(busy):
        account, _, _ = HOUSE[name]
        user = pwd.getpwnam(account)
        assert process.ids("Uid") == {user.pw_uid}, name
        assert process.ids("Gid") == {user.pw_gid}, name
        assert process.ids("Groups") <= groups_of(account), name
    assert Process(busy.pid).ids("Uid") == {0}


def test_accounts_are_distinct(busy, as_root):
    uids = [pwd.getpwnam(a).pw_uid for n, (a, _, _) in HOUSE.items()
            if n != "smtp-gate"]  # half of smtpd, in a chroot of its own
    assert len(set(uids)) == len(uids) and 0 not in uids
    for account, _, _ in HOUSE.values():
        assert pwd.getpwnam(account).pw_shell in (
            "/usr/sbin/nologin", "/bin/false"), account


def test_roots(busy, as_root):
    for name, process in processes(busy):
        want = (busy.path("run", FOLDERS.get(name, name))
                if HOUSE[name][1] else "/")
        assert process.root() == want, name


def test_speakers_roots_hold_only_sockets(busy, as_root):
    """Nothing to read, nothing to execute, nowhere to write."""
    for name in SPEAKERS:
        account = pwd.getpwnam(HOUSE[name][0])
        for folder, folders, files in os.walk(
                busy.path("run", FOLDERS.get(name, name))):
            info = os.stat(folder)
            assert info.st_uid != account.pw_uid, folder
            writable = info.st_mode & (
                0o002 | (0o020 if info.st_gid in groups_of(HOUSE[name][0])
                         else 0))
            assert not writable, folder
            for entry in files:
                path = os.path.join(folder, entry)
                assert os.stat(path).st_mode & 0o170000 == 0o140000, path
            assert not folders, folders


def test_capabilities(busy, as_root):
    for name, process in processes(busy):
        assert process.capabilities() & ~HOUSE[name][2] == 0, (
            name, process.status["CapEff"])


def test_no_new_privs(busy):
    for name, process in processes(busy):
        assert process.status["NoNewPrivs"] == "1", name


def test_seccomp(busy):
    if not has_seccomp():
        pytest.skip("built without seccomp")
    parents = set(busy.parents().values())
    for name, process in processes(busy):
        # A parent serves nobody: it forks, and its children shut
        # themselves in.
        if process.pid in parents and has_children(process.pid):
            continue
        assert process.status["Seccomp"] == "2", (name, process.pid)


def test_undumpable(busy, as_root):
    """A process's /proc belongs to root where it is undumpable: no sibling
    of the same account reads its memory."""
    for name, process in processes(busy):
        assert os.stat(f"/proc/{process.pid}/fd").st_uid == 0, name


@pytest.mark.skipif(os.geteuid() != 0,
                    reason="needs root to look at an undumpable process")
def test_speakers_hold_no_file(busy):
    """Sockets, pipes and the kernel's own objects; no file but /dev/null
    and what a transaction was given (deleted, unnamed)."""
    allowed = re.compile(r"(socket|pipe):\[\d+\]|anon_inode:.*|/dev/null|"
                         r"/memfd:.* \(deleted\)")
    for name, process in processes(busy):
        if name not in SPEAKERS:
            continue
        for fd, what in process.descriptors().items():
            if fd in (1, 2) and what == busy.stderr:
                continue  # of start -f
            assert allowed.fullmatch(what), (name, fd, what)


@pytest.mark.skipif(os.geteuid() != 0,
                    reason="needs root to look at an undumpable process")
def test_users_file_is_userdbs_alone(busy):
    for name, process in processes(busy):
        if name == "userdb":
            continue
        for fd, what in process.descriptors().items():
            assert not what.startswith(busy.database + "/"), (
                name, fd, what)


def test_spool_and_mail_modes(busy, as_root):
    def check(path, account, mode):
        info = os.stat(path)
        assert pwd.getpwuid(info.st_uid).pw_name == account, path
        assert info.st_mode & 0o7777 & ~mode == 0, (path, oct(info.st_mode))
    check(busy.database, "postrider-db", 0o700)
    check(busy.database + "-ledger", "postrider-ledger", 0o700)
    check(busy.database + "-keys", "postrider-keys", 0o700)
    check(busy.database + "-keys/relay", "postrider-keys", 0o700)
    check(busy.mail, "postrider-mail", 0o770)
    check(busy.spool, "postrider-queue", 0o750)
    check(busy.maildir(ANN), "postrider-mail", 0o700)


def test_no_set_uid_program():
    folder = build_folder()
    for top, _, names in os.walk(folder):
        for name in names:
            mode = os.lstat(os.path.join(top, name)).st_mode
            assert not mode & 0o6000 or mode & 0o170000 != 0o100000, name


def test_internal_sockets_of_others_are_out_of_reach(busy, as_root):
    """smtpd's account cannot connect where pop3d or deliver may."""
    account = pwd.getpwnam("postrider-smtpd")
    reached = []
    for folder, name in (("pop3d", "userdb"), ("deliver", "queue"),
                         ("userdb", "queue"), ("userdb", "mailbox"),
                         ("queue", "mailbox"), ("userdb", "ledger"),
                         ("queue", "ledger"),
                         ("deliver", "ledger"),
                         *((("fetch", "ledger"), ("fetch", "userdb"))
                           if has("CURL") else ()),
                         ("pop3d", "keys"), ("deliver", "keys"),
                         ("admin", "keys"),
                         ("admin", "userdb"), ("admin", "ledger"),
                         ("admin", "queue")):
        path = busy.path("run", folder, name)
        assert os.path.exists(path), path
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(account.pw_gid)
                os.setuid(account.pw_uid)
                with socket.socket(socket.AF_UNIX,
                                   socket.SOCK_SEQPACKET) as s:
                    s.connect(path)
                code = 0
            except OSError:
                pass
            os._exit(code)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            reached.append(path)
    assert reached == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_speaker_is_no_local_user(make_suite):
    """Where inetd starts smtpd without a chroot it could reach the socket
    over which every local user sends mail out."""
    suite = make_suite(root=True).start()
    path = os.path.join(suite.run_dir, "public", "queue")

    def opened(uid):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(20)
            os.seteuid(uid)
            try:
                s.connect(path)
            finally:
                os.seteuid(0)
            try:
                s.send(b"open\0")
                return s.recv(4096).startswith(b"opened\0")
            except (BrokenPipeError, ConnectionResetError):
                return False

    assert opened(pwd.getpwnam("nobody").pw_uid)
    for name in SPEAKERS:
        assert not opened(pwd.getpwnam(HOUSE[name][0]).pw_uid), name
