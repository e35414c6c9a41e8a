# SPDX-License-Identifier: ISC
"""ledger by itself: its sockets from inside, its journal on the disk."""
import base64
import contextlib
import os
import pwd
import random
import re
import smtplib
import socket
import subprocess
import time

import pytest

import internal
from dnsserver import dns  # noqa: F401
from httpsserver import HttpsServer, reply
from internal import Peer, Service, account_of
from pki import Authority
from suite import SECONDS, has, sanitized
from watch import wait_for

internal.ACCOUNTS.setdefault("role-admin", "root")
ROLES = {"role-userdb": "postrider-db", "role-admin": "root",
         "role-smtpd": "postrider-smtpd",
         "role-gate": "postrider-smtpd",
         "role-queue": "postrider-queue",
         "role-deliver": "postrider-deliver",
         "role-fetch": "postrider-fetch"}
LIMITS = ["login-failures 5", "login-failures-network 20",
          "login-failures-user 10"]


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
    if answer["verdict"] == "ok":
        peer.send("outcome", serial=7, client=client, user=user,
                  result="none")
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


def outcome(peer, serial, user, result, client="192.0.2.1"):
    peer.send("outcome", serial=serial, client=client, user=user,
              result=result)


def test_guesses_at_the_same_moment(ledger):
    """Not more than the limit go, whatever becomes of them."""
    userdb, other = ledger.peer(), ledger.peer()
    for i in range(60):
        userdb.send("attempt", serial=i, client="192.0.2.1", user=f"u{i}")
    verdicts = [userdb.receive()["verdict"] for _ in range(60)]
    assert verdicts == ["ok"] * 5 + ["wait"] * 55
    assert other.call("attempt", serial=1, client="192.0.2.1", user="x")[
        "verdict"] == "wait"
    # Nobody looked at the first one, so another goes instead.
    outcome(userdb, 0, "u0", "none")
    answer = userdb.receive()
    assert (answer["serial"], answer["verdict"]) == ("5", "ok")
    for i in range(1, 6):
        outcome(userdb, i, f"u{i}", "wrong")
    answers = [userdb.receive() for _ in range(54)]
    assert {a["verdict"] for a in answers} == {"refused"}
    assert all(int(a["wait"]) > 3000 for a in answers)
    assert {int(a["serial"]) for a in answers} == set(range(6, 60))
    assert other.receive()["verdict"] == "refused"


def test_many_log_in_at_the_same_moment(ledger):
    """Fifty people behind one address, all of them good."""
    userdb = ledger.peer()
    for i in range(50):
        userdb.send("attempt", serial=i, client="192.0.2.1", user=f"u{i}")
    going = 0
    while going < 50:
        answer = userdb.receive()
        if answer["verdict"] == "wait":
            continue
        assert answer["verdict"] == "ok"
        going += 1
        outcome(userdb, answer["serial"], f"u{answer['serial']}", "good")


def test_attempts_of_a_userdb_that_died(ledger):
    userdb, other = ledger.peer(), ledger.peer()
    for i in range(6):
        userdb.send("attempt", serial=i, client="192.0.2.1", user="x")
    assert [userdb.receive()["verdict"] for _ in range(6)] == [
        "ok"] * 5 + ["wait"]
    answer = other.call("attempt", serial=1, client="192.0.2.1", user="x")
    assert answer["verdict"] == "wait"
    userdb.close()
    assert other.receive()["verdict"] == "ok"


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
        assert may(service.peer(), client="192.0.2.8", user="x") == 0
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
        # Written anew, nothing of it is in the future.
        service.peer("role-admin").call("forget", client="192.0.2.99")
        wait_for(lambda: b" owner bob" in service.read_journal() and
                 b"4000000000" not in service.read_journal(), service.kept)


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


@pytest.mark.skipif(os.geteuid() != 0,
                    reason="needs root to mount a small file system")
def test_a_full_disk():
    """It goes on counting, says so once, and writes all when there is room
    again."""
    service = Ledger()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=777",
                       "none", service.kept], check=False).returncode:
        pytest.skip("cannot mount")
    try:
        with service:
            userdb = service.peer()
            for i in range(2000):
                fail(userdb, 1, client=f"10.{i >> 8}.{i & 255}.1",
                     user=f"{i}@example.test")
            fail(userdb)
            wait_for(lambda: "cannot write what=journal" in service.log(),
                     service.path("stderr"))
            assert may(userdb) > 0
            subprocess.run(["mount", "-o", "remount,size=4m", service.kept],
                           check=True)
            service.restart()
            assert may(service.peer()) > 0
            assert service.log().count("cannot write") == 1
    finally:
        subprocess.run(["umount", service.kept], check=True)


def test_one_at_a_time(ledger):
    assert may(ledger.peer()) == 0
    second = Ledger(folder=ledger.folder)
    second.start()
    assert second.process.wait(SECONDS) == 75
    assert "another ledger runs on it" in second.log()
    second.process = None
    for _, sock in second.sockets:
        sock.close()


# -- floods --

def test_a_flood_is_bounded(ledger):
    """More strangers than it remembers: memory and file stay small, and who
    guessed in earnest is not forgotten for it."""
    userdb = ledger.peer()
    userdb.send("outcome", client="203.0.113.4", user="ann@example.test",
                result="good")
    fail(userdb, 8, client="198.51.100.1")
    for i in range(200000):
        userdb.send("outcome", client=f"2001:{i >> 16:x}:{i & 0xffff:x}::1",
                    user=f"{i}@example.test", result="unknown")
    assert may(userdb, client="198.51.100.1", user="x") > 0
    resident = int(internal.status_of(ledger.process.pid)["VmRSS"].split()[0])
    assert resident < 120 << 10 or sanitized()
    # Twice what all rows take, at most, before it is written anew.
    wait_for(lambda: 0 < os.path.getsize(ledger.journal) < 64 << 20 and
             not os.path.exists(ledger.journal + ".new"), ledger.kept)
    ledger.restart()
    userdb = ledger.peer()
    assert may(userdb, client="198.51.100.1", user="x") > 0
    fail(userdb, 5, client="203.0.113.4", user="x")
    assert may(userdb, client="203.0.113.4") == 0
    assert "damaged" not in ledger.log()


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
    deaf.close()
    assert may(other) == 0
    assert ledger.log().count("peer dropped") == 1


def test_a_role_has_but_its_share_of_descriptors():
    """Who broke into one speaker does not keep the others out."""
    with contextlib.closing(Ledger()) as ledger:
        ledger.start(files=96)
        greedy = [ledger.peer("role-deliver") for _ in range(95)]
        assert hung_up(greedy[-1])
        userdb = ledger.peer()
        assert may(userdb) == 0
        assert not hung_up(greedy[0])
        assert ledger.log().count(
            "peer refused role=role-deliver "
            'reason="too many connections"') == 1
        for peer in greedy:
            peer.close()
        assert may(userdb) == 0  # and has seen those go that went before
        assert not hung_up(ledger.peer("role-deliver"))


def hung_up(peer):
    try:
        return peer.call("destination", host="mx.example.test") is None
    except BrokenPipeError:
        return True


def test_roles_are_apart(ledger):
    """userdb may not forget, the postmaster's socket counts nothing."""
    admin = ledger.peer("role-admin")
    admin.send("attempt", serial=1, client="192.0.2.1", user="x")
    assert admin.receive() is None


# -- what destinations can do --

def test_destinations(ledger):
    deliver = ledger.peer("role-deliver")
    assert deliver.call("destination", host="mx.test").attributes == []
    deliver.send("remember", host="MX.test", tls="yes", protocol="TLSv1.3")
    seen = deliver.call("destination", host="mx.test")
    assert seen["tls"] == "yes" and seen["protocol"] == "TLSv1.3"
    assert abs(int(seen["since"]) - time.time()) < 60
    deliver.send("remember", host="mx.test", tls="broken")
    seen = deliver.call("destination", host="mx.TEST")
    assert seen["tls"] == "yes" and abs(int(seen["broken"]) -
                                        time.time()) < 60
    deliver.send("remember", host="mx.test", tls="yes", protocol="TLSv1.2")
    ledger.restart()
    deliver = ledger.peer("role-deliver")
    seen = deliver.call("destination", host="mx.test")
    assert seen["protocol"] == "TLSv1.2" and not seen.get("broken")
    deliver.send("remember", host="mx.test", tls="no", domain="a.test",
                 policy="none", result="ok")
    assert deliver.call("destination", host="mx.test")["tls"] == "no"
    deliver.send("remember", host="mx.test", domain="b.test", policy="dane",
                 result="failed", reason="no TLSA\nmatches")
    assert deliver.call("destination", host="mx.test")["tls"] == "no"
    ledger.restart()
    admin = ledger.peer("role-admin")
    lines = lines_of(admin, "A.test")
    assert "MTA-STS: no policy is known: no record seen" in lines
    assert any(l.endswith(" mail could go to mx.test, without a policy")
               for l in lines)
    assert any(l.startswith("mx.test does no TLS, since 20") for l in lines)
    assert ("mail was held back from mx.test, under DANE: no TLSA\nmatches"
            in "\n".join(lines_of(admin, "b.test")))
    assert lines_of(admin, "never.test") == [
        "MTA-STS: no policy is known: no record seen"]


def lines_of(admin, domain):
    answer = admin.call("tls-policy", domain=domain)
    assert {name for name, _ in answer.attributes} <= {"line"}
    return [value for _, value in answer.attributes]


# -- policies: fetch is played here --

fetches = pytest.mark.skipif(not has("CURL"), reason="built without libcurl")

class Fetcher:
    def __init__(self, ledger):
        self.peer = ledger.peer("role-fetch")
        self.peer.send("ready")

    def job(self):
        packet = self.peer.receive()
        assert packet.verb == "get" and packet["kind"] == "sts"
        assert packet["max"] == "65536"
        return packet

    def answer(self, packet, *mx, mode="enforce", age=86400):
        self.peer.send(
            "policy", ("serial", packet["serial"]), ("result", "ok"),
            ("mode", mode), ("max-age", age), *(("mx", m) for m in mx))
        self.peer.send("ready")

    def fail(self, packet, reason="out of order"):
        self.peer.send("policy", serial=packet["serial"], result="failed",
                       reason=reason)
        self.peer.send("ready")

    def is_quiet(self):
        return not internal.readable(self.peer.socket, 0)


def mx_of(answer):
    return [value for name, value in answer.attributes if name == "mx"]


@fetches
def test_a_policy_is_fetched_once(ledger):
    fetcher, deliver = Fetcher(ledger), ledger.peer("role-deliver")
    deliver.send("sts", domain="Example.NET", id="1")
    job = fetcher.job()
    assert job["url"] == ("https://mta-sts.example.net/.well-known/"
                          "mta-sts.txt")
    # Others who ask meanwhile wait for the same.
    other = ledger.peer("role-deliver")
    other.send("sts", domain="example.net", id="1")
    assert may(ledger.peer()) == 0
    fetcher.answer(job, "mx1.example.net", "*.example.net")
    for answer in (deliver.receive(), other.receive()):
        assert answer["mode"] == "enforce" and answer["id"] == "1"
        assert mx_of(answer) == ["mx1.example.net", "*.example.net"]
        assert answer["age"] == "0" and answer["max-age"] == "86400"
        assert not answer.get("reason")
    assert deliver.call("sts", domain="example.net", id="1")["mode"] == \
        "enforce"
    # The DNS says nothing: what is known holds (RFC 8461 section 3.1).
    assert deliver.call("sts", domain="example.net")["mode"] == "enforce"
    assert fetcher.is_quiet()
    lines = "\n".join(lines_of(ledger.peer("role-admin"), "example.net"))
    assert ("MTA-STS: the policy says enforce; it has the id 1, was fetched "
            "at 20") in lines
    assert "MTA-STS: the policy names mx1.example.net *.example.net" in lines
    ledger.restart()
    deliver = ledger.peer("role-deliver")
    answer = deliver.call("sts", domain="example.net", id="1")
    assert answer["mode"] == "enforce" and len(mx_of(answer)) == 2


@fetches
def test_no_policy(ledger):
    fetcher, deliver = Fetcher(ledger), ledger.peer("role-deliver")
    answer = deliver.call("sts", domain="example.net")
    assert answer["mode"] == "none" and answer["reason"] == "no record seen"
    deliver.send("sts", domain="example.net", id="1")
    fetcher.fail(fetcher.job(), "status 404")
    answer = deliver.receive()
    assert answer["mode"] == "none" and answer["reason"] == "status 404"
    # Not again at once (section 3.3), unless the record is a new one.
    answer = deliver.call("sts", domain="example.net", id="1")
    assert answer["mode"] == "none" and answer["reason"] == "status 404"
    assert fetcher.is_quiet()
    deliver.send("sts", domain="example.net", id="2")
    fetcher.answer(fetcher.job(), mode="none")
    answer = deliver.receive()
    assert answer["mode"] == "none" and answer["id"] == "2"


@fetches
def test_a_new_record(ledger):
    """The policy changes; where it cannot be fetched, the old one holds."""
    fetcher, deliver = Fetcher(ledger), ledger.peer("role-deliver")
    deliver.send("sts", domain="example.net", id="1")
    fetcher.answer(fetcher.job(), "old.example.net")
    assert mx_of(deliver.receive()) == ["old.example.net"]
    deliver.send("sts", domain="example.net", id="2")
    fetcher.fail(fetcher.job(), "a redirect, which is not followed")
    answer = deliver.receive()
    assert answer["mode"] == "enforce" and answer["id"] == "1"
    assert "redirect" in answer["reason"]
    assert mx_of(answer) == ["old.example.net"]
    deliver.send("sts", domain="example.net", id="3")
    fetcher.answer(fetcher.job(), "new.example.net", mode="testing")
    answer = deliver.receive()
    assert answer["mode"] == "testing" and mx_of(answer) == [
        "new.example.net"]


def policy_line(domain, mode, fetched, used, max_age, ident="1",
                mx="mx.example.net"):
    return line(f"policy {domain} {mode} {int(fetched)} {int(used)} "
                f"{max_age} {ident} {mx}")


@fetches
def test_old_policies():
    """One that has run out holds no more; one in use that grows old is
    fetched ahead of time, without anybody's asking."""
    now = time.time()
    service = Ledger()
    service.write_journal(
        policy_line("over.test", "enforce", now - 1000, now, 900) +
        policy_line("old.test", "enforce", now - 600, now, 1000) +
        policy_line("unused.test", "enforce", now - 60 * 86400,
                    now - 50 * 86400, 31557600) +
        policy_line("ahead.test", "enforce", now + 9e8, now + 9e8, 31557600))
    with service:
        deliver = service.peer("role-deliver")
        assert deliver.call("sts", domain="over.test")["mode"] == "none"
        for domain in ("old.test", "unused.test", "ahead.test"):
            assert deliver.call("sts", domain=domain)["mode"] == "enforce"
        answer = deliver.call("sts", domain="ahead.test")
        assert int(answer["age"]) < 60
        fetcher = Fetcher(service)
        job = fetcher.job()
        assert "mta-sts.old.test" in job["url"]
        fetcher.answer(job, "fresh.example.net", age=2000)
        wait_for(lambda: "policy fetched domain=old.test" in service.log(),
                 service.path("stderr"))
        answer = deliver.call("sts", domain="old.test", id="1")
        assert mx_of(answer) == ["fresh.example.net"]
        assert int(answer["age"]) < 60 and answer["max-age"] == "2000"


@fetches
def test_nobody_fetches():
    """The answer comes in the end; 30 seconds are many for a test, so the
    connection's end is one, too."""
    with Ledger() as ledger:
        deliver = ledger.peer("role-deliver")
        deliver.send("sts", domain="example.net", id="1")
        assert may(ledger.peer()) == 0
        deliver.close()
        # Nobody waits any more: it is not fetched.
        other = ledger.peer("role-deliver")
        assert other.call("destination", host="x").verb == "destination"
        fetcher = Fetcher(ledger)
        other.send("sts", domain="other.test", id="1")
        assert "mta-sts.other.test" in fetcher.job()["url"]


@fetches
def test_fetch_ends_in_the_middle(ledger):
    fetcher, deliver = Fetcher(ledger), ledger.peer("role-deliver")
    deliver.send("sts", domain="example.net", id="1")
    fetcher.job()
    fetcher.peer.close()
    answer = deliver.receive()
    assert answer["mode"] == "none"
    assert answer["reason"] == "fetch did not answer"


@fetches
@pytest.mark.parametrize("attributes", [
    {"result": "ok"}, {"result": "ok", "mode": "enforce"},
    {"result": "ok", "mode": "what", "max-age": "1"},
    {"result": "ok", "mode": "enforce", "max-age": "x"},
    {"result": "ok", "mode": "enforce", "max-age": "1", "mx": "a b"},
    {"result": "ok", "mode": "enforce", "max-age": "1", "mx": "*.*.test"},
    {"result": "ok", "mode": "enforce", "max-age": "1", "other": "x"},
    {"result": "failed"}, {"result": "maybe", "reason": "x"}],
    ids=range(9))
def test_fetch_talks_nonsense(ledger, attributes):
    fetcher, deliver = Fetcher(ledger), ledger.peer("role-deliver")
    deliver.send("sts", domain="example.net", id="1")
    job = fetcher.job()
    fetcher.peer.send("policy", ("serial", job["serial"]),
                      *attributes.items())
    assert fetcher.peer.receive() is None
    assert deliver.receive()["mode"] == "none"
    assert deliver.call("destination", host="x").verb == "destination"


@fetches
def test_fetch_answers_another(ledger):
    fetcher, deliver = Fetcher(ledger), ledger.peer("role-deliver")
    deliver.send("sts", domain="example.net", id="1")
    job = fetcher.job()
    fetcher.peer.send(
        "policy", serial=int(job["serial"]) + 1, result="failed", reason="x")
    assert fetcher.peer.receive() is None
    assert deliver.receive()["reason"] == "fetch did not answer"


def test_unasked_policies(ledger):
    fetcher = Fetcher(ledger)
    fetcher.peer.send("policy", serial=1, result="failed", reason="x")
    assert fetcher.peer.receive() is None


@fetches
def test_too_much_to_fetch(ledger):
    """No worker at all: what is waited for is bounded."""
    for i in range(256):
        peer = ledger.peer("role-deliver")
        assert peer.call("destination", host="x").verb == "destination"
        peer.send("sts", domain=f"d{i}.test", id="1")
    answer = ledger.peer("role-deliver").call("sts", domain="x.test", id="1")
    assert answer["mode"] == "none"
    assert answer["reason"] == "cannot be fetched now"


@pytest.mark.parametrize("octets", [
    b"sts\0domain\0\0", b"sts\0domain\0" + b"x" * 256 + b"\0",
    b"sts\0domain\0x.test\0id\0" + b"1" * 33 + b"\0",
    b"destination\0host\0\0", b"remember\0host\0x\0tls\0maybe\0",
    b"remember\0host\0x\0domain\0y\0", b"ready\0",
    b"failures\0user\0x\0"], ids=range(8))
def test_garbage_of_deliver(ledger, octets):
    deliver, other = ledger.peer("role-deliver"), ledger.peer("role-deliver")
    deliver.send_octets(octets)
    assert deliver.receive() is None
    assert other.call("destination", host="x").verb == "destination"


@fetches
def test_asking_twice_at_a_time(ledger):
    deliver = ledger.peer("role-deliver")
    deliver.send("sts", domain="x.test", id="1")
    deliver.send("sts", domain="y.test", id="1")
    assert deliver.receive() is None


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


# -- the whole house --

@fetches
def test_a_policy_from_the_network(make_suite, dns, tmp_path):  # noqa: F811
    """A record, a name server, an HTTPS server, fetch, and ledger."""
    os.chmod(tmp_path, 0o755)
    for above in list(tmp_path.parents)[:2]:
        os.chmod(above, 0o755)
    ca = Authority(str(tmp_path))
    dns.add_zone("example.net", "mta-sts A 127.0.0.1").start()
    with HttpsServer(*ca.issue("mta-sts.example.net")) as server:
        server.replies["/.well-known/mta-sts.txt"] = reply(
            b"version: STSv1\nmode: enforce\nmx: *.example.net\n"
            b"max_age: 86400\n")
        suite = make_suite(dns_server=dns.address, extra=[
            f"https-port {server.port}", f"tls-trust {ca.path}"]).start()
        path = os.path.join(suite.run_dir, "deliver", "ledger")
        uid = suite.user.pw_uid if suite.user else None
        with Peer.connect(path, uid) as deliver:
            answer = deliver.call("sts", domain="example.net", id="1")
            assert answer["mode"] == "enforce", suite.log_text()
            assert mx_of(answer) == ["*.example.net"]
        suite.wait_log("policy fetched domain=example.net policy=enforce")


def attempt(suite, source, user, password):
    """The SMTP reply's code to a login from that address of ours."""
    host = suite.addresses["submission"]
    with smtplib.SMTP(host, suite.ports["submission"], timeout=SECONDS,
                      source_address=(source, 0)) as smtp:
        smtp.ehlo()
        text = f"\0{user}\0{password}".encode()
        return smtp.docmd("AUTH PLAIN", base64.b64encode(text).decode())[0]


def test_nobody_is_locked_out_by_others(make_suite):
    """By real logins: who guesses is refused even with the right password,
    and the owner gets in where he has been."""
    ann = "ann@example.test"
    suite = make_suite(users=[ann], extra=[
        "allow-plaintext-auth 127.0.0.0/8", "login-failures 3",
        "login-failures-network 6", "login-failures-user 6"]).start()
    right = suite.passwords[ann]
    assert attempt(suite, "127.0.0.1", ann, right) == 235
    for source in ("127.0.0.7", "127.0.0.8"):
        for _ in range(3):
            assert attempt(suite, source, ann, "wrong") == 535
        assert attempt(suite, source, ann, right) != 235
    # The network, and the user from anywhere.
    assert attempt(suite, "127.0.0.9", "nobody@example.test", "x") != 235
    assert attempt(suite, "127.0.99.1", ann, right) != 235
    assert attempt(suite, "127.0.0.1", ann, right) == 235
    # Not even the house's own restart changes that.
    suite.restart()
    assert attempt(suite, "127.0.99.1", ann, right) != 235
    assert attempt(suite, "127.0.0.1", ann, right) == 235
    shown = suite.user_tool("show", ann).stdout
    assert "127.0.0.7" in shown, shown


# -- rows of aggregate reports (RFC 9990) --

POLICY = "reject none none r s n"
TEXT = "a.test\tb.test\t192.0.2.1\tpass\tpass\tfail\tb.test\tnone\t\t"


def tell(smtpd, domain="a.test", text=TEXT, times=1):
    for _ in range(times):
        smtpd.send("row", domain=domain, policy=POLICY, rua="mailto:x@a.test",
                   text=text)


def days(admin):
    """[(domain, messages, reported)]"""
    day, domain, found = 0, "", []
    while True:
        answer = admin.call("report-next", day=day, domain=domain)
        if answer.verb == "none":
            return found
        assert answer["policy"] == POLICY
        assert answer["rua"] == "mailto:x@a.test"
        day, domain = answer["day"], answer["domain"]
        assert abs(int(day) - time.time() // 86400) <= 1
        found.append((domain, int(answer["messages"]),
                      answer["reported"] == "1"))


def rows(admin, domain="a.test"):
    """{text: count} of its first day"""
    day = admin.call("report-next", day=0, domain="")["day"]
    found, start = {}, 0
    while start is not None:
        answer = admin.call("report-rows", day=day, domain=domain,
                            **{"from": start})
        for name, value in answer.attributes:
            if name == "row":
                count, _, text = value.partition("\t")
                assert text not in found
                found[text] = int(count)
        start = answer.get("next")
    return found


@pytest.fixture
def reporting():
    with Ledger(["dmarc-reports yes"]) as service:
        yield service


def seen(admin, wanted):
    for _ in range(1000):
        if days(admin) == wanted:
            return
    assert days(admin) == wanted


def test_report_rows_outlive_a_restart(reporting):
    smtpd, admin = reporting.peer("role-smtpd"), reporting.peer("role-admin")
    tell(smtpd, times=3)
    tell(smtpd, text=TEXT + "\ta.test s pass")
    tell(smtpd, "b.test")
    wanted = [("a.test", 4, False), ("b.test", 1, False)]
    seen(admin, wanted)
    assert admin.call("report-begin").verb == "done"
    reporting.restart()
    admin = reporting.peer("role-admin")
    assert days(admin) == wanted
    assert rows(admin) == {TEXT: 3, TEXT + "\ta.test s pass": 1}
    assert rows(admin, "b.test") == {TEXT: 1}
    assert rows(admin, "c.test") == {}


def test_a_day_is_reported_once(reporting):
    smtpd, admin = reporting.peer("role-smtpd"), reporting.peer("role-admin")
    tell(smtpd, times=2)
    seen(admin, [("a.test", 2, False)])
    day = admin.call("report-next", day=0, domain="")["day"]
    assert admin.call("report-begin").verb == "done"
    other = reporting.peer("role-admin")
    assert other.call("report-begin").verb == "failed"
    assert admin.call("report-done", day=day, domain="a.test").verb == "done"
    assert admin.call("report-done", day=day, domain="x.test").verb == "done"
    admin.close()
    wait_for(lambda: other.call("report-begin").verb == "done",
             reporting.kept)
    assert days(other) == [("a.test", 2, True)]
    tell(smtpd)
    reporting.restart()
    admin = reporting.peer("role-admin")
    assert days(admin) == [("a.test", 2, True)]
    assert rows(admin) == {}


def test_many_report_rows(reporting):
    """A18: bounded for each domain; what is often stays, and the number of
    messages tells that there were more."""
    smtpd, admin = reporting.peer("role-smtpd"), reporting.peer("role-admin")
    tell(smtpd, times=10)
    for i in range(3000):
        tell(smtpd, text=TEXT + f"\td{i}.test s pass")
    seen(admin, [("a.test", 3010, False)])
    found = rows(admin)
    assert len(found) == 2000 and found[TEXT] == 10


def test_no_rows_unless_asked_for(ledger):
    smtpd, admin = ledger.peer("role-smtpd"), ledger.peer("role-admin")
    tell(smtpd)
    smtpd.send("row")
    assert smtpd.receive() is None
    assert days(admin) == []


@pytest.mark.parametrize("octets", [
    b"row\0domain\0a.test\0", b"rows\0", b"attempt\0serial\x001\0client\0a\0"
    b"user\0b\0", b"row\0domain\0\0policy\0p\0rua\0r\0text\0t\0",
    b"row\0domain\0a\nb\0policy\0p\0rua\0r\0text\0t\0",
    b"row\0domain\0a\0policy\0p\0rua\0r\0text\0t\nu\0",
    b"row\0domain\0a\0policy\0p\0rua\0r\0text\0" + b"t" * 1501 + b"\0",
    b"report-next\0day\x000\0domain\0\0"], ids=range(8))
def test_garbage_for_a_report(reporting, octets):
    admin, victim = reporting.peer("role-admin"), reporting.peer("role-smtpd")
    victim.send_octets(octets)
    assert victim.receive() is None
    assert days(admin) == []
    assert "peer dropped role=role-smtpd" in reporting.log()


@pytest.mark.parametrize("octets", [
    b"report-next\0", b"report-next\0day\x0099999999999\0domain\0\0",
    b"report-rows\0day\x000\0domain\0a\0from\x0099999\0", b"report-x\0",
    b"report-done\0day\x000\0domain\0a\0"], ids=range(5))
def test_garbage_of_postrider_report(reporting, octets):
    admin, victim = reporting.peer("role-admin"), reporting.peer("role-admin")
    victim.send_octets(octets)
    assert victim.receive() is None
    assert days(admin) == []
