# SPDX-License-Identifier: ISC
"""userdb answers every role what it may ask, and nobody waits for another."""
import os
import select
import shutil
import signal
import socket
import statistics
import subprocess
import time

import pytest

from suite import SECONDS, program
from userdb_daemon import Answer, Daemon, encode, receive_with_fds
from watch import wait_exit, wait_for


@pytest.fixture
def make():
    made = []

    def make(**options):
        made.append(Daemon(**options))
        return made[-1]
    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(make):
    """Started, with ann@example.test (secret)."""
    d = make()
    d.add("ann@example.test")
    return d.start()


# -- what may be kept --

def test_kept_answers_are_taken_back_before_a_change_is_told(daemon):
    smtpd, queue, idle = (daemon.peer("role-smtpd"),
                          daemon.peer("role-queue"),
                          daemon.peer("role-smtpd"))
    ask = dict(address="ann@example.test")
    assert smtpd.ask("recipient", **ask)["keep"] == "1"
    assert queue.ask("route", serial=1, **ask)["keep"] == "1"
    assert queue.ask("route", serial=2, address="x@remote.test")["keep"] == "1"
    daemon.tool("disable", "ann@example.test")
    for peer in smtpd, queue:  # there already: nothing is waited for
        peer.socket.setblocking(False)
        assert peer.receive().verb == "changed"
        with pytest.raises(BlockingIOError):
            peer.receive()
        peer.socket.settimeout(SECONDS)
    assert "keep" not in smtpd.ask("recipient", **ask)
    daemon.tool("enable", "ann@example.test")
    smtpd.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        smtpd.receive()  # it has nothing that could be wrong
    idle.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        idle.receive()


def test_whose_mailbox_it_is(daemon):
    """Through any number of aliases, as long as it is a single one; with the
    limit that its user has of his own."""
    smtpd = daemon.peer("role-smtpd")

    def place(address):
        answer = smtpd.ask("recipient", address=address)
        return answer.get("mailbox"), answer.get("limit")
    daemon.add("bob@example.test")
    for alias in (("one@example.test", "ann@example.test"),
                  ("two@example.test", "one@example.test"),
                  ("both@example.test", "ann@example.test",
                   "bob@example.test"),
                  ("out@example.test", "ann@remote.test")):
        daemon.tool("alias", "add", *alias)
    daemon.tool("limit", "ann", "mailbox-messages", "5/1h")
    ann = "ann@example.test", "5/1h"
    for address in ("ann@example.test", "ANN+x@example.test",
                    "two@example.test", "postmaster@example.test"):
        assert place(address) == ann
    assert place("bob@example.test") == ("bob@example.test", None)
    for address in ("both@example.test", "out@example.test",
                    "nobody@example.test", "ann@remote.test"):
        assert place(address) == (None, None)
    daemon.tool("limit", "ann", "mailbox-messages", "default")
    assert daemon.peer("role-smtpd").ask(
        "recipient", address="two@example.test").get("limit") is None


def test_what_a_login_may_send(daemon):
    queue = daemon.peer("role-queue")

    def limits(user):
        answer = queue.ask("budget", serial=1, user=user)
        assert answer["verdict"] == "ok" and answer["keep"] == "1"
        return answer.get("limits")
    daemon.tool("limit", "ann", "login-recipients", "5/1h")
    daemon.tool("limit", "ann", "login-new-recipients", "0")
    assert limits("ann@example.test") == "- 5/1h 0"
    assert limits("nobody@example.test") is None
    daemon.tool("limit", "ann", "login-messages", "1/1d")
    assert queue.receive().verb == "changed"
    assert limits("ann@example.test") == "1/1d 5/1h 0"


@pytest.mark.parametrize("address", [
    "info@example.test", "nobody@example.test", "postmaster@example.test"])
def test_what_hangs_on_more_than_one_entry_is_not_kept(daemon, address):
    daemon.tool("alias", "add", "info@example.test", "ann@example.test")
    answer = daemon.peer("role-smtpd").ask("recipient", address=address)
    assert "keep" not in answer


# -- where addresses lead --

def populate(d):
    d.tool("domain", "add", "other.test")
    d.add("ann@example.test")
    d.add("bob@other.test")
    d.add("off@example.test")
    d.tool("disable", "off@example.test")
    d.tool("alias", "add", "info@example.test", "ann", "Bob@Other.Test",
           "Keep.Case@remote.test")
    d.tool("alias", "add", "chain@other.test", "info@example.test")
    d.tool("alias", "add", "nowhere@other.test", "nobody@other.test")
    d.tool("alias", "add", "@other.test", "bob@other.test")


RECIPIENTS = [
    ("ann@example.test", "recipient-ok"),
    ("ANN@EXAMPLE.TEST", "recipient-ok"),
    ("ann+lists@example.test", "recipient-ok"),
    ("+@example.test", "user-unknown"),
    ("ann@mail.example.test", "recipient-ok"),
    ("info@example.test", "recipient-ok"),
    ("info+x@example.test", "recipient-ok"),
    ("chain@other.test", "recipient-ok"),
    ("anything@other.test", "recipient-ok"),
    ("nobody@example.test", "user-unknown"),
    ("annn@example.test", "user-unknown"),
    ("off@example.test", "mailbox-disabled"),
    ("Postmaster", "recipient-ok"),
    ("postmaster@example.test", "recipient-ok"),
    ("POSTMASTER@other.test", "recipient-ok"),
    ("abuse@example.test", "recipient-ok"),
    ("root@mail.example.test", "recipient-ok"),
    ("ann@example.org", "relay-denied"),
    ("ann@sub.example.test", "relay-denied"),
    ("ann@[127.0.0.1]", "relay-denied"),
    ("ann%example.org@example.test", "user-unknown"),
    ("\"ann@example.org\"@example.test", "user-unknown"),
    ("\"../ann\"@example.test", "user-unknown"),
    ("@example.test", "bad-recipient"),
    ("", "bad-recipient"),
    ("a b@example.test", "bad-recipient"),
]


def test_recipients(make):
    d = make()
    populate(d)
    d.start()
    smtpd = d.peer("role-smtpd")
    for address, verdict in RECIPIENTS:
        answer = smtpd.ask("recipient", address=address)
        assert answer.verb == "recipient", address
        assert answer["verdict"] == verdict, address


ROUTES = [
    ("Ann@Example.Test", [("mailbox", "ann@example.test")]),
    ("ann+x@example.test", [("mailbox", "ann@example.test")]),
    ("chain@other.test", [("alias", "info@example.test")]),
    ("info@example.test", [("alias", "Keep.Case@remote.test"),
                           ("alias", "ann@example.test"),
                           ("alias", "bob@other.test")]),
    ("any@other.test", [("alias", "bob@other.test")]),
    ("bob@other.test", [("mailbox", "bob@other.test")]),
    ("postmaster@example.test", [("alias", "ann@example.test")]),
    ("x@remote.test", [("remote", "remote.test")]),
    ("nobody@example.test", [("unknown", "user-unknown")]),
    ("off@example.test", [("unknown", "mailbox-disabled")]),
]


def test_routes_answered_with_their_serials(make):
    d = make()
    populate(d)
    d.start()
    queue = d.peer("role-queue")
    for serial, (address, _) in enumerate(ROUTES, 7):
        queue.send("route", serial=serial, address=address)
    got = {serial: [] for serial in range(7, 7 + len(ROUTES))}
    unfinished = set(got)
    while unfinished:
        answer = queue.receive()
        assert answer.verb == "route"
        serial = int(answer["serial"])
        got[serial].append((answer["kind"], answer["target"]))
        if answer.get("more") != "1":
            unfinished.remove(serial)
    for serial, (address, expected) in enumerate(ROUTES, 7):
        assert sorted(got[serial]) == sorted(expected), address


def test_a_configured_postmaster(make):
    d = make(extra=["postmaster boss@remote.test"])
    d.add("ann@example.test")
    d.start()
    queue = d.peer("role-queue")
    for address in ("Postmaster", "abuse@example.test"):
        answer = queue.ask("route", serial=1, address=address)
        assert (answer["kind"], answer["target"]) == (
            "alias", "boss@remote.test")


def test_loops_are_refused_when_made_and_when_met(make):
    d = make()
    d.add("a@example.test")
    d.tool("alias", "add", "b@example.test", "c@example.test")
    done = d.tool("alias", "add", "c@example.test", "B@Example.Test",
                  check=False)
    assert done.returncode == 65 and "back to itself" in done.stderr
    assert d.tool("alias", "add", "d@example.test", "d@example.test",
                  check=False).returncode == 65
    # A loop that nobody made: the user goes, and what caught all leads to
    # an alias that leads to him.
    d.tool("alias", "add", "z@example.test", "a@example.test")
    d.tool("alias", "add", "@example.test", "z@example.test")
    d.tool("del", "a@example.test")
    d.start()
    assert d.recipient("z@example.test") == "loop"
    queue = d.peer("role-queue")
    for address in ("z@example.test", "a@example.test"):
        answer = queue.ask("route", serial=1, address=address)
        assert (answer["kind"], answer["target"]) == ("unknown", "loop")


def test_aliases_do_not_go_on_for_ever(make):
    d = make()
    d.add("end@example.test")
    lines = [f"alias n{i}@example.test n{i + 1}@example.test"
             for i in range(15)]
    lines.append("alias n15@example.test end@example.test")
    d.tool("import", input="\n".join(lines) + "\n")
    d.start()
    assert d.recipient("n0@example.test") == "recipient-ok"
    lines = [f"alias m{i}@example.test m{i + 1}@example.test"
             for i in range(40, 0, -1)]
    done = d.tool("import", input="\n".join(lines) + "\n", check=False)
    assert done.returncode == 65 and "line " in done.stderr


def test_who_may_send_as_whom(make):
    d = make()
    populate(d)
    d.start()
    smtpd = d.peer("role-smtpd")
    cases = [
        ("ann@example.test", "ann@example.test", "sender-ok"),
        ("ann@example.test", "Ann+news@Example.Test", "sender-ok"),
        ("ann@example.test", "info@example.test", "sender-ok"),
        ("ann@example.test", "postmaster@example.test", "sender-ok"),
        ("ann@example.test", "", "sender-ok"),
        ("ann@example.test", "bob@other.test", "sender-not-owned"),
        ("ann@example.test", "ann@remote.test", "sender-not-owned"),
        ("ann@example.test", "nobody@example.test", "sender-not-owned"),
        ("bob@other.test", "chain@other.test", "sender-ok"),
        ("bob@other.test", "caught@other.test", "sender-ok"),
        ("off@example.test", "off@example.test", "sender-not-owned"),
        ("nobody@example.test", "ann@example.test", "sender-not-owned"),
        ("ann@example.test", "a b", "bad-sender"),
        ("ann@example.test", "boss@remote.test", "sender-not-owned"),
    ]
    queue = d.peer("role-queue")

    def check():
        for user, address, verdict in cases:
            answer = smtpd.ask("sender", user=user, address=address)
            assert answer["verdict"] == verdict, (user, address)
            answer = queue.ask("sender", serial=7, user=user, address=address)
            assert answer["verdict"] == verdict, (user, address)
    check()
    d.tool("grant", "ann", "boss@remote.test")
    cases[-1] = (*cases[-1][:2], "sender-ok")
    check()
    d.tool("revoke", "ann", "boss@remote.test")
    cases[-1] = (*cases[-1][:2], "sender-not-owned")
    check()


def test_users_of_the_system(make, as_root):
    """A name of the passwd file with a home of its own."""
    name = "prtest%d" % (os.getpid() % 100000)
    home = f"/tmp/{name}"
    subprocess.run(["useradd", "-m", "-d", home, name], check=True)
    try:
        d = make(extra=["system-users yes"])
        d.add("ann@example.test")
        d.start()
        queue = d.peer("role-queue")
        for address, expected in [
                (f"{name}@example.test", ("system", name)),
                (f"{name.upper()}@example.test", ("system", name)),
                (f"{name}+x@mail.example.test", ("system", name)),
                ("daemon@example.test", ("unknown", "user-unknown")),
                ("root@example.test", ("alias", "ann@example.test"))]:
            answer = queue.ask("route", serial=1, address=address)
            assert (answer["kind"], answer["target"]) == expected, address
        d.add("boss@example.test", "secret", "--system", "--login", name)
        answer = queue.ask("route", serial=1, address="boss@example.test")
        assert (answer["kind"], answer["target"]) == ("system", name)
        mailbox = d.owner("mailbox")
        answer, _ = d.peer("role-pop3d").login("boss", "secret")
        assert answer["verdict"] == "login-ok"
        record = mailbox.accept()[0].recv(4096)
        assert record[:16].rstrip(b"\0") == b"system-session"
        assert record[16:].rstrip(b"\0") == name.encode()
        for bad in ("daemon", "root", "no-such-user"):
            assert d.tool("add", "--no-password", "--system", "--login", bad,
                          "x@example.test", check=False).returncode != 0
    finally:
        subprocess.run(["userdel", "-r", name], capture_output=True)


def test_named_users_of_the_system(make, as_root):
    """Whatever system-users says, but never below minimum-uid, nor in the
    home of somebody else."""
    name = "prnamed%d" % (os.getpid() % 100000)
    home = f"/tmp/{name}"
    subprocess.run(["useradd", "-m", "-d", home, name], check=True)

    def route(d, local):
        answer = d.peer("role-queue").ask(
            "route", serial=1, address=f"{local}@example.test")
        return answer["kind"], answer["target"]

    try:
        d = make()
        d.add("boss@example.test", "secret", "--system", "--login", name)
        d.start()
        assert route(d, "boss") == ("system", name)
        assert route(d, name) == ("unknown", "user-unknown")
        os.chown(home, 0, 0)
        assert route(d, "boss") == ("later", "mailbox-busy")
        assert d.recipient("boss@example.test") == "mailbox-busy"
        subprocess.run(["usermod", "-u", "900", name], check=True)
        assert route(d, "boss") == ("unknown", "mailbox-disabled")
        subprocess.run(["userdel", name], check=True)
        assert route(d, "boss") == ("unknown", "mailbox-disabled")
    finally:
        subprocess.run(["userdel", name], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


# -- logging in --

def test_smtpd_login_goes_on_to_queue(daemon):
    queue = daemon.owner("queue")
    smtpd = daemon.peer("role-smtpd")
    answer, ours = smtpd.login("Ann@Example.test", "secret")
    assert answer.pairs == [("verdict", "login-ok"),
                            ("user", "ann@example.test")]
    connection, _ = queue.accept()
    connection.settimeout(SECONDS)
    octets, fds = receive_with_fds(connection)
    passed = Answer(octets)
    assert (passed.verb, passed.pairs) == (
        "login", [("user", "ann@example.test")])
    with socket.socket(fileno=fds[0]) as theirs:
        theirs.send(b"hello")
        assert ours.recv(99) == b"hello"
    # The next one comes over the same connection.
    daemon.peer("role-smtpd").login("ann", "secret")
    assert Answer(connection.recv(4096))["user"] == "ann@example.test"


def test_pop3d_login_goes_on_to_mailbox(daemon):
    mailbox = daemon.owner("mailbox")
    answer, ours = daemon.peer("role-pop3d").login("ann", "secret")
    assert answer["verdict"] == "login-ok"
    connection, _ = mailbox.accept()
    record, fds = receive_with_fds(connection)
    assert len(record) == 512 and len(fds) == 1
    assert record[:16] == b"virtual-session".ljust(16, b"\0")
    assert record[16:] == b"ann@example.test".ljust(496, b"\0")
    with socket.socket(fileno=fds[0]) as theirs:
        theirs.send(b"hello")
    assert ours.recv(99) == b"hello"


def test_refused_logins_look_alike(daemon):
    daemon.add("off@example.test")
    daemon.tool("disable", "off@example.test")
    daemon.tool("add", "--no-password", "none@example.test")
    daemon.owner("queue")
    smtpd = daemon.peer("role-smtpd")
    for user, password in [("ann", "wrong"), ("ann", ""), ("nobody", "x"),
                           ("off", "secret"), ("none", ""), ("", ""),
                           ("ann+x", "secret"), ("a b@", "secret"),
                           ("ann@remote.test", "secret"),
                           ("ann", "x" * 1024)]:
        answer, ours = smtpd.login(user, password)
        assert answer.pairs == [("verdict", "login-failed")], user
        assert ours.recv(9) == b""  # the end is closed
    log = daemon.log()
    assert "secret" not in log and "xxxx" not in log
    daemon.tool("enable", "off@example.test")
    assert smtpd.login("off", "secret")[0]["verdict"] == "login-ok"


def test_unknown_users_take_as_long(daemon):
    """In processor time of those who compute, which no other load blurs; by
    turns, so that what warms up warms up for all."""
    daemon.add("off@example.test")
    daemon.tool("disable", "off@example.test")
    daemon.tool("add", "--no-password", "empty@example.test")
    daemon.add("app@example.test")
    daemon.tool("passwd", "--app", "phone", "app@example.test")
    # Brought along from elsewhere: MD5, a hundred times as fast as ours.
    daemon.tool("import", input="user old@example.test "
                "hash=$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1\n")
    smtpd = daemon.peer("role-smtpd")
    pids = daemon.processes()["userdb-checker"] + [daemon.server()]

    def spent():
        total = 0
        for pid in pids:
            with open(f"/proc/{pid}/schedstat") as f:
                total += int(f.read().split()[0])
        return total
    costs = {"ann": [], "nobody": [], "off": [], "empty": [], "app": [],
             "old": [], "x@remote.test": [], "no address": []}
    for i in range(15):
        for user, spendings in costs.items():
            begin = spent()
            assert smtpd.login(user, f"wrong{i}")[0].pairs == [
                ("verdict", "login-failed")]
            spendings.append(spent() - begin)
    medians = {u: statistics.median(c) for u, c in costs.items()}
    assert max(medians.values()) < 1.25 * min(medians.values()), medians


def test_look_ups_do_not_wait_for_hashes(daemon):
    logins = [daemon.peer("role-smtpd") for _ in range(30)]
    for i, smtpd in enumerate(logins):
        smtpd.login("ann", f"wrong{i}", wait=False)
    asked = daemon.peer("role-smtpd")
    for _ in range(20):
        assert asked.ask("recipient", address="ann@example.test")[
            "verdict"] == "recipient-ok"
    left = [p.socket for p in logins]
    answered = select.select(left, [], [], 0)[0]
    assert len(answered) < len(left)
    for smtpd in logins:
        assert smtpd.receive()["verdict"] == "login-failed"


def test_logins_are_bounded(daemon):
    """One client gets half of the places, all of them together no more."""
    daemon.owner("queue")
    peers = []
    for i in range(100):
        peers.append(daemon.peer("role-smtpd"))
        peers[-1].login("ann", f"wrong{i}", client="192.0.2.66", wait=False)
    other = daemon.peer("role-smtpd")
    assert other.login("ann", "secret", client="192.0.2.1")[0][
        "verdict"] == "login-ok"
    verdicts = [p.receive()["verdict"] for p in peers]
    assert verdicts.count("login-later") >= 30
    assert verdicts.count("login-failed") >= 32
    assert set(verdicts) == {"login-later", "login-failed"}


def test_a_login_is_remembered_until_the_password_changes(daemon):
    queue = daemon.owner("queue")
    smtpd = daemon.peer("role-smtpd")
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    # Nobody is left who could hash: what is right now was remembered.
    checkers = daemon.processes()["userdb-checker"]
    for pid in checkers:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
        daemon.tool("passwd", "--password-stdin", "ann@example.test",
                    input="other\n")
        _, old = smtpd.login("ann", "secret", wait=False)
        daemon.tool("disable", "ann@example.test")
    finally:
        for pid in checkers:
            os.kill(pid, signal.SIGCONT)
    assert smtpd.receive()["verdict"] == "login-failed"
    assert smtpd.login("ann", "other")[0]["verdict"] == "login-failed"
    daemon.tool("enable", "ann@example.test")
    assert smtpd.login("ann", "other")[0]["verdict"] == "login-ok"
    assert queue


def test_a_password_changed_meanwhile_does_not_let_in(daemon):
    daemon.owner("queue")
    smtpd = daemon.peer("role-smtpd")
    checkers = daemon.processes()["userdb-checker"]
    for pid in checkers:
        os.kill(pid, signal.SIGSTOP)
    smtpd.login("ann", "secret", wait=False)
    daemon.tool("passwd", "--password-stdin", "ann", input="other\n")
    for pid in checkers:
        os.kill(pid, signal.SIGCONT)
    assert smtpd.receive()["verdict"] == "login-failed"


def test_owner_restarted_or_missing(daemon):
    queue = daemon.owner("queue")
    smtpd = daemon.peer("role-smtpd")
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    first, _ = queue.accept()
    first.close()
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    second, _ = queue.accept()
    second.recv(4096)
    second.close()
    queue.close()
    answer, ours = smtpd.login("ann", "secret")
    assert answer["verdict"] == "login-later"
    assert ours.recv(9) == b""
    queue = daemon.owner("queue")
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"


def test_a_peer_that_leaves_while_its_login_is_under_way(daemon):
    for i in range(20):
        smtpd = daemon.peer("role-smtpd")
        smtpd.login("ann", f"wrong{i}", wait=False)
        smtpd.close()
    assert daemon.peer("role-smtpd").login("ann", "no")[0][
        "verdict"] == "login-failed"
    assert daemon.crashes() == 0


# -- bad peers --

MALFORMED = [
    ("role-smtpd", b"\0"), ("role-smtpd", b"no-nul"),
    ("role-smtpd", encode("recipient")),
    ("role-smtpd", encode("recipient", address="a" * 401)),
    ("role-smtpd", encode("recipient", ("address", "a@b.c"), ("x", "y"))),
    ("role-smtpd", encode("login", user="a", password="b", client="c")),
    ("role-smtpd", encode("route", serial=1, address="ann@example.test")),
    ("role-smtpd", encode("user-del", address="ann@example.test")),
    ("role-pop3d", encode("recipient", address="ann@example.test")),
    ("role-pop3d", encode("sender", user="ann", address="a@b.c")),
    ("role-queue", encode("recipient", address="ann@example.test")),
    ("role-queue", encode("route", serial="x", address="a@b.c")),
    ("role-queue", encode("check", user="ann", password="secret")),
    ("role-admin", encode("route", serial=1, address="a@b.c")),
    ("role-admin", encode("read", kind="nothing")),
    ("role-admin", encode("read", ("kind", "user"), ("from", "garbage"))),
    ("role-admin", encode("alias-add", alias="a@example.test")),
    ("role-admin", encode("alias-add", ("alias", "a@example.test"),
                          ("goal", "b@example.test"))),
    ("role-admin", b"import\0line\0"), ("role-admin", encode("show")),
    ("role-admin", bytes(range(256)) * 60), ("role-admin", b"\xff" * 16384),
]


@pytest.mark.parametrize("role,octets", MALFORMED)
def test_garbage_costs_that_peer_only(daemon, role, octets):
    good = daemon.peer("role-smtpd")
    bad = daemon.peer(role)
    if role == "role-admin" and octets.startswith(b"import"):
        bad.ask("import-begin")
    bad.socket.send(octets)
    assert bad.is_closed()
    assert good.ask("recipient", address="ann@example.test")[
        "verdict"] == "recipient-ok"
    daemon.add("after@example.test")
    assert daemon.crashes() == 0


def test_stray_descriptors_are_closed(daemon):
    smtpd = daemon.peer("role-smtpd")
    ours, theirs = socket.socketpair()
    smtpd.send("recipient", fds=[theirs.fileno()], address="ann@example.test")
    theirs.close()
    assert smtpd.is_closed()
    ours.settimeout(SECONDS)
    assert ours.recv(9) == b""


def test_a_peer_that_does_not_read_harms_nobody(make):
    d = make()
    d.add("ann@example.test")
    d.tool("import", input="".join(
        f"alias all@example.test user{i:03}@remote.test\n"
        for i in range(500)))
    d.start()
    deaf = d.peer("role-queue")
    deaf.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < 2000:
            deaf.send("route", serial=sent, address="all@example.test")
            sent += 1
    except (socket.timeout, BlockingIOError):
        pass
    assert d.recipient("ann@example.test") == "recipient-ok"
    # Everything that was asked is answered once it does read.
    deaf.socket.settimeout(SECONDS)
    answers = 0
    while answers < 3 * 500:
        assert deaf.receive()["kind"] == "alias"
        answers += 1
    done = d.tool("alias", "add", "all@example.test", "one@too.many",
                  check=False)
    assert done.returncode == 65 and "at most 500" in done.stderr


def test_a_role_has_but_its_share_of_descriptors(make):
    """Who broke into smtpd does not keep pop3d from logging in."""
    d = make()
    d.add("ann@example.test")
    d.start(files=96)
    mailbox = d.owner("mailbox")
    greedy = [d.peer("role-smtpd") for _ in range(110)]
    assert greedy[-1].is_closed()
    answer, _ = d.peer("role-pop3d").login("ann", "secret")
    assert answer["verdict"] == "login-ok"
    mailbox.close()


# -- processes --

def test_killed_server_is_replaced_at_once(daemon):
    for _ in range(3):
        daemon.kill_server()
        assert daemon.recipient("ann@example.test") == "recipient-ok"
    assert daemon.crashes() == 3


def test_hanging_server_is_killed(daemon):
    pid = daemon.server()
    os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    assert wait_exit(pid, SECONDS)
    assert 4 < time.monotonic() - begin < 15
    assert daemon.recipient("ann@example.test") == "recipient-ok"
    assert "no answer for 5 s" in daemon.log()


def test_killed_checker_is_replaced(daemon):
    daemon.owner("queue")
    before = set(daemon.processes()["userdb-checker"])
    # A processor is left to the others.
    assert len(before) == max(1, min(8, os.cpu_count() - 1))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert daemon.peer("role-smtpd").login("ann", "secret")[0][
        "verdict"] == "login-ok"
    after = wait_for(
        lambda: len(s := set(daemon.processes().get("userdb-checker", ())))
        == len(before) and s, daemon.path("log"))
    assert not before & after


def test_watcher_killed_takes_all_with_it(daemon):
    children = sum(daemon.processes().values(), [])
    daemon.process.kill()
    daemon.process.wait()
    for pid in children:
        assert wait_exit(pid, SECONDS)
    daemon.start()
    assert daemon.recipient("ann@example.test") == "recipient-ok"


def test_drain_ends_everything(daemon):
    children = sum(daemon.processes().values(), [])
    assert int(daemon.status()["processes"]) == len(children) + 1
    assert daemon.stop() == 0
    for pid in children:
        assert wait_exit(pid, SECONDS)


def test_reload_takes_new_domains(daemon):
    assert daemon.recipient("postmaster@new.test") == "relay-denied"
    daemon.write_config("domain new.test")
    with open(daemon.config) as f:
        daemon.tell("reload", fds=[f.fileno()])
    wait_for(lambda: daemon.recipient("postmaster@new.test") ==
             "recipient-ok", daemon.config)
    # It stands in the config of the next server, too.
    daemon.kill_server()
    assert daemon.recipient("postmaster@new.test") == "recipient-ok"
    daemon.write_config("nonsense")
    with open(daemon.config) as f:
        daemon.tell("reload", fds=[f.fileno()])
    assert daemon.status().verb == "status"
    assert "bad config" in daemon.log()
    assert daemon.recipient("ann@example.test") == "recipient-ok"


def test_second_userdb_waits_for_the_lock(make):
    d = make()
    d.add("ann@example.test")
    d.start()
    other = make()
    other.database = d.database
    other.write_config()
    other.launch()
    wait_for(lambda: "waiting for database" in other.log(),
             other.path("log"))
    assert d.stop() == 0
    assert other.control_receive().verb == "ready"
    assert other.recipient("ann@example.test") == "recipient-ok"


def test_as_root_with_its_own_account(make, as_root):
    import pwd
    try:
        account = pwd.getpwnam("postrider-db")
        smtpd_uid = pwd.getpwnam("postrider-smtpd").pw_uid
    except KeyError:
        pytest.skip("no accounts: postrider init makes them")
    d = make(root=True)
    d.add("ann@example.test")
    d.start()
    for pid in [d.process.pid] + sum(d.processes().values(), []):
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1)
                          for line in f if ":\t" in line)
        assert set(status["Uid"].split()) == {str(account.pw_uid)}
        assert set(status["Gid"].split()) == {str(account.pw_gid)}
        assert status["CapEff"].strip("0") == ""
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2" or not os.path.exists(
            "/usr/include/seccomp.h")
    # Root and the role's own uid may speak, another uid may not.
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX,"
            "socket.SOCK_SEQPACKET); s.settimeout(20); s.connect(sys.argv[1]);"
            "s.send(b'recipient\\0address\\0ann@example.test\\0');"
            "print(s.recv(999))")

    def as_uid(uid):
        return subprocess.run(
            ["python3", "-c", code, d.path("run", "smtpd", "userdb")],
            user=uid, capture_output=True, text=True).stdout
    assert "recipient-ok" in as_uid(smtpd_uid)
    assert "recipient-ok" not in as_uid(pwd.getpwnam("nobody").pw_uid)
    assert "peer refused" in d.log()
    # The tool without the daemon opens it as that account.
    d.stop()
    d.sockets.pop("role-admin").close()
    d.add("bob@example.test")
    owners = {os.stat(os.path.join(d.database, n)).st_uid
              for n in os.listdir(d.database)}
    assert owners == {account.pw_uid}


def test_no_stray_db_config_is_read(make):
    d = make()
    evil = d.path("evil")
    os.mkdir(evil, 0o777)
    os.chmod(evil, 0o777)
    for folder in ("run/userdb", "."):
        with open(d.path(folder, "DB_CONFIG"), "w") as f:
            f.write(f"set_lg_dir {evil}\nset_data_dir {evil}\n")
    d.tool("add", "--no-password", "ann@example.test", cwd=d.folder)
    d.start()
    assert d.recipient("ann@example.test") == "recipient-ok"
    assert os.listdir(evil) == []
    assert any(n.startswith("log.") for n in os.listdir(d.database))


# -- checkpassword --

def checkpassword(d, user, password, *command, environment=None):
    read, write = os.pipe()
    os.write(write, b"%s\0%s\0stamp\0" % (user.encode(), password.encode()))
    os.close(write)
    launcher = ["python3", "-c", "import os,sys; os.dup2(int(sys.argv[1]),3);"
                "os.execv(sys.argv[2],sys.argv[2:])", str(read),
                program("postrider-checkpassword"), "-c", d.config]
    try:
        return subprocess.run(
            launcher + list(command or ["env"]), pass_fds=[read],
            capture_output=True, text=True, timeout=SECONDS,
            env={**os.environ, **(environment or {})}, **d._as_user())
    finally:
        os.close(read)


def test_checkpassword(daemon):
    done = checkpassword(daemon, "Ann", "secret")
    assert done.returncode == 0, done.stderr
    env = dict(l.split("=", 1) for l in done.stdout.splitlines() if "=" in l)
    home = f"{daemon.mail}/example.test/ann"
    assert env["USER"] == "ann@example.test" and env["HOME"] == home
    assert env["userdb_mail"] == f"maildir:{home}"
    assert set(env["EXTRA"].split()) >= {"userdb_uid", "userdb_gid"}
    assert env["userdb_uid"].isdigit() and env["SHELL"]
    assert "secret" not in done.stdout
    assert checkpassword(daemon, "ann", "secret", "sh", "-c",
                         "exit 42").returncode == 42
    assert checkpassword(daemon, "ann", "wrong").returncode == 1
    assert checkpassword(daemon, "nobody", "secret").returncode == 1
    assert checkpassword(daemon, "ann", "secret",
                         "/no/such/program").returncode == 111
    # For whom it is.
    for said, client in (("192.0.2.7", "192.0.2.7"),
                         ("::ffff:192.0.2.8", "192.0.2.8"),
                         ("2001:db8::1", "2001:db8::1"), ("x y", "local")):
        assert checkpassword(daemon, "ann", "wrong", environment={
            "TCPREMOTEIP": said}).returncode == 1
        assert f"client={client} service=admin" in daemon.log().splitlines()[
            -1]
    # Dovecot's look-up of a user without a password.
    asked = {"AUTHORIZED": "1"}
    done = checkpassword(daemon, "ann", "", environment=asked)
    assert done.returncode == 0 and "AUTHORIZED=2" in done.stdout
    assert checkpassword(daemon, "nobody", "",
                         environment=asked).returncode == 3
    daemon.stop()
    daemon.sockets.pop("role-admin").close()
    assert checkpassword(daemon, "ann", "secret").returncode == 111
