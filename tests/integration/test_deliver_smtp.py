# SPDX-License-Identifier: ISC
"""deliver's conversation with servers, good ones and odd ones."""
import contextlib
import glob
import os
import time

import pytest

from deliverer import (CLOSE, EHLO, MESSAGE, SILENCE, deliver,  # noqa: F401
                       smtp_port)
from suite import SECONDS


def on(start, answer):
    """A reply function: answer to commands that begin with start."""
    return lambda session, command: (
        answer if command.upper().startswith(start) and
        (command != "" or start == "") else None)


def answers(**by_verb):
    """A reply function; the greeting is GREETING, the end of data DOT."""
    def reply(session, command):
        verb = {"": "GREETING", ".": "DOT"}.get(command)
        verb = verb or command.upper().split(" ")[0]
        return by_verb.get(verb)
    return reply


def statuses(results):
    return [result["status"] for result in results]


# -- the good ones --

def test_a_message(deliver):
    server = deliver.server()
    deliver.start()
    results = deliver.to_literal("bob")
    assert statuses(results) == ["delivered"]
    assert results[0]["dsn"] == "2.0.0"
    assert results[0]["text"] == "250 2.0.0 taken"
    assert results[0]["relay"] == f"[127.0.0.1][127.0.0.1]:{deliver.port}"
    assert server.commands()[0] == "EHLO mail.example.test"
    mail, recipients, octets = server.messages[0]
    assert mail == "MAIL FROM:<ann@example.test> SIZE=%d" % len(octets)
    assert recipients == ["RCPT TO:<bob@[127.0.0.1]>"]
    assert octets == MESSAGE.replace(b"\n", b"\r\n")


def test_local_headers_stay_here(deliver):
    server = deliver.server()
    deliver.start()
    assert statuses(deliver.to_literal(
        "bob", local=b"Return-Path: <x@y>\nDelivered-To: <bob@z>\n")) == [
            "delivered"]
    mail, _, octets = server.messages[0]
    assert octets == MESSAGE.replace(b"\n", b"\r\n")
    assert f"SIZE={len(octets)}" in mail


SIGNATURES = ("DKIM-Signature: v=1; a=rsa-sha256;\n\td=example.test; b=x",
              "DKIM-Signature: v=1; a=ed25519-sha256;\n .d=example.test")


def test_signatures_stand_in_front_and_are_counted(deliver):
    server = deliver.server()
    deliver.start()
    for n in (1, 2):
        assert statuses(deliver.to_literal(
            "bob", local=b"Return-Path: <x@y>\n", dkim=SIGNATURES[:n])) == [
                "delivered"]
        mail, _, octets = server.messages[n - 1]
        expected = "".join(f"{s}\n" for s in SIGNATURES[:n]).encode() + MESSAGE
        assert octets == expected.replace(b"\n", b"\r\n")
        assert f"SIZE={len(octets)}" in mail


@pytest.mark.parametrize("dkim", [
    ["X: y"], ["DKIM-Signature: a\nX: y"], ["DKIM-Signature: a\n\n b"],
    ["DKIM-Signature: a\n"], ["DKIM-Signature: a\r\n b"],
    ["DKIM-Signature: a\n \n b"], ["DKIM-Signature: \u00fc"],
    [SIGNATURES[0] + "x" * 4096], SIGNATURES + SIGNATURES[:1]])
def test_nothing_else_stands_in_front(deliver, dkim):
    server = deliver.server()
    deliver.start()
    peer = deliver.queue.worker()
    with contextlib.suppress(BrokenPipeError):  # the head is enough for it
        deliver.queue.send_job(peer, [f"a@{DOMAIN}"], domain=DOMAIN, dkim=dkim)
    assert peer.receive() is None
    assert server.messages == []
    assert statuses(deliver.to_literal("bob")) == ["delivered"]


@pytest.mark.parametrize("content", [
    b"", b"\n", b".", b".\n", b"..\n.\n", b"no line end", b"a\r\nb\r\n",
    b"bare\rCR\n", b"a\n.\r\nQUIT\r\n", b"\r\r\n.\r.\n", b"\n.\n.\n\n",
    b"x" * 70000 + b"\n.", b"nul\0octet\n", bytes(range(256)) * 100,
    b".\r" * 20000], ids=range(15))
def test_what_leaves_has_crlf_alone(deliver, content):
    """A2; SmtpServer.data() checks each line, and there is one message."""
    server = deliver.server()
    deliver.start()
    assert statuses(deliver.to_literal("bob", content=content)) == [
        "delivered"]
    assert len(server.messages) == 1
    expected = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if expected and not expected.endswith(b"\n"):
        expected += b"\n"
    assert server.messages[0][2] == expected.replace(b"\n", b"\r\n")
    assert [c for c in server.commands() if c.startswith("QUIT")] == []


def test_null_sender(deliver):
    server = deliver.server()
    deliver.start()
    assert statuses(deliver.to_literal("bob", sender="")) == ["delivered"]
    assert server.messages[0][0].startswith("MAIL FROM:<>")


@pytest.mark.parametrize("pipelining", [True, False])
def test_several_recipients_in_one_transaction(deliver, pipelining):
    ehlo = EHLO if pipelining else ("there.example",)
    replies = {"u1": "550 5.1.1 no such user", "u3": "451 4.2.1 not now",
               "u4": "550 unknown"}

    def reply(session, command):
        if command.startswith("RCPT"):
            return replies.get(command[9:].split("@")[0])
        return None
    server = deliver.server(reply=reply, ehlo=ehlo)
    deliver.start()
    results = deliver.to_literal(*(f"u{i}" for i in range(6)))
    assert statuses(results) == ["delivered", "failed", "delivered",
                                 "deferred", "failed", "delivered"]
    assert results[1]["dsn"] == "5.1.1"
    assert results[1]["text"] == "550 5.1.1 no such user"
    assert results[3]["text"] == "451 4.2.1 not now"
    assert results[4]["dsn"].startswith("5.")
    assert len(server.messages) == 1
    assert len(server.messages[0][1]) == 3


def test_pipelining_in_one_go(deliver):
    """MAIL, RCPT and DATA come without waiting; without the extension they
    do not."""
    got = []

    def talk(session):
        session.send("220 hi")
        session.line()
        session.send("250-hi", "250 PIPELINING")
        for _ in range(4):
            got.append(session.line())
        session.send("250 ok", "250 ok", "250 ok", "354 go")
        session.data()
        session.send("250 taken")
        session.line()
    deliver.server(talk=talk)
    deliver.start()
    assert statuses(deliver.to_literal("bob", "eve")) == ["delivered"] * 2
    assert [c[:4] for c in got] == ["MAIL", "RCPT", "RCPT", "DATA"]


def test_without_pipelining_one_at_a_time(deliver):
    early = []

    def reply(session, command):
        session.socket.setblocking(False)
        try:
            if command not in ("", ".", "QUIT"):
                early.append(session.socket.recv(100))
        except BlockingIOError:
            pass
        finally:
            session.socket.settimeout(SECONDS)
        return None
    server = deliver.server(reply=reply, ehlo=("there.example", "8BITMIME"))
    deliver.start()
    assert statuses(deliver.to_literal("a", "b", "c")) == ["delivered"] * 3
    assert early == []
    assert server.commands()[1] == "MAIL FROM:<ann@example.test>"


def test_many_recipients_do_not_deadlock(deliver):
    """A server that answers at length while we write at length."""
    server = deliver.server(reply=on("RCPT", ["250-" + "x" * 500] * 10 +
                                     ["250 ok"]))
    deliver.start()
    names = [f"user{i:04}" for i in range(350)]
    assert statuses(deliver.to_literal(*names)) == ["delivered"] * 350
    assert [len(m[1]) for m in server.messages] == [100, 100, 100, 50]
    assert len(server.sessions) == 1


def test_limits_rcptmax(deliver):
    server = deliver.server(ehlo=EHLO + ("LIMITS RCPTMAX=3 MAILMAX=50",))
    deliver.start()
    assert statuses(deliver.to_literal(*"abcdefg")) == ["delivered"] * 7
    assert [len(m[1]) for m in server.messages] == [3, 3, 1]
    assert len(server.sessions) == 1


def test_limits_mailmax(deliver):
    server = deliver.server(ehlo=EHLO + ("LIMITS MAILMAX=1 RCPTMAX=2",))
    deliver.start()
    assert statuses(deliver.to_literal(*"abcde")) == ["delivered"] * 5
    assert [len(m[1]) for m in server.messages] == [2, 2, 1]
    assert len(server.sessions) == 3


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("refusal", [
    "452 4.5.3 too many recipients", "452 too many", "552 too many"])
def test_the_rest_in_a_next_transaction(deliver, pipelining, refusal):
    def reply(session, command):
        if command.startswith("RCPT") and len(session.recipients) >= 2:
            return refusal
        return None
    server = deliver.server(
        reply=reply, ehlo=EHLO if pipelining else ("there.example",))
    deliver.start()
    assert statuses(deliver.to_literal(*"abcde")) == ["delivered"] * 5
    assert [len(m[1]) for m in server.messages] == [2, 2, 1]
    assert len(server.sessions) == 1


def test_nobody_at_all_is_not_too_many(deliver):
    server = deliver.server(reply=on("RCPT", "452 4.5.3 too many"))
    deliver.start()
    results = deliver.to_literal("a", "b")
    assert statuses(results) == ["deferred"] * 2
    assert results[0]["dsn"] == "4.5.3"
    assert server.messages == []


def test_extensions_are_used_where_offered(deliver):
    server = deliver.server(ehlo=EHLO + ("SMTPUTF8",))
    deliver.start()
    domain = "[127.0.0.1]"
    results = deliver.queue.job(
        f"grüße@{domain}", domain=domain, sender="ä@example.test", utf8=1,
        body="8bitmime", content="Subject: ü\n\nö\n".encode())
    assert statuses(results) == ["delivered"]
    mail = server.messages[0][0]
    assert mail.startswith("MAIL FROM:<ä@example.test> ")
    assert mail.endswith(" BODY=8BITMIME SMTPUTF8")


DOMAIN = "[127.0.0.1]"
ASKED = {f"a@{DOMAIN}": {"notify": "success,failure,delay",
                         "orcpt": "rfc822;Old Name+x=y@first.test"},
         f"b@{DOMAIN}": {"notify": "never"},
         f"c@{DOMAIN}": {"orcpt": "utf-8;bü+b@first.test"},
         f"d@{DOMAIN}": {}}


def test_requests_for_reports_are_passed_on(deliver):
    """RFC 3461 section 5.2.1: as they came, and none that did not."""
    server = deliver.server(ehlo=EHLO + ("DSN",))
    deliver.start()
    results = deliver.queue.job(*ASKED, domain=DOMAIN, asked=ASKED,
                                ret="hdrs", envid="x y+z=\\")
    assert statuses(results) == ["delivered"] * 4
    assert [r.get("dsn-passed") for r in results] == ["1"] * 4
    mail, rcpts, _ = server.messages[0]
    assert mail.endswith(" RET=HDRS ENVID=x+20y+2Bz+3D\\"), mail
    assert rcpts == [
        f"RCPT TO:<a@{DOMAIN}> NOTIFY=SUCCESS,FAILURE,DELAY"
        " ORCPT=rfc822;Old+20Name+2Bx+3Dy@first.test",
        f"RCPT TO:<b@{DOMAIN}> NOTIFY=NEVER",
        f"RCPT TO:<c@{DOMAIN}> ORCPT=utf-8;b\\x{{FC}}\\x{{2B}}b@first.test",
        f"RCPT TO:<d@{DOMAIN}>"]
    results = deliver.queue.job(f"d@{DOMAIN}", domain=DOMAIN, sender="")
    assert server.messages[1][:2] == (
        f"MAIL FROM:<> SIZE={server.messages[1][0].split('=')[-1]}",
        [f"RCPT TO:<d@{DOMAIN}>"])


def test_requests_for_reports_go_nowhere_else(deliver):
    """Section 5.2.2: and what the host will not do is told to the queue."""
    server = deliver.server()
    deliver.start()
    results = deliver.queue.job(*ASKED, domain=DOMAIN, asked=ASKED,
                                ret="full", envid="x")
    assert statuses(results) == ["delivered"] * 4
    assert not any("dsn-passed" in r for r in results)
    mail, rcpts, _ = server.messages[0]
    assert "RET" not in mail and "ENVID" not in mail
    assert rcpts == [f"RCPT TO:<{address}>" for address in ASKED]


def test_original_recipients_stay_utf8_where_that_is_spoken(deliver):
    server = deliver.server(ehlo=EHLO + ("DSN", "SMTPUTF8"))
    deliver.start()
    for utf8 in 0, 1:
        deliver.queue.job(f"c@{DOMAIN}", domain=DOMAIN, asked=ASKED,
                          utf8=utf8)
    assert [m[1][0].split("ORCPT=")[1] for m in server.messages] == [
        "utf-8;b\\x{FC}\\x{2B}b@first.test",
        "utf-8;bü\\x{2B}b@first.test"]


def test_who_refuses_or_puts_off_takes_over_nothing(deliver):
    deliver.server(ehlo=EHLO + ("DSN",), reply=lambda _, command: {
        "RCPT TO:<a": "550 5.1.1 no", "RCPT TO:<b": "450 4.2.0 later"}.get(
            command[:10]))
    deliver.start()
    results = deliver.queue.job(*ASKED, domain=DOMAIN, asked=ASKED)
    assert statuses(results) == ["failed", "deferred"] + ["delivered"] * 2
    assert [r.get("dsn-passed") for r in results] == [None, None, "1", "1"]


@pytest.mark.parametrize("head, recipient", [
    ({"ret": "body"}, {}), ({"envid": "a\r\nRCPT TO:<x@y>"}, {}),
    ({"envid": ""}, {}), ({}, {"notify": "often"}),
    ({}, {"orcpt": "rfc822;a\r\nb"}), ({}, {"orcpt": "nothing"})])
def test_bad_requests_for_reports_are_bad_packets(deliver, head, recipient):
    server = deliver.server()
    deliver.start()
    peer = deliver.queue.worker()
    address = f"a@{DOMAIN}"
    with contextlib.suppress(BrokenPipeError):  # the head is enough for it
        deliver.queue.send_job(peer, [address], domain=DOMAIN,
                               asked={address: recipient}, **head)
    assert peer.receive() is None
    assert server.messages == []
    assert statuses(deliver.to_literal("bob")) == ["delivered"]


def test_without_8bitmime_it_goes_as_it_is(deliver):
    server = deliver.server(ehlo=("there.example",))
    deliver.start()
    content = "Subject: x\n\nö\n".encode()
    assert statuses(deliver.to_literal(
        "bob", body="8bitmime", content=content)) == ["delivered"]
    assert server.messages[0][0] == "MAIL FROM:<ann@example.test>"
    assert server.messages[0][2] == content.replace(b"\n", b"\r\n")


def test_smtputf8_missing(deliver):
    server = deliver.server()
    deliver.start()
    results = deliver.to_literal("bob", sender="ä@example.test", utf8=1)
    assert statuses(results) == ["failed"]
    assert results[0]["dsn"] == "5.6.7"
    assert [c[:4] for c in server.commands()][:1] == ["EHLO"]
    assert not any(c.startswith("MAIL") for c in server.commands())


def test_size_limit(deliver):
    server = deliver.server(ehlo=("there.example", "SIZE 1000"))
    deliver.start()
    results = deliver.to_literal("bob", content=b"x" * 2000 + b"\n")
    assert statuses(results) == ["failed"]
    assert results[0]["dsn"] == "5.3.4"
    assert "1000" in results[0]["text"]
    assert not any(c.startswith("MAIL") for c in server.commands())
    assert statuses(deliver.to_literal("bob")) == ["delivered"]


def test_next_message_over_the_same_connection(deliver):
    server = deliver.server()
    deliver.start()
    for number in range(3):
        assert statuses(deliver.to_literal(
            "bob", id=f"{number:016}")) == ["delivered"]
    assert len(server.sessions) == 1
    assert len(server.messages) == 3


def test_another_domain_another_connection(deliver):
    first, second = deliver.server(), deliver.server("127.0.0.2")
    deliver.start()
    assert statuses(deliver.to_literal("bob")) == ["delivered"]
    assert statuses(deliver.to_literal("bob", host="127.0.0.2")) == [
        "delivered"]
    assert len(first.messages) == len(second.messages) == 1
    assert first.commands()[-1] == "QUIT"


@pytest.mark.parametrize("goodbye", [
    ["421 4.4.2 idle for too long"], [], ["250 what", "250 ever"]])
def test_server_ends_the_idle_connection(deliver, goodbye):
    def reply(session, command):
        if command == ".":
            return ["250 taken"] + goodbye
        return None
    server = deliver.server(reply=reply)
    deliver.start()
    assert statuses(deliver.to_literal("bob")) == ["delivered"]
    if not goodbye:
        server.open[0].shutdown(2)
    assert statuses(deliver.to_literal("bob")) == ["delivered"]
    assert len(server.messages) == 2
    assert len(server.sessions) == (2)


def test_refusal_then_reset(deliver):
    """A transaction without anybody accepted is reset before the next."""
    server = deliver.server(
        reply=lambda s, c: "550 5.1.1 no" if c.startswith("RCPT TO:<no")
        else None)
    deliver.start()
    assert statuses(deliver.to_literal("no")) == ["failed"]
    assert statuses(deliver.to_literal("yes")) == ["delivered"]
    assert len(server.sessions) == 1
    assert "RSET" in server.commands()


# -- refusals --

@pytest.mark.parametrize("verb,reply,status,dsn", [
    ("GREETING", "554 5.7.1 go away", "failed", "5.7.1"),
    ("GREETING", "554 go away", "failed", "5.0.0"),
    ("GREETING", "521 no mail here", "failed", "5.3.2"),
    ("GREETING", "421 4.7.0 not now", "deferred", "4.7.0"),
    ("GREETING", "450 not now", "deferred", "4.2.0"),
    ("GREETING", "221 not ready", "deferred", "4.5.0"),
    ("GREETING", "354 go on", "deferred", "4.5.0"),
    ("EHLO", "421 busy", "deferred", "4.3.2"),
    ("EHLO", "451 4.7.1 greylisted", "deferred", "4.7.1"),
    ("EHLO", "220 once more", "deferred", "4.5.0"),
    ("MAIL", "550 5.7.1 bad sender", "failed", "5.7.1"),
    ("MAIL", "451 4.3.0 later", "deferred", "4.3.0"),
    ("MAIL", "421 closing", "deferred", "4.3.2"),
    ("MAIL", "354 what", "deferred", "4.5.0"),
    ("MAIL", "552 5.3.4 too big", "failed", "5.3.4"),
    ("RCPT", "550 no such user", "failed", "5.0.0"),
    ("RCPT", "550 4.7.1 mixed up", "failed", "5.0.0"),
    ("RCPT", "553 5.1.3 bad address", "failed", "5.1.3"),
    ("RCPT", "450 4.2.0 greylisted", "deferred", "4.2.0"),
    ("RCPT", "421 4.3.2 shutting down", "deferred", "4.3.2"),
    ("RCPT", "354 what", "deferred", "4.5.0"),
    ("DATA", "554 5.7.1 policy", "failed", "5.7.1"),
    ("DATA", "451 4.3.0 later", "deferred", "4.3.0"),
    ("DATA", "250 what", "deferred", "4.5.0"),
    ("DATA", "421 closing", "deferred", "4.3.2"),
    ("DOT", "554 5.6.0 spam", "failed", "5.6.0"),
    ("DOT", "552 too big", "failed", "5.0.0"),
    ("DOT", "451 4.3.0 later", "deferred", "4.3.0"),
    ("DOT", "421 4.3.2 closing", "deferred", "4.3.2"),
    ("DOT", "354 again", "deferred", "4.5.0"),
])
@pytest.mark.parametrize("pipelining", [True, False])
def test_refusals(deliver, verb, reply, status, dsn, pipelining):
    server = deliver.server(
        reply=answers(**{verb: reply}),
        ehlo=EHLO if pipelining else ("there.example",))
    deliver.start()
    results = deliver.to_literal("a", "b")
    assert statuses(results) == [status] * 2
    assert [r["dsn"] for r in results] == [dsn] * 2
    assert server.messages == []
    if status == "failed":
        assert results[0]["text"] == reply
    assert results[0]["relay"].endswith(f"[127.0.0.1]:{deliver.port}")


@pytest.mark.parametrize("ehlo", ["504 EHLO not implemented.",
                                  "500 5.5.1 what", "502 no", "550 eh?"])
def test_helo_where_ehlo_is_unknown(deliver, ehlo):
    server = deliver.server(reply=answers(EHLO=ehlo))
    deliver.start()
    assert statuses(deliver.to_literal("bob")) == ["delivered"]
    assert server.commands()[1] == "HELO mail.example.test"
    assert server.messages[0][0] == "MAIL FROM:<ann@example.test>"


def test_neither_ehlo_nor_helo(deliver):
    deliver.server(reply=answers(EHLO="550 5.7.1 no", HELO="550 5.7.1 no"))
    deliver.start()
    results = deliver.to_literal("bob")
    assert (statuses(results), results[0]["dsn"]) == (["failed"], "5.7.1")


# -- silence, ends, garbage --

@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA",
                                  "DOT"])
@pytest.mark.parametrize("how", [CLOSE, SILENCE])
def test_silence_and_ends(deliver, verb, how):
    server = deliver.server(reply=answers(**{verb: how}))
    deliver.start("smtp-timeout 1s")
    began = time.monotonic()
    results = deliver.to_literal("a", "b")
    assert statuses(results) == ["deferred"] * 2
    assert {r["dsn"] for r in results} == {"4.4.2"}
    wanted = {"GREETING": "greeting", "DOT": "end of data"}.get(verb, verb)
    assert wanted in results[0]["text"]
    assert time.monotonic() - began < 10
    assert server.messages == []


def test_drip_feeding_is_no_progress(deliver):
    """A byte now and then does not make a reply last."""
    def talk(session):
        while True:
            session.send_octets(b"2")
            time.sleep(0.2)
    deliver.server(talk=talk)
    deliver.start("smtp-timeout 1s")
    began = time.monotonic()
    assert statuses(deliver.to_literal("bob")) == ["deferred"]
    assert time.monotonic() - began < 5


def test_server_that_does_not_read(deliver):
    def talk(session):
        session.send("220 hi")
        session.line()
        session.send("250 hi")
        for reply in ("250 ok", "250 ok", "354 go"):
            session.line()
            session.send(reply)
        time.sleep(8)
    deliver.server(talk=talk)
    deliver.start("smtp-timeout 1s")
    began = time.monotonic()
    results = deliver.to_literal("bob", content=b"x" * 78 + b"\n",
                                 size=None)
    assert statuses(results) == ["deferred"]
    results = deliver.to_literal("bob", content=(b"x" * 78 + b"\n") * 200000)
    assert statuses(results) == ["deferred"]
    assert time.monotonic() - began < 15


def test_refused_in_the_middle_of_the_data(deliver):
    def talk(session):
        session.send("220 hi")
        session.line()
        session.send("250 hi")
        for reply in ("250 ok", "250 ok", "354 go"):
            session.line()
            session.send(reply)
        session.socket.recv(1000)
        session.send("552 5.3.4 far too big")
        session.socket.shutdown(1)
        while session.socket.recv(65536):
            pass
    deliver.server(talk=talk)
    deliver.start()
    results = deliver.to_literal("bob", content=(b"x" * 78 + b"\n") * 100000)
    assert statuses(results) == ["failed"] and results[0]["dsn"] == "5.3.4"


@pytest.mark.parametrize("accepted", [0, 1])
def test_lost_after_some_were_accepted(deliver, accepted):
    def reply(session, command):
        if command.startswith("RCPT") and len(session.recipients) == accepted:
            return CLOSE
        return None
    server = deliver.server(reply=reply)
    deliver.start()
    assert statuses(deliver.to_literal(*"abc")) == ["deferred"] * 3
    assert server.messages == []


GARBAGE = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "binary": bytes(range(256)) * 40,
    "endless line": b"2" * 100000,
    "endless lines": b"220-x\r\n" * 5000,
    "endless noise": b"noise\r\n" * 5000,
    "digits": b"99999999\r\n",
    "code 000": b"000 zero\r\n",
    "code 600": b"600 six\r\n",
    "nothing": b"\r\n\r\n\r\n",
    "two greetings": b"220 one\r\n220 two\r\n",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_for_a_greeting(deliver, what):
    def talk(session):
        session.send_octets(GARBAGE[what])
        session.file.read()
    deliver.server(talk=talk)
    deliver.start("smtp-timeout 2s")
    results = deliver.to_literal("bob")
    assert statuses(results) == ["deferred"]
    assert results[0]["dsn"] in ("4.5.0", "4.4.2")


def test_odd_but_legal_enough(deliver):
    """Bare LF, noise lines, a tab, no text, mixed codes, no final dot."""
    def talk(session):
        session.send_octets(b"220-one\n\xff\xfenoise\r\n220\n")
        session.line()
        session.send_octets(b"250-there\n250-size 500000 what\n"
                            b"250-Pipelining\n250-\n250 x-\t\xc3\n")
        for _ in range(4):
            session.line()
        session.send_octets(b"250\n250-two\r\n250\tlines\n550-no\r\n"
                            b"550 5.1.1\r\n354\n")
        session.data()
        session.send_octets(b"250-2.0.0 first\r\n250 2.0.0 \x1b[31m\0last\n")
        session.file.read()
    deliver.server(talk=talk)
    deliver.start()
    results = deliver.to_literal("bob", "eve")
    assert statuses(results) == ["delivered", "failed"]
    assert results[0]["text"] == "250 2.0.0 first ?[31m?last"
    assert results[1]["dsn"] == "5.1.1"


def test_354_without_recipients(deliver):
    """A server that pipelines and says 354 though it took nobody gets an
    empty end of data, and nobody a false result."""
    def talk(session):
        session.send("220 hi")
        session.line()
        session.send("250-hi", "250 PIPELINING")
        for reply in ("250 ok", "550 no", "354 go on then"):
            session.line()
            session.send(reply)
        assert session.data() == b""
        session.send("554 no recipients")
        assert session.line() == "RSET"
        session.send("250 ok")
        for reply in ("250 ok", "250 ok", "354 go"):
            session.line()
            session.send(reply)
        assert session.data() == MESSAGE.replace(b"\n", b"\r\n")
        session.send("250 taken")
        session.file.read()
    deliver.server(talk=talk)
    deliver.start()
    assert statuses(deliver.to_literal("no")) == ["failed"]
    assert statuses(deliver.to_literal("yes")) == ["delivered"]


def test_recorded_replies(deliver, shared):
    """Greetings, EHLO replies and results of real servers."""
    folder = os.path.join(shared, "suites", "hostile-servers",
                          "mailkit-responses", "smtp")
    ehlos = sorted(glob.glob(os.path.join(folder, "comcast-ehlo*.txt")))
    assert len(ehlos) >= 6

    def read(name):
        with open(os.path.join(folder, name), "rb") as f:
            return f.read()
    turn = []

    def talk(session):
        session.send_octets(read("comcast-greeting.txt"))
        session.line()
        session.send_octets(read(os.path.basename(ehlos[len(turn)])))
        turn.append(session)
        command = session.line()
        if command == "STARTTLS":  # some offered it
            session.send("454 4.7.0 no TLS in a recording")
            command = session.line()
        session.commands.append(command)
        session.send_octets(read("comcast-mail-from.txt"))
        assert session.line().startswith("RCPT")
        session.send_octets(read("comcast-rcpt-to.txt"))
        assert session.line().startswith("RCPT")
        session.send_octets(read("mailbox-unavailable.txt"))
        session.line()
        session.send_octets(read("comcast-data.txt"))
        session.data()
        session.send_octets(read("comcast-data-done.txt"))
        assert session.line() == "QUIT"
        session.send_octets(read("comcast-quit.txt"))
    servers = [deliver.server(f"127.0.0.{i + 1}", talk=talk)
               for i in range(len(ehlos))]
    deliver.start()
    for i in range(len(ehlos)):
        results = deliver.to_literal("bob", "eve", host=f"127.0.0.{i + 1}")
        assert statuses(results) == ["delivered", "failed"], ehlos[i]
        assert results[1]["text"] == "550 5.1.0 mailbox unavailable"
        assert "SIZE=" in servers[i].commands()[0]
    for name, status in (("greeting-not-ready", "deferred"),
                         ("bad-command-sequence", "failed")):
        deliver.servers[0].talk = lambda session: (
            session.send_octets(read(f"{name}.txt")), session.file.read())
        assert statuses(deliver.to_literal("bob")) == [status]


# -- the queue's side --

def test_bad_addresses_never_leave(deliver):
    server = deliver.server()
    deliver.start()
    results = deliver.queue.job(
        "bob@[127.0.0.1]", "a\r\nRCPT TO:<eve@x>@[127.0.0.1]", "x y@z", "",
        "ü@[127.0.0.1]", domain="[127.0.0.1]")
    assert statuses(results) == ["delivered"] + ["failed"] * 4
    assert results[1]["dsn"] == "5.1.3"
    assert len(server.messages[0][1]) == 1
    results = deliver.to_literal("bob", sender="a>\r\nDATA@example.test")
    assert (statuses(results), results[0]["dsn"]) == (["failed"], "5.1.7")
    assert len(server.messages) == 1


def test_content_shorter_than_told(deliver):
    """Never ends such a message: it would be taken as whole."""
    server = deliver.server()
    deliver.start()
    results = deliver.to_literal("bob", size=len(MESSAGE) + 1)
    assert statuses(results) == ["deferred"]
    assert results[0]["dsn"] == "4.3.0"
    assert results[0]["scope"] == "message"  # the host can do nothing for it
    assert server.messages == []


@pytest.mark.parametrize("packet", [
    b"job\0", b"job\0id\0" + b"x" * 100 + b"\0", b"nonsense\0", b"\0",
    b"recipient\0index\0000\0address\0a@b\0", b"job"], ids=range(6))
def test_bad_packets_cost_the_connection(deliver, packet):
    server = deliver.server()
    deliver.start()
    peer = deliver.queue.worker()
    peer.send_octets(packet)
    assert peer.receive() is None
    assert statuses(deliver.to_literal("bob")) == ["delivered"]
    assert len(server.messages) == 1


def test_queue_goes_and_comes_back(deliver):
    server = deliver.server()
    deliver.start()
    assert statuses(deliver.to_literal("bob")) == ["delivered"]
    deliver.queue.close()
    deliver.queue.listen()
    assert statuses(deliver.to_literal("bob")) == ["delivered"]
    assert len(server.messages) == 2


def test_queue_dies_before_the_data(deliver):
    """Nobody would hear of the result, so nothing is sent."""
    ended = []

    def reply(session, command):
        if command.startswith("RCPT"):
            for peer in deliver.queue.all:
                peer.close()
            ended.append(True)
        return None
    server = deliver.server(reply=reply, ehlo=("there.example",))
    deliver.start()
    peer = deliver.queue.worker()
    deliver.queue.send_job(peer, ["bob@[127.0.0.1]"], domain="[127.0.0.1]")
    fresh = None
    while fresh is None or not ended:
        fresh = deliver.queue.worker()
    assert deliver.queue.results is not None
    deliver.queue.idle.append(fresh)
    server.reply = lambda session, command: None
    assert statuses(deliver.to_literal("eve")) == ["delivered"]
    assert [m[1] for m in server.messages] == [["RCPT TO:<eve@[127.0.0.1]>"]]


def test_drain_finishes_the_job(deliver):
    stopping = []

    def reply(session, command):
        if command == ".":
            deliver.service.process.terminate()
            stopping.append(True)
            time.sleep(0.5)
        return None
    server = deliver.server(reply=reply)
    deliver.start()
    peer = deliver.queue.worker()
    deliver.queue.send_job(peer, ["bob@[127.0.0.1]"], domain="[127.0.0.1]")
    assert statuses(deliver.queue.results(peer, 1)) == ["delivered"]
    assert deliver.service.process.wait(SECONDS) == 0
    deliver.service.process = None
    deliver.service.stop = lambda: 0
    assert stopping and len(server.messages) == 1


def test_workers_are_bounded_and_parallel(deliver):
    waiting = []

    def reply(session, command):
        if command == ".":
            waiting.append(session)
            end = time.monotonic() + SECONDS
            while len(waiting) < 5 and time.monotonic() < end:
                time.sleep(0.02)
        return None
    server = deliver.server(reply=reply)
    deliver.start("deliver-processes 5")
    peers = [deliver.queue.worker() for _ in range(1)]
    deliver.queue.send_job(peers[0], ["u0@[127.0.0.1]"], domain="[127.0.0.1]")
    for i in range(1, 5):
        peers.append(deliver.queue.worker())
        deliver.queue.send_job(
            peers[i], [f"u{i}@[127.0.0.1]"], domain="[127.0.0.1]")
    for peer in peers:
        assert statuses(deliver.queue.results(peer, 1)) == ["delivered"]
    assert len(server.messages) == 5
