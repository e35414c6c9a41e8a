# SPDX-License-Identifier: ISC
"""smtpd when an owner dies, is silent or talks nonsense; slow clients; its
end; memory; -i."""
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from internal import children
from smtpd_fakes import ANN, Client, Smtpd
from suite import SECONDS, program, sanitized

ONE = ["smtpd-processes 1", "spare-processes 1"]


def short(value):
    return repr(value)[:40]


@pytest.fixture
def make_smtpd():
    made = []

    def make(**options):
        made.append(Smtpd(**options).start())
        return made[-1]
    yield make
    for service in made:
        service.close()


# -- queue --

NONSENSE = [b"no nul", b"committed\0", b"opened\0id\0\0time\0" b"7\0",
            ("opened", ("id", "x")), ("refused", ("verdict", "ok")),
            b"\0", b"\xff\xff", ("refused",), b"x\0" * 8000]


@pytest.mark.parametrize("step", ["commit", "end"])
@pytest.mark.parametrize("what", ["close", *NONSENSE], ids=short)
def test_queue_fails_after_the_content(make_smtpd, step, what):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
        smtpd.queue.fault = (step, what)
        assert c.message() == 451, c.text
        assert c.enhanced == "4.3.0"
        assert c.message() == 250, c.text
    assert len(smtpd.queue.wait(2)) == 2
    assert smtpd.queue.fault is None


@pytest.mark.parametrize("what", NONSENSE, ids=short)
def test_queue_fails_at_open(make_smtpd, what):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        smtpd.queue.fault = ("open", what)
        # once more over a new connection, unless it was an answer
        if what == ("refused", ("verdict", "ok")):
            assert c.command("DATA") == 451
        assert c.data(b"x\r\n.\r\n") == 250
        assert c.message() == 250
    assert len(smtpd.queue.wait(2)) == 2


def test_restarted_queue_is_found_again(make_smtpd):
    """A connection from before a restart costs no message."""
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
        smtpd.queue.hang_up()
        assert c.message() == 250
    assert smtpd.queue.connections >= 2
    assert len(smtpd.queue.wait(2)) == 2


def test_queue_refuses(make_smtpd):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        smtpd.queue.fault = ("open", ("refused", ("verdict", "disk-full")))
        assert c.command("DATA") == 452
        assert c.enhanced == "4.3.1"
        assert c.command("RSET") == 250
        smtpd.queue.fault = ("end", ("refused", ("verdict", "relay-denied"),
                                     ("address", ANN)))
        assert c.message() == 554
        assert f"to=<{ANN}>" in smtpd.log().splitlines()[-1]


@pytest.mark.parametrize("body", [b"x\r\n", b"x" * 900 + b"\r\n"], ids=len)
def test_disk_full(make_smtpd, body):
    """P4"""
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        smtpd.queue.fault = ("open-fd", "full")
        assert c.message(b"\r\n" + body * 600) == 452
        assert c.enhanced == "4.3.1"
        assert c.message() == 250
    smtpd.queue.wait(1)


LONG = b"Subject: long\r\n\r\n" + (b"x" * 900 + b"\r\n") * 600


@pytest.mark.parametrize("step,what,code", [
    ("scratch-fd", "full", 452), ("scratch", ("refused", (
        "verdict", "disk-full")), 452),
    ("scratch", ("refused", ("verdict", "internal")), 451),
    ("scratch", "close", 451), ("scratch", ("scratch",), 451),
    ("scratch", b"no nul", 451), ("open-fd", "full", 452)], ids=short)
def test_no_scratch_file(make_smtpd, step, what, code):
    """P4, of a message that must wait in one."""
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        smtpd.queue.fault = (step, what)
        assert c.message(LONG) == code
        assert c.message(LONG) == 250
    [message] = smtpd.queue.wait(1)
    assert message.content.endswith(LONG.replace(b"\r\n", b"\n"))


def test_scratch_files_are_for_strangers(make_smtpd):
    """Nothing at the top of a user's message depends on its end."""
    smtpd = make_smtpd()
    for client in smtpd.submission(), smtpd.client():
        with client as c:
            c.ehlo()
            assert c.message(LONG, sender=ANN) == 250
    smtpd.queue.wait(2)
    asked = [r for r in smtpd.queue.requests if r.verb == "scratch"]
    assert len(asked) == 1


def test_login_whose_queue_is_gone(make_smtpd):
    """Without the login's end there is no relaying, and no silence."""
    smtpd = make_smtpd()
    with smtpd.submission() as c:
        smtpd.queue.fault = ("open", "close")
        c.envelope("z@far.test", sender=ANN)
        assert c.command("DATA") in (421, 451)
    assert not smtpd.queue.messages


# -- userdb --

@pytest.mark.parametrize("what", [
    b"no nul", b"\0", ("recipient",), ("recipient", ("verdict", "hurrah")),
    ("sender", ("verdict", "ok")), ("recipient", ("verdict", "v" * 100)),
    ("recipient", ("verdict", "recipient-ok"), ("more", "x"))], ids=short)
def test_userdb_talks_nonsense(make_smtpd, what):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        c.command("MAIL FROM:<a@b>")
        smtpd.userdb.fault = ("recipient", what)
        assert c.command(f"RCPT TO:<{ANN}>") == 451
        assert c.command(f"RCPT TO:<{ANN}>") == 250


def test_restarted_userdb_is_found_again(make_smtpd):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        smtpd.userdb.fault = ("recipient", "close")
        assert c.command(f"RCPT TO:<{ANN}>") == 250


@pytest.mark.parametrize("news", ["changed", "restarted", "nonsense"])
def test_kept_answers_are_used_until_there_is_news(make_smtpd, news):
    smtpd = make_smtpd(extra=ONE)
    smtpd.userdb.keep = True
    with smtpd.client() as c:
        c.ehlo()
        for _ in range(3):
            assert c.message() == 250
        assert len(smtpd.userdb.requests) == 1
        del smtpd.userdb.recipients[ANN]
        if news == "changed":
            smtpd.userdb.peer.send("changed")
        elif news == "restarted":
            smtpd.userdb.peer.socket.shutdown(socket.SHUT_RDWR)
        else:
            smtpd.userdb.peer.socket.send(b"hurrah\0")
        c.command("MAIL FROM:<a@b>")
        assert c.command(f"RCPT TO:<{ANN}>") == (
            451 if news == "nonsense" else 550)
        assert c.command(f"RCPT TO:<{ANN}>") == 550


def test_silent_userdb(make_smtpd):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        c.command("MAIL FROM:<a@b>")
        smtpd.userdb.fault = ("recipient", "silence")
        start = time.monotonic()
        assert c.command(f"RCPT TO:<{ANN}>") == 451
        assert time.monotonic() - start < 15
        assert c.command(f"RCPT TO:<{ANN}>") == 250


@pytest.mark.parametrize("verdict,code", [
    ("login-later", 454), ("internal", 454), ("hurrah", 454), ("ok", 454),
    ("login-ok", 454), ("login-failed", 535)])
def test_login_answers(make_smtpd, verdict, code):
    """login-ok without a user is none."""
    from smtpd_fakes import PASSWORD, plain
    smtpd = make_smtpd()
    with smtpd.submission(login=False) as c:
        smtpd.userdb.fault = ("login", ("login", ("verdict", verdict)))
        assert c.command("AUTH PLAIN " + plain(ANN, PASSWORD)) == code
        assert c.command("MAIL FROM:<ann@example.test>") == 530


def test_no_owners_no_greeting(make_smtpd):
    smtpd = make_smtpd(extra=ONE)
    os.unlink(os.path.join(smtpd.own, "queue"))
    with smtpd.client(greeting=False) as c:
        assert c.reply() == 421
        assert c.is_closed()


# -- clients that take their time, or go (A21) --

def test_silence(make_smtpd):
    smtpd = make_smtpd(extra=["smtp-timeout 1s"])
    with smtpd.client() as c:
        start = time.monotonic()
        assert c.reply() == 421 and c.enhanced == "4.4.2"
        assert c.is_closed()
        assert 0.5 < time.monotonic() - start < 3


def drip(client, octets, pause):
    """Until the other side has had enough; the seconds that took."""
    start = time.monotonic()
    client.socket.settimeout(pause)
    try:
        for octet in octets:
            client.send(bytes([octet]))
            try:
                if not client.socket.recv(1000):
                    break
            except socket.timeout:
                continue
    except OSError:
        pass
    return time.monotonic() - start


def test_dripped_command(make_smtpd):
    with make_smtpd(extra=["smtp-timeout 1s"]).client() as c:
        assert drip(c, b"NOOP " + b"x" * 1000, 0.1) < 3


def test_dripped_message(make_smtpd):
    smtpd = make_smtpd(extra=["smtp-timeout 1s"])
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        assert c.command("DATA") == 354
        assert drip(c, b"x\r\n" * 1000, 0.1) < 3
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
    assert len(smtpd.queue.wait(1)) == 1


def test_session_without_a_message_ends(make_smtpd):
    """A21: the same recipient again and again is no error, and no way to
    keep a process."""
    with make_smtpd(extra=["smtp-timeout 1s"]).client() as c:
        c.ehlo()
        c.envelope()
        again = b"RCPT TO:<%s>\r\n" % ANN.encode()
        start = time.monotonic()
        c.socket.settimeout(SECONDS)
        code = 250
        while code == 250 and time.monotonic() - start < SECONDS:
            time.sleep(0.3)
            c.send(again)
            code = c.reply()
        assert code in (421, 0) and time.monotonic() - start < 10


def test_one_client_does_not_get_all_processes(make_smtpd):
    """A21: silent connections of one address leave room for others."""
    smtpd = make_smtpd(extra=["smtpd-processes 6", "max-client-sessions 3"])
    with contextlib.ExitStack() as stack:
        def connect(address):
            return stack.enter_context(
                smtpd.client(greeting=False, address=address))
        many = [connect("127.0.0.2") for _ in range(10)]
        codes = []
        for _ in range(3):
            assert connect("127.0.0.3").reply() == 220
        waiting = {c.socket: c for c in many}
        while len(codes) < len(many):
            ready, _, _ = select.select(list(waiting), [], [], SECONDS)
            assert ready, codes
            codes += [waiting.pop(s).reply() for s in ready]
        assert codes.count(220) <= 3 and codes.count(421) >= 7
        for c in many:
            c.close()
        # Their workers have to notice; then the address is as any other.
        until = time.monotonic() + SECONDS
        while connect("127.0.0.2").reply() != 220:
            assert time.monotonic() < until
    assert 1 <= smtpd.log().count("too many connections") <= 6


def test_client_that_does_not_read(make_smtpd):
    """Its replies pile up; the worker is free again in time."""
    smtpd = make_smtpd(extra=[*ONE, "smtp-timeout 1s", "max-errors 1000"])
    with smtpd.client() as c:
        c.socket.settimeout(5)
        with pytest.raises(OSError):
            while True:
                c.send(b"HELP\r\n" * 1000)
        start = time.monotonic()
        with smtpd.client() as other:
            other.ehlo()
        assert time.monotonic() - start < 10


@pytest.mark.parametrize("sent", [
    b"", b"x", b"x\r\n", b"x\r\n.", b"x\r\n.\r", b"x" * 300000], ids=short)
def test_client_that_goes_within_a_message(make_smtpd, sent):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        assert c.command("DATA") == 354
        c.send(sent)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
    assert len(smtpd.queue.wait(1)) == 1
    assert smtpd.queue.aborted == 1
    assert re.search(r" session lost id=\w+ client=127\.0\.0\.1 helo=\S+ "
                     r"from=<x@elsewhere\.test> reason=", smtpd.log())


# -- the service --

def worker(smtpd):
    [pid] = children(smtpd.process.pid)
    return pid


def test_a_thousand_sessions_in_one_worker(make_smtpd):
    smtpd = make_smtpd(extra=ONE)

    def session(i):
        with smtpd.client() as c:
            c.ehlo()
            c.message(b"x" * 900 + b"\r\n" if i % 2 else b"a\nb\r\n")

    def state():
        pid = worker(smtpd)
        with open(f"/proc/{pid}/statm") as f:
            pages = int(f.read().split()[1])
        # nobody but root may look at an undumpable process
        fds = os.listdir(f"/proc/{pid}/fd") if os.geteuid() == 0 else []
        return pid, pages, len(fds)
    for i in range(50):
        session(i)
    before = state()
    for i in range(1000):
        session(i)
    after = state()
    assert after[0] == before[0]
    if not sanitized():
        assert after[1] - before[1] < 50  # pages
    assert after[2] <= before[2] + 1  # the last one may still be closing


IDLE_KIB = 150


def private_memory(pid):
    """What no other process shares.  Clean pages are the program's: whether
    they are private depends on who else runs it just now."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        text = f.read()
    return int(re.search(r"^Private_Dirty: +(\d+) kB", text, re.M).group(1))


def test_memory_of_an_idle_session(make_smtpd, report):
    if os.geteuid() != 0:
        pytest.skip("needs root to look at an undumpable process")
    if sanitized():
        pytest.skip("sanitizers have memory of their own")
    # Pages of a program that was just linked are dirty until they are written.
    with open(program("smtpd"), "rb") as f:
        os.fsync(f.fileno())
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        fresh = private_memory(worker(smtpd))
        assert c.message(b"x" * 900 + b"\r\n") == 250
        used = private_memory(worker(smtpd))
        # After a second of silence it gives back what it can.
        end = time.monotonic() + SECONDS
        while (idle := private_memory(worker(smtpd))) > IDLE_KIB - 20:
            assert time.monotonic() < end, idle
            time.sleep(0.1)
    report(f"private memory of an smtpd session: {fresh} KiB, after a "
           f"message {used} KiB, and then idle {idle} KiB")
    assert fresh <= IDLE_KIB - 20


def test_drained_session_ends_its_transaction(make_smtpd):
    smtpd = make_smtpd(extra=ONE)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        smtpd.process.send_signal(signal.SIGTERM)
        assert c.data(b"x\r\n.\r\n") == 250
        assert c.reply() == 421 and c.enhanced == "4.3.2"
        assert c.is_closed()
    assert smtpd.process.wait(SECONDS) == 0
    assert len(smtpd.queue.wait(1)) == 1


# -- inetd --

def serve_one(smtpd, *options, kind="smtp", stderr=None):
    """A connection accepted by us and served by smtpd -i on descriptor 0,
    as inetd does it."""
    listener = dict(smtpd.sockets)[kind]
    listener.settimeout(SECONDS)
    client = Client(smtpd.ports[kind], greeting=False)
    accepted, _ = listener.accept()
    identity = {}
    if smtpd.user:
        identity = {"user": smtpd.user.pw_uid, "group": smtpd.user.pw_gid,
                    "extra_groups": []}
    process = subprocess.Popen(
        [program("smtpd"), "-c", smtpd.config, "-i", *options],
        stdin=accepted, stdout=accepted, stderr=stderr or accepted,
        **identity)
    accepted.close()
    return client, process


@pytest.fixture(params=["root", "user"])
def owners(request):
    root = request.param == "root"
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    smtpd = Smtpd(root=root)
    yield smtpd
    smtpd.close()


def assert_done(owners, process):
    """Exit code 0; LeakSanitizer cannot work in a chroot and says 1."""
    assert process.wait(SECONDS) == 0 or (owners.root and sanitized())


def test_inetd(owners):
    client, process = serve_one(owners)
    with client as c:
        assert c.reply() == 220
        c.ehlo()
        assert c.message() == 250
        assert c.command("QUIT") == 221
        assert c.is_closed()
    assert_done(owners, process)
    assert owners.queue.wait(1)[0]["client"] == "127.0.0.1"
    with open(owners.path("log")) as f:
        assert "accepted id=" in f.read()


def test_inetd_submission(owners):
    for options, code in ((["-l", "submission"], 530), (["-l", "smtp"], 250)):
        client, process = serve_one(owners, *options)
        with client as c:
            assert c.reply() == 220
            c.ehlo()
            assert c.command("MAIL FROM:<a@b>") == code
            c.command("QUIT")
        assert_done(owners, process)


def test_inetd_without_a_connection(owners):
    done = subprocess.run([program("smtpd"), "-i", "-c", owners.config],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=SECONDS, check=False)
    assert done.returncode == 71 and done.stdout == b""


def test_inetd_without_owners(owners):
    os.unlink(os.path.join(owners.own, "userdb"))
    client, process = serve_one(owners)
    with client as c:
        assert c.reply() == 421
        assert c.is_closed()
    assert_done(owners, process)


def test_usage():
    for options, code in ((["-V"], 0), (["-h"], 0), (["-x"], 64),
                          (["-l", "pop3"], 64), (["more"], 64)):
        done = subprocess.run([program("smtpd"), *options],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=SECONDS, check=False)
        assert done.returncode == code, options
