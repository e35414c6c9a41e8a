# SPDX-License-Identifier: ISC
"""What a login may send: beyond that its mail is held, none of it is lost, and
the postmaster is told and decides (queue(8), "Budgets")."""
import email
import json
import os
import smtplib

import pytest

from queue_house import House
from suite import Suite
from watch import wait_for

ANN, BOB, CARL, DORA, BOSS = (f"{name}@example.test" for name in (
    "ann", "bob", "carl", "dora", "boss"))
POSTMASTER = "postmaster@mail.example.test"


def suite_with(*extra):
    # The first user is the postmaster.
    return Suite(users=[BOSS, ANN, BOB, CARL, DORA], extra=extra)


def message(login, subject):
    return f"From: <{login}>\nSubject: {subject}\n\nHello\n"


def send(suite, login, n=1, to=(BOB,), subject="x"):
    """That many messages, each to all of these."""
    with suite.submission(login) as client:
        for i in range(n):
            client.sendmail(login, list(to), message(login, f"{subject} {i}"))


def queue_tool(suite, *arguments, **options):
    return suite.run("postrider-queue", *arguments, **options)


def held(suite, login):
    out = queue_tool(suite, "list", "--json", "--login", login,
                     "--state", "held").stdout
    return [json.loads(line) for line in out.splitlines()]


def wait_held(suite, login, n):
    """Whoever has had his 250 waits for nothing more: it is held before."""
    return wait_for(lambda: len(held(suite, login)) >= n and
                    held(suite, login), suite.log, what=f"{n} held")


def show(suite, login):
    [user] = json.loads(suite.user_tool("show", "--json", login).stdout)
    return user


def limit(suite, login, name, value, **options):
    return suite.user_tool("limit", login, name, value, **options)


def notices(suite):
    found = []
    for path in suite.messages(BOSS):
        with open(path, errors="surrogateescape") as f:
            found.append(email.message_from_file(f))
    return [m for m in found if m["Subject"].startswith("Mail is held")]


def wait_notices(suite, n=1):
    suite.wait_maildir(BOSS, n)
    return notices(suite)


def rules(suite):
    out = queue_tool(suite, "hold", "--list", "--json").stdout
    return {rule["name"]: rule["reason"]
            for rule in map(json.loads, out.splitlines())}


# -- the whole suite --

def test_each_budget_and_each_login_for_itself():
    """Three logins, each with one limit of its own; a fourth that stays within
    what all have."""
    with suite_with("login-messages 6/1d") as suite:
        limit(suite, ANN, "login-messages", "2/1d")
        limit(suite, BOB, "login-recipients", "4/1d")
        limit(suite, CARL, "login-new-recipients", "2/1d")
        send(suite, ANN, 3)
        send(suite, BOB, 2, to=[ANN, CARL])
        send(suite, BOB, 1, to=[ANN])
        send(suite, CARL, 3, to=[ANN, BOB])  # new ones only at first
        send(suite, DORA, 3, to=[ANN, BOB, CARL, BOSS])
        assert held(suite, CARL) == held(suite, DORA) == []
        send(suite, CARL, 1, to=[ANN, DORA])
        for login, reason in (
                (ANN, "budget: 3 messages, limit 2 (login-messages)"),
                (BOB, "budget: 5 recipients, limit 4 (login-recipients)"),
                (CARL, "budget: 3 new recipients, limit 2 "
                       "(login-new-recipients)")):
            [one] = wait_held(suite, login, 1)
            assert one["held"] == reason
        assert held(suite, DORA) == []
        # Held is not sent, and what was sent before was.
        suite.wait_maildir(BOB, 2 + 3 + 3)
        suite.wait_maildir(CARL, 2 + 3)
        assert len(suite.messages(BOB)) == 8
        assert suite.messages(DORA) == []
        about = {notice["Subject"].split()[-1]: str(notice)
                 for notice in wait_notices(suite, 3 + 3)}
        assert sorted(about) == [ANN, BOB, CARL]
        assert "login-new-recipients 5000/1d" in about[CARL]
        assert wait_for(lambda: all(
            reason.endswith("; postmaster was told")
            for reason in rules(suite).values()), suite.log)


def test_release_sends_all_and_begins_anew():
    with suite_with("login-messages 3/1d") as suite:
        send(suite, ANN, 5)
        wait_held(suite, ANN, 2)
        [notice] = wait_notices(suite)
        assert notice["Auto-Submitted"] == "auto-generated"
        assert notice["Return-Path"] == "<>"
        assert notice["To"] == f"<{POSTMASTER}>"
        words = notice.get_payload()
        assert "4 messages, limit 3" in words and "127.0.0.1" in words
        user = show(suite, ANN)
        assert user["held"]["messages"] == 2
        assert user["held"]["reason"].startswith("budget: 4 messages")
        assert user["limits"]["login-messages"] == {
            "value": "3/1d", "own": False}
        assert "login-messages: 3 of 3 in 1d" in user["tallies"]
        story = queue_tool(suite, "trace", *(
            one["id"] for one in held(suite, ANN))).stdout
        assert f"too much for {ANN}: 4, login-messages is 3" in story
        text = suite.user_tool("show", ANN).stdout
        assert f"postrider-queue release --login {ANN} sends" in text
        # Each restart comes between, of each part.
        suite.restart()
        assert len(wait_held(suite, ANN, 2)) == 2
        send(suite, ANN, 1)
        assert len(wait_held(suite, ANN, 3)) == 3
        suite.kill_all()
        suite.start()
        assert show(suite, ANN)["held"]["messages"] == 3
        out = queue_tool(suite, "release", "--login", ANN).stdout
        assert "3 messages released" in out
        suite.wait_maildir(BOB, 6)
        suite.wait_queue_empty()
        # Nothing counts any more, not even over a restart.
        suite.kill_service("ledger")
        send(suite, ANN, 3)
        suite.wait_maildir(BOB, 9)
        assert held(suite, ANN) == [] and rules(suite) == {}
        assert len(notices(suite)) == 1
        send(suite, ANN, 1)
        wait_held(suite, ANN, 1)
        assert len(wait_notices(suite, 2)) == 2


def test_no_more_than_login_held_and_delete_discards():
    with suite_with("login-messages 2/1d", "login-held 2") as suite:
        password = suite.passwords[ANN]
        suite.passwords[ANN] = suite.user_tool(
            "passwd", "--app", "phone", ANN).stdout.strip()
        send(suite, ANN, 4)
        suite.passwords[ANN] = password
        assert len(wait_held(suite, ANN, 2)) == 2
        [notice] = wait_notices(suite)
        assert "passwd --revoke --app phone" in notice.get_payload()

        def refused():
            with suite.submission(ANN) as client:
                client.ehlo("x")
                declared = client.mail(ANN, ["SIZE=100"])
                client.rset()
                client.mail(ANN)
                client.rcpt(BOB)
                return declared, client.docmd("DATA")
        for code, words in refused():
            assert code == 452 and words.startswith(b"4.7.1 "), words
        suite.restart()
        assert [code for code, _ in refused()] == [452, 452]
        send(suite, CARL, 2)  # another login
        suite.wait_maildir(BOB, 4)
        # A disabled user's mail can be sent, or not, as any other.
        suite.user_tool("disable", ANN)
        out = queue_tool(suite, "delete", "--login", ANN, "--state",
                         "held").stdout
        assert "2 messages deleted" in out
        assert show(suite, ANN)["held"]["messages"] == 0
        suite.user_tool("enable", ANN)
        send(suite, ANN, 1)  # the rule stands
        assert len(wait_held(suite, ANN, 1)) == 1
        suite.user_tool("disable", ANN)
        queue_tool(suite, "release", "--login", ANN)
        suite.wait_maildir(BOB, 5)
        suite.wait_queue_empty()
        assert len(suite.messages(BOB)) == 5
        assert len(notices(suite)) == 1


def test_limits_of_a_user():
    """Set and shown while it runs and while it does not, in an export and out
    of it."""
    with suite_with("login-messages 1000/1d", "login-recipients 90/90s",
                    "mailbox-messages 300/60m") as suite:
        assert {name: item["value"] for name, item in
                show(suite, ANN)["limits"].items()} == {
            "login-messages": "1000/1d", "login-recipients": "90/90s",
            "login-new-recipients": "0", "mailbox-messages": "300/1h"}
        limit(suite, ANN, "login-messages", "5/2h")
        limit(suite, ANN, "mailbox-messages", "0")
        suite.stop()
        limit(suite, ANN, "login-recipients", "7/1w")
        assert show(suite, ANN)["held"] is None
        exported = suite.user_tool("export").stdout
        assert " login-messages=5/2h login-recipients=7/1w " \
            "mailbox-messages=0 " in exported
        for name, value in (("login-message", "1/1d"),
                            ("login-messages", "1"),
                            ("login-messages", "1/1d x"),
                            ("login-messages", "-1/1d"),
                            ("login-messages", "")):
            done = limit(suite, ANN, name, value, check=False)
            assert done.returncode in (64, 65), (name, value)
        suite.user_tool("del", ANN)
        suite.user_tool("import", input="\n".join(
            line for line in exported.splitlines() if ANN in line))
        assert show(suite, ANN)["limits"]["login-messages"] == {
            "value": "5/2h", "own": True}
        suite.start()
        limit(suite, ANN, "login-messages", "default")
        assert show(suite, ANN)["limits"]["login-messages"] == {
            "value": "1000/1d", "own": False}
        # In force at once, and for a session that is open.
        with suite.submission(ANN) as client:
            client.sendmail(ANN, [BOB], message(ANN, "1"))
            limit(suite, ANN, "login-messages", "1/1d")
            client.sendmail(ANN, [BOB], message(ANN, "2"))
            wait_held(suite, ANN, 1)


# -- queue among fakes --

@pytest.fixture
def house():
    with House() as house:
        house.route(BOB, "mailbox", BOB)
        house.route(POSTMASTER, "mailbox", BOSS)
        yield house


def serve_ledger(house, answer):
    """Played by the test: answer(attributes) is what it says; None: nothing.
    What it was asked, in a list."""
    asked = []

    def serve(peer):
        to = []
        while True:
            verb, attributes, _ = peer.hear()
            assert verb == "budget"
            to += [value for name, value in attributes if name == "to"]
            attributes = dict(attributes)
            if attributes.get("more") == "1":
                continue
            asked.append({**attributes, "to": to})
            to = []
            more = answer(attributes)
            if more is not None:
                peer.say("budget", serial=attributes["serial"], **more)
    house._serve("run/queue/ledger", serve)
    if house.user:
        os.chown(house.path("run/queue/ledger"), house.user.pw_uid, -1)
    return asked


OVER = {"verdict": "over", "what": "messages", "count": 4, "limit": 3}


def submit(house, login=ANN, to=(BOB,)):
    client = house.login(login)
    try:
        return client.send(login, list(to), b"Subject: x\n\nHello\n")
    finally:
        client.close()


def test_without_ledger_mail_goes_out(house):
    submit(house)
    house.delivery().answer()
    house.wait_log("not counted", what="budgets")
    house.wait_empty()


def test_a_ledger_that_says_nothing_is_not_waited_for(house):
    asked = serve_ledger(house, lambda attributes: None)
    submit(house)
    house.delivery().answer()
    house.wait_log("not counted", reason="ledger does not answer")
    assert asked[0]["user"] == ANN
    house.wait_empty()


def test_what_is_asked(house):
    house.limits[ANN] = "5/1d - 0"
    asked = serve_ledger(house, lambda attributes: {"verdict": "ok"})
    many = [f"{i:03}{'x' * 60}@example.test" for i in range(400)]
    for address in many:
        house.route(address, "mailbox", address)
    submit(house, to=many)
    submit(house, login=BOB)
    # Nobody else is counted.
    house.send("x@remote.test", [BOB])
    house.send("x@remote.test", [BOB], role="public")
    for _ in range(403):
        house.delivery().answer()
    house.wait_empty()
    assert [(one["user"], one.get("limits"), len(one["to"]))
            for one in asked] == [(ANN, "5/1d - 0", 400), (BOB, None, 1)]
    assert asked[0]["to"] == many


def test_nonsense_from_ledger_costs_its_connection(house):
    answers = [{"verdict": "perhaps"}, {"verdict": "over"},
               {"verdict": "ok"}, {"verdict": "ok"}]
    serve_ledger(house, lambda attributes: answers.pop(0))
    submit(house)
    house.delivery().answer()
    house.wait_log("peer dropped", role="ledger")
    submit(house)
    house.delivery().answer()
    house.wait_empty()


def test_told_once_and_after_a_crash(house):
    """Killed before the postmaster was told, it tells him at the next start;
    once told, never again."""
    asked = serve_ledger(house, lambda attributes: OVER)
    submit(house)
    notice = house.delivery()
    assert notice.mailbox == BOSS
    assert b"Auto-Submitted: auto-generated\n" in notice.content
    notice.answer()
    house.wait_log("postmaster told")
    path = os.path.join(house.spool, "holds")
    wait_for(lambda: os.path.exists(path) and
             "postmaster was told" in open(path).read(), house.spool)
    submit(house)
    house.restart()
    submit(house)
    assert len(asked) == 1  # what is held anyway does not count
    house.tool("release", "--state", "held", "--sender", "nobody")
    assert house.mailbox.empty()
    assert len(house.log_lines("postmaster told")) == 1
    house.kill()
    with open(path) as f:
        rule = f.read().replace("; postmaster was told", "")
    with open(path, "w") as f:
        f.write(rule)
    house.start()
    notice = house.delivery()
    assert notice.mailbox == BOSS and b"4 messages" in notice.content
    notice.answer()
    house.wait_log("postmaster told", lines=2)
    assert [m["state"] for m in house.listed()] == ["held"] * 3


def test_held_by_its_own_envelope(house):
    """The rule takes a moment to the disk: who dies before must not send."""
    serve_ledger(house, lambda attributes: OVER)
    ident = submit(house)
    house.delivery().answer()
    house.wait_log("postmaster told")
    house.kill()
    os.unlink(os.path.join(house.spool, "holds"))
    house.start()
    assert [(m["id"], m["state"]) for m in house.listed()] == [
        (ident, "held")]


def test_release_without_ledger_says_so(house):
    house.tool("hold", "--login", ANN)
    submit(house)
    done = house.tool("release", "--login", ANN, check=False)
    assert done.returncode == 75 and b"still counts" in done.stderr
    house.delivery().answer()
    house.wait_empty()


def test_a_login_with_odd_characters(house):
    odd = "a*'b?@example.test"
    serve_ledger(house, lambda attributes:
                 OVER if attributes["user"] == odd else {"verdict": "ok"})
    submit(house, login=odd)
    notice = house.delivery()
    assert rb"release --login 'a\*'\''b\?@example.test'" in notice.content
    notice.answer()
    submit(house, login="axx'bx@example.test")  # the rule is no pattern
    assert house.delivery().mailbox == BOB


def test_nothing_held_where_login_held_is_0(house):
    house.reload("login-held 0")
    serve_ledger(house, lambda attributes: OVER)
    submit(house)  # the first is held: nobody knew
    house.delivery().answer()
    client = house.login(ANN)
    client.say("open")
    assert client.expect("refused")[0]["verdict"] == "too-much-held"
    client.say("room", size=10)
    assert client.expect("room")[0]["verdict"] == "too-much-held"
    assert len(house.spooled("envelope")) == 1
