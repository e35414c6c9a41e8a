# SPDX-License-Identifier: ISC
"""What an author's domain wants of its mail (DMARC), and what becomes of that
mail behind a mailing list and behind forwarders: each ends where RFC 9989
says it should.

The author sends from an address of SPF's and signs.  Whoever passes it on has
an address of his own, as have we."""
import contextlib
import email
import re
import smtplib
import subprocess
import textwrap
from base64 import b64encode

import pytest

from lists import Forwarder, List, Signer
from scripted_dns import scripted_dns  # noqa: F401
from suite import SECONDS

dkim = pytest.importorskip("dkim")

AUTHOR_IP, LIST_IP, US, SRS_IP = \
    "127.0.0.10", "127.0.0.2", "127.0.0.3", "127.0.0.4"
ANN, AUTHOR = "ann@example.test", "joe@author.example"
CHANGES = {"prefix": "[news]", "footer": "-- \nnews, a list"}
MUNGED = {"customheaders": "From: Joe via news <news@list.example>\n"
                           f"Reply-To: {AUTHOR}",
          "delheaders": "From:"}


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], check=True,
                          capture_output=True, **options).stdout


@pytest.fixture(scope="module")
def key():
    return openssl("genrsa", "-traditional", "2048")


@pytest.fixture
def dns(scripted_dns, key):  # noqa: F811
    """Every domain says by SPF whence it sends; all keys are the same."""
    der = openssl("rsa", "-pubout", "-outform", "DER", input=key)
    record = {"TXT": "v=DKIM1; p=" + b64encode(der).decode()}

    def spf(address):
        return {"TXT": f"v=spf1 ip4:{address} -all"}
    return scripted_dns({
        "author.example": spf(AUTHOR_IP), "s._domainkey.author.example": record,
        "list.example": spf(LIST_IP), "s._domainkey.list.example": record,
        "forward.example": {
            "MX": [(10, "mx.forward.example")], **spf(LIST_IP)},
        "srs.example": spf(SRS_IP),
        "example.test": {"MX": [(10, "mail.example.test")]},
        "mail.example.test": {"A": US}})


@pytest.fixture
def us(make_suite, dns, as_root, tool):
    for name in ("postfix", "mlmmj-receive"):
        tool(name)

    def start(*extra):
        return make_suite(users=[ANN], listen=[("smtp", US), "submission"],
                          dns_server=dns.address, extra=extra).start()
    return start


def publish(dns, policy):
    dns.add("_dmarc.author.example", TXT=f"v=DMARC1; p={policy}")


def message(key=None):
    text = textwrap.dedent(f"""\
        From: Joe Author <{AUTHOR}>
        To: news@list.example
        Subject: words
        Date: Mon, 30 Nov 2026 10:00:00 +0000
        Message-ID: <1@author.example>
        Content-Type: text/plain

        Some words.
        """).replace("\n", "\r\n").encode()
    if key:
        text = dkim.sign(text, b"s", b"author.example", key,
                         canonicalize=(b"relaxed", b"relaxed")) + text
    return text


def send(text, server, recipient):
    """As the author's own host does."""
    with smtplib.SMTP(*server, local_hostname="author.example",
                      source_address=(AUTHOR_IP, 0)) as client:
        client.sendmail(AUTHOR, [recipient], text)


def arrived(us):
    """The message, with what our Authentication-Results says: {method:
    [(result, rest), ...]}."""
    [path] = us.wait_maildir(ANN, seconds=SECONDS * 2)
    with open(path, "rb") as f:
        found = email.message_from_binary_file(f)
    [results] = found.get_all("Authentication-Results")
    found.results = {}
    for part in re.sub(r"\s+", " ", results).split("; ")[1:]:
        method, _, rest = part.partition("=")
        result, _, rest = rest.partition(" ")
        found.results.setdefault(method, []).append((result, rest))
    return found


def refused(postfix, us):
    postfix.wait_log(rf"to=<{ANN}>.* status=bounced .*550 5\.7\.1 ")
    assert us.messages(ANN) == []


def address_of(suite):
    return suite.addresses["smtp"], suite.ports["smtp"]


# -- a list --

@contextlib.contextmanager
def subscribed(us, control, main=""):
    with List("list.example", LIST_IP, ANN, address_of(us), control,
              main) as postfix:
        yield postfix


def post(postfix, text):
    send(text, (postfix.address, postfix.port), "news@list.example")


def test_a_list_that_changes_what_is_signed(us, dns, key):
    """SPF passes for the list, which is not aligned; the signature is
    broken."""
    publish(dns, "reject")
    us = us()
    with subscribed(us, CHANGES) as postfix:
        post(postfix, message(key))
        refused(postfix, us)
    line = us.wait_log(lambda l: "smtpd" in l.text and "refused" in l.text)
    assert (line["spf"], line["dkim"], line["dmarc"], line["author"]) == \
        ("pass", "fail", "fail", "author.example")


@pytest.mark.parametrize("policy, disposition", [
    ("quarantine", "quarantine"), ("none", "none"),
    ("reject; t=y", "quarantine")])
def test_a_list_where_the_author_asks_for_less(us, dns, key, policy,
                                               disposition):
    publish(dns, policy)
    us = us()
    with subscribed(us, CHANGES) as postfix:
        post(postfix, message(key))
        found = arrived(us)
    assert found["Subject"] == "[news] words"
    assert "a list" in found.get_payload()
    assert found.results["spf"][-1] == ("pass", "smtp.mailfrom=list.example")
    assert found.results["dkim"][0][0] == "fail"
    [(result, rest)] = found.results["dmarc"]
    assert result == "fail"
    assert "header.from=author.example" in rest
    assert f"policy.dmarc={disposition}" in rest
    assert ("X-Spam-Flag" in found) == (disposition == "quarantine")


def test_a_list_that_changes_nothing(us, dns, key):
    publish(dns, "reject")
    us = us()
    with subscribed(us, {}) as postfix:
        post(postfix, message(key))
        found = arrived(us)
    assert found.results["dkim"][0][0] == "pass"
    assert found.results["dmarc"][0][0] == "pass"
    assert "X-Spam-Flag" not in found


def test_a_list_that_writes_in_its_own_name(us, dns, key):
    publish(dns, "reject")
    dns.add("_dmarc.list.example", TXT="v=DMARC1; p=reject")
    us = us()
    with subscribed(us, {**CHANGES, **MUNGED}) as postfix:
        post(postfix, message(key))
        found = arrived(us)
    assert found["From"] == "Joe via news <news@list.example>"
    [(result, rest)] = found.results["dmarc"]
    assert result == "pass" and "header.from=list.example" in rest


@pytest.mark.parametrize("trusted", [True, False])
def test_a_list_whose_signature_is_trusted(us, dns, key, tool, trusted):
    tool("opendkim")
    publish(dns, "reject")
    us = us(*["trust-signer list.example"] * trusted)
    with Signer("list.example", key) as signer, \
            subscribed(us, CHANGES, signer.milter) as postfix:
        post(postfix, message(key))
        if not trusted:
            refused(postfix, us)
            return
        found = arrived(us)
    assert any(result == "pass" and "header.d=list.example" in rest
               for result, rest in found.results["dkim"])
    assert found.results["dmarc"][0][0] == "fail"
    assert "X-Spam-Flag" not in found


# -- forwarders --

def test_a_forwarder(us, dns, key):
    """It keeps the reverse-path, so SPF fails; the signature is whole."""
    publish(dns, "reject")
    us = us()
    with Forwarder("forward.example", LIST_IP, ANN,
                   address_of(us)) as postfix:
        send(message(key), (postfix.address, postfix.port),
             "bob@forward.example")
        found = arrived(us)
    assert found["Return-Path"] == f"<{AUTHOR}>"
    [(result, rest)] = found.results["spf"][-1:]
    assert result == "fail" and "smtp.mailfrom=author.example" in rest
    assert found.results["dkim"][0][0] == "pass"
    assert found.results["dmarc"][0][0] == "pass"
    assert "X-Spam-Flag" not in found


def test_a_forwarder_of_what_nobody_signed(us, dns):
    publish(dns, "reject")
    us = us()
    with Forwarder("forward.example", LIST_IP, ANN,
                   address_of(us)) as postfix:
        send(message(), (postfix.address, postfix.port),
             "bob@forward.example")
        refused(postfix, us)


@pytest.mark.parametrize("signed", [True, False])
def test_we_are_the_forwarder(us, make_suite, dns, key, signed):
    """The reverse-path becomes one of ours (SRS): SPF passes.  That is not
    the author's, so without a signature it does not help."""
    publish(dns, "reject")
    us = us()
    forwarder = make_suite(
        hostname="mx.srs.example", domains=["srs.example"],
        listen=[("smtp", SRS_IP), "submission"], dns_server=dns.address,
        smtp_port=us.ports["smtp"], extra=[f"source-address {SRS_IP}"])
    forwarder.start()
    forwarder.add_alias("bob@srs.example", ANN)
    send(message(key if signed else None), address_of(forwarder),
         "bob@srs.example")
    if not signed:
        line = forwarder.wait_log(
            lambda l: l.get("to") == f"<{ANN}>" and "status" in l)
        assert (line["status"], line["dsn"]) == ("failed", "5.7.1")
        line = us.wait_log(lambda l: "refused" in l.text)
        assert line["from"].startswith("<SRS0=")
        assert (line["spf"], line["dmarc"]) == ("pass", "fail")
        assert us.messages(ANN) == []
        return
    found = arrived(us)
    assert re.match(r"<SRS0=.*=author\.example=joe@srs\.example>",
                    found["Return-Path"])
    assert found.results["spf"][-1] == ("pass", "smtp.mailfrom=srs.example")
    assert found.results["dkim"][0][0] == "pass"
    assert found.results["dmarc"][0][0] == "pass"
