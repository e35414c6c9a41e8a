# SPDX-License-Identifier: ISC
"""MTA-STS (RFC 8461) through the whole house: deliver asks ledger, fetch gets
the policy by HTTPS, and what the host shows must be what the policy says."""
import json
import ssl

import pytest

from deliverer import SmtpServer
from dnsserver import dns  # noqa: F401
from httpsserver import HttpsServer, reply
from suite import SECONDS, free_port
from test_clients import TEXT

ANN, BOB, DOMAIN = "ann@example.test", "bob@peer.test", "peer.test"
THEM, WEB = "127.0.0.2", "127.46.6.2"
PATH = "/.well-known/mta-sts.txt"


def policy(mode="enforce", mx=("mx.peer.test",), max_age=86400):
    return reply("".join(
        f"{line}\r\n" for line in ("version: STSv1", f"mode: {mode}",
                                   *(f"mx: {name}" for name in mx),
                                   f"max_age: {max_age}")).encode())


class World:
    """peer.test: its DNS, its policy's web server, its MX."""

    def __init__(self, make_suite, dns):
        self.dns, self.port = dns, free_port(THEM)
        self.suite = make_suite(
            users=[ANN], tls=True, listen=["smtp", "submission"],
            dns_server=dns.address, smtp_port=self.port,
            extra=["retry-minimum 1s", "retry-maximum 1s"])
        ca = self.suite.ca
        self.suite.extra.append(f"tls-trust {ca.path}")
        self.good = self.context(ca.issue("mx.peer.test"))
        self.bad = self.context(ca.issue("other.test"))
        self.mx = SmtpServer(THEM, self.port, tls=self.good)
        self.web = HttpsServer(*ca.issue("mta-sts.peer.test"), WEB, 443)
        self.web.replies[PATH] = policy()
        self.publish("1")

    @staticmethod
    def context(pair):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*pair)
        return made

    def publish(self, id, mx="mx"):
        """The zone with this policy id; None: no record."""
        self.dns.zones[DOMAIN] = [
            f"@ MX 10 {mx}\n{mx} A {THEM}\nmta-sts A {WEB}\n" +
            (f'_mta-sts TXT "v=STSv1; id={id};"' if id else "")]

    def send(self, recipient=BOB):
        with self.suite.submission(ANN) as smtp:
            smtp.sendmail(ANN, [recipient], TEXT.format(client="sts"))

    def line(self, status):
        return self.suite.wait_log(
            lambda l: BOB in l.get("to", "") and l.get("status") == status)

    def known(self):
        done = self.suite.run("postrider-queue", "tls-policy", "--json",
                              DOMAIN)
        return " | ".join(json.loads(done.stdout)["known"])

    def start(self):
        self.dns.start()
        self.suite.start()
        return self

    def close(self):
        self.web.close()
        self.mx.close()


@pytest.fixture
def world(make_suite, dns, as_root):
    made = World(make_suite, dns)
    yield made
    made.close()


def test_enforced_and_met(world):
    world.start()
    world.send()
    assert world.line("sent")["verified"] == "sts"
    assert world.mx.sessions[0].tls == "TLSv1.3"
    world.send(f"eve@{DOMAIN}")
    world.suite.wait_queue_empty()
    assert [request for request, _ in world.web.requests] == [
        f"GET {PATH} HTTP/1.1"]
    known = world.known()
    assert "enforce" in known and "mx.peer.test" in known, known
    done = world.suite.run("postrider-queue", "tls-policy", DOMAIN)
    assert done.stdout.startswith(f"{DOMAIN}:\n  ")


@pytest.mark.parametrize("how", ["certificate", "no TLS", "other MX"])
def test_a25_enforced_and_not_met(world, how):
    """Deferred until it is met; no octet of the message before."""
    if how == "certificate":
        world.mx.tls = world.bad
    elif how == "no TLS":
        world.mx.tls = None
        world.mx.ehlo = ("there.example",)
    else:
        world.publish("1", mx="forged")
    world.start()
    world.send()
    line = world.line("deferred")
    assert line["dsn"] in ("4.7.4", "4.7.5") and "MTA-STS" in line["reason"]
    assert "held back" in world.known()
    assert not any(c.startswith("MAIL") for s in world.mx.sessions
                   for c in s.commands)
    world.mx.tls = world.good
    world.mx.ehlo = ("there.example", "STARTTLS")
    if how == "other MX":
        world.publish("1")
        world.dns.restart()
    assert world.line("sent")["verified"] == "sts"


def test_a25_a_policy_that_is_hidden_still_counts(world):
    """It was fetched once; who then hides the record and the web server
    gains nothing, nor does a restart."""
    world.start()
    world.send()
    world.line("sent")
    world.web.replies.clear()
    world.publish(None)
    world.dns.restart()
    world.mx.tls = world.bad
    world.suite.stop()
    world.suite.start()
    world.send()
    assert world.line("deferred")["dsn"] == "4.7.5"
    assert len(world.mx.messages) == 1


def test_a25_a_redirected_policy_is_none(world):
    """RFC 8461 section 3.3; so the host is treated as one without."""
    world.web.replies[PATH] = reply(
        b"", status="302 Found", headers=[f"Location: https://{WEB}/other"])
    world.web.replies["/other"] = policy(mx=("evil.test",))
    world.start()
    world.send()
    assert world.line("sent")["verified"] == "no"
    assert [request for request, _ in world.web.requests] == [
        f"GET {PATH} HTTP/1.1"]


def test_a_policy_that_changed(world):
    """Another id in the DNS: the new policy names the new MX."""
    world.web.replies[PATH] = policy(mx=("mx.peer.test",))
    world.start()
    world.send()
    world.line("sent")
    world.mx.tls = World.context(world.suite.ca.issue("new.peer.test"))
    world.web.replies[PATH] = policy(mx=("*.peer.test",))
    world.publish("2", mx="new")
    world.dns.restart()
    world.suite.run("postrider", "reload")
    world.send()
    world.web.wait(2)
    world.suite.wait_log(lambda l: "new.peer.test" in l.get("relay", "") and
                         l.get("status") == "sent", seconds=SECONDS)


def test_testing_demands_nothing(world):
    world.web.replies[PATH] = policy("testing", mx=("old.peer.test",))
    world.mx.tls = world.bad
    world.start()
    world.send()
    assert world.line("sent")["verified"] == "no"
    assert "testing" in world.known()
