# SPDX-License-Identifier: ISC
"""Every kind of message that nobody has written, read by others' rules
(generated.py); the reports of postrider-report are in test_dmarc_report."""
import os

import pytest

from generated import check, check_dsn, check_thread
from scripted_dns import scripted_dns  # noqa: F401
from watch import wait_for

BOSS, ANN, BOB = "boss@example.test", "ann@example.test", "bob@example.test"
GONE = "gone@[127.0.0.1]"  # nobody listens there
AWAY = "x@nowhere.test"    # there is no such domain
HEADER = ("From: {0}\nSubject: x\nReferences: <1@x.test>\n\t<2@x.test>\n"
          "Message-ID:\n <3@x.test>\n{1}\n\nhello\n")
THREAD = "<3@x.test>", ("<1@x.test>", "<2@x.test>")


@pytest.fixture
def house(make_suite, scripted_dns):  # noqa: F811
    dns = scripted_dns({})
    return make_suite(users=[BOSS, ANN, BOB], dns_server=dns.address, extra=[
        f"bounce-copy {BOSS}", "delay-warning 1s", "retry-minimum 1h",
        "login-messages 6/1d", "relay-from 127.0.0.9"]).start()


def send(house, to, more="X: y", login=ANN, sender=None, options=(),
         author=None):
    text = HEADER.format(author or login, more).replace("\n", "\r\n")
    with house.submission(login) as smtp:
        smtp.sendmail(login if sender is None else sender, [to], text,
                      rcpt_options=options)


def came(house, user, wanted, n=1):
    """The contents of those whose subject has this text, taken out."""
    def look():
        found = []
        for path in house.messages(user):
            with open(path, "rb") as f:
                octets = f.read()
            if wanted.encode() in octets.partition(b"\n\n")[0]:
                found.append((path, octets))
        return found if len(found) >= n else None
    found = wait_for(look, os.path.join(house.maildir(user), "new"),
                     house.log, what=f"{wanted} for {user}")
    for path, _ in found:
        os.unlink(path)
    assert len(found) == n
    return [octets for _, octets in found]


def test_failures(house):
    send(house, AWAY)
    octets, = came(house, ANN, "could not be delivered")
    message, _, (fields,) = check_dsn(octets, ANN)
    assert fields["Action"] == "failed"
    check_thread(message, *THREAD)
    # The postmaster's copy answers nobody.
    octets, = came(house, BOSS, "Postmaster's copy")
    copy, _, (fields,) = check_dsn(octets, BOSS, "auto-generated")
    assert fields["Action"] == "failed"
    assert copy["Message-ID"] != message["Message-ID"]
    # What a list or a program sent fails as loudly: its owner wants to know.
    send(house, AWAY, "List-Id: <l.test>\nAuto-Submitted: auto-generated")
    octets, = came(house, ANN, "could not be delivered")
    check_dsn(octets, ANN)


def test_success(house):
    send(house, BOB, options=["NOTIFY=SUCCESS", "ORCPT=rfc822;b@x.test"])
    octets, = came(house, ANN, "was delivered")
    message, _, (fields,) = check_dsn(octets, ANN)
    assert fields["Action"] == "delivered"
    assert fields["Original-Recipient"] == "rfc822; b@x.test"
    check_thread(message, *THREAD)


@pytest.mark.parametrize("more", [
    "List-Id: Friends <friends.test>", "Precedence: bulk",
    "Auto-Submitted: auto-replied"])
def test_delays(house, more):
    """Lists and programs are not told of what nobody need know, unless they
    ask."""
    send(house, GONE, more)
    line = house.wait_log("not warned")
    assert line["reason"] == \
        "a program or a list sent it, and asked for no report"
    send(house, GONE, "X: mine")
    send(house, GONE, more + "\nX: asked", options=["NOTIFY=DELAY"])
    for octets in came(house, ANN, "is delayed", 2):
        message, _, (fields,) = check_dsn(octets, ANN)
        assert fields["Action"] == "delayed"
        check_thread(message, *THREAD)
        assert b"\nX: mine\n" in octets or b"\nX: asked\n" in octets
    assert house.log_text().count("]: warned id=") == 2


def test_no_answers_to_answers(house):
    """Not to the null sender, and of a report that fails the postmaster
    hears, and then nobody."""
    send(house, AWAY, sender="")
    house.wait_log("the null sender gets no reports")
    with house.smtp(source_address=("127.0.0.9", 0)) as smtp:
        smtp.sendmail("lost@nowhere.test", [AWAY],
                      HEADER.format("lost@nowhere.test", "X: y"))
    copies = came(house, BOSS, "could not be delivered", 2)
    for octets in copies:
        check_dsn(octets, BOSS, "auto-generated")
    assert sum(b"A report of this mail system" in o for o in copies) == 1
    house.wait_queue_empty()
    assert not house.messages(ANN) and not house.messages(BOSS)


def test_notices(house):
    for _ in range(7):
        send(house, BOB)
    octets, = came(house, BOSS, "Mail is held")
    message = check(octets, "postmaster@mail.example.test")
    assert "In-Reply-To" not in message and "References" not in message
