# SPDX-License-Identifier: ISC
"""Greylisting: who comes again, from wherever it sends, gets in; who does not
is kept out; who is known is not asked to."""
import os
import re
import smtplib
import threading
import time

import pytest

from internal import Owner
from scripted_dns import SERVFAIL, TIMEOUT, scripted_dns  # noqa: F401
from smtpd_fakes import ANN, BOB, Smtpd
from suite import SECONDS
from test_lists import a_list

PASS = ("v=spf1 ip4:127.0.0.0/14 ip4:127.4.0.0/14 include:far.example "
        "ip4:127.8.0.0/14 -all")
ZONE = {
    "pool.example": {"TXT": PASS},
    "nospf.example": {},
    "far.example": {"TXT": "v=spf1 ip4:192.0.0.0/8 exists:%{i}.no -all"},
    "6.6.6.127.in-addr.arpa": {"PTR": "mx6.hosts.example"},
    "mx6.hosts.example": {"A": "127.6.6.6"},
    "7.7.7.127.in-addr.arpa": {"PTR": "mx7.hosts.example"},
    "mx7.hosts.example": {"A": "127.7.7.7"},
    "_dmarc.hosts.example": {"TXT": "v=DMARC1; p=none"},
    "mail.example.test": {"A": "127.0.0.1"},
}
TEXT = b"From: x@nospf.example\r\nSubject: x\r\n\r\nhello\r\n"


# -- smtpd, and a ledger that says what it is asked --

class Ledger(Owner):
    def __init__(self, path):
        self.wait = 0
        self.news = threading.Condition()
        super().__init__(path)

    def serve(self, peer, _):
        while (p := peer.receive()) is not None:
            with self.news:
                self.requests.append(p)
                self.news.notify_all()
            if p.verb == "grey" and self.wait:
                peer.send("grey", verdict="greylisted", wait=self.wait)
            elif p.verb in ("grey", "recipient"):
                peer.send(p.verb, verdict="ok")

    def heard(self, verb, n=1):
        def found():
            return [dict(p.attributes) for p in self.requests
                    if p.verb == verb]
        with self.news:
            assert self.news.wait_for(lambda: len(found()) >= n, SECONDS)
        return found()

    def count(self, verb):
        return sum(p.verb == verb for p in self.requests)


@pytest.fixture
def make_smtpd(scripted_dns):  # noqa: F811
    made = []

    def make(*lines, zone=None, ledger=True):
        dns = scripted_dns(ZONE if zone is None else zone)
        service = Smtpd(extra=[f"dns-server {dns.address}", *lines])
        service.dns = dns
        made.append(service)
        if ledger:
            service.ledger = Ledger(os.path.join(service.own, "ledger"))
            made.append(service.ledger)
        return service.start()
    yield make
    for service in reversed(made):
        service.close()


STRANGERS, SUSPECTS = "greylist strangers", "greylist suspects"


def key_of(smtpd, address="127.0.0.1", sender="x@nospf.example"):
    """What ledger is asked about that client, or None."""
    before = smtpd.ledger.count("grey")
    with smtpd.client(address=address) as client:
        client.ehlo()
        client.envelope(sender=sender)
        assert client.command("QUIT") == 221
    heard = smtpd.ledger.heard("grey", before)[before:]
    assert all(h["client"] == address and h["recipient"] == ANN and
               h["sender"] == sender for h in heard)
    return heard[0]["key"] if heard else None


def test_who_stands_behind_a_client(make_smtpd):
    smtpd = make_smtpd(STRANGERS)
    assert key_of(smtpd) == "net:127.0.0.0/24"
    assert key_of(smtpd, "127.9.8.7") == "net:127.9.8.0/24"
    assert key_of(smtpd, "127.6.6.6") == "host:hosts.example"
    assert key_of(smtpd, "127.7.7.7") == "host:hosts.example"
    assert key_of(smtpd, "127.6.6.6",
                  "x@pool.example") == "spf:pool.example"
    assert key_of(smtpd, "127.9.8.7",
                  "x@pool.example") == "spf:pool.example"


@pytest.mark.parametrize("record", [
    "+all", "ip4:127.0.0.0/13 -all", "a:mail.example.test/13",
    "exists:mail.example.test", "ptr:hosts.example", "include:any.example",
    "include:%{i}.own.example", "redirect=%{ir}.rev.example",
    "exists:%{l}.no.example redirect=any.example"])
def test_a_domain_that_lets_anybody_pass_is_no_key(make_smtpd, record):
    """Bots all over the world would wait for each other."""
    smtpd = make_smtpd(STRANGERS, zone={
        **ZONE, "any.example": {"TXT": "v=spf1 -ip4:192.0.2.1 all"},
        "127.6.6.6.own.example": {"TXT": "v=spf1 ip4:127.6.6.6"},
        "6.6.6.127.rev.example": {"TXT": "v=spf1 ip4:127.6.6.6"},
        "bots.example": {"TXT": f"v=spf1 {record}"}})
    assert key_of(smtpd, "127.6.6.6", "x@bots.example") == "host:hosts.example"


def test_the_null_sender_is_its_helo_name(make_smtpd):
    smtpd = make_smtpd(STRANGERS, zone={
        **ZONE, "client.example": {"TXT": PASS}})
    assert key_of(smtpd, sender="") == "spf:client.example"
    assert key_of(make_smtpd(STRANGERS), sender="") == "net:127.0.0.0/24"


def test_suspects(make_smtpd):
    """Who has a name, and is on no list, is not asked about."""
    smtpd = make_smtpd(SUSPECTS, "dnsbl bl.test 1", zone={
        **ZONE, **a_list("bl.test", "127.7.7.7")})
    assert key_of(smtpd, "127.6.6.6") is None
    assert key_of(smtpd, "127.7.7.7") == "host:hosts.example"
    assert key_of(smtpd) == "net:127.0.0.0/24"


def test_who_is_never_asked_about(make_smtpd):
    smtpd = make_smtpd(
        STRANGERS, "trust-client 127.1.1.1", "relay-from 127.2.2.2",
        "dnswl wl.test", "allow-plaintext-auth 127.0.0.1",
        zone={**ZONE, **a_list("wl.test", "127.3.3.3")})
    for address in ("127.1.1.1", "127.2.2.2", "127.3.3.3"):
        assert key_of(smtpd, address) is None
    with smtpd.submission() as client:
        client.envelope(sender=ANN)
    assert smtpd.ledger.count("grey") == 0
    assert key_of(make_smtpd("greylist no")) is None


def test_trouble_with_the_dns_holds_nobody_up(make_smtpd):
    zone = {"mail.example.test": {"A": "127.0.0.1"},
            "*.arpa": SERVFAIL, "nospf.example": {}}
    assert key_of(make_smtpd(STRANGERS, zone=zone)) is None
    assert key_of(make_smtpd(SUSPECTS, zone=zone)) is None


def test_a_senders_own_dns_is_no_way_around(make_smtpd):
    """He may have his servers say nothing, as it suits him."""
    zone = {"mail.example.test": {"A": "127.0.0.1"},
            "nospf.example": SERVFAIL}
    assert key_of(make_smtpd(STRANGERS, zone=zone)) == "net:127.0.0.0/24"
    assert key_of(make_smtpd(SUSPECTS, zone=zone)) == "net:127.0.0.0/24"


def test_a_name_that_cannot_be_looked_up_is_not_suspect(make_smtpd):
    smtpd = make_smtpd(SUSPECTS, zone={**ZONE, "*.arpa": SERVFAIL,
                                       "1.0.0.127.in-addr.arpa": SERVFAIL})
    assert key_of(smtpd, sender="x@pool.example") is None


def test_without_ledger_there_is_none(make_smtpd):
    smtpd = make_smtpd(STRANGERS, ledger=False)
    with smtpd.client() as client:
        client.ehlo()
        assert client.message(TEXT) == 250


def test_the_answer(make_smtpd):
    """RFC 6647 section 2.4: temporary, for each recipient who exists."""
    smtpd = make_smtpd(STRANGERS)
    smtpd.ledger.wait = 117
    with smtpd.client() as client:
        client.ehlo()
        assert client.command("MAIL FROM:<x@nospf.example>") == 250
        assert client.command(f"RCPT TO:<{ANN}>") == 450
        assert client.enhanced == "4.7.1" and "117 seconds" in client.text
        assert client.command("RCPT TO:<nobody@example.test>") == 550
        assert client.command("RCPT TO:<x@elsewhere.test>") == 554
        assert client.command(f"RCPT TO:<{BOB}>") == 450
        for _ in range(30):  # it costs a session nothing
            assert client.command(f"RCPT TO:<{BOB}>") == 450
    assert {h["recipient"] for h in smtpd.ledger.heard("grey", 2)} == {
        ANN, BOB}
    with open(smtpd.path("stderr")) as log:
        line = next(l for l in log if ANN in l)
    assert "key=net:127.0.0.0/24 dsn=4.7.1" in line


def test_spf_is_asked_once(make_smtpd):
    smtpd = make_smtpd(STRANGERS)
    with smtpd.client() as client:
        client.ehlo()
        client.envelope(ANN, BOB, sender="x@pool.example")
        assert client.data(TEXT + b".\r\n") == 250
    assert smtpd.dns.count("pool.example", "TXT") == 1
    assert b"spf=pass" in smtpd.queue.wait(1)[0].content
    assert smtpd.ledger.heard("ended")[0] == {
        "client": "127.0.0.1", "key": "spf:pool.example", "result": "taken"}


def test_who_sent_good_mail_is_known_by_its_domain(make_smtpd):
    """Also where nobody is greylisted."""
    smtpd = make_smtpd("greylist no")
    with smtpd.client() as client:
        client.ehlo()
        assert client.message(TEXT, sender="x@pool.example") == 250
    assert smtpd.ledger.heard("ended")[0]["key"] == "spf:pool.example"


# -- the whole house --

@pytest.fixture
def house(make_suite, scripted_dns):  # noqa: F811
    def make(*lines, zone=None):
        dns = scripted_dns({**ZONE, **(zone or {})})
        suite = make_suite(extra=["greylist-delay 2s", *lines],
                           dns_server=dns.address, users=[ANN, BOB])
        suite.start()
        return suite
    return make


def attempt(suite, address, sender="x@nospf.example", to=ANN):
    """(code, text) of RCPT, or of the end of the message."""
    client = smtplib.SMTP(local_hostname="client.example", timeout=SECONDS,
                          source_address=(address, 0))
    client.connect(suite.addresses["smtp"], suite.ports["smtp"])
    try:
        client.sendmail(sender, [to], TEXT)
        return 250, ""
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = refused.recipients[to]
        return code, text.decode()
    finally:
        client.close()


def wait_in(text):
    return int(re.search(r"in (\d+) seconds", text)[1])


def come_again(text):
    time.sleep(wait_in(text) + 0.1)  # what it was told


def test_who_comes_again_gets_in(house):
    suite = house(STRANGERS)
    code, text = attempt(suite, "127.4.4.4")
    assert code == 450 and text.startswith("4.7.1 ") and wait_in(text) <= 2
    assert attempt(suite, "127.4.4.4")[0] == 450  # too early
    come_again(text)
    assert attempt(suite, "127.4.4.4")[0] == 250
    suite.wait_maildir(ANN)
    # and is known from then on: to others, for others, beside it
    assert attempt(suite, "127.4.4.4", "y@nospf.example", BOB)[0] == 250
    line = suite.wait_log(lambda l: "accepted" in l.text and
                          l.get("from") == "<y@nospf.example>")
    assert "key" not in line  # and no DNS was asked who it is
    assert attempt(suite, "127.4.4.5", "z@nospf.example", BOB)[0] == 250
    assert attempt(suite, "127.4.5.4", "z@nospf.example", BOB)[0] == 450


def test_pools_get_in_at_their_first_retry(house):
    """Each attempt from another network: SPF, or the hosts' domain, says that
    they are one."""
    suite = house(STRANGERS)
    texts = [attempt(suite, "127.10.1.1", "x@pool.example")[1],
             attempt(suite, "127.6.6.6")[1]]
    come_again(max(texts, key=wait_in))
    assert attempt(suite, "127.11.2.2", "x@pool.example")[0] == 250
    assert attempt(suite, "127.7.7.7")[0] == 250
    assert attempt(suite, "127.30.3.3")[0] == 450  # this one is nobody's


def test_bots_do_not_get_in(house):
    """They come from everywhere, and with another sender each time."""
    suite = house(SUSPECTS)
    answers = [attempt(suite, f"127.{50 + i}.0.1", f"b{i}@nospf.example")
               for i in range(20)]
    assert {code for code, _ in answers} == {450}
    come_again(max((text for _, text in answers), key=wait_in))
    assert {attempt(suite, f"127.{80 + i}.0.1", f"c{i}@nospf.example")[0]
            for i in range(20)} == {450}
    assert not suite.messages(ANN)


def test_it_is_remembered(house):
    """Over a restart, and who has not got through yet, too."""
    suite = house(STRANGERS)
    text = attempt(suite, "127.4.4.4")[1]
    suite.restart()
    come_again(text)
    assert attempt(suite, "127.4.4.4")[0] == 250
    suite.wait_maildir(ANN)
    suite.restart()
    assert attempt(suite, "127.4.4.4", "y@nospf.example", BOB)[0] == 250
