# SPDX-License-Identifier: ISC
"""postrider explain says what a session says, and which rule is why.

The property test compares both for random senders, recipients, clients,
greetings, logins and sizes; $POSTRIDER_EXPLAIN_ROUNDS for more of them,
$POSTRIDER_EXPLAIN_SEED for others."""
import json
import os
import pwd
import random
import shutil

import pytest

from scripted_dns import NXDOMAIN, SERVFAIL, ScriptedDns
from smtpd_fakes import Client, plain
from suite import PASSWORD, Suite, as_user

ROUNDS = int(os.environ.get("POSTRIDER_EXPLAIN_ROUNDS", "200"))
SEED = int(os.environ.get("POSTRIDER_EXPLAIN_SEED", "1"))
ANN, BOB, EVE = "ann@example.test", "bob@example.test", "eve@example.test"
ZONE = {
    "there.test": {"MX": [(10, "mx.there.test")], "TXT": "v=spf1 -all"},
    "mx.there.test": {"A": "192.0.2.1"},
    "null.test": {"MX": [(0, "")]},
    "servfail.test": SERVFAIL,
    "home.test": {"A": "127.0.0.1"},
    "pass.test": {"A": "192.0.2.1", "TXT": "v=spf1 ip4:127.0.0.0/8 -all"},
}
STRANGER, RELAY, BROKEN = "127.0.0.2", "127.0.9.1", "127.0.8.1"


@pytest.fixture(scope="module")
def dns():
    with ScriptedDns(ZONE) as server:
        yield server


@pytest.fixture(scope="module")
def suite(dns):
    extra = ["sender-domain yes", "relay-from 127.0.9.0/24",
             "tolerate helo sender-domain null-sender 127.0.8.0/24",
             "max-message-size 100K", "spf-fail reject"]
    with Suite(users=[(u, PASSWORD) for u in (ANN, BOB, EVE)], extra=extra,
               dns_server=dns.address) as suite:
        suite.run("postrider-user", "disable", EVE)
        suite.run("postrider-user", "alias", "add", "all@example.test", ANN,
                  BOB)
        yield suite


def explain(suite, sender, recipient, *options, check=None):
    done = suite.run("postrider", "explain", sender, recipient, *options,
                     "--json", check=False)
    told = json.loads(done.stdout)
    told["exit"] = done.returncode
    if check is not None:
        assert done.returncode == check, told
    return told


def rules(told):
    return {(r["step"], r["rule"]): r for r in told["rules"]}


# -- both say the same --

def session(suite, case):
    """(step, code, enhanced, text) of the end of a session."""
    sender, recipient, ip, helo, login, size = case
    kind = "submission" if login else "smtp"
    with Client(suite.ports[kind], address=ip) as c:
        if c.command(f"EHLO {helo}") != 250:
            return said("hello", c)
        if login:
            assert c.command("AUTH PLAIN " + plain(login, PASSWORD)) == 235
        parameters = f" SIZE={size}" if size else ""
        if not (sender + recipient).isascii():
            parameters += " SMTPUTF8"
        if c.command(f"MAIL FROM:<{sender}>{parameters}") != 250:
            return said("sender", c)
        c.command(f"RCPT TO:<{recipient}>")
        return said("recipient", c)


def said(step, client):
    code, enhanced, text = client.text.split(" ", 2)
    return step, int(code), enhanced, text


SENDERS = ["", ANN, BOB, "x@there.test", "x@null.test", "x@servfail.test",
           "x@gone.test", "x@home.test", "x@[192.0.2.1]", "x", "x@@there.test",
           '"a b"@there.test', "\u00f6@there.test", "x@pass.test",
           "@a.test,@b.test:x@there.test", "x@there.test."]
RECIPIENTS = [ANN, BOB, EVE, "nobody@example.test", "all@example.test",
              "Ann@Example.Test", "postmaster", "postmaster@example.test",
              "x@far.test", "x%far.test@example.test", "far.test!x@example.test",
              "@example.test:x@far.test", '"x@far.test"@example.test',
              "x@[127.0.0.1]", "x@sub.example.test", "a@b@example.test", "",
              "ann@example.test.", "\u00f6@example.test", "x" * 65 + "@b.test"]
NAMES = ["client.example", "my_pc", "a..b", "my pc", "mail.example.test",
         "[127.0.0.1]", "[127.0.0.2]", "127.0.0.1", "x" * 200 + ".y", "."]
SIZES = [0, 0, 1, 1000, 100 << 10, (100 << 10) + 1, 1 << 40]


def random_case(r):
    login = r.choice([None, None, None, ANN, BOB])
    ip = "127.0.0.1" if login else r.choice(
        [STRANGER, STRANGER, RELAY, BROKEN, "127.0.0.1",
         f"127.{r.randrange(1, 255)}.{r.randrange(256)}.{r.randrange(1, 255)}"])
    # Bad names end a session early: most are good.
    name = r.choice(NAMES) if r.random() < .3 else "client.example"
    return (r.choice(SENDERS), r.choice(RECIPIENTS), ip, name, login,
            r.choice(SIZES))


def test_explain_says_what_a_session_says(suite):
    r, ends = random.Random(SEED), set()
    for _ in range(ROUNDS):
        case = sender, recipient, ip, helo, login, size = random_case(r)
        options = ["--ip", ip, "--helo", helo, "--size", size]
        if login:
            options += ["--auth", login]
        heard = session(suite, case)
        told = explain(suite, sender or "<>", recipient or "<>", *options)
        assert (told["step"], told["smtp"], told["enhanced"],
                told["text"]) == heard, case
        assert (told["exit"] == 0) == (heard[1] == 250)
        ends.add((heard[0], heard[1]))
    if ROUNDS >= 200 and SEED == 1:
        assert {("hello", 501), ("hello", 550), ("sender", 450),
                ("sender", 501), ("sender", 550), ("sender", 552),
                ("sender", 553), ("recipient", 250), ("recipient", 501),
                ("recipient", 550), ("recipient", 554)} <= ends, ends


@pytest.mark.parametrize("ip", [STRANGER, "127.0.0.1", RELAY, BROKEN])
@pytest.mark.parametrize("helo", NAMES)
def test_every_name_from_everywhere(suite, ip, helo):
    case = "x@there.test", ANN, ip, helo, None, 0
    told = explain(suite, "x@there.test", ANN, "--ip", ip, "--helo", helo)
    assert (told["step"], told["smtp"], told["enhanced"],
            told["text"]) == session(suite, case)


# -- what it says --

@pytest.mark.parametrize("options,exit,rule,keyword", [
    ((), 67, "mailbox", "postrider-user(8)"),
    (("--helo", "a..b"), 76, "helo-name", "tolerate helo"),
    (("--size", "200000"), 69, "declared-size", "max-message-size"),
])
def test_the_rule_and_its_keyword(suite, options, exit, rule, keyword):
    told = explain(suite, "x@there.test", "nobody@example.test", "--ip",
                   STRANGER, *options, check=exit)
    assert told["rule"] == rule
    [decided] = [r for r in told["rules"] if r["result"] == "refuses"]
    assert (decided["rule"], decided["keyword"]) == (rule, keyword)
    if rule == "declared-size":
        assert decided["value"] == "100K: 200000 octets declared"
    after = told["rules"][told["rules"].index(decided) + 1:]
    assert all(r["result"] == "not reached" for r in after)


def test_a_grudge(dns):
    """What smtp-gate answers before a session begins."""
    with Suite(users=[(ANN, PASSWORD)], extra=["offences 1/1h"],
               dns_server=dns.address) as suite:
        for _ in range(2):
            with Client(suite.ports["smtp"], address=STRANGER) as c:
                c.send(b"GET / HTTP/1.0\r\n")
                assert c.reply() == 554
        suite.wait_log("limit reached")
        told = explain(suite, "x@there.test", ANN, "--ip", STRANGER, check=75)
        assert (told["step"], told["rule"]) == ("gate", "grudge")
        case = "x@there.test", ANN, STRANGER, "client.example", None, 0
        assert (told["smtp"], told["enhanced"], told["text"]) == \
            session(suite, case)[1:]
        assert rules(told)["gate", "grudge"]["keyword"] == "offences"
        explain(suite, "x@there.test", ANN, "--ip", BROKEN, check=0)


def test_what_needs_the_message_is_not_known(suite):
    told = rules(explain(suite, "x@there.test", ANN, "--ip", STRANGER,
                         check=0))
    for place in (("content", "line-length"), ("content", "hops"),
                  ("conduct", "pipelining"), ("authentic", "dmarc")):
        assert told[place]["result"] == "not known here"
        assert told[place]["keyword"]


def test_spf_is_asked(suite):
    def spf(sender, ip):
        told = rules(explain(suite, sender, ANN, "--ip", ip, check=0))
        return told["authentic", "spf"]
    assert spf("x@there.test", STRANGER)["value"] == "fail for there.test"
    assert spf("x@there.test", STRANGER)["result"] == "not known here"
    assert spf("x@pass.test", STRANGER)["value"] == "pass for pass.test"
    assert spf("x@pass.test", STRANGER)["result"] == "passes"
    assert spf("x@pass.test", RELAY)["result"] == "does not apply"


def test_for_people(suite):
    done = suite.run("postrider", "explain", "x@there.test", "far@far.test",
                     "--ip", STRANGER, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 77
    assert ("  relaying         refuses         relay-from: not at home here, "
            "the client may not relay") in lines
    assert lines[-1] == "recipient: 554 5.7.1 relaying denied (rule relaying)"


def test_what_a_login_may_write_is_not_known(suite):
    told = rules(explain(suite, ANN, BOB, "--ip", "127.0.0.1", "--auth", ANN,
                         check=0))
    assert told["header", "from-owned"]["result"] == "not known here"
    assert told["authentic", "spf"]["result"] == "does not apply"


def test_who_is_listed_or_not_known(dns):
    """Explained as the gate and a session refuse, and nobody is known for
    having been explained."""
    listed, new = "127.0.0.5", "127.0.1.5"
    dns.update({"5.0.0.127.bl.test": {"A": "127.0.0.2"},
                "2.0.0.127.bl.test": {"A": "127.0.0.2"},
                "*.bl.test": NXDOMAIN})
    with Suite(users=[(ANN, PASSWORD)], dns_server=dns.address,
               extra=["dnsbl bl.test 5", "greylist strangers"]) as suite:
        for ip, rule, code in ((listed, "lists", 550), (new, "greylist", 450)):
            for _ in range(2):
                told = explain(suite, "x@there.test", ANN, "--ip", ip,
                               "--helo", "client.example")
                assert (told["rule"], told["smtp"]) == (rule, code)
            case = "x@there.test", ANN, ip, "client.example", None, 0
            assert session(suite, case)[:3] == (
                told["step"], told["smtp"], told["enhanced"])


@pytest.mark.parametrize("arguments", [
    (), ("a@b.test",), ("a@b.test", ANN, "third"), ("a@b.test", ANN, "--ip"),
    ("a@b.test", ANN, "--ip", "127.0.0.1:25"), ("a@b.test", ANN, "--size",
                                                "-1"),
    ("a@b.test", ANN, "--size", "1x"), ("a@b.test", ANN, "--bad", "x"),
    ("a@b.test", ANN, "--auth", "")])
def test_misuse(suite, arguments):
    done = suite.run("postrider", "explain", *arguments, check=False)
    assert done.returncode == 64 and "usage: postrider explain" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("address", [
    "\x1b[2J@b.test", "a\r\nb@c.test", "x" * 3000, "<a@b.test> SIZE=1",
    "$(id)@b.test", "<", ">", "-f@b.test"])
def test_strange_addresses(suite, address):
    """They are refused or taken, in whole lines of JSON."""
    for pair in ((address, ANN), ("x@there.test", address)):
        told = explain(suite, *pair, "--ip", STRANGER)
        assert told["smtp"] in (250, 501, 550, 553, 554, 555)


def test_nothing_is_counted(dns):
    with Suite(users=[(ANN, PASSWORD)], dns_server=dns.address,
               extra=["client-recipients 3/1h"]) as suite:
        for _ in range(6):
            explain(suite, "x@there.test", ANN, "--ip", STRANGER, check=0)
        with Client(suite.ports["smtp"], address=STRANGER) as c:
            c.ehlo()
            for _ in range(3):
                c.envelope(ANN)
                assert c.command("RSET") == 250
            assert c.command("MAIL FROM:<x@there.test>") == 250
            assert c.command(f"RCPT TO:<{ANN}>") == 450
        told = explain(suite, "x@there.test", ANN, "--ip", STRANGER, check=75)
        assert told["rule"] == "client-rate"
        explain(suite, "x@there.test", ANN, "--ip", "127.0.0.3", check=0)


def test_a_suite_that_does_not_run(dns):
    with Suite(users=[(ANN, PASSWORD)], dns_server=dns.address) as suite:
        suite.stop()
        for _ in range(2):
            done = suite.run("postrider", "explain", "a@there.test", ANN,
                             check=False)
            assert done.returncode == 69
            assert done.stderr.startswith("postrider: not running")
            assert not done.stdout
            shutil.rmtree(suite.run_dir, ignore_errors=True)


def test_an_ordinary_user(dns):
    """His own suite is explained to him, that of the system is not."""
    with Suite(users=[(ANN, PASSWORD)], dns_server=dns.address,
               root=False) as suite:
        explain(suite, "x@there.test", ANN, "--ip", STRANGER, check=0)
    if os.geteuid() != 0:
        return
    with Suite(users=[(ANN, PASSWORD)], dns_server=dns.address) as suite:
        done = suite.run("postrider", "explain", "x@there.test", ANN,
                         check=False, **as_user(pwd.getpwnam("nobody")))
        assert done.returncode == 77
        assert done.stderr.startswith("postrider: not allowed")
