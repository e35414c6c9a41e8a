# SPDX-License-Identifier: ISC
"""What smtpd demands of strangers on port 25, and what it can be told to
tolerate: each rule refuses one, and lets pass whom it must."""
import re
import signal
import time

import pytest

from scripted_dns import SERVFAIL, TIMEOUT, scripted_dns  # noqa: F401
from smtpd_fakes import ANN, BOB, Smtpd

STRANGER, TOLERATED, PRINTER = "127.0.0.2", "127.0.0.3", "127.0.0.4"
EVERYTHING = ("helo pipelining bare-line-ends sender-domain null-sender "
              "delivered-to errors")


@pytest.fixture(scope="module")
def smtpd():
    with Smtpd(extra=[f"tolerate {EVERYTHING} {TOLERATED}",
                      f"relay-from {PRINTER}"]) as service:
        yield service


@pytest.fixture
def make_smtpd():
    made = []

    def make(*extra, **options):
        made.append(Smtpd(extra=extra, **options).start())
        return made[-1]
    yield make
    for service in made:
        service.close()


def asked(client, line):
    """Code, enhanced code, and is it closed?"""
    code = client.command(line)
    return code, client.enhanced, code >= 400 and closes(client)


def closes(client):
    client.send(b"NOOP\r\n")
    return client.reply() == 0


# -- HELO: RFC 5321 section 4.1.1.1 --

GOOD_NAMES = [
    "client.example", "CLIENT.Example", "localhost", "WIN-PC", "my_pc",
    "my_pc.example.", "-odd-.example", "a.b.c.d.e.f", "192.0.2.1",
    "[192.0.2.1]", "[IPv6:2001:db8::1]", "[2001:db8::1]", "x" * 63,
    "xn--bcher-kva.example", "mail.example.test.elsewhere.example",
    "example.test", "[127.0.0.2]", "nowhere.invalid",
]
BAD_NAMES = [
    "my pc_", ".", "..", "a..b", ".a", "a,b", "a@b.example", "<a.example>",
    "x" * 64 + ".example", "[]", "[192.0.2]", "[192.0.2.1", "[192.0.2.1]:25",
    "[IPv6:2001:db8:::1]", "b\u00fccher.example", "a/b", "$(reboot)",
    "a.example;b", "2001:db8::1",
]


@pytest.mark.parametrize("verb", ["HELO", "EHLO"])
@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_honest_servers_have(smtpd, verb, name):
    with smtpd.client(address=STRANGER) as c:
        assert c.command(f"{verb} {name}") == 250, c.text


@pytest.mark.parametrize("verb", ["HELO", "EHLO"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_none(smtpd, verb, name):
    with smtpd.client(address=STRANGER) as c:
        code, enhanced, closed = asked(c, f"{verb} {name}")
        assert (code, closed) == (501, False)
        assert enhanced == ("5.5.4" if " " in name else "5.5.2")
        assert c.command("MAIL FROM:<a@b.test>") == 503
        assert c.command("EHLO client.example") == 250
    assert re.search(r" refused client=127\.0\.0\.2 .*dsn=5\.5\.", smtpd.log())


@pytest.mark.parametrize("name", [
    "mail.example.test", "MAIL.EXAMPLE.TEST", "mail.example.test.",
    "[127.0.0.1]", "127.0.0.1"])
def test_our_own_name_is_not_theirs(smtpd, name):
    with smtpd.client(address=STRANGER) as c:
        assert asked(c, f"EHLO {name}") == (550, "5.7.1", False)
    with smtpd.client(address="127.0.0.1") as c:  # who may bear it
        assert c.command(f"EHLO {name}") == 250


@pytest.mark.parametrize("address", [TOLERATED, PRINTER])
@pytest.mark.parametrize("name", ["a..b", "mail.example.test",
                                  "b\u00fccher.example"])
def test_names_that_are_tolerated(smtpd, address, name):
    with smtpd.client(address=address) as c:
        assert c.command(f"EHLO {name}") == 250


def test_a_name_with_blanks_is_tolerated(smtpd):
    before = smtpd.queue.settled()
    with smtpd.client(address=TOLERATED) as c:
        assert c.command("EHLO my pc_") == 250
        assert c.message() == 250, c.text
    message = smtpd.queue.wait(before + 1)[before]
    assert message["helo"] == "my_pc_"
    assert b"Received: from my_pc_ ([127.0.0.3])" in message.content
    with smtpd.client(address=TOLERATED) as c:
        assert c.command("EHLO") == 501


def test_who_logs_in_may_have_any_name(smtpd):
    with smtpd.client("submission", address=STRANGER) as c:
        assert c.command("EHLO a..b") == 250
        assert c.command("EHLO mail.example.test") == 250


# -- pipelining: RFC 2920 --

@pytest.mark.parametrize("octets", [
    b"HELO a.example\r\nMAIL FROM:<a@b.test>\r\n",
    b"EHLO a.example\r\nMAIL FROM:<a@b.test>\r\n",
    b"EHLO a.example\r\nEHLO a.example\r\n",
    b"NOOP\r\nNOOP\r\n", b"JUNK\r\nEHLO a.example\r\n",
])
def test_nothing_is_sent_ahead_of_the_greetings(smtpd, octets):
    with smtpd.client(address=STRANGER) as c:
        c.send(octets)
        assert (c.reply(), c.enhanced) == (554, "5.5.0")
        assert c.is_closed()


@pytest.mark.parametrize("octets", [
    b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.test>\r\n",
    b"RSET\r\nMAIL FROM:<a@b.test>\r\n", b"NOOP\r\nQUIT\r\n"])
def test_who_said_helo_waits(smtpd, octets):
    with smtpd.client(address=STRANGER) as c:
        assert c.command("HELO a.example") == 250
        c.send(octets)
        assert (c.reply(), c.enhanced) == (554, "5.5.0")
        assert c.is_closed()
    with smtpd.client(address=STRANGER) as c:
        c.ehlo()
        c.send(octets)
        assert c.reply() == 250


def test_who_said_helo_and_waits_is_served(smtpd):
    with smtpd.client(address=STRANGER) as c:
        assert c.command("HELO a.example") == 250
        assert c.message() == 250
        c.send(b"QUIT\r\n")
        c.socket.shutdown(1)  # its end is nothing sent ahead
        assert c.reply() == 221


@pytest.mark.parametrize("address", [TOLERATED, PRINTER])
def test_pipelining_that_is_tolerated(smtpd, address):
    with smtpd.client(address=address) as c:
        assert c.command("HELO a.example") == 250
        c.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.test>\r\n")
        assert (c.reply(), c.reply()) == (250, 250)


def test_a_message_ahead_of_354_is_tolerated(smtpd):
    before = smtpd.queue.settled()
    with smtpd.client(address=TOLERATED) as c:
        c.send(b"HELO a.example\r\nMAIL FROM:<a@b.test>\r\n"
               b"RCPT TO:<ann@example.test>\r\nDATA\r\nx: y\r\n\r\nz\r\n"
               b".\r\nQUIT\r\n")
        assert [c.reply() for _ in range(6)] == [250, 250, 250, 354, 250, 221]
    assert smtpd.queue.wait(before + 1)[before].content.endswith(b"\n\nz\n")


@pytest.mark.parametrize("octets", [
    b"STARTTLS\r\nNOOP\r\n", b"AUTH PLAIN\r\nNOOP\r\n"])
def test_what_is_never_tolerated(smtpd, octets):
    """A3: what is behind these may be somebody else's."""
    with smtpd.client(address=TOLERATED) as c:
        c.ehlo()
        c.send(octets)
        assert (c.reply(), c.is_closed()) == (554, True)


# -- bare LF (A1) --

def test_bare_line_ends_that_are_tolerated(smtpd):
    """They become line ends, and end no message."""
    before = smtpd.queue.settled()
    with smtpd.client(address=TOLERATED) as c:
        c.ehlo()
        c.envelope()
        code = c.data(b"Subject: x\nX-A: b\n\na\n.\nb\n.\r\nc\r\n.\n"
                      b"MAIL FROM:<forged@x.test>\r\n.\r\n")
        assert code == 250
        assert c.command("NOOP") == 250
    message = smtpd.queue.wait(before + 1)[before]
    assert smtpd.queue.settled() == before + 1
    assert message.content.endswith(
        b"Subject: x\nX-A: b\n\na\n.\nb\n.\nc\n.\n"
        b"MAIL FROM:<forged@x.test>\n".replace(b"c\n.\n", b"c\n\n"))
    assert int(message["wire"]) == len(message.content.replace(
        b"\n", b"\r\n"))


def test_a_session_of_bare_line_ends(smtpd):
    with smtpd.client(address=TOLERATED) as c:
        for line in ("HELO a", "MAIL FROM:<a@b.test>", f"RCPT TO:<{ANN}>",
                     "RSET"):
            c.send(line + "\n")
            assert c.reply() == 250
    with smtpd.client(address=STRANGER) as c:
        c.send("HELO a\n")
        assert c.reply() == 500


@pytest.mark.parametrize("address,body", [
    (TOLERATED, b"a\rb\r\n"), (TOLERATED, b"a\r\n\rb\r\n"),
    (TOLERATED, b"a\nb\rc\r\n"), (STRANGER, b"a\nb\r\n"),
    (PRINTER, b"a\nb\r\n")])
def test_bare_line_ends_that_are_not(smtpd, address, body):
    with smtpd.client(address=address) as c:
        c.ehlo()
        c.envelope()
        assert (c.data(body + b".\r\n"), c.enhanced) == (550, "5.6.0")
        assert c.is_closed()


# -- the sender's domain --

ZONE = {
    "mx.test": {"MX": [(10, "host.test")]},
    "address.test": {"A": "192.0.2.1"},
    "six.test": {"AAAA": "2001:db8::1"},
    "alias.test": {"CNAME": "mx.test"},
    "host.test": {"A": "192.0.2.1"},
    "lame.test": {"MX": [(10, "gone.test")]},
    "slow-host.test": {"MX": [(10, "servfail.test")]},
    "second.test": {"MX": [(10, "home.test"), (20, "host.test")]},
    "null.test": {"MX": [(0, "")]},
    "text.test": {"TXT": "v=spf1 -all"},
    "home.test": {"A": ["127.0.0.1", "0.0.0.0"], "AAAA": "::1"},
    "to-home.test": {"MX": [(10, "home.test")]},
    "unspecified.test": {"A": "0.0.0.0"},
    "six-home.test": {"AAAA": "::"},
    "servfail.test": SERVFAIL,
    "half.test": {"MX": SERVFAIL, "A": "192.0.2.1"},
    "xn--bcher-kva.test": {"A": "192.0.2.1"},
}


@pytest.fixture
def strict(make_smtpd, scripted_dns):  # noqa: F811
    dns = scripted_dns(ZONE)
    smtpd = make_smtpd(
        "sender-domain yes", f"dns-server {dns.address}", "mail-auth no",
        f"tolerate sender-domain {TOLERATED}", f"relay-from {PRINTER}",
        "smtpd-processes 1", "spare-processes 1")
    smtpd.dns = dns
    return smtpd


def test_senders_domains(strict):
    def said(sender, parameters="", **options):
        with strict.client(**{"address": STRANGER, **options}) as c:
            c.ehlo()
            return (c.command(f"MAIL FROM:<{sender}>{parameters}"),
                    c.enhanced)

    fine, none = (250, "2.1.0"), (550, "5.1.8")
    for domain, answer in {
            "mx.test": fine, "address.test": fine, "six.test": fine,
            "alias.test": fine, "lame.test": fine, "slow-host.test": fine,
            "second.test": fine, "MX.Test": fine, "half.test": fine,
            "null.test": (550, "5.7.27"), "text.test": none,
            "gone.test": none, "home.test": none, "to-home.test": none,
            "unspecified.test": none, "six-home.test": none,
            "servfail.test": (450, "4.1.8"),
            "[192.0.2.1]": fine, "example.test": fine}.items():
        assert (domain, said("a@" + domain)) == (domain, answer)
    assert said("a@b\u00fccher.test", " SMTPUTF8") == fine
    assert said("") == fine
    for address in (TOLERATED, PRINTER):
        assert said("a@gone.test", address=address) == fine
    strict.dns.forget()
    assert said("a@gone.test") == none
    assert strict.dns.count() == 0  # remembered
    assert re.search(r" refused client=127\.0\.0\.2 .*from=<a@null\.test> "
                     r"dsn=5\.7\.27 ", strict.log())


def test_a_dns_that_is_silent(strict):
    """Costs the sender a later attempt, and nobody much time."""
    strict.dns.update({"silent.test": TIMEOUT})
    began = time.monotonic()
    with strict.client(address=STRANGER) as c:
        c.ehlo()
        assert c.command("MAIL FROM:<a@silent.test>") == 450
        assert time.monotonic() - began < 10
        assert c.command("MAIL FROM:<a@silent.test>") == 450
        assert c.command("MAIL FROM:<a@mx.test>") == 250


# -- no sender --

def test_a_report_has_one_recipient(smtpd):
    with smtpd.client(address=STRANGER) as c:
        c.ehlo()
        c.envelope(ANN, sender="")
        assert c.command(f"RCPT TO:<{ANN}>") == 250  # the same
        assert c.command(f"RCPT TO:<{BOB}>") == 452
        assert c.enhanced == "4.5.3"
        assert c.data(b"x: y\r\n\r\n.\r\n") == 250
        c.envelope(BOB, sender="")
        assert c.command("RSET") == 250
        assert c.command("MAIL FROM:<>") == 250
        assert c.command("RCPT TO:<nobody@example.test>") == 550
        assert c.command(f"RCPT TO:<{BOB}>") == 250
        assert c.command("RSET") == 250
        c.envelope(ANN, BOB)
    for address in (TOLERATED, PRINTER):
        with smtpd.client(address=address) as c:
            c.ehlo()
            c.envelope(ANN, BOB, sender="")


# -- Delivered-To (A11) --

def test_what_was_delivered_here_does_not_come_again(smtpd):
    def said(fields, *recipients, address=STRANGER, kind="smtp"):
        with smtpd.client(kind, address=address) as c:
            c.ehlo()
            return c.message(fields + b"\r\nx\r\n", *recipients)

    been = b"Received: from a by b; date\r\ndelivered-to:\r\n Ann@Example.Test\r\n"
    assert said(been, ANN) == 554
    assert said(been, BOB) == 250
    assert said(been, ANN, BOB) == 250
    assert said(been + b"Delivered-To: bob@example.test\r\n", ANN, BOB) == 554
    assert said(b"Delivered-To: xann@example.test\r\n", ANN) == 250
    assert said(b"X: y\r\n\r\n" + been, ANN) == 250
    assert said(been, ANN, address=PRINTER) == 554
    assert said(been, ANN, address=TOLERATED) == 250
    with smtpd.submission() as c:
        assert c.message(been + b"\r\n", sender=ANN) == 250


# -- errors cost time --

@pytest.fixture
def slow(make_smtpd):
    return make_smtpd(
        "error-delay 1s", f"tolerate errors {TOLERATED}",
        f"relay-from {PRINTER}", "smtpd-processes 1", "spare-processes 1")


def timed(client, line):
    began = time.monotonic()
    code = client.command(line)
    return code, time.monotonic() - began


def test_errors_are_answered_late(slow):
    with slow.client(address=STRANGER) as c:
        c.ehlo()
        for _ in range(2):
            code, seconds = timed(c, "JUNK")
            assert code == 500 and seconds < 0.9
        code, seconds = timed(c, "JUNK")
        assert code == 500 and 0.9 < seconds < 5
        code, seconds = timed(c, "NOOP")  # what is right is not
        assert code == 250 and seconds < 0.9
    for address in (TOLERATED, PRINTER):
        with slow.client(address=address) as c:
            c.ehlo()
            for _ in range(5):
                code, seconds = timed(c, "JUNK")
                assert code == 500 and seconds < 0.9


def test_a_list_with_dead_members_waits_for_none(slow):
    """Refusals beside an accepted recipient are no errors."""
    with slow.client(address=STRANGER) as c:
        c.ehlo()
        c.envelope()
        for n in range(10):
            code, seconds = timed(c, f"RCPT TO:<gone{n}@example.test>")
            assert code == 550 and seconds < 0.9


def test_a_pause_ends_with_the_service(make_smtpd):
    smtpd = make_smtpd("error-delay 60s", "smtpd-processes 1",
                       "spare-processes 1", "smtp-timeout 1s")
    with smtpd.client(address=STRANGER) as c:
        c.ehlo()
        for _ in range(2):
            assert c.command("JUNK") == 500
        c.send("JUNK\r\n")
        began = time.monotonic()
        smtpd.process.send_signal(signal.SIGTERM)
        assert c.reply() == 500
        assert time.monotonic() - began < 15
