# SPDX-License-Identifier: ISC
"""smtp-gate: who waits there, who is refused there, who is handed over."""
import os
import resource
import select
import signal
import socket
import subprocess
import time

import pytest

from smtpd_fakes import Client
from scripted_dns import scripted_dns  # noqa: F401
from suite import SECONDS, as_user

ANN = "ann@example.test"
MESSAGE = b"From: x@elsewhere.test\r\nSubject: x\r\n\r\nhello\r\n"
IDLE = int(os.environ.get("POSTRIDER_GATE_IDLE", "1000"))


def client(suite, greeting=True, address="127.0.0.1"):
    return Client(suite.ports["smtp"], greeting, address)


def deliver(suite, address="127.0.0.1"):
    with client(suite, address=address) as c:
        c.ehlo()
        assert c.message(MESSAGE, ANN) == 250, c.text
        assert c.command("QUIT") == 221


def raw(suite, address="127.0.0.1"):
    """Connected, nothing read."""
    s = socket.socket()
    s.settimeout(SECONDS)
    s.bind((address, 0))
    s.connect(("127.0.0.1", suite.ports["smtp"]))
    return s


def ending(sock):
    """All that comes until the end."""
    octets = b""
    while True:
        try:
            more = sock.recv(4096)
        except ConnectionResetError:
            return octets
        if not more:
            return octets
        octets += more


def gate(suite):
    return suite.parents()["smtp-gate"]


def workers(suite):
    """How many smtpd processes serve somebody."""
    return next(s for s in suite.status()["services"]
                if s["name"] == "smtpd")["busy"]


def waiting(suite):
    return next(s for s in suite.status()["services"]
                if s["name"] == "smtp-gate" and s["state"] == "serving")[
                    "busy"]


def until(predicate):
    """Nothing but asking tells of these."""
    deadline = time.monotonic() + SECONDS
    while not predicate():
        assert time.monotonic() < deadline


def processor_ms(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    return 1000 * ticks // os.sysconf("SC_CLK_TCK")


# -- before the greeting --

def test_the_greeting_waits(make_suite):
    suite = make_suite(users=[ANN], extra=["greet-delay 1s"]).start()
    began = time.monotonic()
    with client(suite) as c:
        assert time.monotonic() - began >= 0.95
        c.ehlo()
        assert c.message(MESSAGE, ANN) == 250
    suite.wait_maildir(ANN, 1)


@pytest.mark.parametrize("said", [b"EHLO x\r\n", b"Q", b"\r\n", b"\x16\3\1"])
def test_a7_talking_first(make_suite, said):
    suite = make_suite(extra=["greet-delay 30s"]).start()
    with raw(suite) as s:
        s.sendall(said)
        assert ending(s) == b"554 5.5.0 you talk before the greeting\r\n"
    line = suite.wait_log("you talk before")
    assert line["client"] == "127.0.0.1" and "smtp-gate" in line.text


def test_a7_a_byte_in_the_middle_of_the_delay(make_suite):
    suite = make_suite(extra=["greet-delay 30s"]).start()
    with raw(suite) as s:
        # It has been seen, and is not greeted yet.
        until(lambda: waiting(suite) == 1)
        s.sendall(b"E")
        assert ending(s).startswith(b"554 5.5.0 ")


def test_a7_without_a_delay(make_suite):
    """Who has talked by the time of the greeting is refused all the same."""
    suite = make_suite(extra=["greet-delay 0s"]).start()
    os.kill(gate(suite), signal.SIGSTOP)
    with raw(suite) as s:
        s.sendall(b"EHLO x\r\n")
        os.kill(gate(suite), signal.SIGCONT)
        assert ending(s).startswith(b"554 5.5.0 ")


def test_who_may_relay_is_greeted_at_once(make_suite):
    suite = make_suite(users=[ANN], extra=[
        "greet-delay 30s", "relay-from 127.0.0.2"]).start()
    deliver(suite, "127.0.0.2")


def test_who_is_known_is_greeted_at_once(make_suite):
    """ledger has seen a good message from there."""
    suite = make_suite(users=[ANN], extra=["greet-delay 1s"]).start()
    deliver(suite, "127.0.0.3")

    def quick():
        began = time.monotonic()
        with client(suite, address="127.0.0.3"):
            return time.monotonic() - began < 0.9
    until(quick)
    began = time.monotonic()
    with client(suite, address="127.0.0.4"):
        assert time.monotonic() - began >= 0.95


def test_talkers_are_told_to_ledger(make_suite):
    suite = make_suite(users=[ANN], extra=[
        "greet-delay 30s", "offences 3/1h", "tarpit 0s"]).start()
    for _ in range(3):
        with raw(suite, "127.0.0.5") as s:
            s.sendall(b"x")
            assert ending(s).startswith(b"554 ")
    suite.extra[0] = "greet-delay 0s"
    suite.reload()
    with client(suite, address="127.0.0.5") as c:
        assert c.command("EHLO bot.example") == 250
        assert c.command("MAIL FROM:<spam@bot.example>") == 250
        assert c.command(f"RCPT TO:<{ANN}>") == 450
        assert c.enhanced == "4.7.1"
    deliver(suite, "127.0.0.6")


# -- the first command --

@pytest.mark.parametrize("said, answer", [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"554 5.5.1 "),
    (b"\x16\3\1\2\0\1\0\1\xfc\3\3", b"554 5.5.1 "),
    (b"EHLO \0\r\n", b"554 5.5.1 "),
    (b"x" * 600, b"500 5.5.2 "),
])
def test_a6_another_protocol(suite, said, answer):
    with raw(suite) as s:
        assert s.recv(100).startswith(b"220 ")
        s.sendall(said)
        assert ending(s).startswith(answer)
    assert workers(suite) == 0


def test_a_line_in_pieces(suite):
    """Until it is whole it takes no process."""
    with client(suite) as c:
        for octet in b"EHLO client.exam":
            c.send(bytes([octet]))
        assert workers(suite) == 0
        assert c.command("ple") == 250
        assert c.message(MESSAGE, ANN) == 250
    suite.wait_maildir(ANN, 1)


def test_commands_sent_together(suite):
    """What stands behind the first command is read by the worker."""
    with client(suite) as c:
        c.send("EHLO x.example\r\n")
        assert c.reply() == 250
        c.send(f"MAIL FROM:<x@x.example>\r\nRCPT TO:<{ANN}>\r\nDATA\r\n")
        assert [c.reply() for _ in range(3)] == [250, 250, 354]
        c.send(MESSAGE + b".\r\n")
        assert c.reply() == 250
    with client(suite) as c:
        c.send("QUIT\r\n")
        c.socket.shutdown(socket.SHUT_WR)
        assert [c.reply() for _ in range(2)] == [221, 0]


def test_slow_lines_end(make_suite):
    """A byte now and then does not extend the time."""
    suite = make_suite(extra=["smtp-timeout 2s"]).start()
    with client(suite) as c:
        began = time.monotonic()
        while not select.select([c.socket], [], [], 0.2)[0]:
            c.send("N")
            assert time.monotonic() - began < SECONDS
        assert c.reply() == 421 and c.enhanced == "4.4.2"
        assert c.is_closed()
    assert workers(suite) == 0


# -- many --

def idle_addresses(n):
    """So that no client has more than 50, no network more than 100."""
    return [f"127.{2 + i // 100}.0.{1 + i // 50 % 2}" for i in range(n)]


@pytest.fixture
def many_files():
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    if old[1] < IDLE + 200:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (old[1], old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f
                   if line.startswith(("Private_Clean", "Private_Dirty")))


@pytest.mark.skipif(os.geteuid() != 0, reason="reads /proc of the gate")
def test_thousands_of_idle_connections(make_suite, many_files):
    """They cost no process and next to no memory, nor others their turn."""
    suite = make_suite(users=[ANN], extra=[
        "smtpd-processes 4", "max-network-sessions 100"]).start()
    deliver(suite)
    before = private_kib(gate(suite))
    idle = [raw(suite, a) for a in idle_addresses(IDLE)]
    try:
        for s in idle:
            assert s.recv(100).startswith(b"220 ")
        assert waiting(suite) == IDLE
        used = (private_kib(gate(suite)) - before) * 1024 / IDLE
        print(f"{used:.0f} octets of the gate's memory for each")
        assert used < 2048
        spent = processor_ms(gate(suite))
        for _ in range(10):
            deliver(suite)
        assert workers(suite) == 0
        for s in idle[::10]:
            s.sendall(b"E")  # begun, and never ended
        deliver(suite)
        assert processor_ms(gate(suite)) - spent < 1000
    finally:
        for s in idle:
            s.close()
    until(lambda: waiting(suite) == 0)


def test_sessions_of_a_client_and_of_a_network(make_suite):
    """Those that wait and those that are served are counted together."""
    suite = make_suite(extra=["max-client-sessions 3",
                              "max-network-sessions 5"]).start()
    served = [client(suite, address="127.0.7.1") for _ in range(2)]
    for c in served:
        c.ehlo()
    third = client(suite, address="127.0.7.1")
    with raw(suite, "127.0.7.1") as s:
        assert ending(s) == b"421 4.7.0 too many connections from you\r\n"
    others = [client(suite, address="127.0.7.2") for _ in range(2)]
    with raw(suite, "127.0.7.3") as s:
        assert ending(s) == (
            b"421 4.7.0 too many connections from your network\r\n")
    client(suite, address="127.0.8.1").close()
    # Places become free with the end of a session.
    assert served[0].command("QUIT") == 221
    for c in [*served, third, *others]:
        c.close()

    def all_free():
        with raw(suite, "127.0.7.1") as one, raw(suite, "127.0.7.1") as two, \
                raw(suite, "127.0.7.1") as three:
            return all([s.recv(100).startswith(b"220 ")
                        for s in (one, two, three)])
    until(all_free)


def test_who_waits_longest_makes_room(make_suite):
    suite = make_suite(users=[ANN], extra=["max-waiting 10"]).start()
    idle = [client(suite, address=f"127.0.9.{i + 1}") for i in range(10)]
    deliver(suite)
    assert idle[0].reply() == 421 and idle[0].enhanced == "4.3.2"
    assert idle[9].command("NOOP") == 250
    for c in idle:
        c.close()


def as_its_user(suite, *command):
    """For what only the processes' own user may do."""
    return subprocess.run(command, capture_output=True, text=True,
                          check=True, **as_user(suite.user)).stdout


def limit_files(suite, pid, n):
    as_its_user(suite, "prlimit", f"--pid={pid}", f"--nofile={n}:")


@pytest.mark.skipif(os.geteuid() != 0,
                    reason="needs root to look at an undumpable process")
def test_out_of_descriptors(make_suite):
    """A newcomer is told, who waits stays, and nobody is busy with it."""
    suite = make_suite(users=[ANN], root=False).start()
    old = client(suite)
    pid = gate(suite)
    limit_files(suite, pid,
                max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1)
    spent = processor_ms(pid)
    with raw(suite) as s:
        assert ending(s) == b"421 4.3.2 too busy, try again later\r\n"
    with raw(suite) as s:
        time.sleep(1)  # the time in which it would be busy
        assert processor_ms(pid) - spent < 200
    suite.wait_log("cannot accept")
    limit_files(suite, pid, 1000)
    assert old.command("EHLO x.example") == 250
    old.close()
    deliver(suite)


# -- handing over --

def test_a_worker_that_dies_costs_its_session(suite):
    with client(suite) as one, client(suite) as two:
        one.ehlo(), two.ehlo()
        three = client(suite)
        assert three.command("EHLO x") == 250
        victims = [p for p in suite.services()["smtpd"]
                   if p != suite.parents()["smtpd"]]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        for c in (one, two, three):
            assert c.is_closed()
        three.close()
    until(lambda: waiting(suite) == 0)
    deliver(suite)


def test_without_workers_they_wait(make_suite):
    """smtpd is away: who has said something is served when it is back."""
    suite = make_suite(users=[ANN], extra=["smtpd-processes 1"]).start()
    parent = suite.parents()["smtpd"]
    with client(suite) as busy:
        busy.ehlo()
        others = [client(suite) for _ in range(8)]
        for c in others:
            c.send("EHLO x.example\r\n")
        until(lambda: waiting(suite) == 8)
        suite.kill_service("smtpd")
        suite.wait_log(lambda l: " ready " in l.text and
                       l.get("service") == "smtpd" and
                       l["pid"] != str(parent))
        for c in others:
            assert c.reply() == 250
            assert c.command("QUIT") == 221
            c.close()


def test_who_is_known_is_served_first(make_suite):
    """Of those that wait in the gate; a few are on their way already."""
    suite = make_suite(users=[ANN], extra=[
        "smtpd-processes 1", "relay-from 127.0.0.2"]).start()
    with client(suite) as busy:
        busy.ehlo()
        strangers = [client(suite) for _ in range(6)]
        for c in strangers:
            c.send("EHLO x.example\r\n")
        until(lambda: waiting(suite) == 6)
        known = client(suite, address="127.0.0.2")
        known.send("EHLO y.example\r\n")
        until(lambda: waiting(suite) == 7)
        # Each is there by the time that it is read from.
        sockets = {c.socket: c for c in [*strangers, known]}
        order = []
        assert busy.command("QUIT") == 221
        while sockets:
            [ready, *more] = select.select(list(sockets), [], [], SECONDS)[0]
            assert not more
            c = sockets.pop(ready)
            order.append(c)
            assert c.reply() == 250
            assert c.command("QUIT") == 221
            c.close()
        assert order[4] is known


def test_the_idle_make_way_when_all_workers_are_busy(make_suite):
    """...but not while nobody waits."""
    suite = make_suite(users=[ANN], extra=[
        "smtpd-processes 2", "busy-timeout 1s"]).start()
    with client(suite) as idle, client(suite) as other:
        idle.ehlo(), other.ehlo()
        assert not select.select([idle.socket], [], [], 1.5)[0]
        deliver(suite)
        [gone, *_] = select.select([idle.socket, other.socket], [], [])[0]
        assert b"421 4.3.2 others wait" in gone.recv(100)
    suite.wait_maildir(ANN, 1)


def say_mail(c):
    assert c.command("MAIL FROM:<a@good.example>") == 250


def say_data(c):
    say_mail(c)
    assert c.command(f"RCPT TO:<{ANN}>") == 250
    assert c.command("DATA") == 354


@pytest.mark.parametrize("begin, drip, last", [
    (say_mail, b"", b"421 4.3.2 others wait"),
    (say_data, b"", b"421 4.4.2 timeout"),
    (say_data, b"x", b"421 4.4.2 timeout")],
    ids=["mail", "data", "drip"])
def test_a_message_begun_keeps_no_worker(make_suite, begin, drip, last):
    """a21: nobody is kept out by who stops, or drips, within a message."""
    suite = make_suite(users=[ANN], extra=[
        "smtpd-processes 1", "busy-timeout 1s"]).start()
    with client(suite) as slow, client(suite) as good:
        slow.ehlo()
        begin(slow)
        good.send("EHLO good.example\r\n")
        began = time.monotonic()
        while not select.select([slow.socket], [], [], 0.3)[0]:
            assert time.monotonic() - began < SECONDS
            slow.socket.send(drip)
        assert last in slow.socket.recv(100)
        assert good.reply() == 250


def test_who_goes_on_with_a_message_ends_it(make_suite):
    suite = make_suite(users=[ANN], extra=[
        "smtpd-processes 1", "busy-timeout 1s"]).start()
    with client(suite) as writer, client(suite) as good:
        writer.ehlo()
        say_data(writer)
        good.send("EHLO good.example\r\n")
        for _ in range(10):
            assert not select.select(
                [writer.socket, good.socket], [], [], 0.3)[0]
            writer.socket.send(b"x" * 70 + b"\r\n")
        writer.send(".\r\n")
        assert writer.reply() == 250
        assert good.reply() == 250
    suite.wait_maildir(ANN, 1)


def test_who_only_babbles_makes_way(make_suite):
    suite = make_suite(users=[ANN], extra=[
        "smtpd-processes 1", "busy-timeout 1s"]).start()
    with client(suite) as babbler, client(suite) as good:
        babbler.ehlo()
        good.send("EHLO good.example\r\n")
        began = time.monotonic()
        while (code := babbler.command("NOOP")) == 250:
            assert time.monotonic() - began < SECONDS
            select.select([good.socket], [], [], 0.3)
        assert code == 421 and babbler.enhanced == "4.3.2"
        assert good.reply() == 250


def test_the_gate_dies(suite):
    """Who waited there is cut off, who is served is not, mail goes on."""
    with client(suite) as served, client(suite) as idle:
        served.ehlo()
        old = suite.kill_service("smtp-gate")
        assert idle.is_closed()
        suite.wait_log(lambda l: " ready " in l.text and
                       l.get("service") == "smtp-gate" and
                       l["pid"] != str(old))
        assert served.message(MESSAGE, ANN) == 250
        deliver(suite)
    suite.wait_maildir(ANN, 2)


def test_reload_while_they_wait(make_suite):
    """Who waits in the old gate is greeted, served, and not hurried."""
    suite = make_suite(users=[ANN], extra=["greet-delay 3s"]).start()
    old = gate(suite)
    with client(suite) as greeted, raw(suite) as early:
        until(lambda: waiting(suite) == 2)
        suite.write_config("max-hops 60")
        suite.run("postrider", "reload")
        assert gate(suite) != old
        assert early.recv(100).startswith(b"220 ")
        greeted.ehlo()
        assert greeted.message(MESSAGE, ANN) == 250
        early.sendall(b"QUIT\r\n")
        assert ending(early).startswith(b"221 ")
        until(lambda: not os.path.exists(f"/proc/{old}"))
        # Its session goes on without it.
        assert greeted.message(MESSAGE, ANN) == 250
    suite.wait_maildir(ANN, 2)


def test_stop_while_they_wait(make_suite):
    suite = make_suite(extra=["greet-delay 2s"]).start()
    with client(suite) as greeted, raw(suite) as early:
        until(lambda: waiting(suite) == 2)
        suite.stop()
        assert greeted.reply() == 421 and greeted.enhanced == "4.3.2"
        assert ending(early) == b"421 4.3.2 closing down\r\n"


# -- ledger --

def test_without_ledger(suite):
    """It is not waited for: neither while it is away nor while it is mute."""
    deliver(suite)
    pid = suite.parents()["ledger"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with client(suite):
            pass
        suite.wait_log(lambda l: "no answer" in l.text and
                       l.get("what") == "ledger")
    finally:
        os.kill(pid, signal.SIGCONT)
    suite.kill_service("ledger")
    deliver(suite)


def test_too_many_connections_in_a_time(make_suite):
    suite = make_suite(users=[ANN], extra=[
        "client-connections 3/1h", "network-connections 5/1h"]).start()
    for _ in range(3):
        client(suite, address="127.0.11.1").close()
    for _ in range(3):  # the second time from memory
        with raw(suite, "127.0.11.1") as s:
            assert ending(s).startswith(
                b"421 4.7.0 you connect too often")
    for i in range(2):
        client(suite, address=f"127.0.11.{2 + i}").close()
    with raw(suite, "127.0.11.9") as s:
        assert ending(s).startswith(b"421 4.7.0 your network")
    deliver(suite, "127.0.12.1")


# -- the refusal dialogue --

@pytest.fixture
def listed(make_suite, scripted_dns):
    """127.0.13.1 is on a list."""
    server = scripted_dns({
        "1.13.0.127.bl.example": {"A": "127.0.0.2",
                                  "TXT": "bad things came from there"},
        "2.0.0.127.bl.example": {"A": "127.0.0.2"},
        "*.bl.example": {}})
    suite = make_suite(users=[ANN], dns_server=server.address,
                       extra=["dnsbl bl.example", "tarpit 1s"]).start()
    with client(suite, address="127.0.13.2") as c:
        assert c.command("NOOP") == 250
    return suite


def test_refused_for_what_it_is(listed):
    with client(listed, address="127.0.13.1") as c:
        began = time.monotonic()
        assert c.command("EHLO bot.example") == 250
        assert time.monotonic() - began >= 0.95
        assert c.command("MAIL FROM:<spam@bot.example> BODY=8BITMIME") == 250
        assert c.command(f"RCPT TO:<{ANN}>") == 550
        assert c.enhanced == "5.7.1" and "bl.example" in c.text
        assert workers(listed) == 0
        assert c.command("DATA") == 554
        assert c.command("QUIT") == 221
        assert c.is_closed()
    line = listed.wait_log(lambda l: "refused" in l.text and "to" in l)
    assert line["client"] == "127.0.13.1"
    assert line["helo"] == "bot.example"
    assert line["from"] == "<spam@bot.example>" and line["to"] == f"<{ANN}>"
    assert "bl.example" in line["lists"] and line["dsn"] == "5.7.1"


def test_who_is_refused_and_hangs_up_is_logged(listed):
    with client(listed, address="127.0.13.1") as c:
        assert c.command("HELO bot.example") == 250
    line = listed.wait_log(lambda l: "refused" in l.text and "helo" in l)
    assert line["helo"] == "bot.example" and "to" not in line


def test_the_refusal_has_an_end(listed):
    listed.extra[-1] = "tarpit 0s"
    listed.reload()
    with client(listed, address="127.0.13.1") as c:
        c.send(b"NOOP\r\n" * 100)
        replies = []
        while (code := c.reply()) != 0:
            replies.append(code)
        assert replies == [250] * 20 + [421]
    with client(listed, address="127.0.13.1") as c:
        assert c.command("NOOP") == 250
        c.send(b"x" * 2000)
        assert c.reply() == 500
        assert c.is_closed()
