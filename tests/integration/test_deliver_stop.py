# SPDX-License-Identifier: ISC
"""deliver is to stop, and the server on the other end says nothing."""
import contextlib
import socket
import time

import pytest

from deliverer import SILENCE, SmtpServer, deliver, smtp_port  # noqa: F401
from suite import SECONDS, Suite

SOON = 4  # seconds for what takes one at most, on a machine that is busy
ENOUGH = 9  # for what takes five
REASON = "the suite is stopping"


def stopped(deliver, peer):
    """Seconds from the drain until the end; what the queue heard last."""
    began = time.monotonic()
    deliver.service.process.terminate()
    last = peer.receive()
    assert deliver.service.process.wait(SECONDS) == 0
    took = time.monotonic() - began
    deliver.service.process = None
    deliver.service.stop = lambda: 0
    return took, last


def said(packet):
    return packet and (packet.verb, packet.get("reason"))


def mute_at(verb, reached):
    """Good until this command, which is told and then not answered."""
    def reply(session, command):
        word = {"": "GREETING", ".": "DOT"}.get(
            command, command.split(" ")[0].upper())
        if word != verb:
            return None
        reached.send(b"x")
        return SILENCE
    return reply


@contextlib.contextmanager
def events():
    told, hear = socket.socketpair()
    hear.settimeout(SECONDS)
    with told, hear:
        yield told, lambda: hear.recv(1)


@pytest.mark.parametrize("verb, bound", [
    ("GREETING", SOON), ("EHLO", SOON), ("MAIL", SOON), ("RCPT", SOON),
    ("DATA", SOON), ("DOT", ENOUGH)])
def test_a_silent_server_holds_up_no_stop(deliver, verb, bound):
    with events() as (told, reached):
        deliver.server(reply=mute_at(verb, told))
        deliver.start()
        peer = deliver.queue.worker()
        deliver.queue.send_job(
            peer, ["bob@[127.0.0.1]"], domain="[127.0.0.1]")
        reached()
        took, last = stopped(deliver, peer)
    assert took < bound
    assert verb != "DOT" or took > 3  # it may have the message already
    assert said(last) == ("done", REASON)
    assert "host skipped" not in deliver.log()


def test_nor_one_that_is_silent_for_starttls(deliver):
    with events() as (told, reached):
        deliver.server(ehlo=("there.example", "STARTTLS"),
                       reply=mute_at("STARTTLS", told))
        deliver.start()
        peer = deliver.queue.worker()
        deliver.queue.send_job(
            peer, ["bob@[127.0.0.1]"], domain="[127.0.0.1]")
        reached()
        took, last = stopped(deliver, peer)
    assert took < SOON and said(last) == ("done", REASON)


def test_nor_one_that_shakes_no_hands(deliver):
    """Its ledger is told nothing of it, and nothing goes in the clear."""
    with events() as (told, reached):
        def hang(session):
            told.send(b"x")
            session.socket.recv(65536)
            session.socket.recv(65536)
        server = deliver.server(tls=hang)
        deliver.start(ledger=True)
        peer = deliver.queue.worker()
        deliver.queue.send_job(
            peer, ["bob@[127.0.0.1]"], domain="[127.0.0.1]")
        reached()
        took, last = stopped(deliver, peer)
    assert took < SOON and said(last) == ("done", REASON)
    assert len(server.sessions) == 1
    assert not deliver.ledger.remembered


def connecting(port):
    """How many wait for an answer to their SYN, as the kernel tells it; it
    has no event for that."""
    with open("/proc/net/tcp") as f:
        return sum(line.split()[2].endswith(f":{port:04X}") and
                   line.split()[3] == "02" for line in f)


def test_nor_a_connection_that_does_not_come(deliver):
    """A listener whose queue is full answers no SYN."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", deliver.port))
        listener.listen(0)
        for _ in range(3):
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        deliver.start()
        peer = deliver.queue.worker()
        before, deadline = connecting(deliver.port), time.monotonic() + SECONDS
        deliver.queue.send_job(
            peer, ["bob@[127.0.0.1]"], domain="[127.0.0.1]")
        while connecting(deliver.port) == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        took, last = stopped(deliver, peer)
    assert took < SOON and said(last) == ("done", REASON)


def test_a_stop_waits_for_a_reply_that_comes(deliver):
    """Also with what else the message needs: it need not go twice."""
    with events() as (told, reached):
        def reply(session, command):
            if command.startswith("MAIL"):
                told.send(b"x")
                time.sleep(0.3)
            return None
        server = deliver.server(reply=reply)
        deliver.start()
        peer = deliver.queue.worker()
        deliver.queue.send_job(
            peer, ["bob@[127.0.0.1]"], domain="[127.0.0.1]")
        reached()
        _, result = stopped(deliver, peer)
    assert result["status"] == "delivered"
    assert said(peer.receive()) == ("done", None)
    assert len(server.messages) == 1


def test_the_suite_stops_and_delivers_later():
    """Mail under way to a silent host: the stop is quick, no attempt is
    counted, and after the start it goes out."""
    port = smtp_port()
    with events() as (told, reached):
        server = SmtpServer("127.0.0.1", port, mute_at("GREETING", told))
        suite = Suite(users=["ann@example.test"], smtp_port=port,
                      extra=["relay-host [127.0.0.1]:%d" % port])
        try:
            suite.start()
            suite.sendmail("-f", "ann@example.test", "bob@there.test",
                           message="Subject: hi\n\nhello\n")
            reached()
            began = time.monotonic()
            suite.stop()
            assert time.monotonic() - began < SOON
            assert REASON in suite.log_text()
            assert "not waiting" not in suite.log_text()
            server.reply = lambda session, command: None
            suite.restart()
            suite.wait_queue_empty()
            assert len(server.messages) == 1
        finally:
            suite.close()
            server.close()
    assert not server.errors
