# SPDX-License-Identifier: ISC
"""ledger by itself: its sockets from inside, its journal on the disk."""
import os
import pwd
import random
import re
import socket

import pytest

import internal
from internal import Peer, Service
from suite import SECONDS, Suite
from watch import wait_for

internal.ACCOUNTS.setdefault("role-admin", "root")
ROLES = {"role-userdb": "postrider-db", "role-admin": "root"}
LIMITS = ["login-failures 5", "login-failures-network 20",
          "login-failures-user 10"]


def account_of(name):
    """postrider init makes it, where no test has had that done."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        with Suite(root=True):
            return pwd.getpwnam(name)


class Ledger(Service):
    def __init__(self, extra=(), **more):
        super().__init__("ledger", list(ROLES), extra=[*LIMITS, *extra],
                         **more)
        self.kept = self.path("database-ledger")
        self.journal = os.path.join(self.kept, "journal")
        os.makedirs(self.kept, exist_ok=True)
        self.account = self.user or (
            account_of("postrider-ledger") if self.root else None)
        self.own_file(self.kept)
        self.peers = []

    def own_file(self, path):
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def peer(self, role="role-userdb", account=None):
        if account is None and self.root:
            account = ROLES[role]
        self.peers.append(self.connect(role, account))
        return self.peers[-1]

    def close(self):
        for peer in self.peers:
            peer.close()
        super().close()

    def restart(self):
        assert self.stop() == 0
        self.start()

    def write_journal(self, octets):
        with open(self.journal, "wb") as f:
            f.write(octets)
        self.own_file(self.journal)

    def read_journal(self):
        try:
            with open(self.journal, "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""


@pytest.fixture
def ledger():
    with Ledger() as service:
        yield service


def may(peer, client="192.0.2.1", user="ann@example.test"):
    """0, or the seconds to wait."""
    answer = peer.call("attempt", serial=7, client=client, user=user)
    assert answer.verb == "attempt" and answer["serial"] == "7"
    assert answer["verdict"] == ("refused" if answer.get("wait") else "ok")
    return int(answer.get("wait") or 0)


def fail(peer, times=5, client="192.0.2.1", user="ann@example.test"):
    for _ in range(times):
        peer.send("outcome", client=client, user=user, result="wrong")


def checksum(octets):
    total = 0x811c9dc5
    for octet in octets:
        total = (total ^ octet) * 0x01000193 & 0xffffffff
    return b"%08x" % total


def line(text):
    text = text.encode()
    return checksum(text) + b" " + text + b"\n"


# -- guessing --

def test_guessing(ledger):
    userdb = ledger.peer()
    fail(userdb, 4)
    assert may(userdb) == 0
    fail(userdb, 1)
    assert 3000 < may(userdb) <= 4200
    assert may(userdb, user="bob@example.test") > 0
    assert may(userdb, client="198.51.100.1") == 0
    wait_for(lambda: "too many failed logins client=192.0.2.1 what=client "
             "limit=5" in ledger.log(), ledger.path("stderr"))


def test_an_answer_each(ledger):
    """Many outstanding, each with its serial."""
    userdb = ledger.peer()
    for i in range(200):
        userdb.send("attempt", serial=i, client=f"192.0.2.{i}", user="x")
    assert [userdb.receive()["serial"] for _ in range(200)] == [
        str(i) for i in range(200)]


def test_the_postmaster_looks(ledger):
    userdb, admin = ledger.peer(), ledger.peer("role-admin")
    userdb.send("outcome", client="203.0.113.4", user="ann@example.test",
                result="good")
    fail(userdb, 5, client="2001:db8::1")
    fail(userdb, 5, client="198.51.100.1", user="ANN@example.test")
    assert may(userdb, client="2001:db8::2") > 0
    answer = admin.call("failures", user="ann@example.test")
    assert answer["count"] == "10" and int(answer["wait"]) > 0
    shown = [v.split() for k, v in answer.attributes if k == "failed"]
    assert [c for _, c in shown] == ["198.51.100.1"] * 5 + [
        "2001:db8::/64"] * 3
    assert all(abs(int(t) - int(shown[0][0])) < 60 for t, _ in shown)
    [known] = [v for k, v in answer.attributes if k == "known"]
    assert known.split()[1] == "203.0.113.4"
    assert admin.call("forget", client="2001:db8::5").verb == "done"
    assert may(userdb, client="2001:db8::2", user="bob") == 0
    assert may(userdb, client="192.0.2.200") > 0
    assert admin.call("forget", user="ann@example.test").verb == "done"
    assert may(userdb, client="192.0.2.200") == 0
    assert admin.call("forget", user="ann@example.test").verb == "done"
    assert admin.call("forget", client="nonsense").verb == "failed"


# -- restarts --

def test_a_restart_keeps_what_matters(ledger):
    userdb = ledger.peer()
    fail(userdb)
    fail(userdb, 3, user="a \"b\" \u00fc\n%@example.test")
    userdb.send("outcome", client="203.0.113.4", user="ann@example.test",
                result="good")
    fail(userdb, 10, client="198.51.100.1")
    assert may(userdb) > 0
    ledger.restart()
    userdb, admin = ledger.peer(), ledger.peer("role-admin")
    assert may(userdb) > 0
    assert may(userdb, client="192.0.2.9", user="ann@example.test") > 0
    assert may(userdb, client="203.0.113.4") == 0
    assert admin.call("failures", user="ann@example.test")["count"] == "15"
    assert "damaged" not in ledger.log()
    # What was forgotten stays so.
    assert admin.call("forget", client="192.0.2.1").verb == "done"
    ledger.restart()
    assert may(ledger.peer(), user="bob@example.test") == 0


def test_killed_it_keeps_what_is_a_second_old(ledger):
    fail(ledger.peer())
    wait_for(lambda: b" source 192.0.2.1 " in ledger.read_journal(),
             ledger.kept)
    ledger.process.kill()
    ledger.process.wait()
    ledger.start()
    assert may(ledger.peer()) > 0


GOOD = ("source 192.0.2.1 {now} 1 {now} 5", "target ann@example.test 0 0",
        "owner bob@example.test 1 203.0.113.4 {now} 0")


def now_lines():
    import time
    return [text.format(now=int(time.time())) for text in GOOD]


def expect_good(ledger):
    userdb = ledger.peer()
    assert may(userdb) > 0
    fail(userdb, 5, client="203.0.113.4", user="x")
    assert may(userdb, client="203.0.113.4", user="bob@example.test") == 0
    assert may(userdb, client="203.0.113.4") > 0


def test_damage_costs_the_damaged_lines():
    """Torn, foreign, mangled: the rest is read, and the file is made good."""
    good = [line(text) for text in now_lines()]
    noise = random.Random(1).randbytes(5000).replace(b"\n", b"x")
    flipped = bytearray(good[0].replace(b"192.0.2.1", b"192.0.2.8"))
    bad = [b"\n", b"nonsense\n", bytes(flipped), noise + b"\n",
           line("source"), line("source 192.0.2.3"),
           line("source 192.0.2.4 x 0"), line("target %zz 0 0"),
           line("source 192.0.2.0/25 1 0"),
           line("owner x 99 192.0.2.1 1 0"), line("source 192.0.2.4 1 0 7"),
           b"\0" * 100 + b"\n", b"x" * 200000 + b"\n"]
    service = Ledger()
    service.write_journal(good[0] + b"".join(bad) + line("later stuff 1") +
                          good[1] + good[2] + line("source 192.0.2.5")[:-9])
    with service:
        expect_good(service)
        found = re.search(r"journal damaged lines=(\d+)", service.log())
        assert len(bad) <= int(found.group(1)) <= len(bad) + 8
        wait_for(lambda: b"nonsense" not in service.read_journal(),
                 service.kept)
        service.restart()
        expect_good(service)
        assert service.log().count("journal damaged") == 1


def test_a_clock_that_was_ahead():
    """What was written in the future counts as of now: nobody is locked out
    for years, nobody is known for ever."""
    later = 4000000000
    service = Ledger()
    service.write_journal(b"".join(line(text.format(now=later))
                                   for text in GOOD))
    with service:
        userdb = service.peer()
        assert 0 < may(userdb) < 4200
        assert "damaged" not in service.log()
        expect_good(service)
        assert service.stop() == 0
        assert b"4000000000" not in service.read_journal().split(
            b"\n", 3)[-1]


def test_no_journal_to_write():
    """A folder in the file's place: it goes on, and says so once."""
    service = Ledger()
    os.mkdir(service.journal)
    with service:
        userdb = service.peer()
        fail(userdb)
        assert may(userdb) > 0
        wait_for(lambda: "cannot write what=journal" in service.log(),
                 service.path("stderr"))
        assert "cannot open what=journal" in service.log()
        assert may(userdb) > 0
        assert service.stop() == 0
        assert service.log().count("cannot write") == 1


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_planted_journals(kind):
    service = Ledger()
    if kind == "fifo":
        os.mkfifo(service.journal)
        service.own_file(service.journal)
    else:
        os.symlink("/etc/passwd", service.journal)
    with service:
        userdb = service.peer()
        fail(userdb)
        assert may(userdb) > 0
        assert "cannot open what=journal" in service.log()
        wait_for(lambda: os.path.isfile(service.journal) and
                 not os.path.islink(service.journal) and
                 b"192.0.2.1" in service.read_journal(), service.kept)


def test_one_at_a_time(ledger):
    assert may(ledger.peer()) == 0
    second = Ledger(folder=ledger.folder)
    second.start()
    assert second.process.wait(SECONDS) == 75
    assert "another ledger runs on it" in second.log()
    second.process = None
    for _, sock in second.sockets:
        sock.close()


# -- garbage --

GARBAGE = [b"\0", b"attempt\0", b"attempt\0serial\0x\0client\0a\0user\0b\0",
           b"attempt\0serial\x001\0client\0a\0", b"outcome\0client\0a\0user\0"
           b"b\0result\0maybe\0", b"nonsense\0", b"\xff" * 16384,
           b"attempt\0serial\x001\0client\0192.0.2.1\0user\0" + b"u" * 9000
           + b"\0", b"failures\0user\0x\0", b"forget\0client\0192.0.2.1\0",
           b"attempt\0serial\x001\0client\0192.0.2.1\0user\0x\0more\0x\0"]


@pytest.mark.parametrize("octets", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_costs_that_peer_only(ledger, octets):
    other, victim = ledger.peer(), ledger.peer()
    fail(other)
    victim.send_octets(octets)
    assert victim.receive() is None
    assert may(other) > 0
    assert "peer dropped role=role-userdb" in ledger.log()


def test_descriptors_are_not_kept(ledger):
    victim = ledger.peer()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        victim.send("attempt", serial=1, client="192.0.2.1", user="x",
                    fds=[theirs.fileno()])
        assert victim.receive() is None
        theirs.close()
        ours.settimeout(SECONDS)
        assert ours.recv(1) == b""


def test_a_peer_that_does_not_read(ledger):
    other, deaf = ledger.peer(), ledger.peer()
    deaf.socket.settimeout(0)
    with pytest.raises((BlockingIOError, BrokenPipeError,
                        ConnectionResetError)):
        for i in range(1000000):
            try:
                deaf.send("attempt", serial=i, client="192.0.2.1", user="x")
            except BlockingIOError:
                if "peer dropped" in ledger.log():
                    raise
    wait_for(lambda: "does not read" in ledger.log(), ledger.path("stderr"))
    assert may(other) == 0


def test_roles_are_apart(ledger):
    """userdb may not forget, the postmaster's socket counts nothing."""
    admin = ledger.peer("role-admin")
    admin.send("attempt", serial=1, client="192.0.2.1", user="x")
    assert admin.receive() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_others_are_refused(ledger):
    for role, account in (("role-userdb", "postrider-smtpd"),
                          ("role-admin", "postrider-db")):
        peer = ledger.peer(role, account)
        assert peer.receive() is None
    assert ledger.log().count("peer refused role=") == 2


def test_a_reload_takes_new_limits(make_suite):
    suite = make_suite().start()
    suite.write_config("login-failures 1")
    suite.reload()
    path = os.path.join(suite.run_dir, "userdb", "ledger")
    uid = suite.user.pw_uid if suite.user else None
    with Peer.connect(path, uid) as userdb:
        fail(userdb, 1)
        assert may(userdb) > 0
