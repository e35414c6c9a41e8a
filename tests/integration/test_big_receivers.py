# SPDX-License-Identifier: ISC
"""What the big receivers have published that they demand of senders, as a
table of rules over a newsletter that a user of ours handed in and that
arrived at another host: each rule holds, and each has a way to break it.

Gmail: "Email sender guidelines", Yahoo: "Sender Best Practices", both since
February 2024; Microsoft: "high volume senders", since May 2025 (550 5.7.515).
"""
import base64
import dataclasses
import email
import email.policy
import email.utils
import ipaddress
import json
import re
import ssl
import subprocess

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deliverer import SmtpServer
from pki import Authority
from scripted_dns import ScriptedDns
from suite import Suite, program

DOMAIN, HOST = "example.test", "mail.example.test"
ANN, AWAY = f"ann@{DOMAIN}", "bob@receiver.invalid"
CLIENT = "127.0.0.1"  # where our mail comes from in a test
REVERSE = ipaddress.ip_address(CLIENT).reverse_pointer
NEWSLETTER = f"""\
From: Ann <{ANN}>
To: bob@receiver.invalid
Subject: News
List-Unsubscribe: <https://www.{DOMAIN}/unsubscribe/opaque>
List-Unsubscribe-Post: List-Unsubscribe=One-Click

Dear Bob,

.there are no news.
"""


@dataclasses.dataclass(frozen=True)
class Arrival:
    """What the receiver knows."""
    octets: bytes
    sender: str
    helo: str
    client: str
    tls: str  # version, "" in the clear
    zone: dict  # {name: {type: records}}

    def change(self, **what):
        return dataclasses.replace(self, **what)

    def without(self, *names):
        return self.change(zone={
            name: what for name, what in self.zone.items()
            if name not in names})

    def replaced(self, old, new):
        assert old in self.octets
        return self.change(octets=self.octets.replace(old, new, 1))

    def publishing(self, name, text):
        return self.change(zone={**self.zone, name: {
            **self.zone.get(name, {}), "TXT": [text]}})

    @property
    def message(self):
        return email.message_from_bytes(
            self.octets, policy=email.policy.compat32)

    def all(self, name):
        return self.message.get_all(name, [])

    def judged(self):
        """By our own library: what smtpd would find."""
        with ScriptedDns(self.zone) as dns:
            done = subprocess.run(
                [program("postrider-mailauth"), "all", "--json", "--dns",
                 dns.address, "--ip", self.client, "--helo", self.helo,
                 "--from", self.sender],
                input=self.octets, capture_output=True, check=True)
        return json.loads(done.stdout)

    def signatures(self):
        """(tags, does it pass?) of each, by python3-dkim."""
        def text(name, timeout=5):
            name = name.decode() if isinstance(name, bytes) else name
            what = self.zone.get(name.rstrip("."), {}).get("TXT", [None])[0]
            return what and what.encode()
        for i, field in enumerate(self.all("DKIM-Signature")):
            tags = dict(re.findall(r"(?:^|;)\s*(\w+)=([^;]*)", field))
            try:
                good = dkim.DKIM(self.octets).verify(idx=i, dnsfunc=text)
            except dkim.DKIMException:
                good = False
            yield {k: re.sub(r"\s", "", v) for k, v in tags.items()}, good


# -- the rules --

def spf_passes(a):
    return a.judged()["spf"]["result"] == "pass"


def dkim_passes(a):
    """RSA, which every receiver knows."""
    return any(good and tags["a"] == "rsa-sha256"
               for tags, good in a.signatures())


def key_is_long(a):
    """2048 bits; less than 1024 is refused everywhere."""
    for tags, _ in a.signatures():
        name = f"{tags['s']}._domainkey.{tags['d']}"
        record = a.zone.get(name, {}).get("TXT", [""])[0]
        if "k=rsa" in record:
            key = serialization.load_der_public_key(
                base64.b64decode(record.split("p=")[1]))
            return key.key_size >= 2048
    return False


def dmarc_is_published(a):
    return any(re.match(r"v=DMARC1;\s*p=(none|quarantine|reject)\b", text)
               for text in a.zone.get("_dmarc." + DOMAIN, {}).get("TXT", []))


def from_is_aligned(a):
    judged = a.judged()
    return judged["result"] == "pass" and judged["from"] == DOMAIN


def both_are_aligned(a):
    """Microsoft names it as what it will want next."""
    judged = a.judged()
    return judged["spf_aligned"] and judged["dkim_aligned"]


def name_leads_back(a):
    names = a.zone.get(ipaddress.ip_address(a.client).reverse_pointer,
                       {}).get("PTR", [])
    return any(a.client in a.zone.get(name, {}).get("A", [])
               for name in names)


def helo_is_that_name(a):
    return "." in a.helo and a.helo in a.zone.get(
        ipaddress.ip_address(a.client).reverse_pointer, {}).get("PTR", [])


def comes_by_tls(a):
    return a.tls in ("TLSv1.2", "TLSv1.3")


def one_from(a):
    return len(a.all("From")) == 1 and len(
        email.utils.getaddresses(a.all("From"))) == 1


def a_message_id(a):
    return len(a.all("Message-ID")) == 1 and re.fullmatch(
        r"<[^\s<>@]+@[^\s<>@]+>", a.all("Message-ID")[0].strip()) is not None


def a_date(a):
    dates = a.all("Date")
    return len(dates) == 1 and email.utils.parsedate_tz(dates[0]) is not None


def single_fields(a):
    """RFC 5322 section 3.6."""
    return all(len(a.all(name)) <= 1 for name in (
        "Sender", "Reply-To", "To", "Cc", "Subject", "In-Reply-To",
        "References"))


def lines_are_short(a):
    return all(len(line) <= 998 for line in a.octets.split(b"\r\n"))


def lines_end_in_crlf(a):
    return not re.search(rb"\r(?!\n)|(?<!\r)\n", a.octets)


def header_is_ascii(a):
    return a.octets.split(b"\r\n\r\n")[0].isascii()


def nobody_is_imitated(a):
    """Gmail: From must not be gmail.com's."""
    return email.utils.parseaddr(a.all("From")[0])[1].endswith("@" + DOMAIN)


def unsubscribing_is_one_click(a):
    """RFC 8058: both fields, signed."""
    return (any(uri.startswith("<https://")
                for uri in a.all("List-Unsubscribe")) and
            a.all("List-Unsubscribe-Post") == [
                "List-Unsubscribe=One-Click"] and
            any(good and {"list-unsubscribe", "list-unsubscribe-post"} <=
                set(tags["h"].lower().split(":"))
                for tags, good in a.signatures()))


def weak_key(a):
    """1024 bits, in place of ours."""
    key = rsa.generate_private_key(65537, 1024).public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    name = next(n for n, what in a.zone.items()
                if "k=rsa" in what.get("TXT", [""])[0])
    return a.publishing(
        name, "v=DKIM1; k=rsa; p=" + base64.b64encode(key).decode())


ALL = "Gmail, Yahoo, Microsoft"
RULES = {rule.__name__: (rule, who, broken) for rule, who, broken in (
    (spf_passes, ALL, lambda a: a.change(client="198.51.100.1")),
    (dkim_passes, ALL, lambda a: a.replaced(b"no news", b"big news")),
    (key_is_long, "Gmail, Yahoo", weak_key),
    (dmarc_is_published, ALL, lambda a: a.without("_dmarc." + DOMAIN)),
    (from_is_aligned, ALL, lambda a: a.replaced(
        b"From: Ann <ann@example.test>", b"From: Ann <ann@other.invalid>")),
    (both_are_aligned, "Microsoft", lambda a: a.change(
        sender="bounces@other.invalid").publishing(
            "other.invalid", "v=spf1 ip4:127.0.0.1 -all")),
    (name_leads_back, "Gmail, Yahoo", lambda a: a.without(REVERSE)),
    (helo_is_that_name, "Gmail, Yahoo", lambda a: a.change(helo="mail")),
    (comes_by_tls, "Gmail", lambda a: a.change(tls="")),
    (one_from, "Gmail, Yahoo", lambda a: a.replaced(
        b"From: ", b"From: x@example.test\r\nFrom: ")),
    (a_message_id, "Gmail, Yahoo", lambda a: a.replaced(
        b"Message-ID: <", b"Message-ID: ")),
    (a_date, "Gmail, Yahoo", lambda a: a.replaced(b"Date: ", b"X-Date: ")),
    (single_fields, "Gmail", lambda a: a.replaced(
        b"Subject: ", b"Subject: twice\r\nSubject: ")),
    (lines_are_short, "Gmail, Yahoo", lambda a: a.replaced(
        b"Dear", 999 * b"x")),
    (lines_end_in_crlf, "Gmail, Yahoo", lambda a: a.replaced(
        b"Dear Bob,\r\n", b"Dear Bob,\n")),
    (header_is_ascii, "Gmail, Yahoo", lambda a: a.replaced(
        b"Subject: News", "Subject: Gr\u00fc\u00dfe".encode())),
    (nobody_is_imitated, "Gmail", lambda a: a.replaced(
        b"From: Ann <ann@example.test>", b"From: Ann <ann@gmail.com>")),
    (unsubscribing_is_one_click, "Gmail, Yahoo", lambda a: a.replaced(
        b"List-Unsubscribe-Post: ", b"X-Post: ")),
)}


# -- the sample --

class Sink(SmtpServer):
    """Knows of the last session its EHLO name and TLS version."""

    def arrival(self, zone):
        session = self.sessions[-1]
        mail, _, octets = self.messages[-1]
        helo = [l for l in session.commands if l[:4].upper() == "EHLO"][-1]
        sender = re.search("<(.*?)>", mail).group(1)
        return Arrival(octets, sender, helo.split()[1], CLIENT,
                       session.tls or "", zone)


def records_of(rows):
    """{name: {type: [data]}} of what `show --json` lists."""
    zone = {}
    for row in rows:
        if row["type"] in ("TXT", "A", "PTR", "MX"):
            data = row["data"].rstrip(".") if row["type"] == "PTR" \
                else row["data"]
            if row["type"] == "MX":
                data = (int(data.split()[0]), data.split()[1].rstrip("."))
            zone.setdefault(row["name"], {}).setdefault(
                row["type"], []).append(data)
    return zone


def submit(suite):
    with suite.smtp("submission", login=ANN, tls=True) as client:
        client.sendmail(ANN, [AWAY], NEWSLETTER)


def by_sendmail(suite):
    suite.sendmail("-f", ANN, AWAY, message=NEWSLETTER)


@pytest.fixture(scope="module", params=[submit, by_sendmail])
def arrival(request, tmp_path_factory):
    """A newsletter, without Date and Message-ID, on its way from a user to
    another host's MX; its domain publishes what postrider-dns shows."""
    authority = Authority(str(tmp_path_factory.mktemp("pki")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("mx.receiver.invalid"))
    sink = Sink(tls=context)
    dns = ScriptedDns({
        "receiver.invalid": {"MX": [(10, "mx.receiver.invalid")]},
        "mx.receiver.invalid": {"A": ["127.0.0.1"]}})
    with Suite(users=[ANN], tls=True, dns_server=dns.address,
               smtp_port=sink.port) as suite:
        suite.run("postrider-key", "dkim", DOMAIN)
        zone = records_of(json.loads(suite.run(
            "postrider-dns", "show", "--json", "--ip", CLIENT,
            DOMAIN).stdout))
        dns.update(zone)
        suite.run("postrider-key", "dkim", "--check", DOMAIN)
        request.param(suite)
        suite.wait_queue_empty()
        assert sink.messages, suite.log_text()
        yield sink.arrival(zone)
    sink.close()
    dns.close()


@pytest.mark.parametrize("name", RULES)
def test_rule_holds(arrival, name):
    rule, who, _ = RULES[name]
    assert rule(arrival), (who, arrival)


@pytest.mark.parametrize("name", RULES)
def test_rule_can_break(arrival, name):
    rule, _, broken = RULES[name]
    assert not rule(broken(arrival))


def test_all_of_them_name_every_receiver():
    """The table is about these three, and about all that they agree on."""
    names = {who for _, whom, _ in RULES.values() for who in whom.split(", ")}
    assert names == {"Gmail", "Yahoo", "Microsoft"}
    assert sum(whom == ALL for _, whom, _ in RULES.values()) >= 4
