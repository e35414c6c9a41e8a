# SPDX-License-Identifier: ISC
"""ledger's tallies: what strangers do, who is known, what logins send."""
import pytest

from test_ledger import Ledger, line  # noqa: F401
from watch import wait_for

LIMITS = ["client-connections 5/1m", "network-connections 12/1m",
          "client-messages 4/1h", "client-recipients 10/1h",
          "unknown-recipients 6/1h", "offences 3/1h",
          "mailbox-messages 8/1h", "greylist-delay 60s",
          "login-messages 5/1d", "login-recipients 20/1d",
          "login-new-recipients 8/1d"]


@pytest.fixture
def ledger():
    with Ledger(LIMITS) as service:
        yield service


def connect(gate, client="192.0.2.1", serial=1):
    answer = gate.call("connection", serial=serial, client=client)
    assert answer.verb == "connection" and answer["serial"] == str(serial)
    assert (answer["verdict"] == "ok") == (answer.get("wait") is None)
    return answer["verdict"]


def name(smtpd, client="192.0.2.1", **more):
    answer = smtpd.call("recipient", client=client, **more)
    assert answer.verb == "recipient"
    return answer["verdict"]


def tallies(ledger, **of):
    answer = ledger.peer("role-admin").call("tallies", **of)
    return [value for _, value in answer.attributes]


def forget(ledger, **of):
    return ledger.peer("role-admin").call("forget", **of).verb == "done"


def spend(queue, to, user="ann@example.test", messages=1, limits=None):
    attributes = [("serial", 9), ("user", user), ("messages", messages)]
    if limits:
        attributes.append(("limits", limits))
    answer = queue.call("budget", *attributes, *(("to", t) for t in to))
    assert answer.verb == "budget" and answer["serial"] == "9"
    if answer["verdict"] == "ok":
        return "ok"
    return answer["what"], int(answer["count"]), int(answer["limit"])


# -- connections --

def test_connections_of_a_client(ledger):
    gate = ledger.peer("role-gate")
    assert [connect(gate) for _ in range(7)] == ["ok"] * 5 + [
        "client-rate"] * 2
    assert connect(gate, "192.0.2.2") == "ok"
    wait_for(lambda: "limit reached client=192.0.2.1 what=client-connections "
             "limit=5" in ledger.log(), ledger.path("stderr"))
    assert "client-connections: 5 of 5 in 1m" in tallies(
        ledger, client="192.0.2.1")


def test_connections_of_a_network(ledger):
    gate = ledger.peer("role-gate")
    verdicts = [connect(gate, f"198.51.100.{i}") for i in range(14)]
    assert verdicts == ["ok"] * 12 + ["network-rate"] * 2
    assert connect(gate, "198.51.101.1") == "ok"
    verdicts = [connect(gate, f"2001:db8:7:{i}::1") for i in range(14)]
    assert verdicts == ["ok"] * 12 + ["network-rate"] * 2


def test_many_outstanding(ledger):
    gate = ledger.peer("role-gate")
    for i in range(200):
        gate.send("connection", serial=i, client=f"203.0.{i}.1")
    assert [gate.receive()["serial"] for _ in range(200)] == [
        str(i) for i in range(200)]


def test_no_ip_address_is_not_counted(ledger):
    gate, smtpd = ledger.peer("role-gate"), ledger.peer("role-smtpd")
    assert [connect(gate, "unknown") for _ in range(20)] == ["ok"] * 20
    assert [name(smtpd, "unknown") for _ in range(20)] == ["ok"] * 20


def test_grudge(ledger):
    """Who talks first too often is refused; of what is known, later."""
    gate, smtpd = ledger.peer("role-gate"), ledger.peer("role-smtpd")
    smtpd.send("ended", client="192.0.2.9", result="taken")
    wait_for(lambda: connect(gate, "192.0.2.9") == "ok" and
             "known:" in tallies(ledger, client="192.0.2.9")[0],
             ledger.path("stderr"))
    for client in ("192.0.2.1", "192.0.2.9"):
        for _ in range(3):
            gate.send("bad", client=client, what="talked-first")
    assert connect(gate) == "grudge"
    assert connect(gate, "192.0.2.9") == "ok"
    wait_for(lambda: "limit reached client=192.0.2.1 what=talked-first "
             "limit=3" in ledger.log(), ledger.path("stderr"))
    ledger.restart()
    assert connect(ledger.peer("role-gate")) == "grudge"
    assert forget(ledger, client="192.0.2.1")
    assert connect(ledger.peer("role-gate")) == "ok"


# -- messages and recipients --

def test_messages_of_a_client(ledger):
    smtpd = ledger.peer("role-smtpd")
    verdicts = [name(smtpd, first=1) for _ in range(6)]
    assert verdicts == ["ok"] * 4 + ["client-rate"] * 2
    assert name(smtpd) == "ok"  # another of the last one's
    assert name(smtpd, client="192.0.2.2", first=1) == "ok"


def test_recipients_of_a_client(ledger):
    smtpd = ledger.peer("role-smtpd")
    assert [name(smtpd) for _ in range(12)] == ["ok"] * 10 + [
        "client-rate"] * 2


def test_known_clients_may_do_more(ledger):
    smtpd, gate = ledger.peer("role-smtpd"), ledger.peer("role-gate")
    smtpd.send("ended", client="192.0.2.1", key="host:example.org",
               result="taken")
    assert smtpd.call("known", client="192.0.2.1")["known"] == "1"
    assert smtpd.call("known", client="192.0.2.2")["known"] == "0"
    assert smtpd.call("known", client="192.0.2.2",
                      key="host:EXAMPLE.org")["known"] == "1"
    assert [name(smtpd, first=1) for _ in range(17)] == ["ok"] * 16 + [
        "client-rate"]
    answer = gate.call("connection", serial=1, client="192.0.2.1")
    assert answer["known"] == "1"
    assert [connect(gate) for _ in range(20)] == ["ok"] * 19 + [
        "client-rate"]
    smtpd.send("ended", client="192.0.2.1", result="junk")
    assert smtpd.call("known", client="192.0.2.1")["known"] == "0"


def test_known_outlives_a_restart(ledger):
    smtpd = ledger.peer("role-smtpd")
    smtpd.send("ended", client="2001:db8::1", result="taken")
    assert smtpd.call("known", client="2001:db8::2")["known"] == "1"
    ledger.restart()
    smtpd = ledger.peer("role-smtpd")
    assert smtpd.call("known", client="2001:db8::3")["known"] == "1"


def test_unknown_recipients(ledger):
    smtpd = ledger.peer("role-smtpd")
    for _ in range(5):
        smtpd.send("ended", client="192.0.2.1", result="unknown")
    assert name(smtpd) == "ok"
    smtpd.send("ended", client="192.0.2.1", result="unknown")
    answer = smtpd.call("recipient", client="192.0.2.1",
                        mailbox="ann@example.test")
    assert answer["verdict"] == "client-rate"
    assert 1700 < int(answer["wait"]) <= 1800
    assert any("too many did not exist" in text
               for text in tallies(ledger, client="192.0.2.1"))
    ledger.restart()
    assert name(ledger.peer("role-smtpd")) == "client-rate"


def mail(smtpd, mailbox, client="192.0.2.1", **limit):
    """Name it, and where that is allowed, send it a message."""
    verdict = name(smtpd, client, mailbox=mailbox, **limit)
    if verdict == "ok":
        smtpd.send("accepted", mailbox=mailbox, **limit)
    return verdict


def test_mail_bomb(ledger):
    smtpd = ledger.peer("role-smtpd")
    verdicts = [mail(smtpd, "ann@example.test", client=f"203.0.113.{i}")
                for i in range(10)]
    assert verdicts == ["ok"] * 8 + ["mailbox-rate"] * 2
    assert mail(smtpd, "ANN@example.test") == "mailbox-rate"
    assert mail(smtpd, "bob@example.test") == "ok"
    assert [mail(smtpd, "cy@example.test", limit="2/1h")
            for _ in range(3)] == ["ok", "ok", "mailbox-rate"]
    assert name(smtpd, mailbox="ann@example.test", limit="0") == "ok"
    wait_for(lambda: "limit reached to=<ann@example.test> "
             "what=mailbox-messages limit=8" in ledger.log(),
             ledger.path("stderr"))
    ledger.restart()
    smtpd = ledger.peer("role-smtpd")
    assert name(smtpd, mailbox="ann@example.test") == "mailbox-rate"
    assert forget(ledger, user="ann@example.test")
    assert name(smtpd, mailbox="ann@example.test") == "ok"


def test_dry_counts_nothing(ledger):
    smtpd = ledger.peer("role-smtpd")
    assert [name(smtpd, first=1, mailbox="ann@example.test", dry=1)
            for _ in range(30)] == ["ok"] * 30
    assert [name(smtpd, first=1) for _ in range(5)] == ["ok"] * 4 + [
        "client-rate"]
    assert name(smtpd, first=1, dry=1) == "client-rate"


# -- greylist --

def grey(smtpd, key="net:192.0.2.0/24", sender="a@example.org", **more):
    answer = smtpd.call("grey", key=key, client="192.0.2.1", sender=sender,
                        recipient="ann@example.test", **more)
    assert answer.verb == "grey"
    return answer["verdict"], int(answer.get("wait") or 0)


def test_greylist(ledger):
    smtpd = ledger.peer("role-smtpd")
    assert grey(smtpd, dry=1) == ("greylisted", 60)
    assert grey(smtpd) == ("greylisted", 60)
    verdict, wait = grey(smtpd)
    assert verdict == "greylisted" and 50 <= wait <= 60
    smtpd.send("ended", client="192.0.2.77", key="net:192.0.2.0/24",
               result="taken")
    assert grey(smtpd) == ("ok", 0)
    assert grey(smtpd, key="spf:example.net")[0] == "greylisted"


# -- budgets --

def people(n, begin=0):
    return [f"r{i}@example.net" for i in range(begin, begin + n)]


def test_budget_of_messages(ledger):
    queue = ledger.peer("role-queue")
    assert [spend(queue, people(1)) for _ in range(5)] == ["ok"] * 5
    assert spend(queue, people(1)) == ("messages", 6, 5)
    assert spend(queue, people(1), user="bob@example.test") == "ok"
    assert spend(queue, people(1), limits="7/1d - -") == "ok"
    assert spend(queue, people(1), limits="0 - -") == "ok"
    ledger.restart()
    queue = ledger.peer("role-queue")
    assert spend(queue, people(1)) == ("messages", 7, 5)
    assert "login-messages: 6 of 5 in 1d" in tallies(
        ledger, user="ann@example.test")
    assert forget(ledger, user="ann@example.test")
    assert spend(queue, people(1)) == "ok"


def test_budget_of_new_recipients(ledger):
    queue = ledger.peer("role-queue")
    assert spend(queue, people(9)) == ("new-recipients", 9, 8)
    assert spend(queue, people(6)) == "ok"
    assert spend(queue, [*people(6), "R1@EXAMPLE.net"]) == "ok"
    assert spend(queue, people(3, begin=6)) == ("new-recipients", 9, 8)
    assert spend(queue, people(2, begin=6)) == "ok"
    ledger.restart()
    queue = ledger.peer("role-queue")
    assert spend(queue, people(5)) == "ok"
    assert spend(queue, people(1, begin=8))[0] == "recipients"


def test_budget_in_several_packets(ledger):
    queue = ledger.peer("role-queue")
    head = [("serial", 9), ("user", "ann@example.test"), ("messages", 1)]
    for i in range(4):
        queue.send("budget", *head, ("more", 1),
                   *(("to", t) for t in people(2, begin=2 * i)))
    assert spend(queue, people(1, begin=8)) == ("new-recipients", 9, 8)
    assert spend(queue, people(8)) == "ok"


# -- bad input --

BROKEN = {
    "role-gate": [("connection", {"client": "192.0.2.1"}),
                  ("connection", {"serial": "x", "client": "192.0.2.1"}),
                  ("connection", {"serial": 1, "client": "1" * 65}),
                  ("bad", {"client": "192.0.2.1", "what": "a b"}),
                  ("recipient", {"client": "192.0.2.1"}),
                  ("", {})],
    "role-smtpd": [("recipient", {"client": "192.0.2.1", "first": "a"}),
                   ("recipient", {"client": "192.0.2.1", "limit": "7"}),
                   ("recipient", {"client": "192.0.2.1",
                                  "mailbox": "a" * 401}),
                   ("accepted", {"mailbox": "a", "limit": "7"}),
                   ("accepted", {}),
                   ("grey", {"key": "k"}),
                   ("ended", {"client": "192.0.2.1", "result": "good"}),
                   ("connection", {"serial": 1, "client": "192.0.2.1"}),
                   ("budget", {"serial": 1, "user": "a", "messages": 1})],
    "role-queue": [("budget", {"user": "a", "messages": 1}),
                   ("budget", {"serial": 1, "user": "a", "messages": "x"}),
                   ("budget", {"serial": 1, "messages": 1, "user": "a"}),
                   ("budget", {"serial": 1, "user": "a", "messages": 1,
                               "limits": "1/1d 2/1d"}),
                   ("budget", {"serial": 1, "user": "a", "messages": 1,
                               "limits": "1/1d 2/1d 3/1d 4/1d"}),
                   ("budget", {"serial": 1, "user": "a", "messages": 1,
                               "more": 2}),
                   ("budget", {"serial": 1, "user": "a", "messages": 1,
                               "to": "b" * 401}),
                   ("budget", {"serial": 1, "user": "a" * 401,
                               "messages": 1}),
                   ("row", {})],
    "role-admin": [("tallies", {}),
                   ("tallies", {"client": "192.0.2.1", "user": "a"})],
}


@pytest.mark.parametrize("role", BROKEN)
def test_only_who_sends_nonsense_is_dropped(ledger, role):
    other = ledger.peer("role-gate")
    for verb, attributes in BROKEN[role]:
        peer = ledger.peer(role)
        peer.send(verb, **attributes)
        assert peer.receive() is None, (verb, attributes)
    assert connect(other) == "ok"
