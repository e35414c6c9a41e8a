# SPDX-License-Identifier: ISC
"""mailbox as pop3d and userdb see it: a session on one Maildir."""
import itertools
import mailbox as python_mailbox
import os
import pwd
import resource
import signal
import socket
import stat
import subprocess
import time

import pytest

from internal import (Peer, Service, children, chown_tree, make_maildir,
                      readable, record, status_of, wait_gone)

ANN = "ann@example.test"
PLAIN = "{i:03d}.x.host:2,"
OURS = "{i:03d}.0123456789abcdef.0123456789abcdef,S={size},W={wire}"
THREE = [b"Subject: %d\n\nbody\n" % i for i in range(3)]


@pytest.fixture
def house():
    with Service("mailbox", ["role-userdb", "role-queue"],
                 root=False) as service:
        yield service


def maildir(house, user=ANN):
    local, domain = user.split("@")
    return os.path.join(house.mail, domain, local)


def fill(house, messages, folder="cur", name=PLAIN, user=ANN):
    make_maildir(maildir(house, user), messages, folder, name)
    owner = house.user or (pwd.getpwnam("postrider-mail") if house.root
                           else pwd.getpwuid(os.geteuid()))
    chown_tree(house.mail, owner.pw_uid, owner.pw_gid)


class Session:
    def __init__(self, house, user=ANN, kind="virtual-session"):
        self.userdb = house.connect("role-userdb")
        self.peer, theirs = Peer.pair()
        self.userdb.send_octets(record(kind, user), [theirs.fileno()])
        theirs.close()
        self.greeting = self.peer.receive()

    def list(self):
        rows = []
        while True:
            answer = self.peer.call("list", ("from", len(rows) + 1))
            assert answer["from"] == str(len(rows) + 1)
            page = [v for n, v in answer.attributes if n == "m"]
            if not page:
                return rows
            rows += [(int(v.split()[0]), v.split()[1]) for v in page]

    def read(self, number):
        answer = self.peer.call("open", number=number)
        if answer.verb == "gone":
            return None
        [fd] = answer.fds
        with os.fdopen(fd, "rb") as f:
            return f.read()

    def commit(self):
        answer = self.peer.call("commit")
        assert answer.verb == "committed"
        assert self.peer.receive() is None
        return int(answer["deleted"]), int(answer["failed"])

    def close(self):
        self.peer.close()
        self.userdb.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def names(house, folder):
    return sorted(os.listdir(os.path.join(maildir(house), folder)))


def test_greeting_list_and_content(house):
    fill(house, THREE)
    fill(house, [b"new\n"], "new", "9" + OURS)
    with Session(house) as s:
        wire = [len(m) + m.count(b"\n") for m in THREE] + [5]
        assert s.greeting.verb == "mailbox"
        assert int(s.greeting["count"]) == 4
        assert int(s.greeting["octets"]) == sum(wire)
        assert [w for w, _ in s.list()] == wire
        assert len({u for _, u in s.list()}) == 4
        assert [s.read(n) for n in range(1, 5)] == THREE + [b"new\n"]


def test_an_empty_mailbox_is_made(house):
    with Session(house) as s:
        assert (s.greeting["count"], s.greeting["octets"]) == ("0", "0")
        assert s.list() == []
        assert s.commit() == (0, 0)
    assert stat.S_IMODE(os.stat(maildir(house)).st_mode) == 0o700


def test_nothing_happens_without_commit(house):
    fill(house, THREE)
    with Session(house) as s:
        s.peer.send("delete", ("n", 1), ("n", 2))
        s.peer.send("seen", n=3)
        s.list()
    with Session(house) as s:
        assert s.greeting["count"] == "3"
    assert len(names(house, "cur")) == 3


def test_commit_deletes_and_marks(house):
    fill(house, THREE[:2])
    fill(house, [b"a\n", b"b\n"], "new", "9" + PLAIN[:-3])
    with Session(house) as s:
        s.peer.send("delete", n=1)
        s.peer.send("seen", ("n", 1), ("n", 2), ("n", 3))
        assert s.commit() == (1, 0)
    assert names(house, "cur") == ["001.x.host:2,S", "9000.x.host:2,S"]
    assert names(house, "new") == ["9001.x.host"]
    assert names(house, "tmp") == []


def test_one_session_at_a_time(house):
    fill(house, THREE)
    with Session(house) as first:
        with Session(house) as second:
            assert second.greeting.verb == "refused"
            assert second.greeting["reason"] == "in-use"
            assert second.peer.receive() is None
        with Session(house, "bob@example.test") as other:
            assert other.greeting.verb == "mailbox"
        assert first.commit() == (0, 0)
    with Session(house) as third:
        assert third.greeting.verb == "mailbox"


def test_the_lock_dies_with_its_holder(house):
    fill(house, THREE)
    with Session(house):
        [pid] = children(house.process.pid)
        os.kill(pid, signal.SIGKILL)
        wait_gone(pid)
        with Session(house) as second:
            assert second.greeting.verb == "mailbox"


def test_other_readers_may_move_everything(house):
    """mutt, or here Python's own mailbox: flags change, new mail is moved
    to cur, a message goes, another comes."""
    fill(house, THREE)
    fill(house, [b"new one\n"], "new", "9" + PLAIN[:-3])
    with Session(house) as s:
        before = s.list()
        box = python_mailbox.Maildir(maildir(house), create=False)
        for key in list(box.keys()):
            message = box[key]
            message.set_subdir("cur")
            message.add_flag("RS")
            box[key] = message
        box.add(b"Subject: later\n\nlater\n")
        gone = os.path.join(maildir(house), "cur", "001.x.host:2,RS")
        os.unlink(gone)
        if house.user:
            chown_tree(house.mail, house.user.pw_uid, house.user.pw_gid)
        assert s.list() == before
        assert s.read(1) is not None
        assert s.read(2) is None
        assert s.read(4) is not None
        s.peer.send("delete", ("n", 1), ("n", 2), ("n", 4))
        assert s.commit() == (3, 0)
    with Session(house) as s:
        assert s.greeting["count"] == "2"
        assert [u for _, u in s.list()][0] == before[2][1]


def test_a_linked_message_leaves_its_name(house):
    """P2: killed between delivery and its record, the queue delivers again;
    what its reader deleted meanwhile must not come back."""
    fill(house, THREE[:1], "new", OURS)
    [name] = names(house, "new")
    spool = os.path.join(house.spool, "ID")
    os.link(os.path.join(maildir(house), "new", name), spool)
    os.chmod(spool, 0o640)
    with Session(house) as s:
        s.peer.send("delete", n=1)
        assert s.commit() == (1, 0)
    assert names(house, "tmp") == [name]
    with Session(house) as s:  # still linked: stays
        assert s.greeting["count"] == "0"
    assert names(house, "tmp") == [name]
    os.unlink(spool)
    with Session(house):
        assert names(house, "tmp") == []


def test_a_young_copy_leaves_its_name_for_a_while(root_house):
    fill(root_house, THREE[:2], "new", OURS)
    copy, link = names(root_house, "new")
    os.chmod(os.path.join(maildir(root_house), "new", copy), 0o600)
    os.chmod(os.path.join(maildir(root_house), "new", link), 0o640)
    with Session(root_house) as s:
        s.peer.send("delete", ("n", 1), ("n", 2))
        assert s.commit() == (2, 0)
    assert names(root_house, "tmp") == [copy]
    with Session(root_house):
        assert names(root_house, "tmp") == [copy]


def test_what_the_queue_is_done_with_is_gone_at_once(house):
    fill(house, THREE[:1], "new", OURS)
    with Session(house) as s:
        s.peer.send("delete", n=1)
        assert s.commit() == (1, 0)
    assert names(house, "tmp") == []


def test_deleted_and_delivered_again(house):
    path = os.path.join(house.spool, "ID")
    with open(path, "wb") as f:
        f.write(THREE[0])
    os.chmod(path, 0o660)
    if house.user:
        os.chown(path, house.user.pw_uid, house.user.pw_gid)
    with house.connect("role-queue") as queue:
        queue.send_octets(record("virtual-deliver"))

        def deliver(again):
            fd = os.open(path, os.O_RDONLY)
            answer = queue.call(
                "deliver", serial=1, id="0123456789abcdef", mailbox=ANN,
                time=1, size=len(THREE[0]), wire=21, again=again, fds=[fd])
            os.close(fd)
            return answer["verdict"]
        assert deliver(0) == "ok"
        with Session(house) as s:
            s.peer.send("delete", n=1)
            assert s.commit() == (1, 0)
        assert deliver(1) == "ok"
    with Session(house) as s:
        assert s.greeting["count"] == "0"


# -- A23 --

def test_planted_things_are_no_messages(house):
    fill(house, THREE)
    cur = os.path.join(maildir(house), "cur")
    os.symlink("/etc/passwd", os.path.join(cur, "1.link"))
    os.mkfifo(os.path.join(cur, "2.fifo"))
    os.mkdir(os.path.join(cur, "3.folder"))
    os.symlink("/etc/passwd", os.path.join(maildir(house),
                                           "postrider-sizes"))
    with Session(house) as s:
        assert s.greeting["count"] == "3"


@pytest.mark.parametrize("name", [PLAIN, OURS + ":2,"])
def test_a_message_replaced_by_a_link_is_not_followed(house, name):
    fill(house, THREE, name=name)
    with Session(house) as s:
        path = os.path.join(maildir(house), "cur", names(house, "cur")[0])
        for plant in (lambda: os.symlink("/etc/passwd", path),
                      lambda: os.mkfifo(path), lambda: os.mkdir(path)):
            os.unlink(path)
            plant()
            assert s.read(1) is None
            if os.path.isdir(path):
                break
        assert s.read(2) == THREE[1]


@pytest.mark.parametrize("what", ["link", "fifo", "file"])
def test_a_maildir_that_is_none_is_refused(house, what):
    fill(house, [], user="bob@example.test")
    path = maildir(house)
    {"link": lambda: os.symlink(maildir(house, "bob@example.test"), path),
     "fifo": lambda: os.mkfifo(path),
     "file": lambda: open(path, "w").close()}[what]()
    with Session(house) as s:
        assert s.greeting.verb == "refused"
    assert ANN in house.log()


# -- A24 --

@pytest.mark.parametrize("garbage", [
    b"x", b"list\0", b"list\0from\0000\0", b"open\0number\0004\0",
    b"open\0number\0000\0", b"delete\0n\0004\0", b"delete\0m\0001\0",
    b"delete\0n\0-1\0", b"commit\0x\0y\0", b"\xff" * 16000,
    b"seen\0n\00099999999999999999999\0"])
def test_garbage_ends_that_session_only(house, garbage):
    fill(house, THREE)
    with Session(house, "bob@example.test") as other:
        with Session(house) as s:
            s.peer.send("delete", n=1)
            s.peer.send_octets(garbage)
            assert s.peer.receive() is None
        assert other.list() == []
    with Session(house) as s:
        assert s.greeting["count"] == "3"


def test_a_descriptor_where_none_belongs(house):
    fill(house, THREE)
    with Session(house) as s:
        s.peer.send("list", ("from", 1), fds=[0])
        assert s.peer.receive() is None


@pytest.mark.parametrize("octets,fds", [
    (record("virtual-session", ANN), 0), (record("virtual-session", ANN), 2),
    (record("virtual-deliver"), 0), (record("virtual-deliver"), 1),
    (record("virtual-session", "../../x@y"), 1), (b"short", 1),
    (record("nonsense", ANN), 1)])
def test_bad_records_from_userdb(house, octets, fds):
    with house.connect("role-userdb") as bad:
        bad.send_octets(octets, [0] * fds)
        assert bad.receive() is None
    with Session(house) as s:
        assert s.greeting.verb == "mailbox"


def test_fifty_thousand_messages(house):
    fill(house, [b"Subject: x\n\n" + b"x" * 70 + b"\n"] * 50000,
         name="{i:06d}.a.host:2,S")
    times = []
    for _ in range(2):
        began = time.monotonic()
        with Session(house) as s:
            assert s.greeting["count"] == "50000"
            greeted = time.monotonic()
            assert len(s.list()) == 50000
        times += [greeted - began, time.monotonic() - greeted]
    print("50,000 messages: cold STAT %.3f s, list %.3f s; "
          "sizes remembered: STAT %.3f s, list %.3f s" % tuple(times))
    assert times[0] < 10 and times[2] < times[0]


def test_a_drained_service_lets_sessions_finish(house):
    fill(house, THREE)
    with Session(house) as s:
        house.process.send_signal(signal.SIGTERM)
        # nobody takes new ones (one that came before the signal was heard
        # is closed) ...
        for _ in range(100):
            with house.connect("role-userdb") as late:
                if not readable(late.socket, 0.3):
                    break
                assert late.receive() is None
        else:
            pytest.fail("connections are still taken")
        # ... and this one goes on
        s.peer.send("delete", n=1)
        assert s.commit() == (1, 0)
        assert house.process.wait(20) == 0


# -- who may, and who they become --

def test_strangers_may_not_connect(house):
    if house.user is None:
        pytest.skip("needs root to be somebody else")
    with house.connect("role-queue", "daemon") as stranger:
        assert stranger.receive() is None
    with house.connect("role-userdb", "postrider-db"
                       if has_account("postrider-db") else "daemon") as other:
        assert other.receive() is None


def has_account(name):
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


@pytest.fixture
def root_house(as_root):
    for name in ("postrider-mail", "postrider-db", "postrider-queue"):
        if not has_account(name):
            pytest.skip(f"no account {name}: postrider init makes it")
    service = Service("mailbox", ["role-userdb", "role-queue"], root=True,
                      extra=["minimum-uid 1000"])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    service.sockets.append(("control", theirs))
    service.control = Peer(ours)
    mail = pwd.getpwnam("postrider-mail")
    os.chown(service.mail, mail.pw_uid, mail.pw_gid)
    with service:
        yield service


_counter = itertools.count()


@pytest.fixture
def system_user():
    name = "pr-test%d-%d" % (os.getpid(), next(_counter))
    subprocess.run(["useradd", "-m", "-d", f"/tmp/{name}", "-s",
                    "/usr/sbin/nologin", name], check=True,
                   capture_output=True)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", "-f", "-r", name], check=False, capture_output=True)


def last_child(house):
    """The only one left, once those that are ending have ended."""
    while len(children(house.process.pid)) > 1:
        for pid in children(house.process.pid)[:-1]:
            wait_gone(pid)
    [child] = children(house.process.pid)
    return child


def test_the_parent_keeps_two_capabilities(root_house):
    with Session(root_house) as s:
        assert s.greeting.verb == "mailbox"
        parent = status_of(root_house.process.pid)
        [child] = children(root_house.process.pid)
        mail = str(pwd.getpwnam("postrider-mail").pw_uid)
        assert parent["Uid"].split() == [mail] * 4
        assert int(parent["CapEff"], 16) == 1 << 6 | 1 << 7
        assert int(parent["CapPrm"], 16) == 1 << 6 | 1 << 7
        status = status_of(child)
        assert status["Uid"].split() == [mail] * 4
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_a_system_user_gets_a_process_of_his_own(root_house, system_user):
    with Session(root_house, system_user.pw_name, "system-session") as s:
        assert s.greeting.verb == "mailbox", root_house.log()
        [child] = children(root_house.process.pid)
        status = status_of(child)
        assert status["Uid"].split() == [str(system_user.pw_uid)] * 4
        assert status["Gid"].split() == [str(system_user.pw_gid)] * 4
        assert int(status["CapPrm"], 16) == 0
        assert status["Seccomp"] == "2"
    home = os.path.join(system_user.pw_dir, "Maildir")
    assert os.stat(home).st_uid == system_user.pw_uid
    assert stat.S_IMODE(os.stat(home).st_mode) == 0o700


def test_delivery_to_a_system_user_is_a_copy(root_house, system_user):
    path = os.path.join(root_house.spool, "ID")
    with open(path, "wb") as f:
        f.write(THREE[0])
    os.chmod(path, 0o660)
    with root_house.connect("role-queue") as queue:
        queue.send_octets(record("system-deliver", system_user.pw_name))
        fd = os.open(path, os.O_RDONLY)
        for again in (0, 0, 1):
            answer = queue.call(
                "deliver", serial=1, id="0123456789abcdef",
                mailbox=system_user.pw_name, time=1, size=len(THREE[0]),
                wire=21, again=again, fds=[fd])
            assert answer["verdict"] == "ok", root_house.log()
        other = queue.call("deliver", serial=2, id="0123456789abcdef",
                           mailbox="root", time=1, size=len(THREE[0]),
                           wire=21, again=0, fds=[fd])
        assert other["verdict"] == "mailbox-busy"
        os.close(fd)
    new = os.path.join(system_user.pw_dir, "Maildir", "new")
    [name] = os.listdir(new)
    found = os.stat(os.path.join(new, name))
    assert found.st_uid == system_user.pw_uid and found.st_nlink == 1
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert open(os.path.join(new, name), "rb").read() == THREE[0]


def test_a_folder_that_could_not_be_opened_is_opened_by_the_next(
        root_house, system_user):
    """An error of the moment must not refuse his mail for as long as there is
    more of it."""
    path = os.path.join(root_house.spool, "ID")
    with open(path, "wb") as f:
        f.write(THREE[0])

    def deliver(queue):
        with open(path, "rb") as content:
            return queue.call(
                "deliver", serial=1, id="0123456789abcdef",
                mailbox=system_user.pw_name, time=1, size=len(THREE[0]),
                wire=21, again=0, fds=[content.fileno()])["verdict"]
    os.chown(system_user.pw_dir, 0, 0)
    with root_house.connect("role-queue") as queue:
        queue.send_octets(record("system-deliver", system_user.pw_name))
        assert deliver(queue) == "mailbox-busy"
        assert queue.receive() is None
    os.chown(system_user.pw_dir, system_user.pw_uid, system_user.pw_gid)
    with root_house.connect("role-queue") as queue:
        queue.send_octets(record("system-deliver", system_user.pw_name))
        assert deliver(queue) == "ok"


def test_a_system_users_signals_are_no_crash(root_house, system_user):
    assert root_house.control.receive().verb == "ready"
    with Session(root_house, system_user.pw_name, "system-session") as s:
        [child] = children(root_house.process.pid)
        for signo in (signal.SIGSEGV, signal.SIGALRM, signal.SIGUSR1):
            subprocess.run(["setpriv", "--reuid", system_user.pw_name,
                            "--clear-groups", "sh", "-c",
                            f"kill -{signo:d} {child}"], check=True)
        assert s.list() == []
        os.kill(child, signal.SIGKILL)
        wait_gone(child)
    assert root_house.control.call("status").verb == "status"


def test_a_reload_is_for_the_next(root_house, system_user):
    control = root_house.control
    assert control.receive().verb == "ready"
    with Session(root_house, system_user.pw_name, "system-session") as s:
        with open(root_house.config, "r+") as f:
            text = f.read().replace("minimum-uid 1000", "minimum-uid 60000")
            f.seek(0)
            f.write(text)
            f.flush()
            control.send("reload", fds=[f.fileno()])
        assert control.call("status").verb == "status"
        with Session(root_house, system_user.pw_name,
                     "system-session") as other:
            assert other.greeting.verb == "refused", root_house.log()
        assert s.list() == []


def test_out_of_descriptors_it_waits(house):
    """And does not spin, nor write a log line a turn."""
    house.stop()
    house.start(files=24)
    peers = [house.connect("role-queue") for _ in range(30)]
    time.sleep(0.5)
    assert 1 <= house.log().count("cannot accept") <= 5
    for peer in peers:
        peer.close()
    with Session(house) as s:
        assert s.greeting.verb == "mailbox"


@pytest.mark.parametrize("plant", ["link", "fifo", "home"])
def test_a_system_user_cannot_lead_us_elsewhere(root_house, system_user,
                                                plant):
    home = os.path.join(system_user.pw_dir, "Maildir")
    if plant == "link":
        os.makedirs(root_house.path("victim", "new"))
        os.chmod(root_house.path("victim"), 0o777)
        os.symlink(root_house.path("victim"), home)
    elif plant == "fifo":
        os.mkfifo(home)
    else:
        os.chown(system_user.pw_dir, 0, 0)
        os.chmod(system_user.pw_dir, 0o777)
    with Session(root_house, system_user.pw_name, "system-session") as s:
        assert s.greeting.verb == "refused"
    with root_house.connect("role-queue") as queue:
        queue.send_octets(record("system-deliver", system_user.pw_name))
        with open("/etc/hostname", "rb") as f:
            answer = queue.call(
                "deliver", serial=1, id="0123456789abcdef",
                mailbox=system_user.pw_name, time=1,
                size=os.fstat(f.fileno()).st_size, wire=21, again=0,
                fds=[f.fileno()])
        assert answer["verdict"] == "mailbox-busy"


@pytest.mark.parametrize("user", ["root", "daemon", "no-such-user"])
def test_users_that_have_no_mail(root_house, user):
    with Session(root_house, user, "system-session") as s:
        assert s.greeting.verb == "refused"
    with root_house.connect("role-queue") as queue:
        queue.send_octets(record("system-deliver", user))
        with open("/etc/hostname", "rb") as f:
            for _ in range(2):
                answer = queue.call(
                    "deliver", serial=1, id="0123456789abcdef", mailbox=user,
                    time=1, size=os.fstat(f.fileno()).st_size, wire=21,
                    again=0, fds=[f.fileno()])
                assert answer["verdict"] == "mailbox-busy"
        child = last_child(root_house)
        assert int(status_of(child)["CapPrm"], 16) == 0
    with Session(root_house) as s:
        assert s.greeting.verb == "mailbox"


def test_only_their_accounts_may_connect(root_house):
    for listener, account in (("role-userdb", "postrider-queue"),
                              ("role-queue", "postrider-db"),
                              ("role-userdb", "nobody")):
        with root_house.connect(listener, account) as stranger:
            assert stranger.receive() is None


def test_a_session_can_write_no_message(root_house):
    """What a broken-in session process could do is not tried here; that it
    holds nothing but its Maildir is."""
    fill(root_house, THREE)
    with Session(root_house) as s:
        assert s.greeting.verb == "mailbox"
        [child] = children(root_house.process.pid)
        held = [os.readlink(f"/proc/{child}/fd/{n}")
                for n in os.listdir(f"/proc/{child}/fd")]
        files = [h for h in held if h.startswith("/") and h != "/dev/null"]
        mine = maildir(root_house)
        outside = [h for h in files if not h.startswith(mine)
                   and h != root_house.path("stderr")]
        assert outside == []
        answer = s.peer.call("open", number=1)
        with open(f"/proc/self/fdinfo/{answer.fds[0]}") as f:
            flags = int(dict(l.split(":") for l in f)["flags"], 8)
        assert flags & os.O_ACCMODE == os.O_RDONLY
        os.close(answer.fds[0])
    wait_gone(child)
