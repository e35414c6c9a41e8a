# SPDX-License-Identifier: ISC
"""Messages go out: to mailbox, to deliver, again later, or back."""
import email
import email.policy
import os
import queue
import re
import shutil
import subprocess

import pytest

from queue_house import House
from suite import can_trace

ANN, BOB = "ann@example.test", "bob@example.test"
CONTENT = b"Return-Path: <x>\nSubject: hi\nX-Test: yes\n\nthe body\n"


def make(*extra):
    house = House(*extra)
    house.route(BOB, "mailbox", BOB)
    house.route(ANN, "mailbox", ANN)
    for n in range(5):
        house.route(f"u{n}@remote.test", "remote", "remote.test")
    house.route("v@other.test", "remote", "other.test")
    return house


@pytest.fixture
def house():
    with make() as house:
        yield house


@pytest.fixture
def hasty():
    with make("retry-minimum 1s", "retry-maximum 2s") as house:
        yield house


def send_out(house, recipients, sender=ANN, content=CONTENT, **options):
    client = house.login(ANN)
    try:
        return client.send(sender, recipients, content, **options)
    finally:
        client.close()


def report_of(delivery, to):
    """The parts of a report, checked against RFC 3464 and 6522."""
    assert delivery.mailbox == to
    content = delivery.content
    assert content.startswith(b"Return-Path: <>\n")
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message["Auto-Submitted"] == "auto-replied"
    assert "MAILER-DAEMON@mail.example.test" in message["From"]
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert not message.defects
    text, status, header = message.get_payload()
    assert not any(p.defects for p in message.walk())
    return text.get_content(), status, header


def fields_of(status):
    blocks = status.get_payload()
    return blocks[0], blocks[1:]


# -- local --

def test_nothing_is_asked_twice_on_the_first_attempt(house):
    house.send("x@remote.test", [BOB])
    house.delivery().answer()
    house.wait_log("removed")
    assert house.asked.qsize() == 1


def test_alias_expands_and_collapses(house):
    house.route("all@example.test", "alias", ANN, "more@example.test", BOB)
    house.route("more@example.test", "alias", BOB, "also-ann@example.test")
    house.route("also-ann@example.test", "mailbox", ANN)
    id = house.send("x@remote.test", ["all@example.test", BOB])
    got = [house.delivery(), house.delivery()]
    assert sorted(d.mailbox for d in got) == [ANN, BOB]
    for delivery in got:
        delivery.answer()
    house.wait_log("removed", id=id)
    assert house.mailbox.empty()
    to = [line["to"] for line in house.log_lines("delivered", id=id)]
    assert sorted(to) == [f"<{a}>" for a in
                          ("also-ann@example.test", ANN, BOB)]


def test_alias_loop_ends_in_a_report(house):
    house.route("a@example.test", "alias", "b@example.test", BOB)
    house.route("b@example.test", "alias", "a@example.test")
    house.send(ANN, ["a@example.test", "b@example.test"])
    mailboxes = {}
    for _ in range(2):
        delivery = house.delivery()
        mailboxes[delivery.mailbox] = delivery
        delivery.answer()
    _, status, _ = report_of(mailboxes[ANN], ANN)
    _, blocks = fields_of(status)
    assert blocks and all(b["Status"] == "5.4.6" for b in blocks)
    assert BOB in mailboxes
    house.wait_empty()


def test_alias_depth_is_bounded(house):
    for n in range(12):
        house.route(f"d{n}@example.test", "alias", f"d{n + 1}@example.test")
    house.route("d12@example.test", "mailbox", BOB)
    house.send(ANN, ["d0@example.test"])
    delivery = house.delivery()
    _, status, _ = report_of(delivery, ANN)
    assert fields_of(status)[1][0]["Status"] == "5.4.6"
    assert fields_of(status)[1][0]["X-Postrider-Alias"] == \
        "rfc822; d0@example.test"


def test_system_user_has_a_connection_of_his_own(house):
    house.route("root@example.test", "system", "sysuser")
    house.send("x@remote.test", ["root@example.test", BOB])
    got = {}
    for _ in range(2):
        delivery = house.delivery()
        got[delivery.user] = delivery
    assert got["sysuser"].mailbox == "sysuser" and got[""].mailbox == BOB
    assert got["sysuser"].peer is not got[""].peer
    for delivery in got.values():
        delivery.answer()
    house.wait_empty()


def test_full_mailbox_is_tried_again_with_doubling(hasty):
    id = hasty.send("x@remote.test", [BOB])
    hasty.delivery().answer("mailbox-full", text="quota is 5M")
    line = hasty.wait_log("deferred", id=id)
    assert line["dsn"] == "4.2.2" and line["reason"] == "quota is 5M"
    assert hasty.spooled("cur") == [id] and hasty.spooled("new") == []
    listed = hasty.listed()
    assert [m["id"] for m in listed] == [id]
    assert listed[0]["reason"] == "quota is 5M"
    assert listed[0]["attempts"] == 1 and listed[0]["state"] == "waiting"
    delivery = hasty.delivery()
    assert not delivery.again
    delivery.answer()
    hasty.wait_log("removed", id=id)
    hasty.wait_empty()


def test_mailbox_dies_with_a_delivery(house):
    id = house.send("x@remote.test", [BOB])
    house.delivery().peer.close()
    house.wait_log("peer lost", what="mailbox")
    delivery = house.delivery()
    assert delivery.id == id and delivery.again
    assert house.spooled("new") == [id]
    delivery.answer()
    house.wait_empty()


def test_answer_without_question_drops_the_connection(house):
    house.send("x@remote.test", [BOB])
    delivery = house.delivery()
    delivery.peer.say("delivered", serial=99999, verdict="ok")
    house.wait_log("peer lost", what="mailbox")
    house.delivery().answer()
    house.wait_empty()


# -- restarts --

def test_restart_keeps_what_was_acknowledged(house):
    id = house.send("x@remote.test", [BOB, ANN])
    first, second = house.delivery(), house.delivery()
    first.answer()
    house.wait_log("delivered", id=id)
    house.restart()
    delivery = house.delivery()
    assert delivery.id == id and delivery.again
    assert delivery.mailbox == second.mailbox
    assert delivery.content == first.content
    delivery.answer()
    house.wait_empty()
    assert house.mailbox.empty()


def test_restart_before_synced_may_deliver_but_never_half(house):
    client = house.client()
    client.open()
    client.write(b"Subject: x\n\n")
    client.close_writer()
    client.commit("x@remote.test", [BOB])
    client.committed()
    house.restart()
    delivery = house.delivery()
    assert delivery.content == b"Subject: x\n\n" and delivery.again
    delivery.answer()
    house.wait_empty()


def test_restart_keeps_the_schedule(house):
    id = house.send("x@remote.test", [BOB])
    house.delivery().answer("mailbox-full")
    house.wait_log("deferred", id=id)
    (before,) = house.listed()
    house.restart()
    (after,) = house.listed()
    assert after["attempts"] == 1 and abs(
        after["next"] - before["next"]) <= 2
    assert house.mailbox.empty()


def test_what_may_be_there_is_looked_for_until_it_is(hasty):
    """Delivered, the queue dies, then the mailbox is busy for a while: at
    the third attempt it may still be there under any flags."""
    client = hasty.client()
    client.send(ANN, [BOB], CONTENT)
    assert not hasty.delivery().again
    hasty.restart()
    for _ in range(2):
        delivery = hasty.delivery()
        assert delivery.again
        delivery.answer("mailbox-busy")
    assert hasty.delivery().again


def test_torn_outcome_is_cut_away(house):
    id = house.send("x@remote.test", [BOB, ANN])
    house.delivery().answer()
    house.delivery()
    house.wait_log("delivered", id=id)
    house.kill()
    with open(os.path.join(house.spool, "envelope", id), "ab") as f:
        f.write(b"delivered 1 17321")
    house.start()
    delivery = house.delivery()
    delivery.answer("mailbox-full")
    house.wait_log("deferred", id=id)
    assert house.shown(id)["attempts"] == 1
    with open(os.path.join(house.spool, "envelope", id)) as f:
        text = f.read()
    assert "17321\n" not in text and "17321deferred" not in text
    assert text.endswith("\n") and "\ndeferred 1 " in text


def test_drain_finishes_what_runs(house):
    id = house.send("x@remote.test", [BOB])
    delivery = house.delivery()
    house.process.terminate()
    client = house.connect("admin")
    client.say("index")
    client.hear()
    delivery.answer()
    assert house.process.wait(20) == 0
    assert house.log_lines("removed", id=id)


# -- remote --

def test_recipients_at_one_domain_share_a_job(house):
    id = send_out(house, ["u0@remote.test", "v@other.test",
                          "u1@remote.test"], start=len("Return-Path: <x>\n"))
    worker, other = house.worker(), house.worker()
    worker.ready()
    other.ready()
    jobs = {}
    for w in (worker, other):
        job = w.job()
        jobs[job["domain"]] = job
        assert job["id"] == id and job["sender"] == ANN
        assert job["start"] == "17" and job["content"] == CONTENT
        for r in job["recipients"]:
            w.result(r["index"], "delivered", "2.1.5")
        w.done(job)
    assert [r["address"] for r in jobs["remote.test"]["recipients"]] == [
        "u0@remote.test", "u1@remote.test"]
    house.wait_log("removed", id=id)
    line = house.log_lines("delivered", to="<v@other.test>")[0]
    assert line["relay"] == "mx.remote.test[192.0.2.9]:25"


def test_worker_dies_with_a_job(house):
    id = send_out(house, ["u0@remote.test", "u1@remote.test"])
    worker = house.worker()
    worker.ready()
    job = worker.job()
    worker.result(job["recipients"][0]["index"], "delivered", "2.0.0")
    house.wait_log("delivered", id=id)
    worker.close()
    worker = house.worker()
    worker.ready()
    job = worker.job()
    assert [r["address"] for r in job["recipients"]] == ["u1@remote.test"]
    worker.result(0, "delivered", "2.0.0")
    worker.done(job)
    house.wait_empty()


def test_jobs_of_one_domain_are_bounded(house):
    client = house.login(ANN)
    for _ in range(22):
        client.send(ANN, ["u0@remote.test"], CONTENT)
    client.send(ANN, ["v@other.test"], CONTENT)
    workers = [house.worker() for _ in range(23)]
    for worker in workers:
        worker.ready()
    house.listed()  # every "ready" before it was heard
    domains = []
    for worker in workers:
        worker.sock.setblocking(False)
        try:
            domains.append(worker.job()["domain"])
        except BlockingIOError:
            pass
    assert sorted(domains) == ["other.test"] + 5 * ["remote.test"]


def test_result_nobody_asked_for_drops_the_worker(house):
    send_out(house, ["u0@remote.test"])
    worker = house.worker()
    worker.ready()
    worker.job()
    worker.result(7, "delivered", "2.0.0")
    house.wait_log("peer lost", what="deliver")
    worker = house.worker()
    worker.ready()
    assert worker.job()["count"] == "1"


@pytest.mark.skipif(not can_trace() or not shutil.which("strace"),
                    reason="needs CAP_SYS_PTRACE and strace")
def test_a_disk_that_stays_full_sends_nothing_twice(hasty):
    id = send_out(hasty, [BOB, "u0@remote.test"])
    delivery = hasty.delivery()
    with subprocess.Popen(
            ["strace", "-p", str(hasty.process.pid), "-o", "/dev/null",
             "-P", os.path.join(hasty.spool, "envelope", id),
             "-e", "inject=write:error=ENOSPC"], stderr=subprocess.PIPE,
            text=True) as strace:
        while "attached" not in strace.stderr.readline():
            assert strace.poll() is None
        try:
            delivery.answer()
            refuse_all(hasty, "450 later", status="deferred", dsn="4.2.0")
            hasty.wait_log("cannot record", id=id)
            with pytest.raises(queue.Empty):
                hasty.mailbox.get(timeout=3)
        finally:
            strace.terminate()
    refuse_all(hasty, "250 ok", status="delivered", dsn="2.0.0")
    hasty.wait_empty()
    assert hasty.mailbox.empty()


@pytest.mark.parametrize("relay", ["mailbox:" + BOB, "system:bob"])
def test_a_worker_does_not_speak_for_mailbox(hasty, relay):
    """Else a broken-in deliver takes mail away from local users."""
    send_out(hasty, [BOB, "u0@remote.test"])
    hasty.delivery().answer("mailbox-busy")
    worker = hasty.worker()
    worker.ready()
    worker.job()
    worker.result(0, "delivered", "2.0.0", relay=relay)
    hasty.wait_log("peer dropped", role="role-deliver")
    hasty.delivery().answer()
    hasty.wait_log("delivered", to=f"<{BOB}>")


# -- reports --

def refuse_all(house, *texts, status="failed", dsn="5.1.1"):
    worker = house.worker()
    worker.ready()
    job = worker.job()
    for r, text in zip(job["recipients"], texts):
        worker.result(r["index"], status, dsn, text=text)
    worker.done(job)
    worker.close()
    return job


def test_permanent_failure_is_reported_once_for_all(house):
    id = send_out(house, ["u0@remote.test", "u1@remote.test"],
                  start=len("Return-Path: <x>\n"))
    refuse_all(house, "550 5.1.1 no such user\x01 here", "550 gone " * 150)
    delivery = house.delivery()
    text, status, header = report_of(delivery, ANN)
    assert "u0@remote.test" in text and "no such user? here" in text
    message, blocks = fields_of(status)
    assert message["Reporting-MTA"] == "dns; mail.example.test"
    assert [b["Final-Recipient"] for b in blocks] == [
        "rfc822; u0@remote.test", "rfc822; u1@remote.test"]
    for block in blocks:
        assert block["Action"] == "failed" and block["Status"] == "5.1.1"
        assert block["Remote-MTA"] == "dns; mx.remote.test"
    assert header.get_content_type() == "text/rfc822-headers"
    returned = header.get_payload()
    assert "X-Test: yes" in str(returned)
    assert b"the body" not in delivery.content
    assert b"Return-Path: <x>" not in delivery.content
    assert max(map(len, delivery.content.split(b"\n"))) < 200
    assert delivery.id != id
    delivery.answer()
    house.wait_log("bounced", id=id, report=delivery.id)
    house.wait_empty()
    assert len(house.log_lines("removed")) == 2


def test_report_larger_than_a_message_may_be():
    with make("max-message-size 1k", "max-recipients 1000") as house:
        recipients = [f"w{n}@remote.test" for n in range(300)]
        for recipient in recipients:
            house.route(recipient, "remote", "remote.test")
        send_out(house, recipients)
        for _ in range(3):
            refuse_all(house, *100 * ["550 5.1.1 " + 100 * "no "])
        _, status, _ = report_of(house.delivery(), ANN)
        assert len(status.get_payload()) == 1 + len(recipients)


def test_report_to_a_remote_sender_is_remote_mail(house):
    house.send("v@other.test", [BOB])
    house.delivery().answer("mailbox-disabled")
    worker = house.worker()
    worker.ready()
    job = worker.job()
    assert job["sender"] == "" and job["domain"] == "other.test"
    assert job["recipients"][0]["address"] == "v@other.test"
    assert job["content"][int(job["start"]):].startswith(b"Date: ")


def test_no_report_about_a_report(house):
    id = house.send("", [BOB])
    house.delivery().answer("mailbox-disabled")
    house.wait_log("not bounced", id=id)
    house.wait_empty()
    assert house.mailbox.empty()


def test_sender_that_does_not_exist_gets_none(house):
    id = house.send("ghost@example.test", [BOB])
    house.delivery().answer("mailbox-disabled")
    line = house.wait_log("not bounced", id=id)
    assert line["reason"] == "no such user here"
    house.wait_empty()


def test_life_time_ends_in_a_report(house):
    id = send_out(house, ["u0@remote.test", BOB])
    house.delivery().answer()
    refuse_all(house, "450 4.2.1 later", status="deferred", dsn="4.2.1")
    house.wait_log("deferred", id=id)
    house.kill()
    path = os.path.join(house.spool, "envelope", id)
    with open(path) as f:
        text = f.read()
    (accepted,) = re.findall(r"^time (\S+)$", text, re.M)
    text = text.replace(f"time {accepted}\n",
                        f"time {int(float(accepted)) - 5 * 86400 - 1}\n")
    with open(path, "w") as f:
        f.write(text)
    house.start()
    house.tool("flush")
    refuse_all(house, "450 4.2.1 even later", status="deferred", dsn="4.2.1")
    delivery = house.delivery()
    _, status, _ = report_of(delivery, ANN)
    (block,) = fields_of(status)[1]
    assert block["Final-Recipient"] == "rfc822; u0@remote.test"
    assert block["Status"] == "5.4.7"
    assert "even later" in block["Diagnostic-Code"]
    delivery.answer()
    house.wait_log("bounced", id=id)
    house.wait_empty()


def test_reporter_dies(house):
    id = house.send(ANN, [BOB])
    pid = house.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        (reporter,) = map(int, f.read().split())
    os.kill(reporter, 9)
    house.wait_log("peer lost", what="reporter")
    house.delivery().answer("mailbox-disabled")
    delivery = house.delivery()
    report_of(delivery, ANN)
    delivery.answer()
    house.wait_log("bounced", id=id)
    house.wait_empty()


def test_restart_between_failure_and_report(house):
    id = house.send(ANN, [BOB])
    house.silent_userdb = True  # the report cannot be committed
    house.delivery().answer("mailbox-disabled")
    house.wait_log("failed", id=id)
    house.kill()
    house.silent_userdb = False
    house.start()
    delivery = house.delivery()
    report_of(delivery, ANN)
    delivery.answer()
    house.wait_log("bounced", id=id)
    house.wait_empty()


def test_internationalized_report(house):
    ulf = "ülf@example.test"
    house.route(ulf, "mailbox", ulf)
    house.route("jörg@remote.test", "remote", "remote.test")
    send_out(house, ["jörg@remote.test"], sender=ulf, utf8=1,
             body="8bitmime", content="Subject: grüß\n\nx\n".encode())
    refuse_all(house, "550 5.1.1 kein jörg")
    delivery = house.delivery()
    text, status, header = report_of(delivery, ulf)
    assert status.get_content_type() == "message/global-delivery-status"
    assert header.get_content_type() == "message/global-headers"
    assert "utf-8; jörg@remote.test".encode() in delivery.content
    assert "grüß".encode() in delivery.content


def test_ascii_sender_gets_an_ascii_report(house):
    house.route("jörg@remote.test", "alias", "jörg2@remote.test")
    house.route("jörg2@remote.test", "remote", "remote.test")
    house.route("alias@example.test", "alias", "jörg@remote.test")
    send_out(house, ["alias@example.test"])
    refuse_all(house, "550 5.1.1 kein jörg")
    delivery = house.delivery()
    report_of(delivery, ANN)
    assert delivery.content.isascii()
    assert b"utf-8; j\\x{F6}rg2@remote.test" in delivery.content
    assert b"X-Postrider-Alias: rfc822; alias@example.test" \
        in delivery.content


# -- the tool, and others who look --

def test_tool_with_the_daemon(house):
    house.route("x@example.test", "alias", BOB, "u0@remote.test")
    id = house.send(ANN, ["x@example.test"], CONTENT)
    house.delivery().answer("mailbox-full", text="full \x1b[2J")
    refuse_all(house, "450 later", status="deferred", dsn="4.0.0")
    house.wait_log("deferred", lines=2)
    shown = house.shown(id)
    assert shown["id"] == id and shown["sender"] == ANN
    assert [(r["address"], r["status"], r["parent"])
            for r in shown["recipients"]] == [
        ("x@example.test", "alias", 0), (BOB, "waiting", 0),
        ("u0@remote.test", "waiting", 0)]
    assert b"\x1b" not in house.tool("show", id).stdout
    assert b"\x1b" not in house.tool("list").stdout
    assert house.tool("cat", id).stdout == CONTENT
    assert b"1 message" in house.tool("flush", id).stdout
    house.delivery().answer("mailbox-full")
    refuse_all(house, "450 later", status="deferred", dsn="4.0.0")
    house.wait_log("deferred", lines=4)
    assert b"deleted" in house.tool("delete", id).stdout
    house.wait_empty()
    for command in ("show", "cat", "flush", "delete"):
        done = house.tool(command, id, check=False)
        assert done.returncode == 66 and b"no such message" in done.stderr
    assert house.tool("show", "../../etc", check=False).returncode == 66
    assert house.tool("show", check=False).returncode == 64
    assert house.tool("nonsense", check=False).returncode == 64
    assert house.listed() == []


def test_tool_without_the_daemon(house):
    ids = []
    for n in range(3):
        ids.append(house.send(ANN, [BOB], CONTENT))
        house.delivery().answer("mailbox-full")
        house.wait_log("deferred", id=ids[-1])
    house.stop()
    for s in house.listeners:
        s.close()
    assert sorted(m["id"] for m in house.listed()) == sorted(ids)
    assert house.shown(ids[0])["attempts"] == 1
    assert house.tool("cat", ids[0]).stdout == CONTENT
    done = house.tool("flush", check=False)
    assert done.returncode == 69 and b"not running" in done.stderr
    house.tool("delete", ids[0])
    assert sorted(m["id"] for m in house.listed()) == sorted(ids[1:])
    assert house.tool("show", ids[0], check=False).returncode == 66


def test_delete_while_it_is_tried(house):
    id = house.send(ANN, [BOB])
    delivery = house.delivery()
    house.tool("delete", id)
    delivery.answer("mailbox-full")
    house.wait_log("removed", id=id)
    house.wait_empty()


def test_long_list_is_streamed(house):
    client = house.client()
    for _ in range(700):
        client.send(ANN, [BOB], CONTENT)
    assert len(house.listed()) == 700
    public = house.connect("public")
    public.say("list")
    count = 0
    while (packet := public.hear())[0] != "end":
        count += packet[0] == "message"
    want = 700 if os.geteuid() in (0, os.stat(house.spool).st_uid) else 0
    assert packet[0] == "end" and count == want


def send_many(house, recipient, count):
    client = house.login(ANN)
    for _ in range(count):
        client.send(ANN, [recipient], CONTENT)
    client.close()


@pytest.fixture
def no_sync(monkeypatch):
    """Of what many messages are about it is no part."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


def test_a_maildir_that_hangs_keeps_no_other_mail(house, no_sync):
    """A user's own folder may be as slow as he likes, for himself."""
    house.route("root@example.test", "system", "sysuser")
    send_many(house, "root@example.test", 2000)  # as many as there are places
    id = send_out(house, [BOB])
    slow = []
    while (delivery := house.delivery()).id != id:
        slow.append(delivery)
    delivery.answer()
    house.wait_log("delivered", id=id)
    for delivery in slow:
        assert delivery.mailbox == "sysuser"
        delivery.answer()
    for _ in range(1000):  # those that were sent away come, too
        delivery = house.delivery()
        assert not delivery.again  # it was not tried before
        delivery.answer()


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_no_place_for_what_may_go_again(house, no_sync):
    """A pause that is over while all places are taken is waited for, not
    looked at again and again."""
    send_many(house, BOB, 1990)
    worker = house.worker()
    worker.ready()
    send_out(house, ["u0@remote.test"])
    job = worker.job()
    worker.result(0, "deferred", "4.7.28", "421 4.7.28 too fast",
                  scope="session")
    worker.done(job)
    worker.ready()
    house.wait_log("deferred", id=job["id"])
    id = send_out(house, ["u1@remote.test"])
    send_many(house, BOB, 20)
    before = processor_seconds(house.process.pid)
    worker.sock.settimeout(2)  # the pause is one second
    with pytest.raises(TimeoutError):
        worker.job()
    assert processor_seconds(house.process.pid) - before < 0.5
    worker.sock.settimeout(30)
    for _ in range(2010):
        house.delivery().answer()
    assert worker.job()["id"] == id


def test_an_envelope_that_is_gone_is_not_waited_for(house):
    """Somebody removed a message's files while it was tried."""
    worker = house.worker()
    worker.ready()
    id = send_out(house, ["u0@remote.test"])
    job = worker.job()
    for folder in ("envelope", "new"):
        os.unlink(os.path.join(house.spool, folder, id))
    worker.result(0, "deferred", "4.2.2", "450 mailbox full")
    worker.done(job)
    house.wait_log("cannot record", id=id)
    house.stop()  # which waits for attempts that run
    assert not house.log_lines("not waiting")


def test_what_is_deleted_is_not_delivered_again(house):
    """Not even when the disk does not let it go at first."""
    id = send_out(house, [BOB])
    delivery = house.delivery()
    house.tool("delete", id)
    folder = os.path.join(house.spool, "new")
    os.chmod(folder, 0o555)
    delivery.answer("mailbox-busy")
    house.wait_log("cannot remove", id=id, lines=2)
    os.chmod(folder, 0o700)
    house.wait_log("removed", id=id)
    assert house.mailbox.empty()
