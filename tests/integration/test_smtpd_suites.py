# SPDX-License-Identifier: ISC
"""Public test data against smtpd: addresses, smuggling, dialogues."""
import base64
import glob
import json
import os
import re

import pytest

from conftest import shared_folder
from smtpd_fakes import ANN, PASSWORD, Client, Smtpd, plain

EXTRA = ["max-errors 1000", "relay-from 127.0.0.1", "max-recipients 100000",
         "max-message-size 1M"]


@pytest.fixture(scope="module")
def smtpd():
    with Smtpd(extra=EXTRA) as service:
        yield service


def suite(*names):
    folder = shared_folder()
    path = os.path.join(folder or "", "suites", *names)
    return path if folder and os.path.exists(path) else None


def load(*names):
    path = suite(*names)
    if not path:
        return []
    with open(path) as f:
        return json.load(f)


# -- addresses --

class Asker:
    """Asks MAIL and RCPT about addresses, over as many sessions as the
    error budget makes of it."""

    def __init__(self, smtpd):
        self.smtpd, self.client, self.asked = smtpd, None, 0

    def takes(self, address, verb):
        if not self.client or self.asked > 100:
            self.close()
            self.client, self.asked = self.smtpd.client(), 0
            self.client.ehlo()
        self.asked += 1
        c = self.client
        if verb == "RCPT":
            assert c.command("MAIL FROM:<a@b> SMTPUTF8") == 250
        octets = address.encode("utf-8", "surrogatepass")
        line = (b"MAIL FROM:<" + octets + b"> SMTPUTF8" if verb == "MAIL"
                else b"RCPT TO:<" + octets + b">")
        code = c.command(line)
        if b"\n" in octets or b"\0" in octets:
            assert code // 100 == 5
            self.close()  # there are more replies, or none
            return False
        assert c.command("RSET") == 250
        assert code == 250 or code // 100 == 5, (address, c.text)
        return code == 250

    def close(self):
        if self.client:
            self.client.close()
            self.client = None


@pytest.fixture
def asker(smtpd):
    asker = Asker(smtpd)
    yield asker
    asker.close()


TAKEN = ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_RFC5321", "ISEMAIL_DNSWARN")


@pytest.mark.skipif(not suite("address", "isemail"), reason="no test data")
@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_isemail(asker, verb):
    wrong = []
    cases = load("address", "isemail", "tests-original.json")
    assert len(cases) > 250
    for case in cases:
        if asker.takes(case["address"], verb) != (case["category"] in TAKEN):
            wrong.append((case["address"], case["diagnosis"]))
    assert wrong == []


# What python-email-validator refuses and we take, each with the reason.
LITERAL = "an address literal is right in SMTP (RFC 5321 section 4.1.3)"
SINGLE = "a domain of one label is right in SMTP (RFC 5321 section 2.3.5)"
RESERVED = "what a domain is used for is the DNS's to say, not syntax"
IDNA = "whether labels are registrable (IDNA) is not asked; U-labels pass"
NORMAL = "texts are taken as they are; they are not normalised first"
LENGTH = "they count labels in their IDNA form, we count them as they come"
TAKEN_HERE = {
    "my@localhost": SINGLE, "me@bad-tld-1": SINGLE, "me@bad.tld-2": IDNA,
    "me@xn--0.tld": IDNA, "me@yy--0.tld": IDNA,
    "me@[127.0.0.1]": LITERAL, "me@[IPv6:::1]": LITERAL,
    "me@anything.arpa": RESERVED, "me@valid.invalid": RESERVED,
    "me@link.local": RESERVED, "me@host.localhost": RESERVED,
    "me@onion.onion.onion": RESERVED, "me@test.test.test": RESERVED,
    "\u0300@test.example": NORMAL,
}
TOO_LONG_IN_IDNA = 6  # of their cases: LENGTH


def why_taken(address):
    if len(address) > 50 and not address.isascii():
        return LENGTH
    return TAKEN_HERE.get(address)


# What stands there is refused without brackets around it only.
DISPLAY = "<"


def validator_cases():
    for case in load("address", "python-email-validator", "cases.json"):
        kind, address = case["test"], case["input"]
        if kind == "test_pyisemail_tests":
            continue
        if kind == "test_email_unsafe_character":
            address += "@test.example"
        if kind == "test_email_invalid_character_smtputf8_off":
            continue  # asked below, without SMTPUTF8
        if DISPLAY in address:
            continue  # display names: see test-address
        yield address, "test_email_valid" in kind


@pytest.mark.skipif(not suite("address", "python-email-validator"),
                    reason="no test data")
@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_python_email_validator(asker, verb):
    wrong, reasons, n = [], [], 0
    for address, valid in validator_cases():
        n += 1
        if asker.takes(address, verb) == valid:
            continue
        reasons.append(why_taken(address))
        if valid or not reasons[-1]:
            wrong.append(ascii(address))
    assert n > 100
    assert wrong == []
    assert len(reasons) == len(TAKEN_HERE) + TOO_LONG_IN_IDNA


@pytest.mark.skipif(not suite("address", "python-email-validator"),
                    reason="no test data")
def test_utf8_addresses_need_smtputf8(smtpd):
    cases = [c["input"] for c in load(
        "address", "python-email-validator", "cases.json")
        if "smtputf8_off" in c["test"]]
    assert cases
    with smtpd.client() as c:
        c.ehlo()
        for address in cases:
            assert c.command(f"MAIL FROM:<{address}>") == 550
            assert c.enhanced == "5.6.7"
            assert c.command("MAIL FROM:<a@b>") == 250
            assert c.command(f"RCPT TO:<{address}>") == 553
            assert c.enhanced == "5.6.7"
            assert c.command("RSET") == 250


# -- smuggling (A1) --

SEQUENCES = [base64.b64decode(c["bytes_b64"]) for c in load(
    "smtp", "smuggling", "eod-sequences.json")] or [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n\0.\r\n",
    b"\r\n.\0\r\n", b"\0\r\n.\r\n"]
SECOND = (b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<bob@example.test>\r\n"
          b"DATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n")


def splits(octets):
    yield [octets]
    yield [bytes([o]) for o in octets]


@pytest.mark.parametrize("sequence", SEQUENCES, ids=repr)
def test_smuggling(smtpd, sequence):
    """Whatever a false end is followed by: at most the one message that the
    envelope was for, and never the second one."""
    for parts in splits(sequence):
        n = smtpd.queue.settled()
        with smtpd.client() as c:
            c.ehlo()
            c.envelope(ANN)
            assert c.command("DATA") == 354
            c.send(b"Subject: first\r\n\r\nfirst")
            for part in parts:
                c.send(part)
            c.send(SECOND + b"QUIT\r\n")
            codes = []
            while (code := c.reply()) != 0:
                codes.append(code)
        if codes[0] == 250:  # which the queue may hear of later
            smtpd.queue.wait(n + 1)
        taken = smtpd.queue.messages[n:]
        assert codes.count(354) == 0, codes
        assert len(taken) <= 1
        assert codes[0] in (250, 550)
        assert (codes[0] == 250) == (len(taken) == 1)
        for message in taken:
            assert message.recipients == [ANN]
            assert b"smuggled" not in message.content


def test_the_true_end_is_an_end(smtpd):
    """So that the test above cannot pass with a deaf server."""
    n = smtpd.queue.settled()
    with smtpd.client() as c:
        c.ehlo()
        c.envelope(ANN)
        assert c.data(b"first\r\n.\r\n") == 250
        c.send(SECOND.replace(b"DATA\r\nSubject", b"DATA\r\n")[:70])
    assert len(smtpd.queue.wait(n + 1)) == n + 1


# -- dialogues --

DIALOGUES = [os.path.basename(p)[:-4] for p in sorted(glob.glob(os.path.join(
    suite("smtp", "dialogues", "chasquid") or "", "*.cmy")))]
NOT_SMTP = {"test_chasquid_util"}
# Their users and ours; their domains.
RENAMED = [("user@testserver", ANN),
           ("dXNlckB0ZXN0c2VydmVyAHVzZXJAdGVzdHNlcnZlcgBzZWNyZXRwYXNzd29yZA==",
            plain(ANN, PASSWORD)), ("testserver", "example.test")]
# Replies that differ in more than their text, and why.
DIFFERENT = {
    ("bad_data", "554"): ("250", "a bad header field is no reason to refuse"),
    ("auth_too_many_failures", "421"): ("501", "three errors are not many"),
}


class Dialogue:
    """chasquid's script language: c -> line, c <~ regex, c <- text,
    c ~> python bytes, c <... last line of a reply, c close, c *_connect."""

    def __init__(self, smtpd, name):
        self.smtpd, self.name, self.client = smtpd, name, None
        self.last = ""

    def run(self, path):
        with open(path) as f:
            for line in f:
                line = line.rstrip("\n")
                if line and not line.startswith("#"):
                    self.step(line[2:])
        self.client.close()

    def step(self, line):
        word, _, rest = line.partition(" ")
        for theirs, ours in RENAMED:
            rest = rest.replace(theirs, ours)
        if word in ("tcp_connect", "tls_connect"):
            kind = "submission" if word == "tls_connect" else "smtp"
            self.client = Client(self.smtpd.ports[kind], greeting=False)
        elif word == "close":
            self.client.close()
        elif word == "->":
            self.client.send(rest + "\r\n")
        elif word == "~>":
            self.client.send(eval(rest, {"__builtins__": {}}).encode())
        elif word in ("<~", "<-", "<..."):
            self.expect(rest)
        else:
            raise AssertionError(line)

    def expect(self, wanted):
        code = self.client.reply()
        key = next(((name, text) for name, text in DIFFERENT
                    if name == self.name and wanted.startswith(text)), None)
        if key:
            assert str(code) == DIFFERENT[key][0], (wanted, self.client.text)
            return
        wanted = re.match(r"\d", wanted).group()
        assert str(code)[0] == wanted, (wanted, self.client.text)


@pytest.mark.parametrize("name", [
    n for n in DIALOGUES if n not in NOT_SMTP] or [pytest.param(
        "", marks=pytest.mark.skip(reason="no test data"))])
def test_dialogue(name):
    with Smtpd(extra=["max-message-size 1M"]) as smtpd:
        path = suite("smtp", "dialogues", "chasquid", name + ".cmy")
        Dialogue(smtpd, name).run(path)
        verify = path + ".verify"
        if not os.path.exists(verify):
            return
        with open(verify) as f:
            body = f.read().partition("\n\n")[2]
        message = smtpd.queue.wait(1)[0]
        assert message.content.decode().endswith(body), (
            message.content, body)
