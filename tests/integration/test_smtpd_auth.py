# SPDX-License-Identifier: ISC
"""smtpd judges who really sent what strangers hand in (SPF, DKIM, DMARC), and
does as the config says."""
import itertools
import os
import re
import socket
import subprocess
import time

import pytest

from internal import children
from scripted_dns import (NXDOMAIN, SERVFAIL, TIMEOUT,  # noqa: F401
                          scripted_dns)
from smtpd_fakes import ANN, BOB, Smtpd
from suite import SECONDS, sanitized
from test_inetd import Tcpserver

dkim = pytest.importorskip("dkim")

AUTHOR, LIST = "author.example", "list.example"
ONE = ["smtpd-processes 1", "spare-processes 1"]
TEXT = (b"From: Ann Author <ann@author.example>\r\n"
        b"To: ann@example.test\r\nSubject: x\r\n"
        b"Date: Mon, 30 Nov 2026 10:00:00 +0000\r\n"
        b"Message-ID: <1@author.example>\r\n\r\nhello\r\n")
PASS, FAIL = "v=spf1 ip4:127.0.0.1 -all", "v=spf1 -all"


class Key:
    def __init__(self):
        def openssl(*arguments, **options):
            return subprocess.run(["openssl", *arguments], check=True,
                                  capture_output=True, **options).stdout
        self.private = openssl("genrsa", "-traditional", "2048")
        der = openssl("rsa", "-pubout", "-outform", "DER",
                      input=self.private)
        from base64 import b64encode
        self.record = "v=DKIM1; p=" + b64encode(der).decode()

    def sign(self, message, domain=AUTHOR, **options):
        return dkim.sign(message, b"s", domain.encode(), self.private,
                         logger=None, **options) + message


@pytest.fixture(scope="module")
def key():
    return Key()


@pytest.fixture
def make_smtpd():
    made = []

    def make(dns, *extra, **options):
        # What users may say in From: test_submission_safety.py.
        made.append(Smtpd(extra=[f"dns-server {dns.address}", "bind-from no",
                                 *extra], **options))
        return made[-1].start()
    yield make
    for smtpd in made:
        smtpd.close()


@pytest.fixture
def dns(scripted_dns, key):  # noqa: F811
    """author.example, which sends from 127.0.0.1, signs, and wants all else
    rejected; list.example, which signs."""
    return scripted_dns(zone(key))


def zone(key, spf=PASS, dmarc="v=DMARC1; p=reject", domain=AUTHOR):
    return {domain: {"TXT": spf} if spf else {},
            f"_dmarc.{domain}": {"TXT": dmarc} if dmarc else NXDOMAIN,
            f"s._domainkey.{domain}": {"TXT": key.record},
            f"s._domainkey.{LIST}": {"TXT": key.record},
            "mail.example.test": {"A": "127.0.0.1"}}


def send(smtpd, octets=TEXT, *recipients, sender=f"x@{AUTHOR}", **options):
    """(code, enhanced code, text, stored message or None)"""
    before = smtpd.queue.settled()
    with smtpd.client(**options) as c:
        c.ehlo()
        code = c.message(octets, *recipients, sender=sender)
        text, enhanced = c.text, c.enhanced
    if code != 250:
        assert smtpd.queue.settled() == before
        return code, enhanced, text, None
    return code, enhanced, text, smtpd.queue.wait(before + 1)[before]


def results(message):
    """The Authentication-Results that were written, unfolded."""
    found = re.search(rb"^Authentication-Results: mail\.example\.test;"
                      rb"(.*?)^(?=\S)", message.local + b"x",
                      re.M | re.S).group(1).decode()
    return " ".join(found.split())


def junk(message):
    marks = re.findall(rb"^X-Spam-.*\n", message.local, re.M)
    word = message.attributes.get("junk")
    assert marks == ([b"X-Spam-Flag: YES\n",
                      b"X-Spam-Status: Yes, reason=%s\n" % word.encode()]
                     if word else [])
    return word


# -- what is written --

def test_what_stands_at_the_top(make_smtpd, dns, key):
    """Byte for byte; all of it before the part that leaves the house."""
    smtpd = make_smtpd(dns)
    *_, message = send(smtpd, key.sign(TEXT))
    begin = re.search(rb" b=([^;]{8})", message.content).group(1)
    if b"/" in begin or b"=" in begin:
        begin = b'"' + begin + b'"'
    assert message.local == (
        b"Return-Path: <x@author.example>\n"
        b"Delivered-To: ann@example.test\n"
        b"Authentication-Results: mail.example.test;\n"
        b"\tspf=none smtp.helo=client.example;\n"
        b"\tspf=pass smtp.mailfrom=author.example;\n"
        b"\tdkim=pass header.d=author.example header.s=s "
        b"header.a=rsa-sha256\n\theader.b=" + begin + b";\n"
        b"\tdmarc=pass header.from=author.example policy.dmarc=reject\n")
    assert message.outside.startswith(b"Received: from client.example ")
    assert message.content.endswith(key.sign(TEXT).replace(b"\r\n", b"\n")[
        -len(TEXT) + TEXT.count(b"\n"):])
    assert int(message["wire"]) == len(message.content) + \
        message.content.count(b"\n")
    assert "junk" not in message.attributes


def test_marks_of_junk_stand_above(make_smtpd, dns):
    dns.update({f"_dmarc.{AUTHOR}": {"TXT": "v=DMARC1; p=quarantine"}})
    smtpd = make_smtpd(dns)
    *_, message = send(smtpd, sender="x@elsewhere.test")
    assert message.local.startswith(
        b"Return-Path: <x@elsewhere.test>\nDelivered-To: ann@example.test\n"
        b"X-Spam-Flag: YES\nX-Spam-Status: Yes, reason=dmarc\n"
        b"Authentication-Results: mail.example.test;\n")
    assert message.outside.startswith(b"Received: ")
    assert message["junk"] == "dmarc"


# -- who passes --

SPF = {"pass": PASS, "fail": FAIL, "none": None, "temperror": SERVFAIL}
DKIM = ["pass", "fail", "none", "temperror"]
POLICIES = ["reject", "quarantine", "none", None]


def expected(spf, signed, policy):
    """RFC 9989 section 5.3, and that nobody is refused for DNS trouble."""
    if policy in ("none", None) or "pass" in (spf, signed):
        return 250, None
    if "temperror" in (spf, signed):
        return 451, None
    return (550, None) if policy == "reject" else (250, "dmarc")


def test_matrix(make_smtpd, dns, key):
    smtpd = make_smtpd(dns)
    good = key.sign(TEXT)
    for spf, signed, policy in itertools.product(SPF, DKIM, POLICIES):
        dns.update(zone(key, SPF[spf] if spf != "temperror" else None,
                        policy and f"v=DMARC1; p={policy}"))
        if spf == "temperror":
            dns.add(AUTHOR, TXT=SERVFAIL)
        if signed == "temperror":
            dns.update({f"s._domainkey.{AUTHOR}": SERVFAIL})
        octets = {"none": TEXT, "fail": good.replace(b"hello", b"hallo")}
        code, enhanced, text, message = send(smtpd, octets.get(signed, good))
        case = spf, signed, policy, text
        want, word = expected(spf, signed, policy)
        assert code == want, case
        if code == 250:
            assert junk(message) == word, case
            said = results(message)
            assert f"spf={spf} smtp.mailfrom" in said or (
                f'spf={spf} reason=' in said), (case, said)
            assert f"dkim={signed}" in said, (case, said)
        else:
            assert enhanced == {451: "4.4.3", 550: "5.7.1"}[code], case


def test_what_is_refused_says_why(make_smtpd, dns):
    smtpd = make_smtpd(dns)
    code, enhanced, text, _ = send(smtpd, sender="x@elsewhere.test")
    assert (code, enhanced) == (550, "5.7.1")
    assert AUTHOR in text and "DMARC" in text and "SPF" in text
    line = [line for line in smtpd.log().splitlines() if "refused" in line][-1]
    assert ("to=<ann@example.test> spf=none dkim=none dmarc=fail "
            "author=author.example dsn=5.7.1" in line)


def test_the_best_signature_is_logged(make_smtpd, dns, key):
    """Not the first: that of a list may have no key any more."""
    smtpd = make_smtpd(dns)
    octets = key.sign(key.sign(TEXT).replace(b"hello", b"hallo"),
                      domain="nowhere.example")
    code, _, text, _ = send(smtpd, octets, sender="x@elsewhere.test")
    assert code == 550 and "DKIM fail" in text
    assert "dkim=fail dmarc=fail" in smtpd.log()


def test_what_is_accepted_is_logged(make_smtpd, dns):
    smtpd = make_smtpd(dns)
    send(smtpd)
    line = [line for line in smtpd.log().splitlines()
            if " accepted " in line][-1]
    assert "spf=pass dkim=none dmarc=pass author=author.example" in line


@pytest.mark.parametrize("p,sp,np,domain,code", [
    ("none", "reject", None, "sub.author.example", 550),
    ("reject", "none", None, "sub.author.example", 250),
    ("none", None, "reject", "not.author.example", 550),
    ("reject", None, "none", "not.author.example", 250)])
def test_policy_below_the_organization(make_smtpd, dns, p, sp, np, domain,
                                       code):
    dns.update({"sub.author.example": {"A": "127.0.0.1"},
                f"_dmarc.{AUTHOR}": {"TXT": f"v=DMARC1; p={p}" +
                                     (f"; sp={sp}" if sp else "") +
                                     (f"; np={np}" if np else "")}})
    octets = TEXT.replace(b"<ann@author.example>", f"<a@{domain}>".encode())
    assert send(make_smtpd(dns), octets, sender="x@elsewhere.test")[0] == code


def test_testing_takes_one_step_less(make_smtpd, dns):
    dns.update({f"_dmarc.{AUTHOR}": {"TXT": "v=DMARC1; p=reject; t=y"}})
    code, *_, message = send(make_smtpd(dns), sender="x@elsewhere.test")
    assert code == 250 and junk(message) == "dmarc"


# -- who is judged --

def test_users_and_neighbours_are_not_judged(make_smtpd, dns):
    smtpd = make_smtpd(dns, "relay-from 127.0.0.9")
    forged = TEXT.replace(b"hello", b"forged")
    with smtpd.submission() as c:
        assert c.message(forged, sender=ANN) == 250
    with smtpd.client(address="127.0.0.9") as c:
        c.ehlo()
        assert c.message(forged) == 250
    for message in smtpd.queue.wait(2):
        assert b"Authentication-Results" not in message.content
        assert "junk" not in message.attributes
    assert not [q for q in dns.queries if q.type == "TXT"]
    assert "dmarc=" not in smtpd.log()


def test_nobody_is_judged_where_the_config_says_so(make_smtpd, dns):
    smtpd = make_smtpd(dns, "mail-auth no")
    code, *_, message = send(smtpd, sender="x@elsewhere.test")
    assert code == 250
    assert message.local == (b"Return-Path: <x@elsewhere.test>\n"
                             b"Delivered-To: ann@example.test\n")
    assert not [q for q in dns.queries if q.type == "TXT"]


# -- what the config can soften or override --

@pytest.mark.parametrize("policy,keyword,code,word", [
    ("reject", "dmarc-reject quarantine", 250, "dmarc"),
    ("reject", "dmarc-reject mark", 250, None),
    ("quarantine", "dmarc-reject mark", 250, "dmarc"),
    ("quarantine", "dmarc-quarantine mark", 250, None),
    ("reject", "dmarc-quarantine mark", 550, None)])
def test_softer_answers(make_smtpd, dns, policy, keyword, code, word):
    dns.update({f"_dmarc.{AUTHOR}": {"TXT": f"v=DMARC1; p={policy}"}})
    got, *_, message = send(make_smtpd(dns, keyword),
                            sender="x@elsewhere.test")
    assert got == code
    if message:
        assert junk(message) == word
        assert "dmarc=fail" in results(message)


def test_nothing_depends_on_the_dns_where_all_is_only_marked(make_smtpd, dns):
    dns.update({f"_dmarc.{AUTHOR}": SERVFAIL, AUTHOR: SERVFAIL})
    octets = TEXT.replace(b"author.example>", b"deep.author.example>")
    smtpd = make_smtpd(dns, "dmarc-reject mark", "dmarc-quarantine mark")
    code, *_, message = send(smtpd, octets)
    assert code == 250 and "dmarc=temperror" in results(message)


@pytest.mark.parametrize("keyword,says", [
    ("trust-from author.example", "trust-from"),
    ("trust-from example", "trust-from"),
    ("trust-from other.example", None),
    ("trust-from hor.example", None),
    ("trust-client 127.0.0.0/30", "trust-client"),
    ("trust-client 192.0.2.1", None),
    ("trust-signer list.example", "trust-signer"),
    ("trust-signer other.example", None)])
def test_overrides(make_smtpd, dns, key, keyword, says):
    """A list has changed the text, and signed it."""
    octets = key.sign(TEXT.replace(b"hello", b"[list] hello"), LIST)
    smtpd = make_smtpd(dns, keyword, "spf-fail reject")
    dns.add("elsewhere.test", TXT=FAIL)
    code, *_, message = send(smtpd, octets, sender="x@elsewhere.test")
    assert code == (250 if says else 550)
    if message:
        assert junk(message) is None and "dmarc=fail" in results(message)
        assert f"trust={says}" in smtpd.log()


def test_a_bad_signature_is_nobodys_word(make_smtpd, dns, key):
    octets = key.sign(TEXT, LIST).replace(b"hello", b"hallo")
    smtpd = make_smtpd(dns, "trust-signer list.example")
    assert send(smtpd, octets, sender="x@elsewhere.test")[0] == 550


def test_a_signature_of_a_part_is_nobodys_word(make_smtpd, dns, key):
    """A15: behind l= anybody can write what he likes."""
    octets = key.sign(TEXT, LIST, length=True) + b"more\r\n"
    smtpd = make_smtpd(dns, "trust-signer list.example")
    assert send(smtpd, octets, sender="x@elsewhere.test")[0] == 550
    octets = key.sign(TEXT, AUTHOR, length=True) + b"more\r\n"
    assert send(smtpd, octets, sender="x@elsewhere.test")[0] == 550


# -- SPF alone --

@pytest.mark.parametrize("answer,code,word", [
    ("mark", 250, None), ("quarantine", 250, "spf"), ("reject", 550, None)])
def test_spf_fail(make_smtpd, dns, answer, code, word):
    dns.add("elsewhere.test", TXT=FAIL)
    octets = TEXT.replace(b"author.example", b"nobody.example")
    got, enhanced, _, message = send(
        make_smtpd(dns, f"spf-fail {answer}"), octets,
        sender="x@elsewhere.test")
    assert got == code
    if message:
        assert junk(message) == word
        assert "spf=fail smtp.mailfrom=elsewhere.test" in results(message)
    else:
        assert enhanced == "5.7.23"


def test_explanation(make_smtpd, dns):
    """The domain's own words, as far as they are fit for a reply (A8)."""
    dns.add("elsewhere.test", TXT=FAIL + " exp=why.elsewhere.test")
    dns.add("why.elsewhere.test", TXT="%{i} is none of ours, " + "x" * 300)
    octets = TEXT.replace(b"author.example", b"nobody.example")
    smtpd = make_smtpd(dns, "spf-fail reject")
    code, enhanced, text, _ = send(smtpd, octets, sender="x@elsewhere.test")
    assert (code, enhanced) == (550, "5.7.23")
    assert "elsewhere.test explains: 127.0.0.1 is none of ours, xxx" in text
    dns.add("why.elsewhere.test", TXT=b"a\r\n250 \xff\x1b ok")
    code, enhanced, text, _ = send(smtpd, octets, sender="x@elsewhere.test")
    assert (code, enhanced) == (550, "5.7.23")


def test_spf_is_not_asked_where_dmarc_passes(make_smtpd, dns, key):
    """Who forwards mail fails SPF; the author's signature is still good."""
    dns.update(zone(key, spf=FAIL))
    code, *_, message = send(make_smtpd(dns, "spf-fail reject"),
                             key.sign(TEXT))
    assert code == 250 and junk(message) is None


@pytest.mark.parametrize("answer,code", [
    ("mark", 250), ("quarantine", 451), ("reject", 451)])
def test_spf_in_trouble(make_smtpd, dns, answer, code):
    dns.add("elsewhere.test", TXT=SERVFAIL)
    octets = TEXT.replace(b"author.example", b"nobody.example")
    got, enhanced, *_ = send(make_smtpd(dns, f"spf-fail {answer}"), octets,
                             sender="x@elsewhere.test")
    assert got == code
    assert code == 250 or enhanced == "4.7.24"


# -- From --

@pytest.mark.parametrize("header", [
    b"From: a@author.example\r\nFrom: b@elsewhere.test\r\n",
    b"From: a@elsewhere.test\r\nfrom : b@author.example\r\n",
    b"From: a@author.example, b@elsewhere.test\r\n",
    b"From: nobody\r\n", b"From:\r\n", b"From: <>\r\n",
    b"From: a@[127.0.0.1]\r\n",
    b"From : a@elsewhere.test\r\n",
    b"no field\r\nFrom: a@elsewhere.test\r\n"])
def test_from_that_is_not_clear(make_smtpd, dns, header):
    """A16: one verdict, the strict one, and the config can soften it."""
    octets = header + b"Subject: x\r\n\r\nhello\r\n"
    smtpd = make_smtpd(dns)
    code, enhanced, text, _ = send(smtpd, octets)
    assert (code, enhanced) == (550, "5.7.1")
    assert "whom this is from" in text
    code, *_, message = send(make_smtpd(dns, "dmarc-reject quarantine"),
                             octets)
    assert code == 250 and junk(message) == "from"
    assert "dmarc=fail" in results(message)


def test_from_that_is_not_there(make_smtpd, dns):
    """Nobody to be mistaken for: it is set aside, not refused."""
    octets = b"Subject: x\r\n\r\nhello\r\n"
    code, *_, message = send(make_smtpd(dns), octets)
    assert code == 250 and junk(message) == "from"
    assert "dmarc=fail" in results(message)
    code, *_, message = send(make_smtpd(dns, "dmarc-quarantine mark"), octets)
    assert code == 250 and junk(message) is None


# -- what is cut out --

CLAIMS = [b"Authentication-Results: mail.example.test; dmarc=pass\r\n",
          b"authentication-results : MAIL.Example.TEST 1; spf=pass\r\n",
          b"Authentication-Results: (a (b)) \"mail.example.test\"\r\n ;\r\n"
          b"\tdkim=pass\r\n",
          b"Authentication-Results:\r\n mail.example.test; none\r\n",
          b"Authentication-Results: (never ends; dkim=pass\r\n",
          b"Authentication-Results\r\n : mail.example.test; dkim=pass\r\n"]
OTHERS = [b"Authentication-Results: sub.mail.example.test; dmarc=pass\r\n",
          b"Authentication-Results: mail.example.org;\r\n\tspf=pass\r\n",
          b"X-Authentication-Results: mail.example.test; spf=pass\r\n"]


@pytest.mark.parametrize("who", ["stranger", "user", "neighbour", "unjudged"])
def test_forged_results_are_cut_out(make_smtpd, dns, who):
    """A17: whoever sends them, and nothing else goes with them."""
    smtpd = make_smtpd(dns, "relay-from 127.0.0.9",
                       *(["mail-auth no"] if who == "unjudged" else []))
    head, _, body = TEXT.partition(b"\r\n\r\n")
    octets = CLAIMS[0] + OTHERS[0] + head + b"\r\n" + b"".join(
        OTHERS[1:] + CLAIMS[1:]) + b"\r\n" + CLAIMS[0] + body
    with {"user": smtpd.submission, "neighbour": lambda: smtpd.client(
            address="127.0.0.9")}.get(who, smtpd.client)() as c:
        c.ehlo()
        assert c.message(octets, sender=ANN if who == "user"
                         else f"x@{AUTHOR}") == 250, c.text
    [message] = smtpd.queue.wait(1)
    assert message.content.endswith(
        (OTHERS[0] + head + b"\r\n" + b"".join(OTHERS[1:]) + b"\r\n" +
         CLAIMS[0] + body).replace(b"\r\n", b"\n"))
    assert int(message["wire"]) == len(message.content) + \
        message.content.count(b"\n")
    claims = re.findall(rb"^Authentication-Results: mail\.example\.test;",
                        message.content, re.M)
    assert len(claims) == (2 if who == "stranger" else 1)


def test_what_was_cut_out_was_signed(make_smtpd, dns, key):
    """The signature is looked at as the message came."""
    octets = key.sign(CLAIMS[0] + TEXT, include_headers=[
        b"from", b"authentication-results"])
    *_, message = send(make_smtpd(dns), octets, sender="x@elsewhere.test")
    assert "dkim=pass" in results(message)
    assert CLAIMS[0].strip() not in message.outside


def test_marks_of_junk_are_ours_alone(make_smtpd, dns):
    marks = (b"X-Spam-Flag: NO\r\nx-spam-status: No, score=-5\r\n"
             b"\tyes\r\nX-Spam-Level: **\r\n")
    smtpd = make_smtpd(dns, "relay-from 127.0.0.9")
    *_, message = send(smtpd, marks + TEXT)
    assert message.outside.endswith(
        (b"X-Spam-Level: **\r\n" + TEXT).replace(b"\r\n", b"\n"))
    assert b"score" not in message.content
    *_, message = send(smtpd, marks + TEXT, address="127.0.0.9")
    assert message.outside.endswith((marks + TEXT).replace(b"\r\n", b"\n"))


# -- sizes and pieces --

def test_any_split_gives_the_same(make_smtpd, dns, key):
    smtpd = make_smtpd(dns)
    octets = CLAIMS[2] + key.sign(TEXT) + b".\r\n"
    whole = None
    for step in (len(octets), 1, 7, 64):
        with smtpd.client() as c:
            c.ehlo()
            c.envelope(sender="x@elsewhere.test")
            assert c.command("DATA") == 354
            for at in range(0, len(octets), step):
                c.send(octets[at:at + step])
            assert c.reply() == 250, c.text
        message = smtpd.queue.wait(smtpd.queue.settled())[-1]
        content = re.sub(rb"^Received: .*\n(\t.*\n)+", b"",
                         message.content, count=1, flags=re.M)
        whole = whole or content
        assert content == whole
    assert b"dkim=pass" in whole


@pytest.mark.parametrize("header,code", [
    (b"X: " + b"x" * 900 + b"\r\n", 552), (b"X:\r\n", 552),
    (b"x" * 900 + b"\r\n", 552)])
def test_header_section_has_a_bound(make_smtpd, dns, header, code):
    """A15, A19: in octets and in fields, for users, too."""
    smtpd = make_smtpd(dns)
    many = header * (300 if len(header) > 100 else 2001)
    for client, sender in ((smtpd.client, f"x@{AUTHOR}"),
                           (smtpd.submission, ANN)):
        with client() as c:
            c.ehlo()
            assert c.message(many + TEXT, sender=sender) == code
            assert c.enhanced == "5.3.4" and "header" in c.text
            few = header * 200 if header.startswith(b"X") else b""
            assert c.message(few + TEXT, sender=sender) == 250
    smtpd.queue.wait(2)


def test_large_message(make_smtpd, dns, key, report):
    """25 MB is verified as it comes, in a MiB of memory at the most."""
    if os.geteuid() != 0:
        pytest.skip("needs root to look at an undumpable process")
    smtpd = make_smtpd(dns, *ONE)
    large = key.sign(TEXT + (b"x" * 70 + b"\r\n") * 350000)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(key.sign(TEXT), sender="x@elsewhere.test") == 250
        before = peak(smtpd)
        start = time.monotonic()
        assert c.message(large, sender="x@elsewhere.test") == 250, c.text
        took = time.monotonic() - start
        more = peak(smtpd) - before
    report(f"25 MB of a stranger verified in {took * 1000:.0f} ms, with "
           f"{more} KiB more memory than a short one")
    message = smtpd.queue.wait(2)[1]
    assert "dkim=pass" in results(message)
    assert message.content.endswith(large[-1000:].replace(b"\r\n", b"\n"))
    assert int(message["wire"]) == len(message.content) + \
        message.content.count(b"\n")
    assert sanitized() or more <= 1024  # they have memory of their own


def peak(smtpd):
    """KiB that the worker had in memory at the most."""
    [worker] = children(smtpd.process.pid)
    with open(f"/proc/{worker}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


# -- a DNS that is no help --

def test_silent_servers_of_a_sender(make_smtpd, dns):
    """Bounded; and others' mail goes on."""
    dns.update({"*.silent.example": TIMEOUT, "silent.example": TIMEOUT,
                "1.0.0.127.in-addr.arpa": NXDOMAIN})
    octets = TEXT.replace(b"author.example", b"silent.example")
    smtpd = make_smtpd(dns, *ONE)
    start = time.monotonic()
    code, enhanced, *_ = send(smtpd, octets, sender="x@silent.example")
    assert (code, enhanced) == (451, "4.4.3")
    assert time.monotonic() - start < 17
    start = time.monotonic()
    assert send(smtpd)[0] == 250
    assert time.monotonic() - start < 2


def test_policy_that_cannot_be_read(make_smtpd, dns, key):
    """Where the very domain passes no policy could ask for anything."""
    dns.update({f"_dmarc.{AUTHOR}": SERVFAIL,
                f"s._domainkey.sub.{AUTHOR}": {"TXT": key.record}})
    smtpd = make_smtpd(dns)
    elsewhere = {"sender": "x@elsewhere.test"}
    *_, message = send(smtpd, key.sign(TEXT), **elsewhere)
    assert "dmarc=temperror" in results(message)
    assert send(smtpd)[0] == 250
    assert send(smtpd, **elsewhere)[0] == 451
    octets = key.sign(TEXT, domain=f"sub.{AUTHOR}")
    assert send(smtpd, octets, **elsewhere)[0] == 451  # strict or not?


def test_dead_dns_is_waited_for_once(make_smtpd, dns, scripted_dns):  # noqa: F811
    dead = scripted_dns({"": TIMEOUT, "*.example": TIMEOUT,
                         "*.test": TIMEOUT, "*.arpa": TIMEOUT})
    smtpd = make_smtpd(dead, *ONE)
    start = time.monotonic()
    code, enhanced, *_ = send(smtpd)
    first = time.monotonic() - start
    assert (code, enhanced) == (451, "4.4.3")
    assert first < 20
    for _ in range(5):
        start = time.monotonic()
        assert send(smtpd, address="127.0.0.2")[0] == 451
        assert time.monotonic() - start < 2


def test_no_dns_at_all(make_smtpd, dns):
    """A stranger's mail waits outside; a user's does not."""
    dns.address = "127.0.0.1:1"
    smtpd = make_smtpd(dns)
    assert send(smtpd)[0] == 451
    with smtpd.submission() as c:
        assert c.message(TEXT, sender=ANN) == 250


# -- elsewhere --

def test_several_recipients_are_judged_once(make_smtpd, dns, key):
    smtpd = make_smtpd(dns)
    *_, message = send(smtpd, key.sign(TEXT), ANN, BOB)
    assert message.local.startswith(b"Return-Path: <x@author.example>\n"
                                    b"Authentication-Results: ")
    assert dns.count(f"_dmarc.{AUTHOR}") == 1


def test_what_is_asked(make_smtpd, dns, key):
    """Nothing twice, and nothing that nobody needs."""
    smtpd = make_smtpd(dns)
    send(smtpd, key.sign(TEXT))
    asked = sorted((q.type, q.name) for q in dns.queries)
    assert len(set(asked)) == len(asked), asked
    assert [a for a in asked if a[0] != "TXT"] == [
        ("PTR", "1.0.0.127.in-addr.arpa")]


def test_a_whole_house(make_suite, dns, key):
    suite = make_suite(users=[ANN], dns_server=dns.address).start()
    with suite.smtp() as client:
        client.sendmail(f"x@{AUTHOR}", [ANN], key.sign(TEXT))
        with pytest.raises(Exception) as refusal:
            client.sendmail("x@elsewhere.test", [ANN], TEXT)
        assert refusal.value.smtp_code == 550
    [path] = suite.wait_maildir(ANN, 1)
    with open(path, "rb") as f:
        content = f.read()
    assert b"\n\tdkim=pass header.d=author.example" in content


def test_inetd(make_suite, dns, tool):
    suite = make_suite(users=[ANN], dns_server=dns.address,
                       listen=[("smtp", "127.0.0.1")]).start()
    with Tcpserver(tool("tcpserver"), suite, "smtpd") as server, \
            socket.create_connection(("127.0.0.1", server.port),
                                     SECONDS) as s:
        file = s.makefile("rwb")

        def say(line):
            if line:
                file.write(line + b"\r\n")
                file.flush()
            while (reply := file.readline())[3:4] == b"-":
                pass
            return int(reply[:3])
        assert say(b"") == 220
        for sender, code in ((b"x@author.example", 250),
                             (b"x@elsewhere.test", 550)):
            assert say(b"EHLO client.example") == 250
            assert say(b"MAIL FROM:<" + sender + b">") == 250
            assert say(b"RCPT TO:<" + ANN.encode() + b">") == 250
            assert say(b"DATA") == 354
            assert say(TEXT + b".") == code
    [path] = suite.wait_maildir(ANN, 1)
    with open(path, "rb") as f:
        assert b"spf=pass smtp.mailfrom=author.example" in f.read()
