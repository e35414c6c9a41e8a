# SPDX-License-Identifier: ISC
"""The supervisor with the services it is made for."""
import contextlib
import os
import smtplib
import threading

import pytest

from suite import descendants, has, process_name
from watch import wait_for

MESSAGE = "From: a@b.test\r\nTo: ann@example.test\r\nSubject: {}\r\n\r\nx\r\n"
ANN = "ann@example.test"


def send(suite, subject):
    with suite.smtp() as client:
        client.sendmail("a@b.test", ANN, MESSAGE.format(subject))


@contextlib.contextmanager
def reading(suite):
    reader = suite.pop3(ANN)
    yield reader
    reader.quit()


def waited_for(pid):
    """Page faults of all children that a process has ever reaped: changes
    with each process that it makes and loses."""
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rsplit(")", 1)[1].split()[9])


def test_thousand_sessions_make_no_process(suite):
    """1,000 sessions, one after the other: the pool serves them all."""
    def session():
        with suite.smtp() as client:
            client.ehlo("client.test")
            assert client.mail("a@b.test")[0] == 250
            assert client.rcpt(ANN)[0] == 250
    for _ in range(20):
        session()  # until the pool has its size
    before = {pid: waited_for(pid) for pid in descendants(suite.pid)}
    for _ in range(1000):
        session()
    after = {pid: waited_for(pid) for pid in descendants(suite.pid)}
    # An overlap of one session's end and the next one's start may add a
    # spare to a pool; a pool has at most twice its spares, and a parent.
    new = [process_name(p) for p in set(after) - set(before)]
    assert len(new) <= 2, new
    changed = [process_name(p) for p in after
               if p in before and before[p] != after[p]]
    assert not changed, "processes came and went"
    for service in suite.status()["services"]:
        assert service["processes"] <= 6, service


def test_status_counts(suite):
    def of(name):
        return next(s for s in suite.status()["services"]
                    if s["name"] == name)
    assert of("queue")["messages"] == 0
    with suite.smtp() as one, suite.smtp() as two, reading(suite):
        one.noop(), two.noop()
        assert of("smtpd")["busy"] == 2
        assert of("pop3d")["busy"] == 1


def test_reload_in_the_middle_of_a_message(suite):
    """Who is in a transaction finishes it with the old process, under the
    old limits; who comes then meets the new ones."""
    old = suite.parents()["smtpd"]
    with suite.smtp() as client, reading(suite) as reader:
        client.ehlo("client.test")
        client.mail("a@b.test")
        client.rcpt(ANN)
        assert client.docmd("DATA")[0] == 354
        client.send("Subject: slow\r\n\r\nfirst half\r\n")
        suite.write_config("max-message-size 4K")
        suite.run("postrider", "reload")
        client.send("x" * 70 + "\r\n")
        client.send(("y" * 70 + "\r\n") * 100)
        client.send(".\r\n")
        assert client.getreply()[0] == 250
        assert reader.stat() == (0, 0)
        with suite.smtp() as new:
            new.ehlo("client.test")
            assert new.esmtp_features["size"] == "4096"
    suite.wait_maildir(ANN, 1)
    wait_for(lambda: not os.path.exists(f"/proc/{old}"), suite.folder)


def test_reload_under_load(suite):
    """No connection is refused, none is cut before it had its turn, and
    every message that got its 250 is there."""
    over = threading.Event()
    failures, sent = [], []

    def client(number):
        n = 0
        while not over.is_set():
            n += 1
            try:
                send(suite, f"{number}-{n}")
                sent.append(n)
            except (smtplib.SMTPException, OSError) as error:
                failures.append(repr(error))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    try:
        for i in range(5):
            suite.write_config(f"max-hops {60 + i}")
            suite.extra.pop()
            suite.run("postrider", "reload")
            goal = len(sent) + 10  # the new ones work, too
            wait_for(lambda: len(sent) >= goal or failures, suite.log)
    finally:
        over.set()
        for t in threads:
            t.join()
    assert not failures
    assert len(sent) >= 50
    assert len(suite.wait_maildir(ANN, len(sent))) == len(sent)


def test_reload_lets_sessions_finish(suite):
    """One that idles between two messages stays, too, until it is told to
    stop."""
    old = suite.parents()["smtpd"]
    with suite.smtp() as client:
        client.sendmail("a@client.test", [ANN], "Subject: 1\r\n\r\n")
        suite.write_config("max-hops 60")
        suite.run("postrider", "reload")
        suite.wait_log(lambda l: " ready " in l.text
                       and l.get("service") == "smtpd"
                       and int(l["pid"]) != old)
        client.sendmail("a@client.test", [ANN], "Subject: 2\r\n\r\n")
        assert os.path.exists(f"/proc/{old}")
    wait_for(lambda: not os.path.exists(f"/proc/{old}"), suite.folder)
    suite.wait_maildir(ANN, 2)


@pytest.mark.parametrize(
    "name", ["keys", "smtpd", "smtp-gate", "pop3d", "deliver", "queue", "mailbox",
             "userdb", "ledger", *(["fetch"] if has("CURL") else [])])
def test_each_service_may_die(suite, name):
    """It comes back, the others do not notice, and mail flows again."""
    send(suite, "before")
    suite.wait_maildir(ANN, 1)
    others = {n: p for n, p in suite.parents().items() if n != name}
    killed = suite.kill_service(name)
    suite.wait_log(lambda l: " ready " in l.text and l.get("service") == name
                   and int(l["pid"]) != killed)
    assert {n: p for n, p in suite.parents().items()
            if n in others and p in others.values()} == others
    # An owner's clients find the new one without being told.
    def accepted():
        try:
            send(suite, "after")
            return True
        except smtplib.SMTPException as error:
            codes = [r[0] for r in getattr(
                error, "recipients", {"": (getattr(
                    error, "smtp_code", 421),)}).values()]
            assert all(400 <= code < 500 for code in codes), error
            return False
    wait_for(accepted, suite.log, what="mail is accepted again")
    suite.wait_maildir(ANN, 2)
    with reading(suite) as reader:
        assert reader.stat()[0] == 2


def test_everything_ends(suite):
    """Clients that wait do not hold up a stop."""
    idle = suite.smtp()
    idle.ehlo("client.test")
    family = descendants(suite.pid)
    suite.run("postrider", "stop")
    assert suite.process.wait(1) == 0
    assert not [p for p in family if os.path.exists(f"/proc/{p}")]
    assert idle.getreply() == (421, b"4.3.2 closing down")
    idle.close()
    assert not suite.queued()
