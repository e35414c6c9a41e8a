# SPDX-License-Identifier: ISC
"""smtpd on the wire, with owners that the test plays."""
import re

import pytest

from smtpd_fakes import ANN, BOB, Smtpd


@pytest.fixture(scope="module")
def smtpd():
    with Smtpd() as service:
        yield service


@pytest.fixture
def client(smtpd):
    with smtpd.client() as client:
        client.ehlo()
        yield client


def stored(smtpd, before):
    return smtpd.queue.wait(before + 1)[before]


def test_message_is_stored_behind_its_trace(smtpd, client):
    n = len(smtpd.queue.messages)
    wire = b"Subject: x\r\n\r\n..dot\r\n\r\n...\r\n"
    assert client.message(wire) == 250
    message = stored(smtpd, n)
    assert client.text == f"250 2.0.0 queued as {message.id}"
    assert message.local == (b"Return-Path: <x@elsewhere.test>\n"
                             b"Delivered-To: ann@example.test\n")
    trace, _, rest = message.outside.partition(b"Subject")
    assert b"Subject" + rest == b"Subject: x\n\n.dot\n\n..\n"
    assert re.fullmatch(
        r"Received: from client\.example \(\[127\.0\.0\.1\]\)\n"
        r"\tby mail\.example\.test \(Postrider\) with ESMTP id "
        + message.id + r"\n\tfor <ann@example\.test>;\n"
        r"\t\w{3}, 14 Nov 2023 \d\d:\d\d:20 [+-]\d{4}\n", trace.decode())
    assert int(message["wire"]) == len(message.content.replace(
        b"\n", b"\r\n"))
    assert message.recipients == [ANN]
    assert message["sender"] == "x@elsewhere.test"
    assert (message["client"], message["helo"]) == ("127.0.0.1",
                                                    "client.example")


def test_several_recipients_do_not_see_each_other(smtpd, client):
    n = len(smtpd.queue.messages)
    assert client.message(b"x\r\n", ANN, BOB) == 250
    message = stored(smtpd, n)
    assert message.recipients == [ANN, BOB]
    assert message.local == b"Return-Path: <x@elsewhere.test>\n"
    assert ANN.encode() not in message.content
    assert BOB.encode() not in message.content
