# SPDX-License-Identifier: ISC
"""A day of a small site in less than a minute: every good message is
delivered once, and no bad one gets into an inbox.

A bad message that is put into the folder Junk counts as kept out.  What is
not among the bots, for nothing but a content filter tells it from good mail,
is whoever waits for the greeting, tries again after a 450, is on no list, and
says who he is, or at least forges nobody who objects by DMARC or SPF.  Two
kinds of bots are of that class, and a filter knows what they send.

$POSTRIDER_DAY_BOTS is how many bots there are (1000), and 10000 is the day of
its whole size; $POSTRIDER_DAY_SECONDS is how long it lasts (12, or 200)."""
import collections
import os
import poplib
import random
import smtplib
import subprocess
import threading

import pytest

from day_traffic import Day
from filters import CONTINUE, Filter, add_header, reply_code
from suite import DOMAIN, HOSTNAME, SECONDS
from watch import now

BOTS = int(os.environ.get("POSTRIDER_DAY_BOTS", "1000"))
SPAN = float(os.environ.get("POSTRIDER_DAY_SECONDS",
                            "12" if BOTS <= 1000 else "200"))
USERS = [f"user{n}@{DOMAIN}" for n in range(12)]
GOOD = 100

CONFIG = [
    "greet-delay 1s", "greylist suspects", "greylist-delay 2s",
    "greylist-window 5m", "dnsbl bl.test", "junk folder",
    "smtp-timeout 20s", "max-line-length 2000",
    "tolerate helo 127.210.7.1", "smtpd-processes 60"]

# As they are where nothing is configured; a Suite has none of them.
DEFAULTS = [
    "sender-domain yes", "error-delay 1s", "client-connections 60/1m",
    "network-connections 300/1m", "client-messages 600/1h",
    "client-recipients 2000/1h", "unknown-recipients 30/1h",
    "mailbox-messages 300/1h", "offences 10/1h", "login-messages 1000/1d",
    "login-recipients 2000/1d", "login-new-recipients 400/1d"]

# Where answers to mail would go: no host on loopback is one to send to.
ANSWERS = "@ MX 10 in\nin A 192.0.2.1\n"
ZONES = {
    "bank.test": ANSWERS + "@ TXT \"v=spf1 -all\"\n"
                 "_dmarc TXT \"v=DMARC1; p=reject\"",
    DOMAIN: ANSWERS + "@ TXT \"v=spf1 -all\"\n"
            "_dmarc TXT \"v=DMARC1; p=reject\"",
    # A provider whose hosts have no names; each try comes from another net.
    "big.test": ANSWERS + "@ TXT \"v=spf1 ip4:127.200.0.0/16 -all\"",
    # Signs, and has forgotten all else.
    "company.test": ANSWERS + "mx A 127.210.3.1\n"
                    "_dmarc TXT \"v=DMARC1; p=reject; adkim=s\"\n"
                    "s._domainkey TXT {key}",
    "news.test": ANSWERS + "mx A 127.210.4.1\nbounce MX 10 in\n"
                 "bounce TXT \"v=spf1 ip4:127.210.4.1 -all\"",
    "list.test": ANSWERS + "mx A 127.210.5.1\n"
                 "@ TXT \"v=spf1 a:mx.list.test -all\"",
    "old.test": ANSWERS + "mx A 127.210.7.1",
    "slow.test": ANSWERS + "mx A 127.210.6.1",
    "peer.test": ANSWERS + "mx A 127.210.8.1",
}


def reverse(address):
    return ".".join(reversed(address.split(".")))


def zones(dns, key):
    dns.add_zone(".", "\n".join(
        f"throwaway{n}.test. MX 10 mx.throwaway{n}.test.\n"
        f"mx.throwaway{n}.test. A 192.0.2.66" for n in range(20)))
    for name, records in ZONES.items():
        dns.add_zone(name, records.replace("{key}", key))
    small = "\n".join(f"s{n} MX 10 in\nmx.s{n} A 127.220.{n}.1\n"
                      f"s{n} TXT \"v=spf1 a:mx.s{n}.small.test -all\""
                      for n in range(64))
    dns.add_zone("small.test", "in A 192.0.2.1\n" + small)
    # RFC 5782's own entry, and half of the networks that bots come from.
    dns.add_zone("bl.test", f"{reverse('127.0.0.2')} A 127.0.0.2\n" +
                 "\n".join(f"*.{second}.127 A 127.0.0.2"
                           for second in range(112, 160)))
    named = {"127.210.3.1": "mx.company.test", "127.210.4.1": "mx.news.test",
             "127.210.5.1": "mx.list.test", "127.210.6.1": "mx.slow.test",
             "127.210.7.1": "mx.old.test", "127.210.8.1": "mx.peer.test"}
    named.update({f"127.220.{n}.1": f"mx.s{n}.small.test" for n in range(64)})
    dns.add_zone("127.in-addr.arpa", "\n".join(
        f"{reverse(a)[:-len('.127')]} PTR {name}."
        for a, name in named.items()))


def signing_key(suite):
    """(file, the record's text in quotes)."""
    file = suite.path("company.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt",
                    "rsa_keygen_bits:2048", "-out", file], check=True,
                   capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", file, "-pubout"],
                            check=True, capture_output=True, text=True).stdout
    text = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
    os.chmod(file, 0o644)
    return file, " ".join(f'"{text[i:i + 200]}"'
                          for i in range(0, len(text), 200))


# -- the good ones --

def good_servers(day, suite, key):
    """A hundred of them, over the whole day."""
    def when():
        return random.random() * day.span * 0.8

    def someone(n=1):
        return random.sample(USERS, n)

    def signed(text):
        return suite.run("postrider-mailauth", "dkim", "sign", "--domain",
                         "company.test", "--selector", "s", "--key", key,
                         input=text.replace("\r\n", "\n")).stdout.replace(
                             "\r\n", "\n").replace("\n", "\r\n")
    for n in range(25):  # pools
        sources = [f"127.200.{10 * n % 250 + i}.{n + 1}" for i in range(8)]
        day.post(when(), f"person{n}@big.test", someone(), sources,
                 f"out{n}.big.test")
    for n in range(50):  # one host, one name
        day.post(when(), f"ann@s{n}.small.test", someone(),
                 [f"127.220.{n}.1"], f"mx.s{n}.small.test")
    for _ in range(6):
        day.post(when(), "clerk@company.test", someone(), ["127.210.3.1"],
                 "mx.company.test", sign=signed)
    for n in range(4):  # a message of 40 lines takes 2 s
        day.post(when(), f"far{n}@slow.test", someone(), ["127.210.6.1"],
                 "mx.slow.test", pace=0.04,
                 body="\r\n".join(["a slow line"] * 40))
    day.post(when(), "clerk@old.test", someone(), ["127.210.7.1"],
             "my old server")
    day.post(when(), "n-1@bounce.news.test", someone(), ["127.210.4.1"],
             "mx.news.test", author="letter@news.test")
    begins = when()
    for n in range(10):  # a list's burst, at the same moment
        day.post(begins, f"talk-bounces+{n}@list.test", someone(3),
                 ["127.210.5.1"], "mx.list.test", author="who@list.test")
    for n in range(3):  # reports of failure about our own mail
        day.post(when(), "", someone(), ["127.210.8.1"], "mx.peer.test",
                 author="mailer-daemon@peer.test")


def content_filter(talk):
    """Refuses viruses, and marks spam."""
    if b"\na virus" in b"\n" + talk.body:
        return talk.send(reply_code("554 5.7.1 infected"))
    if b"\nspam" in b"\n" + talk.body:
        talk.send(add_header("X-Spam-Flag", "YES"))
    return talk.send(CONTINUE)


class Users(threading.Thread):
    """Those who log in, to send and to read, all day long."""

    def __init__(self, suite, span):
        super().__init__()
        self.suite, self.span = suite, span
        self.sent, self.errors = [], []

    def run(self):
        end = now() + self.span
        n = 0
        while now() < end and not self.errors:
            user, other = random.sample(USERS, 2)
            try:
                self.send(user, other, f"good-login-{n}")
                pop3 = self.suite.pop3(user)
                pop3.stat()
                pop3.quit()
            except (OSError, smtplib.SMTPException,
                    poplib.error_proto) as error:
                self.errors.append(repr(error))
            n += 1
            threading.Event().wait(self.span / 20)

    def send(self, user, other, token):
        with self.suite.submission(user) as smtp:
            smtp.sendmail(user, [other], f"From: {user}\r\nSubject: {token}"
                                         "\r\n\r\nhello\r\n")
        self.sent.append((token, other))


# -- what came of it --

def subjects(folder):
    found = []
    for name in ("new", "cur"):
        path = os.path.join(folder, name)
        for file in os.listdir(path) if os.path.isdir(path) else ():
            with open(os.path.join(path, file), errors="replace") as f:
                found += [line[len("Subject: "):].strip() for line in f
                          if line.startswith("Subject: ")]
    return found


def test_a_day(dns, scanner, make_suite, report):
    random.seed(6)
    scanner.on["E"] = [content_filter]
    suite = make_suite(dns_server=dns.address, users=USERS,
                       extra=CONFIG + DEFAULTS + [scanner.line()])
    key, record = signing_key(suite)
    zones(dns, record)
    dns.start()
    suite.start(seconds=2 * SECONDS)
    day = Day(suite.ports["smtp"], HOSTNAME, DOMAIN, USERS, BOTS, SPAN)
    good_servers(day, suite, key)
    users = Users(suite, SPAN)
    users.start()
    day.run()
    users.join()
    suite.wait_queue_empty(4 * SECONDS)
    inbox = {u: subjects(suite.maildir(u)) for u in USERS}
    junk = {u: subjects(os.path.join(suite.maildir(u), ".Junk"))
            for u in USERS}
    bad = sorted(t for u in USERS for t in inbox[u] if t.startswith("bad-"))
    missing = [(t, u) for t, u in day.good + users.sent
               if inbox[u].count(t) != 1]
    report(f"day: {BOTS} bots, {len(day.good) + len(users.sent)} good "
           f"deliveries; bad in inboxes {len(bad)}, in Junk "
           f"{sum(len(j) for j in junk.values())}; good missing "
           f"{len(missing)}")
    assert not users.errors
    kinds = collections.Counter(t.split("-")[1] for t in bad)
    assert not bad, kinds
    # What is put apart is what the filter marked.
    assert {t.split("-")[1] for u in USERS for t in junk[u]} <= {"spammer"}
    assert not missing, (missing, day.troubles)


@pytest.fixture(name="scanner")
def _scanner():
    with Filter() as scanner:
        yield scanner


@pytest.fixture(name="dns")
def _dns():
    from dnsserver import DnsServer
    with DnsServer() as server:
        yield server
