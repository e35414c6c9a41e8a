# SPDX-License-Identifier: ISC
"""What a login may send: beyond that its mail is held, none of it is lost, and
the postmaster is told and decides."""
import email
import json

from suite import Suite
from watch import wait_for

ANN, BOB, BOSS = "ann@example.test", "bob@example.test", "boss@example.test"


def text(subject="x"):
    return f"From: <{ANN}>\nSubject: {subject}\n\nHello\n"


def house(*extra):
    # The first user is the postmaster.
    return Suite(users=[BOSS, ANN, BOB], extra=extra)


def send(suite, login, n=1, to=(BOB,), subject="x"):
    """That many messages, each to all of these."""
    with suite.submission(login) as client:
        for i in range(n):
            client.sendmail(login, list(to),
                            f"From: <{login}>\nSubject: {subject} {i}\n\nx\n")


def held(suite, login):
    out = suite.run("postrider-queue", "list", "--json", "--login", login,
                    "--state", "held").stdout
    return [json.loads(line) for line in out.splitlines()]


def wait_held(suite, login, n):
    return wait_for(lambda: len(held(suite, login)) >= n and
                    held(suite, login), suite.log, what=f"{n} held")


def notices(suite):
    """The messages to the postmaster that are none of a user's."""
    found = []
    for path in suite.messages(BOSS):
        with open(path, errors="surrogateescape") as f:
            message = email.message_from_file(f)
        if message["Subject"].startswith("Mail is held"):
            found.append(message)
    return found


def wait_notice(suite, n=1):
    suite.wait_log("postmaster told")
    return wait_for(lambda: len(notices(suite)) >= n and notices(suite),
                    suite.maildir(BOSS), suite.log, what="a notice")


def test_more_messages_than_it_may():
    with house("login-messages 3/1d") as suite:
        send(suite, ANN, 5)
        suite.wait_maildir(BOB, 3)
        messages = wait_held(suite, ANN, 2)
        assert len(messages) == 2
        for message in messages:
            assert message["held"].startswith(
                "budget: 4 messages, limit 3 (login-messages)")
        [notice] = wait_notice(suite)
        assert notice["Auto-Submitted"] == "auto-generated"
        assert "postrider-queue release --login ann@example.test" in str(
            notice)
