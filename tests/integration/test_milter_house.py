# SPDX-License-Identifier: ISC
"""Content filters of a whole suite: their Unix sockets and the supervisor's
doors to them, held mail, junk, and signatures over what they have made."""
import contextlib
import os
import socket
import struct

import pytest

from dnsserver import dns  # noqa: F401
from filters import (
    CONTINUE, DISCARD, Filter, add_header, change_header, insert_header,
    quarantine, replace_body)
from internal import Peer
from queue_house import Closed, House as QueueHouse
from suite import SECONDS
from test_dkim_sign import ANN, House, message, opendkim

BOB = "bob@example.test"
FROM_AWAY = "From: x@elsewhere.test\r\nSubject: x\r\n\r\nhello\r\n"


@pytest.fixture
def make_filter():
    made = []

    def make(suite, name="filter", **options):
        path = suite.path(name)
        made.append(Filter(path, **options))
        if suite.user:
            os.chown(path, suite.user.pw_uid, suite.user.pw_gid)
        return made[-1]
    yield make
    for one in made:
        one.close()


def send(suite, sender="x@elsewhere.test", to=ANN, text=FROM_AWAY):
    with suite.smtp() as client:
        client.sendmail(sender, [to], text)


def code_of_mail(suite):
    with suite.smtp() as client:
        client.ehlo()
        return client.mail("x@elsewhere.test")[0]


def delivered(suite):
    (path,) = suite.wait_maildir(ANN)
    with open(path, "rb") as f:
        return f.read()


def doors(suite):
    folder = os.path.join(suite.run_dir, "smtpd")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.startswith("filter")]


@pytest.mark.parametrize("root", [
    pytest.param(True, marks=pytest.mark.skipif(
        os.geteuid() != 0, reason="needs root")), False])
def test_a_unix_socket_outside_the_chroot(make_suite, make_filter, root):
    suite = make_suite(root=root, users=[ANN], extra=["mail-auth no"])
    f = make_filter(suite)
    f.on["E"] = [add_header("X-Seen", "yes"), CONTINUE]
    suite.write_config(f.line())
    suite.start()
    send(suite)
    octets = delivered(suite)
    assert b"\nX-Seen: yes\n" in octets
    assert len(doors(suite)) == 1
    # as it is, though smtp-gate has handed it over
    assert f.talk.macros["C"]["{client_addr}"] == "127.0.0.1"
    assert int(f.talk.macros["C"]["{client_port}"]) > 0
    assert f.talk.macros["C"]["{daemon_port}"] == str(suite.ports["smtp"])
    assert suite.log_text().count("filter not reached") == 0


def test_a_filter_that_comes_late(make_suite, make_filter):
    """One line in the log until it is back; the reload has fresh workers,
    which do not remember."""
    suite = make_suite(users=[ANN], extra=["mail-auth no"])
    suite.write_config(f"milter {suite.path('filter')}")
    suite.start()
    assert code_of_mail(suite) == 451
    suite.reload()
    assert code_of_mail(suite) == 451
    suite.wait_log("filter not reached")
    f = make_filter(suite)
    suite.reload()
    assert code_of_mail(suite) == 250
    suite.wait_log("filter reached")
    f.wait("M")
    assert suite.log_text().count("filter not reached") == 1
    assert [line["reason"] for line in suite.log_lines()
            if "filter failed" in line.text] == ["Connection refused"] * 2


def test_a_reload_opens_and_closes_doors(make_suite, make_filter):
    suite = make_suite(users=[ANN], extra=["mail-auth no"])
    first, second = make_filter(suite, "one"), make_filter(suite, "two")
    kept = list(suite.extra)
    suite.write_config(first.line())
    suite.start()
    (before,) = doors(suite)
    assert code_of_mail(suite) == 250
    suite.extra = kept + [second.line(), second.line()]
    suite.write_config()
    suite.reload()
    (after,) = doors(suite)
    assert before != after
    assert code_of_mail(suite) == 250
    second.wait("M", 2)
    assert len(first.talks) == 1 and len(second.talks) == 2
    suite.extra = kept
    suite.write_config()
    suite.reload()
    assert doors(suite) == []


def test_the_door_reads_nothing_and_waits_for_nobody(make_suite, make_filter):
    suite = make_suite(users=[ANN], extra=["mail-auth no"])
    f = make_filter(suite)
    suite.write_config(f.line())
    suite.start()
    (door,) = doors(suite)
    before = len(os.listdir(f"/proc/{suite.pid}/fd"))
    rude = []
    for _ in range(300):  # say something, hear nothing, do not go
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(door)
        with contextlib.suppress(BrokenPipeError):
            sock.send(b"quit\0" * 100)
        rude.append(sock)
    while True:
        peer = Peer.connect(door)
        p = peer.receive()
        if p.verb != "busy":  # the filter takes them one by one
            break
    assert p.verb == "door" and p.attributes == [] and len(p.fds) == 1
    assert peer.receive() is None
    with socket.socket(fileno=p.fds[0]) as direct:
        direct.settimeout(SECONDS)
        direct.send(struct.pack("!I", 13) + b"O" +
                    struct.pack("!III", 6, 0x1ff, 0))
        assert direct.recv(5)[4:] == b"O"
    assert code_of_mail(suite) == 250
    assert len(os.listdir(f"/proc/{suite.pid}/fd")) <= before + 1
    for sock in rude:
        sock.close()


def test_a_full_backlog_is_waited_for_a_while(make_suite):
    suite = make_suite(users=[ANN], extra=["mail-auth no"])
    path = suite.path("filter")
    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(path)
    if suite.user:
        os.chown(path, suite.user.pw_uid, suite.user.pw_gid)
    deaf.listen(0)
    suite.write_config(f"milter {path} default=accept timeout=1s/1s/1s")
    suite.start()
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for sock in waiting:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(path)
    assert code_of_mail(suite) == 250
    line = suite.wait_log("filter failed")
    assert line["reason"] == "Connection timed out"
    assert "filter not reached" not in suite.log_text()
    for sock in waiting + [deaf]:
        sock.close()


def test_check_tells_of_filters_that_are_not_there(make_suite, make_filter):
    suite = make_suite()
    there = make_filter(suite)
    gone = Filter()
    gone.close()
    suite.write_config(there.line(), gone.line("default=accept"),
                       f"milter {suite.path('nothing')}")
    suite.init()
    said = [line for line in suite.run(
        "postrider", "check", check=False).stdout.splitlines()
        if "milter" in line]
    assert [line.partition("milter ")[2] for line in said] == [
        f"{gone.address}: Connection refused: mail passes without it",
        f"{suite.path('nothing')}: No such file or directory: "
        "mail has to wait for it"]


# -- held, and junk --

def test_quarantined_mail_waits_for_its_release(make_suite, make_filter):
    suite = make_suite(users=[ANN], extra=["mail-auth no"])
    f = make_filter(suite)
    f.on["E"] = [quarantine("looks like a virus"), CONTINUE]
    suite.write_config(f.line())
    suite.start()
    send(suite)
    line = suite.wait_log("held ")
    assert line["reason"] == "looks like a virus"
    ident = line["id"]
    suite.restart()  # it is in the envelope
    shown = suite.run("postrider-queue", "show", ident).stdout
    assert "looks like a virus" in shown
    assert suite.messages(ANN) == []
    suite.run("postrider-queue", "release", ident)
    octets = delivered(suite)
    assert b"hello" in octets
    suite.wait_queue_empty()


@pytest.mark.parametrize("answers", [
    [DISCARD], [quarantine("a virus"), CONTINUE]], ids=["discard", "hold"])
def test_nobody_becomes_known_by_what_filters_keep_back(
        make_suite, make_filter, answers):
    suite = make_suite(users=[ANN], extra=["mail-auth no"])
    f = make_filter(suite)
    suite.write_config(f.line())
    suite.start()

    def is_known(client):
        """Once it has been asked about the next message."""
        client.mail("x@elsewhere.test")
        assert client.rcpt(ANN)[0] == 250
        said = suite.user_tool("tallies", "127.0.0.1").stdout
        assert "known" in said
        client.rset()
        return "not known" not in said
    with suite.smtp() as client:
        client.ehlo()
        f.on["E"] = answers
        client.sendmail("x@elsewhere.test", [ANN], FROM_AWAY)
        assert not is_known(client)
        f.on = {}
        client.sendmail("x@elsewhere.test", [ANN], FROM_AWAY)
        assert is_known(client)


def test_only_smtpd_may_hold_from_the_beginning():
    with QueueHouse() as house:
        house.route(BOB, "mailbox", BOB)
        for client in house.client(), house.login(BOB):
            ident = client.send("x@remote.test", [BOB], b"Subject: x\n\n",
                                hold="why \\ not")
            assert house.wait_log("held", id=ident)
        for text in ("x" * 2049, None):
            client = house.client("public")
            client.open()
            client.write(b"Subject: x\n\n")
            client.close_writer()
            with pytest.raises((Closed, ConnectionError)):
                client.commit("x@remote.test", [BOB], hold=text or "why")
                client.hear()
            client.close()
        assert len(house.spooled("envelope")) == 2


def test_marked_mail_goes_where_junk_goes(make_suite, make_filter):
    suite = make_suite(users=[ANN], extra=["mail-auth no", "junk folder"])
    f = make_filter(suite)
    f.on["E"] = [add_header("X-Spam", "Yes"), CONTINUE]
    suite.write_config(f.line())
    suite.start()
    send(suite)
    line = suite.wait_log(lambda l: "delivered" in l.text and "to" in l)
    assert line["folder"] == "Junk"
    assert suite.wait_log("accepted ")["junk"] == "filter"


# -- signed is what leaves --

def test_signatures_are_over_what_filters_made(make_suite, make_filter):
    house = House(make_suite)
    try:
        f = make_filter(house.suite)
        f.on["E"] = [
            change_header(1, "Subject", "made by a filter"),
            insert_header(1, "X-Top", "1"), add_header("Reply-To", ANN),
            replace_body(b"Another body,\r\n\r\nby a filter \xc3\xa9  \r\n"),
            CONTINUE]
        house.suite.write_config(f.line())
        house.suite.start()
        records = house.make()
        house.submit(message())
        octets = house.arrived()
        assert len(house.verify(octets)) == 2
        assert [r[0] for r in opendkim(octets, records)] == ["pass"] * 2
        assert b"Another body" in octets and b"Dear all" not in octets
        assert b"\r\nSubject: made by a filter\r\n" in octets
        assert octets.count(b"\r\nDate:") == 1
        # the missing Date and Message-ID were shown to the filter
        names = [name for name, _ in f.talk.headers]
        assert names[:2] == ["Date", "Message-ID"]
    finally:
        house.close()


def test_large_mail_is_signed_as_it_leaves(make_suite, make_filter):
    house = House(make_suite)
    try:
        f = make_filter(house.suite)
        f.on["E"] = [add_header("X-Seen", "yes"), CONTINUE]
        house.suite.write_config(f.line())
        house.suite.start()
        house.make()
        house.submit(message(body=("abcdefghij " * 6 + "\n") * 12000))
        octets = house.arrived()
        assert len(octets) > 700000 and len(house.verify(octets)) == 2
        assert b"\r\nX-Seen: yes\r\n" in octets
    finally:
        house.close()
