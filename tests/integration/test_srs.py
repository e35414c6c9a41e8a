# SPDX-License-Identifier: ISC
"""Senders of mail that aliases send on to other hosts: rewritten on the way
out (SRS), and led back to by reports alone."""
import glob
import hashlib
import hmac
import re
import smtplib
import time

import pytest

from deliverer import SmtpServer
from dnsserver import dns  # noqa: F401
from queue_house import House
from suite import free_port
from userdb_daemon import Daemon

ANN, BOB, INFO = "ann@example.test", "bob@example.test", "info@example.test"
STRANGER, FRIEND = "x@elsewhere.test", "f@friend.test"
REWRITTEN = "SRS0=h=tt=elsewhere.test=x@example.test"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
TEXT = b"Subject: hello\n\nbody\n"
WIRE = TEXT.replace(b"\n", b"\r\n")


# -- queue: who is asked what, and what comes of it --

@pytest.fixture
def house():
    with House("retry-minimum 1s", "retry-maximum 1s") as house:
        house.route(INFO, "alias", FRIEND)
        house.route(FRIEND, "remote", "friend.test")
        house.route("g@friend.test", "remote", "friend.test")
        house.srs[STRANGER] = {"address": REWRITTEN}
        yield house


def run_job(worker, status="delivered", dsn="2.0.0"):
    worker.ready()
    job = worker.job()
    for i, _ in enumerate(job["recipients"]):
        worker.result(i, status, dsn, text="550 no" if status == "failed"
                      else "250 ok")
    worker.done(job)
    return job


def test_what_an_alias_sends_on_leaves_under_another_name(house):
    worker = house.worker()
    ident = house.send(STRANGER, [INFO], TEXT)
    job = run_job(worker)
    assert job["sender"] == REWRITTEN
    [recipient] = job["recipients"]
    assert recipient["orcpt"] == f"rfc822;{INFO}"
    house.wait_log("removed", id=ident)
    [line] = house.log_lines("delivered", id=ident)
    assert line["from"] == f"<{STRANGER}>"
    assert line["srs"] == f"<{REWRITTEN}>"
    assert house.senders.get_nowait() == (STRANGER, "example.test")
    assert house.senders.empty()


def test_a_report_of_ours_goes_to_the_sender_himself(house):
    house.route(STRANGER, "remote", "elsewhere.test")
    worker = house.worker()
    ident = house.send(STRANGER, [INFO], TEXT)
    run_job(worker, "failed", "5.1.1")
    house.wait_log("bounced", id=ident)
    job = run_job(worker)
    assert job["sender"] == ""
    assert [r["address"] for r in job["recipients"]] == [STRANGER]
    house.wait_empty()
    # Of the report itself nobody asked.
    assert house.senders.qsize() == 1


def test_who_does_not_come_of_an_alias_keeps_his_sender(house):
    """At one host, in one message: two transactions.  And one question, for
    however many."""
    house.route("all@example.test", "alias",
                *(f"u{i}@friend.test" for i in range(5)))
    for i in range(5):
        house.route(f"u{i}@friend.test", "remote", "friend.test")
    client = house.login(ANN)
    client.send(STRANGER, ["all@example.test", INFO, "g@friend.test"], TEXT)
    worker = house.worker()
    jobs = {job["sender"]: sorted(r["address"] for r in job["recipients"])
            for job in (run_job(worker), run_job(worker))}
    assert jobs == {
        STRANGER: ["g@friend.test"],
        REWRITTEN: sorted([FRIEND, *(f"u{i}@friend.test" for i in range(5))])}
    house.wait_empty()
    assert house.senders.qsize() == 1


@pytest.mark.parametrize("extra, sender", [
    (["srs no"], STRANGER), ([], ""), ([], ANN)])
def test_when_it_stays(house, extra, sender):
    house.reload(*extra) if extra else None
    house.send(sender, [INFO], TEXT)
    assert run_job(house.worker())["sender"] == sender
    house.wait_empty()
    assert house.senders.qsize() == (sender == ANN)
    assert "srs=" not in house.log_text()


def test_why_one_of_others_stays_is_said(house):
    house.srs[STRANGER] = {"reason": "too long for a local part"}
    ident = house.send(STRANGER, [INFO], TEXT)
    assert run_job(house.worker())["sender"] == STRANGER
    house.wait_log("sender kept", id=ident)
    [line] = house.log_lines("sender kept", id=ident)
    assert line["from"] == f"<{STRANGER}>"
    assert line["reason"] == "too long for a local part"
    house.wait_empty()


def test_while_nobody_can_tell_it_waits(house):
    house.srs[STRANGER] = {"verdict": "lookup-failed"}
    ident = house.send(STRANGER, [INFO], TEXT)
    house.wait_log("deferred", id=ident)
    house.srs[STRANGER] = {"address": REWRITTEN}
    house.tool("flush", ident)
    assert run_job(house.worker())["sender"] == REWRITTEN
    house.wait_empty()


# -- userdb: which addresses are made, and which are taken back --

@pytest.fixture
def userdb():
    daemon = Daemon(domains=["example.test", "second.test"])
    daemon.add(ANN)
    daemon.tool("alias", "add", "@example.test", ANN)
    yield daemon.start()
    daemon.close()


def made(daemon, sender=STRANGER, domain="example.test"):
    answer = daemon.peer("role-queue").ask("srs", serial=7, address=sender,
                                           domain=domain)
    assert (answer.verb, answer["serial"], answer["verdict"]) == (
        "srs", "7", "ok")
    return answer.get("address")


def recipient(daemon, address, null=1):
    more = {"null": 1} if null else {}
    return daemon.peer("role-smtpd").ask(
        "recipient", address=address, **more)["verdict"]


def route(daemon, address, null=1):
    more = {"null": 1} if null else {}
    answer = daemon.peer("role-queue").ask("route", serial=1, address=address,
                                           **more)
    assert "keep" not in answer
    return answer["kind"], answer["target"]


def test_there_and_back(userdb):
    address = made(userdb)
    assert re.fullmatch(r"SRS0=[A-Z2-7]{7}=[A-Z2-7]{2}=elsewhere\.test=x"
                        r"@example\.test", address)
    for form in address, address.lower(), address.upper():
        assert recipient(userdb, form) == "recipient-ok"
        kind, target = route(userdb, form)
        assert (kind, target.lower()) == ("alias", STRANGER)
    # In each of our domains, and for who is gone by now.
    assert made(userdb, domain="second.test").endswith("@second.test")
    assert made(userdb, domain="third.test").endswith("@example.test")
    assert made(userdb, domain="").endswith("@example.test")


def test_who_is_not_rewritten(userdb):
    for sender in ("", ANN, "nobody@second.test", "root", "x@mail.example.test"):
        assert made(userdb, sender) is None
    assert made(userdb, "x@sub.example.test") is not None


def test_only_reports_and_only_what_is_ours(userdb):
    """Not even the alias that catches all of the domain has the rest."""
    address = made(userdb)
    assert recipient(userdb, "whoever@example.test") == "recipient-ok"
    assert recipient(userdb, address, null=0) == "user-unknown"
    assert route(userdb, address, null=0) == ("unknown", "user-unknown")
    local, _, domain = address.partition("@")
    _, digest, day, host, user = local.split("=")
    other = "A" if digest[0] != "A" else "B"
    for forged in (f"SRS0={other}{digest[1:]}={day}={host}={user}",
                   f"SRS0={digest}={day}={host}=y",
                   f"SRS0={digest}={day}=other.test={user}",
                   f"SRS0={digest[:4]}={day}={host}={user}",
                   f"SRS0=={day}={host}={user}", "SRS0=", "srs0+", "SRS1=a",
                   f"SRS1={digest}={host}=={user}"):
        for null in 0, 1:
            assert recipient(userdb, f"{forged}@{domain}",
                             null) == "user-unknown", forged
            assert route(userdb, f"{forged}@{domain}", null)[
                0] == "unknown", forged
    assert recipient(userdb, f"{local}@elsewhere.test") == "relay-denied"
    # A user of such a name is there all the same.
    userdb.add("srs0=x@example.test")
    assert recipient(userdb, "SRS0=x@example.test", 0) == "recipient-ok"


def test_switched_off_it_leads_back_still(userdb):
    """What is underway comes home; all else is as if there were no SRS."""
    address = made(userdb)
    userdb.write_config("srs no")
    with open(userdb.config) as f:
        userdb.tell("reload", fds=[f.fileno()])
    userdb.status()
    assert made(userdb) is None
    assert route(userdb, address) == ("alias", STRANGER)
    assert route(userdb, "SRS0=forged@example.test") == ("alias", ANN)


def test_other_forwarders_and_long_names(userdb):
    first = "SRS0=h=tt=a.test=u@b.test"
    address = made(userdb, first)
    assert "=b.test==h=tt=a.test=u@example.test" in address
    assert address.startswith("SRS1=")
    assert route(userdb, address) == ("alias", first)
    peer = userdb.peer("role-queue")
    for n in range(1, 65):
        sender = "a" * n + "@elsewhere.test"
        answer = peer.ask("srs", serial=1, address=sender,
                          domain="example.test")
        if n <= 64 - len("SRS0=HHHHHHH=TT=elsewhere.test="):
            assert route(userdb, answer["address"]) == ("alias", sender)
        else:
            assert "address" not in answer
            assert "too long" in answer["reason"]


def test_one_key_for_good_that_leaves_the_house_in_no_export(userdb):
    address = made(userdb)
    exported = userdb.tool("export").stdout
    assert "srs" not in exported
    userdb.stop()
    userdb.start()
    assert route(userdb, address) == ("alias", STRANGER)
    other = Daemon(domains=["example.test"])
    try:
        other.tool("import", input=exported)
        other.start()
        assert route(other, address)[0] == "unknown"
    finally:
        other.close()


# -- the whole house --

class World:
    def __init__(self, make_suite, dns, reply=None):
        port = free_port("127.46.8.2")
        dns.add_zone("test", "friend MX 10 mx.friend\n"
                     "mx.friend A 127.46.8.2\n"
                     "elsewhere MX 10 mx.friend")
        dns.start()
        self.there = SmtpServer("127.46.8.2", port, reply=reply)
        self.suite = make_suite(
            users=[ANN], dns_server=dns.address, smtp_port=port,
            extra=["retry-minimum 1s", "retry-maximum 1s"])
        self.suite.start()
        self.suite.add_alias(INFO, FRIEND)


def test_sent_on_and_reported_back(make_suite, dns):
    """Sent on by an alias; the other host takes it, and reports later."""
    world = World(make_suite, dns)
    suite, there = world.suite, world.there
    with suite.smtp() as smtp:
        smtp.sendmail(STRANGER, [INFO], WIRE)
    suite.wait_queue_empty()
    [(mail, rcpt, _)] = there.messages
    sender = re.match(r"MAIL FROM:<([^>]*)>", mail)[1]
    assert sender.startswith("SRS0=") and sender.endswith("@example.test")
    assert rcpt[0].startswith(f"RCPT TO:<{FRIEND}>")
    suite.restart()
    with suite.smtp() as smtp:
        smtp.sendmail("", [sender], WIRE)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.sendmail("spam@elsewhere.test", [sender], WIRE)
        assert [code for code, _ in refused.value.recipients.values()] == [550]
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("", [sender.replace("elsewhere", "victim")], WIRE)
    suite.wait_queue_empty()
    assert len(there.messages) == 2
    mail, rcpt, _ = there.messages[1]
    assert mail.startswith("MAIL FROM:<>")
    assert [r.split(">")[0] for r in rcpt] == [f"RCPT TO:<{STRANGER}"]
    # Mail of our own users goes out as it is.
    with suite.submission(ANN) as smtp:
        smtp.sendmail(ANN, [INFO], WIRE)
    suite.wait_queue_empty()
    assert there.messages[2][0].startswith(f"MAIL FROM:<{ANN}>")
    there.close()


def test_refused_there_the_report_is_for_the_sender(make_suite, dns):
    world = World(make_suite, dns, lambda _, command:
                  "550 5.1.1 nobody" if FRIEND in command else None)
    suite, there = world.suite, world.there
    with suite.smtp() as smtp:
        smtp.sendmail(STRANGER, [INFO], WIRE)
    suite.wait_queue_empty()
    [(mail, rcpt, text)] = there.messages
    assert mail.startswith("MAIL FROM:<>")
    assert rcpt[0].startswith(f"RCPT TO:<{STRANGER}>")
    assert b"X-Postrider-Alias" in text or b"info@example.test" in text
    there.close()


def test_an_old_address_leads_nowhere(make_suite, dns):
    """Made as userdb makes them, with the key of its database."""
    world = World(make_suite, dns)
    suite = world.suite
    with suite.smtp() as smtp:
        smtp.sendmail(STRANGER, [INFO], WIRE)
    suite.wait_queue_empty()
    sender = re.match(r"MAIL FROM:<([^>]*)>", world.there.messages[0][0])[1]
    key = key_of(suite)
    today = int(time.time()) // 86400
    assert address_of(key, today) == sender or \
        address_of(key, today - 1) == sender
    with suite.smtp() as smtp:
        smtp.ehlo()
        for age, good in ((0, True), (21, True), (22, False), (300, False),
                          (-3, False)):
            smtp.mail("")
            code, _ = smtp.rcpt(address_of(key, today - age))
            assert code == (250 if good else 550), age
            smtp.rset()
    world.there.close()


def key_of(suite):
    """From the database's files, as its text and its logs have it."""
    found = set()
    for path in glob.glob(suite.database + "/*"):
        with open(path, "rb") as f:
            found |= set(re.findall(rb"m/srs-key.{0,80}?([0-9a-f]{64})",
                                    f.read(), re.S))
    [key] = found
    return key.decode()


def address_of(key, day, host="elsewhere.test", user="x"):
    stamp = LETTERS[day % 1024 // 32] + LETTERS[day % 32]
    signed = "\0".join(["0", stamp, host, user]).upper()
    bits = int.from_bytes(hmac.digest(
        key.encode(), signed.encode(), hashlib.sha256)[:5], "big")
    digest = "".join(LETTERS[bits >> (35 - 5 * i) & 31] for i in range(7))
    return f"SRS0={digest}={stamp}={host}={user}@example.test"
