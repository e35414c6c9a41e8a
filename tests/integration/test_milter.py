# SPDX-License-Identifier: ISC
"""Content filters: a scripted one at every step, with every answer, with
nonsense and with silence; smtpd alone, its owners our own."""
import re
import socket
import struct

import pytest

from filters import (
    ACCEPT, CONNFAIL, CONTINUE, DISCARD, LEADING_SPACE, MUTE, NO, PROGRESS,
    REJECT, SHUTDOWN, SKIP, SKIPPED, TEMPFAIL, Filter, add_header,
    add_recipient, change_header, change_sender, delete_recipient,
    insert_header, packet, quarantine, reply_code, replace_body, strings)
from smtpd_fakes import ANN, BOB, Smtpd

ONE = ["smtpd-processes 1", "spare-processes 1"]
MESSAGE = (b"From: x@elsewhere.test\r\nSubject:  two blanks\r\n"
           b"X-Long: one\r\n\ttwo\r\n\r\nhello\r\n..dot\r\n")


@pytest.fixture
def make_filter():
    made = []

    def make(*arguments, **options):
        made.append(Filter(*arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def make_smtpd():
    made = []

    def make(*filters, extra=(), **options):
        lines = [f if isinstance(f, str) else f.line() for f in filters]
        made.append(Smtpd(extra=[*ONE, "mail-auth no", *lines, *extra],
                          **options).start())
        return made[-1]
    yield make
    for service in made:
        service.close()


def header_of(message):
    return message.content.partition(b"\n\n")[0].decode("latin-1").split("\n")


def body_of(message):
    return message.content.partition(b"\n\n")[2]


# -- what it hears --

def test_it_hears_everything_in_order(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert not f.talks  # nobody is bothered before MAIL
        c.envelope(ANN, BOB, parameters=" SIZE=120 BODY=8BITMIME")
        assert c.data(MESSAGE + b".\r\n") == 250, c.text
        assert c.command("QUIT") == 221
    f.wait("end")
    (talk,) = f.talks
    assert talk.letters == "OCHMRRTLLLNBEQend"
    assert talk.said("H") == [b"client.example\0"]
    assert talk.said("M") == [
        b"<x@elsewhere.test>\0SIZE=120\0BODY=8BITMIME\0"]
    assert talk.said("R") == [f"<{ANN}>\0".encode(), f"<{BOB}>\0".encode()]
    assert talk.headers == [("From", "x@elsewhere.test"),
                            ("Subject", " two blanks"),
                            ("X-Long", "one\n\ttwo")]
    assert talk.body == b"hello\r\n.dot\r\n"
    (connect,) = talk.said("C")
    name, family, port, address = struct.unpack("!8scH10s", connect)
    assert (name, family, address) == (b"unknown\0", b"4", b"127.0.0.1\0")
    assert port > 0
    (message,) = smtpd.queue.wait(1)
    assert talk.macros["C"]["j"] == "mail.example.test"
    assert talk.macros["C"]["{daemon_name}"] == "smtp"
    assert talk.macros["C"]["{daemon_port}"] == str(smtpd.ports["smtp"])
    assert talk.macros["C"]["{client_addr}"] == "127.0.0.1"
    assert talk.macros["C"]["{client_port}"] == str(port)
    assert talk.macros["C"]["_"] == "unknown [127.0.0.1]"
    assert talk.macros["C"]["v"].startswith("Postrider ")
    assert talk.macros["M"] == {
        "{mail_addr}": "x@elsewhere.test", "{mail_host}": "elsewhere.test",
        "{mail_mailer}": "smtp"}
    assert talk.macros["R"]["{rcpt_addr}"] == BOB
    assert talk.macros["R"]["{rcpt_mailer}"] == "local"
    assert talk.macros["T"] == talk.macros["E"] == {"i": message.id}
