# SPDX-License-Identifier: ISC
"""What a postmaster does with the queue: look, hold, release, requeue, flush,
delete, ask why, trace and count (postrider-queue(8))."""
import gzip
import json
import os
import re
import resource
import subprocess
import time

import pytest

import spoolfill
from queue_house import Closed, House
from suite import program, sanitized
from watch import wait_for

ANN, BOB = "ann@example.test", "bob@example.test"
TEXT = b"Subject: hi\n\nhello\n"


@pytest.fixture
def house():
    with House() as house:
        house.route(BOB, "mailbox", BOB)
        house.route("u@remote.test", "remote", "remote.test")
        house.route("v@other.test", "remote", "other.test")
        yield house


def spool_house(*extra):
    house = House(*extra)
    for name in ("new", "cur", "envelope", "tmp", "quarantine"):
        os.mkdir(os.path.join(house.spool, name), 0o700)
        if house.user:
            os.chown(os.path.join(house.spool, name), house.user.pw_uid,
                     house.user.pw_gid)
    return house


def defer(house, sender=ANN, to=BOB, login=None, text="the box is full"):
    """A message to a local mailbox that waits for its second attempt."""
    client = house.login(login) if login else house.client()
    ident = client.send(sender, [to], TEXT)
    client.close()
    house.delivery().answer("mailbox-full", text=text)
    house.wait_log("deferred", id=ident)
    return ident


def out(done):
    return done.stdout.decode()


def count(house, *arguments):
    """What the command says it has changed."""
    return json.loads(out(house.tool(*arguments, "--json")).splitlines()[-1])


def states(house):
    return {m["id"]: m["state"] for m in house.listed()}


# -- hold and release --

def test_hold_and_release_of_a_message(house):
    ident = defer(house)
    assert count(house, "hold", ident, "--reason", "look \x1b[2J") == {
        "held": 1, "active": 0}
    (listed,) = house.listed()
    assert listed["state"] == "held" and listed["held"] == "look \x1b[2J"
    for command in ("list", "show", "why", "stats"):
        shown = out(house.tool(command, *([ident] if command in
                                          ("show", "why") else [])))
        assert "held" in shown and "\x1b" not in shown
    # Neither flush nor requeue nor a restart tries it.
    assert count(house, "flush", "--all")["flushed"] == 0
    assert count(house, "flush", ident)["flushed"] == 0
    assert count(house, "requeue", ident)["requeued"] == 1
    house.restart()
    assert states(house) == {ident: "held"}
    assert house.mailbox.empty()
    assert count(house, "release", ident) == {"released": 1, "active": 0}
    delivery = house.delivery()
    assert delivery.id == ident
    delivery.answer()
    house.wait_empty()
    assert house.log_lines("held", id=ident)
    assert house.log_lines("released", id=ident)


def test_hold_of_one_that_is_being_tried(house):
    ident = house.send(ANN, [BOB])
    delivery = house.delivery()
    assert count(house, "hold", ident) == {"held": 1, "active": 1}
    # It is in the envelope already: a death changes nothing.
    with open(os.path.join(house.spool, "envelope", ident)) as f:
        assert re.search(r"^held \d+ by the postmaster$", f.read(), re.M)
    delivery.answer("mailbox-full")
    wait_for(lambda: states(house) == {ident: "held"}, house.log,
             what="a held message")
    # And the other way round.
    house.tool("release", ident)
    delivery = house.delivery()
    house.tool("hold", ident)
    assert count(house, "release", ident)["released"] == 1
    delivery.answer("mailbox-full")
    house.wait_log("deferred", lines=2, id=ident)
    assert states(house) == {ident: "waiting"}


@pytest.mark.parametrize("command", ["hold", "delete"])
def test_what_waits_for_a_worker_does_not_go(house, command):
    """It counts as being tried, but nobody has it yet."""
    ident = house.send(ANN, ["u@remote.test"], role="public")
    assert states(house) == {ident: "active"}
    house.tool(command, ident)
    worker = house.worker()
    worker.ready()
    if command == "delete":
        house.wait_empty()
    else:
        wait_for(lambda: states(house) == {ident: "held"}, house.log,
                 what="a held message")
        house.tool("release", ident)
    # The worker is as ready as before.
    other = house.send(ANN, ["v@other.test"], role="public")
    jobs = [worker.job()]
    worker.result(0, "delivered", "2.0.0")
    worker.done(jobs[0])
    if command == "hold":
        worker.ready()
        jobs.append(worker.job())
    assert {job["id"] for job in jobs} == {other} | (
        {ident} if command == "hold" else set())


def test_a_delivered_message_is_not_kept_by_a_hold(house):
    ident = house.send(ANN, [BOB])
    delivery = house.delivery()
    house.tool("hold", ident)
    delivery.answer()
    house.wait_empty()


def test_a_users_whole_mail_is_held(house):
    house.serve_forgiving_ledger()
    waiting = defer(house, login=ANN)
    other = defer(house, sender="x@remote.test")
    done = house.tool("hold", "--login", ANN, "--reason", "stolen password")
    assert ANN in out(done) and "1 message held" in out(done)
    with open(os.path.join(house.spool, "holds")) as f:
        assert re.fullmatch(
            rf"postrider-holds 1\nlogin \d+ <{ANN}> stolen password\n",
            f.read())
    (rule,) = [json.loads(line) for line in out(
        house.tool("hold", "--list", "--json")).splitlines()]
    assert (rule["kind"], rule["name"], rule["reason"]) == (
        "login", ANN, "stolen password")
    later = house.login(ANN).send(ANN, [BOB], TEXT)
    assert states(house) == {waiting: "held", other: "waiting",
                             later: "held"}
    assert "stolen password" in out(house.tool("stats"))
    assert "stolen password" in out(house.tool("why", later))
    house.restart()
    assert states(house)[later] == states(house)[waiting] == "held"
    assert house.mailbox.empty()
    # One of them may go; the rule stays.
    assert count(house, "release", later)["released"] == 1
    delivery = house.delivery()
    assert delivery.id == later
    delivery.answer("mailbox-full")
    house.wait_log("deferred", id=later)
    assert states(house) == {waiting: "held", other: "waiting",
                             later: "waiting"}
    assert count(house, "release", "--login", ANN)["released"] == 1
    assert house.delivery().id == waiting
    assert out(house.tool("hold", "--list")) == ""
    assert house.login(ANN).send(ANN, [BOB], TEXT) == house.delivery().id


def test_rules_by_sender_and_uid(house):
    house.tool("hold", "--sender", "@spam.test")
    house.tool("hold", "--sender", "<>")
    a = house.send("Any@Spam.Test", [BOB])
    b = house.send("", [BOB])
    c = house.send("any@spam.test.example", [BOB])
    assert house.delivery().id == c
    assert {k: v for k, v in states(house).items() if k != c} == {
        a: "held", b: "held"}
    assert count(house, "release", "--sender", "<>")["released"] == 1
    assert house.delivery().id == b
    uid = os.geteuid()
    house.tool("hold", "--uid", str(uid))
    d = house.send(ANN, [BOB], role="public")
    assert states(house)[d] == "held"
    house.tool("release", "--uid", str(uid))
    assert house.delivery().id == d


def test_held_mail_does_not_expire():
    """Both are older than any life time; the one that is not held fails."""
    house = spool_house()
    held, other = spoolfill.fill(
        house.spool, 2, senders=2, deferred=True, recipient=BOB,
        born=int(time.time()) - 20 * 86400)
    with open(os.path.join(house.spool, "holds"), "w") as f:
        f.write("postrider-holds 1\nsender 5 <sender0@from.test> x\n")
    os.chmod(os.path.join(house.spool, "holds"), 0o644)
    house.route(BOB, "mailbox", BOB)
    with house:
        delivery = house.delivery()
        assert delivery.id == other
        delivery.answer("mailbox-full")
        house.wait_log("failed", id=other)
        assert states(house)[held] == "held"
        house.tool("release", "--sender", "sender0@from.test")
        delivery = house.delivery()
        assert delivery.id == held
        delivery.answer()
        house.wait_log("delivered", id=held)


def test_two_change_rules_at_once(house):
    tools = [house.connect("admin") for _ in range(20)]
    for n, tool in enumerate(tools):
        tool.say("rule", kind="login", name=f"u{n}@x.test", reason="many")
    for tool in tools:
        assert tool.expect("rule")[0] == {"found": "0"}
        tool.close()
    with open(os.path.join(house.spool, "holds")) as f:
        assert len(f.read().splitlines()) == 21
    house.restart()
    assert len(out(house.tool("hold", "--list")).splitlines()) == 20


def test_rules_that_cannot_be_written(house):
    """It holds all the same, and the tool says what is wrong."""
    os.mkdir(os.path.join(house.spool, "holds"))
    if house.user:
        os.chown(os.path.join(house.spool, "holds"), house.user.pw_uid, -1)
    done = house.tool("hold", "--login", ANN, check=False)
    assert done.returncode == 74 and b"directory" in done.stderr
    ident = house.login(ANN).send(ANN, [BOB], TEXT)
    assert states(house) == {ident: "held"}
    house.wait_log("cannot write", what="holds")
    os.rmdir(os.path.join(house.spool, "holds"))
    house.tool("hold", "--login", BOB)  # and with it the one before
    house.restart()
    assert len(out(house.tool("hold", "--list")).splitlines()) == 2


@pytest.mark.parametrize("text", [
    b"", b"\x7fELF", b"postrider-holds 1\nlogin 1 <ann@ex",
    b"postrider-holds 1\nlogin 1 <ann@example.test> why\nx\n\n"])
def test_rules_that_make_no_sense(text):
    house = spool_house()
    with open(os.path.join(house.spool, "holds"), "wb") as f:
        f.write(text)
    os.chmod(os.path.join(house.spool, "holds"), 0o644)
    with house:
        house.wait_log("hold rules damaged")
        assert len(out(house.tool("hold", "--list")).splitlines()) == (
            text.count(b"why"))
        house.tool("hold", "--login", BOB)
        # What could not be read is kept, once.
        house.tool("hold", "--sender", BOB)
        (kept,) = house.spooled("quarantine")
        assert re.fullmatch(r"holds\.[0-9a-f]{16}", kept)
        with open(os.path.join(house.spool, "quarantine", kept), "rb") as f:
            assert f.read() == text
        assert len(out(house.tool("hold", "--list")).splitlines()) == (
            text.count(b"why") + 2)
        # By the tool itself, too.
        house.stop()
        for s in house.listeners:
            s.close()
        with open(os.path.join(house.spool, "holds"), "ab") as f:
            f.write(b"x\n")
        assert len(out(house.tool("hold", "--list")).splitlines()) == (
            text.count(b"why") + 2)
        house.tool("release", "--login", BOB.upper())
        assert len(out(house.tool("hold", "--list")).splitlines()) == (
            text.count(b"why") + 1)
        assert len(house.spooled("quarantine")) == 2


def test_an_end_of_a_rule_that_could_not_be_written(house):
    """Whoever asks again is told that it is done when it is on the disk."""
    house.serve_forgiving_ledger()
    holds, aside = (os.path.join(house.spool, name)
                    for name in ("holds", "aside"))
    house.tool("hold", "--login", ANN)
    os.rename(holds, aside)
    os.mkdir(holds)
    if house.user:
        os.chown(holds, house.user.pw_uid, -1)
    assert house.tool("release", "--login", ANN, check=False).returncode == 74
    os.rmdir(holds)
    os.rename(aside, holds)
    house.tool("release", "--login", ANN)
    house.restart()
    assert ANN not in out(house.tool("hold", "--list"))


def test_what_stands_in_the_way_of_rules():
    house = spool_house()
    os.mkfifo(os.path.join(house.spool, "holds.new"))
    with house:
        house.tool("hold", "--login", BOB)
        house.restart()
        assert BOB in out(house.tool("hold", "--list"))


def test_rules_that_cannot_be_read():
    house = spool_house()
    holds = os.path.join(house.spool, "holds")
    os.mkdir(holds)
    if house.user:
        os.chown(holds, house.user.pw_uid, -1)
    with house:
        house.wait_log("cannot read", what="holds")
        house.tool("hold", "--login", BOB)
        assert os.path.isfile(holds)
        (kept,) = house.spooled("quarantine")
        assert os.path.isdir(os.path.join(house.spool, "quarantine", kept))


def test_what_was_asked_of_reports(house):
    client = house.login(ANN)
    ident = client.send(
        ANN, [BOB, "u@remote.test"], TEXT, ret="hdrs", envid="a <b>; \\",
        junk="dmarc",
        asked={BOB: {"notify": "success,delay", "orcpt": "rfc822;B+b@x"}})
    client.close()
    shown = out(house.tool("show", ident))
    assert "\nenvid     a <b>; \\\njunk      dmarc\nret       hdrs\n" in shown
    assert ("recipient <bob@example.test> waiting\n"
            "          notify success,delay, orcpt rfc822;B+b@x\n") in shown
    assert shown.count("notify") == 1
    told = json.loads(out(house.tool("show", "--json", ident)))
    assert (told["envid"], told["ret"]) == ("a <b>; \\", "hdrs")
    assert told["junk"] == "dmarc"
    bob, other = told["recipients"]
    assert (bob["notify"], bob["orcpt"]) == ("success,delay", "rfc822;B+b@x")
    assert (other["notify"], other["orcpt"]) == ("", None)


def test_no_control_character_reaches_a_terminal(house):
    defer(house, text="\x1b[2J\x7f \x9b2J \u202e ok")
    for arguments in (["list"], ["list", "--json"], ["stats"],
                      ["why", BOB.split("@")[1]]):
        shown = out(house.tool(*arguments))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    (listed,) = house.listed()
    assert listed["reason"].endswith(" ok")


# -- selection --

def test_selection(house):
    a = defer(house, sender=ANN)
    b = defer(house, sender="list-bounces@lists.test")
    c = defer(house, login=ANN, sender="Other@example.test")
    everything = {a, b, c}

    def chosen(*arguments):
        return {json.loads(line)["id"] for line in out(house.tool(
            "list", "--json", *arguments)).splitlines()}
    assert chosen() == chosen("--all") == everything
    assert chosen("--sender", "*@example.test") == {a, c}
    assert chosen("--sender", "@lists.test") == {b}
    assert chosen("--login", "ANN@*") == {c}
    assert chosen("--login", "ANN@*", "--sender", ANN) == set()
    assert chosen("--recipient", BOB, a, b) == {a, b}
    assert chosen("--domain", "example.test") == everything
    assert chosen("--domain", "example.org") == set()
    assert chosen("--older", "1d") == set()
    assert chosen("--younger", "1d", "--state", "waiting") == everything
    assert chosen("--state", "held,active,ready,incoming") == set()
    assert chosen("--size", "+1K") == set()
    assert chosen("--size", "-1K") == everything
    assert count(house, "delete", "--sender", "@lists.test") == {
        "deleted": 1, "active": 0}
    assert chosen() == {a, c}
    # Nothing selected is no permission.
    for command in ("delete", "hold", "release", "requeue"):
        done = house.tool(command, check=False)
        assert done.returncode == 64 and b"--all" in done.stderr
    assert chosen() == {a, c}
    assert count(house, "delete", "--all")["deleted"] == 2
    assert chosen() == set()


@pytest.mark.parametrize("arguments", [
    ["list", "--sender"], ["list", "--sender", ""], ["list", "--older", "x"],
    ["list", "--size", "10"], ["list", "--state", "deferred"],
    ["list", "--nonsense"], ["list", "--reason", "x"], ["hold", "--top", "1"],
    ["list", "--uid", "no-such-user"], ["trace"], ["why"], ["cat", "--all"],
    ["trace", "--since", "soon", "x"], ["stats", "--top", "many"],
    ["show"], ["tls-policy"]])
def test_wrong_usage(house, arguments):
    done = house.tool(*arguments, check=False)
    assert done.returncode == 64 and done.stderr and not done.stdout


def test_ids_from_standard_input(house):
    ids = [defer(house) for _ in range(3)]
    listed = house.tool("list").stdout
    as_user = {"user": house.user.pw_uid, "group": house.user.pw_gid,
               "extra_groups": []} if house.user else {}

    def run(text):
        return subprocess.run(
            [program("postrider-queue"), "-c", house.config, "delete", "-"],
            input=text, capture_output=True, **as_user)
    lines = listed.splitlines()[1:3]
    assert run(b"\n".join(lines)).returncode == 0
    assert len(states(house)) == 1
    assert run(b"../../etc/passwd\n").returncode == 65
    assert run(b"").returncode == 64
    left = set(states(house))
    assert left < set(ids)


# -- requeue and flush --

def test_requeue_begins_anew(house):
    """An alias that led to the wrong place is looked up again."""
    house.route("all@example.test", "alias", "old@remote.test")
    house.route("old@remote.test", "remote", "remote.test")
    worker = house.worker()
    ident = house.send(ANN, ["all@example.test"])
    worker.ready()
    job = worker.job()
    worker.result(0, "deferred", "4.3.0", "450 later")
    worker.done(job)
    house.wait_log("deferred", id=ident)
    house.route("all@example.test", "alias", BOB)
    assert count(house, "requeue", "--domain", "remote.test") == {
        "requeued": 1, "active": 0}
    delivery = house.delivery()
    assert delivery.mailbox == BOB
    delivery.answer("mailbox-full")
    house.wait_log("deferred", id=ident, lines=2)
    shown = house.shown(ident)
    assert shown["attempts"] == 1
    assert [r["status"] for r in shown["recipients"]] == [
        "alias", "alias", "waiting"]
    house.restart()
    house.tool("flush")
    delivery = house.delivery()
    assert delivery.mailbox == BOB
    delivery.answer()
    house.wait_empty()


def test_flush_of_a_destination(house):
    worker = house.worker()
    ident = house.send(ANN, ["u@remote.test"], role="public")
    worker.ready()
    job = worker.job()
    worker.result(0, "deferred", "4.3.0", "450 later")
    worker.done(job)
    house.wait_log("deferred", id=ident)
    assert count(house, "flush", "other.test")["flushed"] == 0
    assert count(house, "flush", "--domain", "other.test")["flushed"] == 0
    assert count(house, "flush", "remote.test")["flushed"] == 1
    worker.ready()
    job = worker.job()
    assert job["id"] == ident
    worker.result(0, "delivered", "2.0.0")
    worker.done(job)
    house.wait_empty()


# -- why --

def test_why(house):
    ident = defer(house)
    why = out(house.tool("why", ident))
    assert re.fullmatch(
        rf"{ident} waits for the mailbox of {BOB}: the last try .* said "
        r"'4.2.2 the box is full'; next try in .*; it is given up on .*\.\n",
        why)
    sent = house.send(ANN, [BOB])
    delivery = house.delivery()
    assert "1 recipient is with mailbox" in out(house.tool("why", sent))
    delivery.answer()
    house.wait_log("removed", id=sent)
    remote = house.send(ANN, ["u@remote.test"], role="public")
    worker = house.worker()
    worker.ready()
    job = worker.job()
    assert "1 recipient is with deliver" in out(house.tool("why", remote))
    worker.result(0, "deferred", "4.7.1", "451 4.7.1 try later")
    worker.done(job)
    house.wait_log("deferred", id=remote)
    assert "waits for remote.test" in out(house.tool("why", remote))
    assert "451 4.7.1 try later" in out(house.tool("why", "REMOTE.test"))
    one = json.loads(out(house.tool("why", "--json", "remote.test")))
    assert one["destination"] == "remote.test" and "1 message" in one["why"]
    done = house.tool("why", "nowhere.test")
    assert "no message waits" in out(done)


def test_why_of_one_that_is_gone(house):
    sent = house.send(ANN, [BOB])
    house.delivery().answer()
    house.wait_log("removed", id=sent)
    house.extra.append(f"log-file {house.log}")
    house.write_config()
    why = out(house.tool("why", sent))
    assert "is not in the queue" in why and f"delivered to <{BOB}>" in why
    done = house.tool("why", "0123456789abcdef", check=False)
    assert done.returncode == 66


def test_why_of_one_with_many_recipients_that_is_gone(house):
    with open(house.path("many.log"), "w") as f:
        for n in range(1000):
            f.write(f"queue[1]: failed id=00000000000000aa to=<u{n}@x.test> "
                    f"reason=\"{'no ' * 60}\"\n")
    house.extra.append(f"log-file {house.path('many.log')}")
    house.write_config()
    why = out(house.tool("why", "00000000000000aa"))
    assert "failed for <u0@x.test>" in why and "<u999@x.test>" not in why
    assert re.search(r"and 9\d\d more lines, which trace tells\.$", why)


def test_why_tells_nothing_of_a_report(logged):
    why = out(logged.tool("why", "00000000000000aa"))
    assert "failed for <b@y.test>" in why and "delivered to" not in why


# -- trace --

LOG = """\
2026-11-20T08:00:00.000Z smtpd[7]: accepted id=00000000000000aa \
client=192.0.2.1 helo=x from=<a@x.test> to=<b@y.test> recipients=1
2026-11-20T08:00:00.100Z queue[8]: queued id=00000000000000aa from=<a@x.test> \
size=10 recipients=1
2026-11-20T08:00:01.000Z queue[8]: failed id=00000000000000aa from=<a@x.test> \
to=<b@y.test> relay=mx[192.0.2.2]:25 reason="550 no \\x1b[2J"
2026-11-20T08:00:02.000Z queue[8]: queued id=00000000000000bb from=<> \
size=900 recipients=1
2026-11-20T08:00:02.100Z queue[8]: bounced id=00000000000000aa to=<a@x.test> \
recipients=1 report=00000000000000bb
2026-11-20T08:00:03.000Z queue[8]: delivered id=00000000000000bb from=<> \
to=<a@x.test> relay=mailbox:a@x.test
"""
OLD = """\
2026-11-01T08:00:00.000Z queue[8]: queued id=00000000000000cc \
from=<a@x.test> size=10 recipients=1
not ours
2026-11-01T08:00:00.500Z smtpd[8]: refused client=192.0.2.9 \
from=<a@x.test> to=<nobody@y.test> reason="no such user here"
"""


@pytest.fixture
def logged(house):
    """The log in three parts, two of them packed or rotated."""
    base = house.path("mail.log")
    with open(base, "w") as f:
        f.write(LOG)
    with gzip.open(base + ".2.gz", "wt") as f:
        f.write(OLD)
    with open(base + ".backup", "w") as f:
        f.write(LOG.replace("00aa", "00dd"))
    os.utime(base + ".2.gz", (1793600000, 1793600000))
    house.extra.append(f"log-file {base}")
    house.write_config()
    return house


def test_trace_of_a_message(logged):
    lines = out(logged.tool("trace", "00000000000000aa")).splitlines()
    assert [line.split("  ", 1)[1].split(":")[0].split(" ")[0]
            for line in lines] == [
        "taken", "queued", "failed", "00000000000000bb", "its", "00000000000000bb"]
    assert "\x1b" not in "".join(lines)
    raw = out(logged.tool("trace", "-v", "00000000000000aa"))
    assert raw == LOG
    parsed = [json.loads(line) for line in out(logged.tool(
        "trace", "--json", "00000000000000aa")).splitlines()]
    assert parsed[0]["client"] == "192.0.2.1"
    assert parsed[2]["reason"] == "550 no \x1b[2J"
    assert parsed[0]["time"] == 1795161600.0
    done = logged.tool("trace", "00000000000000dd", check=False)
    assert done.returncode == 66


def test_trace_of_one_that_poses_as_another(house):
    with open(house.path("posed.log"), "w") as f:
        f.write("2026-11-20T08:00:00.000Z smtpd[7]: queue[1]: delivered "
                "id=00000000000000aa to=<b@y.test>\n"
                "2026-11-20T08:00:00.000Z smtpd[7]: delivered "
                "id=00000000000000aa to=<b@y.test> program=queue pid=1 "
                "event=removed text=gone time=0\n")
    told = out(house.tool("trace", "--json", "--log", house.path("posed.log"),
                          "00000000000000aa"))
    (line,) = [json.loads(line) for line in told.splitlines()]
    assert line == {"time": 1795161600.0, "program": "smtpd", "pid": 7,
                    "event": "delivered", "id": "00000000000000aa",
                    "to": "b@y.test", "text": line["text"]}
    assert line["text"].startswith("smtpd says: ")


def test_trace_of_an_address(logged):
    told = out(logged.tool("trace", "a@x.test"))
    for ident in ("aa", "cc"):
        assert f"00000000000000{ident}:\n" in told
    assert "00000000000000bb:\n" not in told  # part of its cause's story
    assert "refused to 192.0.2.9 for <nobody@y.test>" in told
    assert "00000000000000cc" not in out(
        logged.tool("trace", "--since", "2026-11-10", "*@X.test"))
    done = logged.tool("trace", "--until", "2026-10-01", "a@x.test",
                       check=False)
    assert done.returncode == 66 and b"nothing is found" in done.stderr


def test_trace_says_where_it_is_now(house):
    ident = defer(house)
    told = out(house.tool("trace", "--log", house.log, ident))
    assert "not yet delivered" in told
    assert re.search(rf"^{ident} is in the queue: waiting, next try in", told,
                     re.M)


@pytest.mark.parametrize("text", [b"", bytes(range(256)) * 500,
                                  b"queue[1]: removed id=" + b"a" * 20000,
                                  b"\x1f\x8b\x08\x00garbage",
                                  bytes(40) + b" queue[1]: removed "
                                  b"id=00000000000000aa what=\x00\n" +
                                  bytes(4096)],
                         ids=["empty", "octets", "long", "packed", "nul"])
def test_trace_of_garbage(house, text):
    for name in ("garbage.log", "garbage.log.gz"):
        with open(house.path(name), "wb") as f:
            f.write(text + b"\nqueue[1]: removed id=00000000000000aa "
                    b"reason=done")
        done = house.tool("trace", "--log", house.path(name),
                          "00000000000000aa", check=False)
        assert done.returncode in (0, 66)
    assert house.tool("trace", "--log", house.path("garbage.log"),
                      "00000000000000aa").stdout
    done = house.tool("trace", "--log", house.path("none"), "x@y",
                      check=False)
    assert done.returncode == 66


# -- without the suite --

def test_steering_while_the_suite_is_stopped(house):
    ids = [defer(house), defer(house, login=ANN)]
    house.stop()
    for s in house.listeners:
        s.close()
    assert count(house, "hold", ids[0], "--reason", "stopped")["held"] == 1
    assert count(house, "hold", "--login", ANN)["held"] == 1
    assert states(house) == dict.fromkeys(ids, "held")
    assert "stopped" in out(house.tool("why", ids[0]))
    assert json.loads(out(house.tool("stats", "--json")).splitlines()[0])[
        "messages"] == 2
    assert count(house, "release", ids[0])["released"] == 1
    assert states(house) == {ids[0]: "waiting", ids[1]: "held"}
    for command in ("flush", "requeue"):
        done = house.tool(command, "--all", check=False)
        assert done.returncode == 69 and b"not running" in done.stderr
    house.tool("release", "--login", ANN)
    assert out(house.tool("hold", "--list")) == ""
    assert count(house, "delete", "--all")["deleted"] == 2
    assert states(house) == {}


# -- bad input --

def test_envelopes_that_vanish_or_cannot_be_read(house):
    ids = [defer(house) for _ in range(4)]
    folder = os.path.join(house.spool, "envelope")
    os.unlink(os.path.join(folder, ids[0]))
    with open(os.path.join(folder, ids[1]), "wb") as f:
        f.write(b"\0garbage")
    os.unlink(os.path.join(folder, ids[2]))
    os.mkfifo(os.path.join(folder, ids[2]))
    done = house.tool("list", "--json", check=False)
    assert done.returncode == 74 and b"2 envelopes: cannot" in done.stderr
    assert [json.loads(x)["id"] for x in done.stdout.splitlines()] == [ids[3]]
    # What can be read is changed, and the exit code tells of the rest.
    done = house.tool("hold", "--all", check=False)
    assert done.returncode == 74 and b"1 message held" in done.stdout
    done = house.tool("release", "0" * 16, "--state", "held", check=False)
    assert done.returncode == 66
    # So it does of what cannot be written.
    house.tool("release", ids[3])
    house.delivery().answer("mailbox-full")
    house.wait_log("deferred", lines=2, id=ids[3])
    os.chmod(os.path.join(folder, ids[3]), 0o400)
    done = house.tool("hold", ids[3], check=False)
    assert done.returncode == 74 and b"0 messages held" in done.stdout
    # Named by id it can be removed all the same.
    assert count(house, "delete", ids[1])["deleted"] == 1


@pytest.mark.parametrize("octets", [
    b"index\0id\0", b"index\0id\0x\0x\0y\0", b"hold\0id\0" + b"0" * 16 + b"\0",
    b"hold\0reason\0x\0", b"delete\0id\0../../etc/passwd\0", b"delete\0",
    b"rule\0kind\0nobody\0name\0x\0reason\0y\0", b"rule\0kind\0login\0",
    b"rule-end\0kind\0login\0name\0" + b"x" * 2000 + b"\0", b"show\0", b"",
    b"delete\0" + b"id\0aaaaaaaaaaaaaaaa\0" * 300, b"\xff" * 16384,
    b"destinations\0", b"hosts\0x\0y\0", b"attempt\0", b"list\0"],
    ids=lambda octets: octets[:12].decode(errors="replace").split("\0")[0])
def test_malformed_requests_cost_their_connection(house, octets):
    peer = house.connect("admin")
    if octets:
        peer.raw(octets)
        with pytest.raises(Closed):
            peer.hear()
    peer.close()
    assert house.listed() == []


def test_verbs_of_the_postmaster_are_not_public(house):
    for verb in ("index", "rules", "delete", "hold", "rule", "flush"):
        peer = house.connect("public")
        peer.say(verb)
        with pytest.raises(Closed):
            peer.hear()
        peer.close()


def test_a_tool_that_stops_reading():
    """Its listing waits for it, and nobody else does."""
    house = spool_house()
    spoolfill.fill(house.spool, 3000, deferred=True,
                   next_at=int(time.time()) + 3600)
    with house:
        house.route(BOB, "mailbox", BOB)
        lazy = [house.connect("admin") for _ in range(10)]
        for peer in lazy:
            peer.say("index")
        before = resident(house.process.pid)
        house.send(ANN, [BOB])
        house.delivery().answer()
        assert len(house.listed()) == 3000
        assert resident(house.process.pid) - before < 4 << 20
        seen = 0
        while (packet := lazy[0].hear())[0] != "end":
            seen += sum(name == "m" for name, _ in packet[1])
        assert seen == 3000
        for peer in lazy:
            peer.close()


def resident(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- speed --

@pytest.mark.skipif(sanitized(), reason="sanitizers are slow")
def test_ten_thousand_are_listed_in_no_time():
    """Processor time of the tool, which other work on the machine does not
    change much: 100,000 within a second are 10 microseconds each."""
    house = spool_house()
    spoolfill.fill(house.spool, 10000, domains=100, senders=10,
                   deferred=True, next_at=int(time.time()) + 3600)
    with house:
        for command in ("list", "stats"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = house.tool(command)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = (after.ru_utime + after.ru_stime - before.ru_utime -
                     before.ru_stime)
            assert b"10000 messages" in done.stdout
            assert spent < 0.5, spent


# -- a whole suite --

def test_a_suite_is_steered(make_suite):
    """A login's mail, from its submission to its mailbox: as root the tool
    opens the log before it becomes somebody who may not."""
    suite = make_suite(users=[ANN, BOB]).start()

    def queue(*arguments, **options):
        return suite.run("postrider-queue", *arguments, **options)
    queue("hold", "--login", ANN, "--reason", "stolen password")
    with suite.submission(ANN) as smtp:
        smtp.sendmail(ANN, [BOB], "Subject: held\r\n\r\nheld\r\n")
    with suite.submission(BOB) as smtp:
        smtp.sendmail(BOB, [ANN], "Subject: not held\r\n\r\nnot\r\n")
    suite.wait_maildir(ANN, 1)
    wait_for(lambda: len(suite.queued()) == 1,
             os.path.join(suite.spool, "envelope"))
    (ident,) = suite.queued()
    assert "stolen password" in queue("why", ident).stdout
    assert "stolen password" in queue("list").stdout
    suite.restart()
    assert suite.queued() == [ident] and not suite.messages(BOB)
    assert "1 message released" in queue("release", "--login", ANN).stdout
    suite.wait_maildir(BOB, 1)
    suite.wait_queue_empty()
    suite.wait_log(lambda l: " removed " in l.text and l.get("id") == ident)
    told = queue("trace", ident).stdout
    for words in (f"login {ANN}", "held: stolen password", "released",
                  f"delivered to <{BOB}>", "left the queue: done"):
        assert words in told, told
    assert told.count(" delivered to ") == 1
    assert "delivered to" in queue("why", ident).stdout
    assert f"{ident}:" in queue("trace", "--since", "1d", BOB).stdout
    assert "0 messages" in queue("stats").stdout
    suite.stop()
    assert "delivered to" in queue("trace", ident).stdout
