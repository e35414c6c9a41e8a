# SPDX-License-Identifier: ISC
"""What a sender is told: DSN (RFC 3461, 3464, 6522, 6533) by the queue."""
import email
import email.policy
import email.utils
import os
import signal
import time

import pytest

from queue_house import Closed, House
from suite import SECONDS

ANN, BOB, POSTMASTER = "ann@example.test", "bob@example.test", "p@example.test"
CONTENT = b"Return-Path: <x>\nMessage-ID: <m@x>\nSubject: hi\n\nthe body\n"
LOCAL = len(b"Return-Path: <x>\n")
NOTIFY = {"plain": None, "never": "never", "success": "success",
          "failure": "failure", "delay": "delay",
          "all": "success,failure,delay"}


def make(*extra):
    house = House(*extra)
    for address in (ANN, BOB, POSTMASTER):
        house.route(address, "mailbox", address)
    for name in NOTIFY:
        for place in ("here", "full"):
            house.route(f"{place}-{name}@example.test", "mailbox",
                        f"{place}-{name}@example.test")
        for place in ("dsn", "old", "no", "late"):
            house.route(f"{place}-{name}@remote.test", "remote",
                        "remote.test")
    house.route("u@remote.test", "remote", "remote.test")
    return house


@pytest.fixture
def house():
    with make("delay-warning 0") as house:
        yield house


def send(house, asked, content=CONTENT, sender=ANN, start=LOCAL, **more):
    """asked: as Client.commit() has it; its keys are the recipients."""
    client = house.login(ANN)
    try:
        return client.send(sender, list(asked), content, start=start,
                           asked=asked, **more)
    finally:
        client.close()


class Report:
    """One that came to a mailbox, checked against the standards."""

    def __init__(self, delivery, to=ANN):
        assert delivery.mailbox == to
        delivery.answer()
        self.content = delivery.content
        assert self.content.startswith(
            f"Return-Path: <>\nDelivered-To: {to}\n".encode())
        assert all(len(line) <= 998 for line in self.content.split(b"\n"))
        self.message = m = email.message_from_bytes(
            self.content, policy=email.policy.default)
        assert m["Auto-Submitted"] == (
            "auto-generated" if to == POSTMASTER else "auto-replied")
        assert f"\nTo: <{to}>\n".encode() in self.content
        assert "MAILER-DAEMON@mail.example.test" in m["From"]
        assert m.get_content_type() == "multipart/report"
        assert m["Content-Type"].params["report-type"] == "delivery-status"
        assert not any(part.defects for part in m.walk())
        if not self.content.isascii():
            assert m["Content-Transfer-Encoding"] == "8bit"
        self.subject = m["Subject"]
        text, status, self.returned = m.get_payload()
        assert text.get_content_type() == "text/plain"
        self.text = text.get_content()
        assert status.get_content_type() in (
            "message/delivery-status", "message/global-delivery-status")
        self.head, *self.recipients = status.get_payload()
        assert self.head["Reporting-MTA"] == "dns; mail.example.test"
        assert email.utils.parsedate_to_datetime(self.head["Arrival-Date"])
        for fields in self.recipients:
            self._check(fields)
        # What follows the boundary has no line of the message.
        assert self.content.rstrip().endswith(
            b"--" + m.get_boundary().encode() + b"--")

    @staticmethod
    def _check(fields):
        """RFC 3464 section 2.3: once each, and only where it may be."""
        names = [name.lower() for name in fields.keys()]
        assert len(set(names)) == len(names), names
        action = fields["Action"]
        assert fields["Final-Recipient"].split(";")[0] in ("rfc822", "utf-8")
        assert fields["Status"][0] in {
            "failed": "5", "delayed": "4", "delivered": "2", "relayed": "2",
            "expanded": "2"}[action]
        assert ("will-retry-until" in names) == (action == "delayed")
        if "remote-mta" in names:
            assert fields["Diagnostic-Code"].startswith("smtp; ")
        for name in "Last-Attempt-Date", "Will-Retry-Until":
            if fields[name]:
                assert email.utils.parsedate_to_datetime(fields[name])

    def actions(self):
        return {f["Final-Recipient"].split("; ")[1]: f["Action"]
                for f in self.recipients}

    def about(self, address):
        (found,) = (f for f in self.recipients
                    if f["Final-Recipient"].endswith(f"; {address}"))
        return found

    def whole(self):
        """The message that it returns, as it lies in the report."""
        boundary = b"\n--" + self.message.get_boundary().encode()
        part = self.content.split(boundary)[3]
        return part.partition(b"\n\n")[2]


def serve(house, what):
    """A deliver that answers each recipient as its local part says, once;
    what: the number of jobs, and the dict that their packets go into."""
    answers = {"dsn": ("delivered", "2.0.0", "250 ok", {"dsn_passed": 1}),
               "old": ("delivered", "2.1.0", "250 ok", {}),
               "no": ("failed", "5.1.1", "550 5.1.1 nobody here", {}),
               "late": ("deferred", "4.2.0", "450 4.2.0 later", {})}
    worker = house.worker()
    worker.ready()
    job = worker.job()
    for n, recipient in enumerate(job["recipients"]):
        kind = recipient["address"].split("-")[0]
        status, dsn, text, more = answers[kind]
        worker.result(n, status, dsn, text, **more)
        what[recipient["address"]] = recipient
    worker.done(job)
    what["job"] = job
    return worker


def everybody(*places):
    return {f"{place}-{name}@{domain}.test":
            {"notify": notify} if notify else {}
            for place, domain in places for name, notify in NOTIFY.items()}


# -- what is reported --

def test_every_request_with_every_outcome(house):
    """NOTIFY by what becomes of the recipient, here and at hosts that
    announce DSN or do not."""
    asked = everybody(("here", "example"), ("full", "example"),
                      ("dsn", "remote"), ("old", "remote"), ("no", "remote"))
    id = send(house, asked)
    for _ in range(2 * len(NOTIFY)):
        delivery = house.delivery()
        delivery.answer("ok" if delivery.mailbox.startswith("here")
                        else "mailbox-disabled")
    told = {}
    worker = serve(house, told)
    failure, success = Report(house.delivery()), Report(house.delivery())
    house.wait_log("removed", id=id)
    wants_failure = ("plain", "failure", "all")
    assert failure.actions() == {
        address: "failed" for name in wants_failure
        for address in (f"full-{name}@example.test", f"no-{name}@remote.test")}
    assert success.actions() == {
        f"{place}-{name}@{domain}.test": action
        for place, domain, action in (("here", "example", "delivered"),
                                      ("old", "remote", "relayed"))
        for name in ("success", "all")}
    assert success.subject == "Your message was passed on"
    fields = failure.about("no-plain@remote.test")
    assert fields["Remote-MTA"] == "dns; mx.remote.test"
    assert fields["Diagnostic-Code"] == "smtp; 550 5.1.1 nobody here"
    assert success.about("here-all@example.test")["Remote-MTA"] is None
    # What was asked went on; ORCPT is the recipient that came.
    for name, notify in NOTIFY.items():
        address = f"dsn-{name}@remote.test"
        assert told[address].get("notify") == notify
        assert told[address]["orcpt"] == f"rfc822;{address}"
    assert "ret" not in told["job"] and "envid" not in told["job"]
    (line,) = house.log_lines("not bounced", id=id)
    assert line["recipients"] == "6"
    (line,) = house.log_lines("reported", id=id)
    assert (line["to"], line["recipients"]) == (f"<{ANN}>", "4")
    worker.close()
    house.wait_empty()
    assert house.mailbox.empty()


def test_names_of_the_sender_come_back(house):
    """ENVID and ORCPT: section 6.3 (a), (d); and on to the next host."""
    asked = {"no-all@remote.test": {
        "notify": "failure", "orcpt": "x400;/c=de/+ \\x41/"}}
    send(house, asked, ret="hdrs", envid="QQ 31+4=\\")
    told = {}
    worker = serve(house, told)
    assert (told["job"]["envid"], told["job"]["ret"]) == ("QQ 31+4=\\", "hdrs")
    assert told["no-all@remote.test"]["orcpt"] == "x400;/c=de/+ \\x41/"
    report = Report(house.delivery())
    assert report.head["Original-Envelope-Id"] == "QQ 31+4=\\"
    (fields,) = report.recipients
    assert fields["Original-Recipient"] == "x400; /c=de/+ \\x41/"
    assert fields["Final-Recipient"] == "rfc822; no-all@remote.test"
    assert report.head["Received-From-MTA"] == "dns; host"
    assert report.message["In-Reply-To"] == "<m@x>"
    assert report.message["References"] == "<m@x>"
    worker.close()
    house.wait_empty()


def test_null_sender_gets_nothing(house):
    id = send(house, everybody(("here", "example"), ("full", "example")),
              sender="")
    for _ in range(2 * len(NOTIFY)):
        delivery = house.delivery()
        delivery.answer("ok" if delivery.mailbox.startswith("here")
                        else "mailbox-disabled")
    house.wait_log("removed", id=id)
    house.wait_empty()
    assert house.mailbox.empty() and not house.log_lines("reported")


def test_bad_requests_are_bad_packets(house):
    for options, asked in (
            ({"ret": "body"}, {}), ({"envid": "a\nb"}, {}),
            ({"envid": "x" * 101}, {}), ({"envid": "ü"}, {}),
            ({"envid": ""}, {}), ({}, {"notify": "always"}),
            ({}, {"notify": ""}), ({}, {"notify": "never,delay"}),
            ({}, {"orcpt": "rfc822;a\r\nBcc: b"}), ({}, {"orcpt": "a@b"}),
            ({}, {"orcpt": "rfc822;ü"}), ({}, {"orcpt": "utf-8;a\x85b"}),
            ({}, {"orcpt": "rfc822;" + "x" * 500})):
        client = house.client()
        client.open()
        client.write(CONTENT)
        client.close_writer()
        with pytest.raises((Closed, ConnectionError)):
            client.commit(ANN, [BOB], asked={BOB: asked}, **options)
            client.hear()
        client.close()
    assert house.spooled("envelope") == []
    house.send(ANN, [BOB])
    house.delivery().answer()
    house.wait_empty()


# -- aliases, section 5.2.7 --

def test_alias_of_one_hands_the_requests_on(house):
    house.route("al@example.test", "alias", "old-x@remote.test")
    house.route("old-x@remote.test", "remote", "remote.test")
    send(house, {"al@example.test": {"notify": "success",
                                     "orcpt": "rfc822;First@x.test"}})
    told = {}
    worker = serve(house, told)
    assert told["old-x@remote.test"]["notify"] == "success"
    assert told["old-x@remote.test"]["orcpt"] == "rfc822;First@x.test"
    report = Report(house.delivery())
    assert report.actions() == {"old-x@remote.test": "relayed"}
    fields = report.recipients[0]
    assert fields["Original-Recipient"] == "rfc822; First@x.test"
    assert fields["X-Postrider-Alias"] == "rfc822; al@example.test"
    worker.close()
    house.wait_empty()


def test_alias_of_several_is_expanded(house):
    house.route("all@example.test", "alias", BOB, "no-x@remote.test")
    house.route("no-x@remote.test", "remote", "remote.test")
    send(house, {"all@example.test": {"notify": "success,failure"}})
    house.delivery().answer()
    told = {}
    worker = serve(house, told)
    assert told["no-x@remote.test"]["notify"] == "failure"
    assert told["no-x@remote.test"]["orcpt"] == "rfc822;all@example.test"
    failure, success = Report(house.delivery()), Report(house.delivery())
    assert failure.actions() == {"no-x@remote.test": "failed"}
    assert success.actions() == {"all@example.test": "expanded"}
    worker.close()
    house.wait_empty()
    assert house.mailbox.empty()


def test_who_shares_a_delivery_is_told_as_he_asked(house):
    """Two addresses of one mailbox: one copy, and each his own request."""
    for name in "a", "b", "c":
        house.route(f"{name}@example.test", "mailbox", BOB)
    send(house, {"a@example.test": {"notify": "never"},
                 "b@example.test": {"notify": "success"},
                 "c@example.test": {}})
    house.delivery().answer()
    assert Report(house.delivery()).actions() == {
        "b@example.test": "delivered"}
    house.wait_empty()
    assert house.mailbox.empty()


# -- delays --

# The second attempt is made when the warning is due, not after it.
SLOW = "delay-warning 1s", "retry-minimum 1h"


def wait_report(house):
    return Report(house.delivery())


def defer(worker):
    worker.ready()
    job = worker.job()
    for n in range(len(job["recipients"])):
        worker.result(n, "deferred", "4.2.0", "450 4.2.0 later")
    worker.done(job)


def test_delay_is_told_once(tmp_path):
    with make("delay-warning 1s", "retry-minimum 2s",
              "retry-maximum 2s") as house:
        asked = everybody(("late", "remote"))
        id = send(house, asked, ret="full")
        worker = serve(house, {})
        defer(worker)
        report = wait_report(house)
        assert report.actions() == {
            f"late-{name}@remote.test": "delayed"
            for name in ("plain", "delay", "all")}
        assert report.subject == "Your message is delayed"
        assert "fail" not in report.text and "could not" not in report.text
        fields = report.recipients[0]
        until = email.utils.parsedate_to_datetime(fields["Will-Retry-Until"])
        assert 4.9 * 86400 < until.timestamp() - time.time() < 5.1 * 86400
        assert report.returned.get_content_type() == "text/rfc822-headers"
        assert b"the body" not in report.content
        house.wait_log("warned", id=id)
        # It goes on, also over a restart, and nobody hears of it again.
        worker.close()
        house.restart()
        worker = house.worker()
        defer(worker)
        worker.ready()
        job = worker.job()
        for n in range(len(NOTIFY)):
            worker.result(n, "delivered", "2.0.0", dsn_passed=1)
        worker.done(job)
        house.wait_log("removed", id=id)
        house.wait_empty()
        assert house.mailbox.empty()
        assert len(house.log_lines("warned")) == 1
        worker.close()


def test_delay_at_a_host_that_rests(tmp_path):
    with make("delay-warning 2s", "retry-minimum 1h") as house:
        ids = [send(house, {"u@remote.test": {}}) for _ in range(4)]
        worker = house.worker()
        for _ in ids[:3]:
            worker.ready()
            job = worker.job()
            worker.result(0, "deferred", "4.4.1", "no connection",
                          relay="none", scope="host")
            worker.done(job)
        for _ in ids:
            assert wait_report(house).actions() == {
                "u@remote.test": "delayed"}
        for id in ids:
            house.wait_log("warned", id=id)
            house.tool("delete", id)
        house.wait_empty()
        worker.close()


def test_expiry_is_a_failure(tmp_path):
    with make(*SLOW, "queue-lifetime 1m") as house:
        name = send(house, {"late-plain@remote.test": {}})
        worker = serve(house, {})
        defer(worker)
        assert wait_report(house).actions() == {
            "late-plain@remote.test": "delayed"}
        house.wait_log("warned", id=name)
        house.kill()
        worker.close()
        path = os.path.join(house.spool, "envelope", name)
        with open(path) as f:
            text = f.read()
        lines = [f"time {int(time.time()) - 100}.000000"
                 if line.startswith("time ") else line
                 for line in text.splitlines()]
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        house.start()
        house.tool("flush", name)
        worker = serve(house, {})
        report = wait_report(house)
        assert report.actions() == {"late-plain@remote.test": "failed"}
        worker.close()
        house.wait_empty()


# -- what is returned --

LINE = b"x" * 998
NASTY = {
    "boundaries": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"
                  b"--=_0123456789abcdef\n--=_0123456789abcdef--\n--b--\n",
    "dots": b"Subject: x\n\n.\n..\n.\n",
    "eight bits": b"Subject: x\nContent-Type: text/plain; charset=utf-8\n"
                  b"Content-Transfer-Encoding: 8bit\n\n" +
                  "grüße \U0001f434\n".encode(),
    "latin": b"Subject: x\n\n\xff\xfe\x80\n",
    "long lines": b"Subject: x\n\n" + LINE + b"\n" + LINE + b"\n",
    "no body": b"Subject: x\n",
    "no line end": b"Subject: x\n\nend",
    "empty lines": b"Subject: x\n\n\n\n\n",
    "from lines": b"Subject: x\n\nFrom me\n>From you\n",
}
ODD = {
    "longer lines": b"Subject: x\n\n" + LINE + b"y\n",
    "nul": b"Subject: x\n\na\0b\n",
    "cr": b"Subject: x\n\na\rb\n",
}


def bounce(house, content, **more):
    prefix = b"Return-Path: <x>\n"
    send(house, {BOB: {}}, prefix + content, start=len(prefix), **more)
    house.delivery().answer("mailbox-disabled")
    report = Report(house.delivery())
    house.wait_empty()
    assert report.actions() == {BOB: "failed"}
    return report


def test_whole_messages_come_back(house):
    for name, content in NASTY.items():
        report = bounce(house, content, ret="full", body="8bitmime")
        assert report.returned.get_content_type() == "message/rfc822", name
        whole = report.whole()
        want = content if content.endswith(b"\n") else content + b"\n"
        assert whole == want, name
        assert report.returned["Content-Transfer-Encoding"] == (
            None if content.isascii() else "8bit")
        assert "  It is attached." in report.text
    for name, content in ODD.items():
        report = bounce(house, content, ret="full", body="8bitmime")
        assert report.returned.get_content_type() == "text/rfc822-headers"
        assert report.whole() == b"Subject: x\n", name
        assert "  Its header is attached." in report.text
    for ret in {}, {"ret": "hdrs"}:
        report = bounce(house, NASTY["dots"], **ret)
        assert report.whole() == b"Subject: x\n"


def test_large_messages_do_not(tmp_path):
    with make("bounce-size-limit 1000") as house:
        head = b"Subject: x\n\n"
        for size, type in ((1000, "message/rfc822"),
                           (1001, "text/rfc822-headers")):
            content = head + (b"y" * 70 + b"\n") * 20
            content = content[:size - 1] + b"\n"
            report = bounce(house, content, ret="full")
            assert report.returned.get_content_type() == type


def test_internationalised_messages_come_back(house):
    ulf = "ülf@example.test"
    house.route(ulf, "mailbox", ulf)
    house.route("no-jörg@remote.test", "remote", "remote.test")
    content = "Subject: grüß\n\nstraße\n".encode()
    send(house, {"no-jörg@remote.test": {"orcpt": "utf-8;jö+rg@x.test"}},
         content, start=0, sender=ulf, utf8=1, body="8bitmime", ret="full")
    worker = serve(house, {})
    report = Report(house.delivery(), ulf)
    assert report.returned.get_content_type() == "message/global"
    assert report.whole() == content
    assert "Original-Recipient: utf-8; jö+rg@x.test\n" \
        "Final-Recipient: utf-8; no-jörg@remote.test\n".encode() \
        in report.content
    # The same to a sender who has only ASCII.
    send(house, {"no-all@remote.test": {"orcpt": "utf-8;jö+rg@x.test"}})
    worker.ready()
    job = worker.job()
    assert job["recipients"][0]["orcpt"] == "utf-8;jö+rg@x.test"
    worker.result(0, "failed", "5.1.1", "550 no")
    worker.done(job)
    report = Report(house.delivery())
    assert report.recipients[0]["Original-Recipient"] == \
        "utf-8; j\\x{F6}\\x{2B}rg@x.test"
    assert report.content.isascii()
    worker.close()
    house.wait_empty()


# -- the postmaster --

def test_copies_for_the_postmaster(tmp_path):
    with make(f"bounce-copy {POSTMASTER}", "delay-warning 0") as house:
        id = send(house, {BOB: {}, "here-all@example.test":
                          {"notify": "success"}}, ret="full")
        for _ in range(2):
            delivery = house.delivery()
            delivery.answer("ok" if delivery.mailbox.startswith("here")
                            else "mailbox-disabled")
        reports = {}
        for _ in range(3):
            delivery = house.delivery()
            report = Report(delivery, delivery.mailbox)
            reports.setdefault(delivery.mailbox, []).append(report)
        failure, success = reports[ANN]
        (copy,) = reports[POSTMASTER]
        assert failure.actions() == copy.actions() == {BOB: "failed"}
        assert success.actions() == {"here-all@example.test": "delivered"}
        assert b"the body" in failure.content
        assert b"the body" not in copy.content
        assert ANN in copy.text and "postmaster" in copy.text
        house.wait_log("removed", id=id)
        house.wait_empty()
        # Who wants no report has none copied either.
        send(house, {BOB: {"notify": "never"}})
        house.delivery().answer("mailbox-disabled")
        house.wait_empty()
        assert house.mailbox.empty()


def test_report_that_fails_goes_to_the_postmaster_and_no_further(tmp_path):
    with make(f"bounce-copy {POSTMASTER}") as house:
        send(house, {BOB: {}})
        house.delivery().answer("mailbox-disabled")
        boxes = [house.delivery(), house.delivery()]
        assert {d.mailbox for d in boxes} == {ANN, POSTMASTER}
        for delivery in boxes:
            delivery.answer("mailbox-disabled")
        # The sender's report failed: one more for the postmaster, about it.
        delivery = house.delivery()
        assert delivery.mailbox == POSTMASTER
        delivery.answer("mailbox-disabled")
        house.wait_empty()
        text = delivery.content
        assert b"A report of this mail system could not" in text
        assert f"Final-Recipient: rfc822; {ANN}".encode() in text
        assert house.mailbox.empty()
        assert len(house.log_lines("not bounced")) == 2
        # Strangers' reports, and what poses as ours, go nowhere.
        for protocol in "ESMTP", "copy of a report":
            send(house, {BOB: {}}, sender="", protocol=protocol)
            house.delivery().answer("mailbox-disabled")
            house.wait_empty()
        assert house.mailbox.empty()


def test_sender_is_told_though_the_copy_fails(tmp_path):
    with make("bounce-copy nobody@example.test") as house:
        id = send(house, {BOB: {}})
        house.delivery().answer("mailbox-disabled")
        Report(house.delivery())
        house.wait_log("no copy", id=id)
        house.wait_log("removed", id=id)
        house.wait_empty()


# -- order --

@pytest.mark.parametrize("kind", ["success", "delay"])
def test_death_before_the_report_is_there(tmp_path, kind):
    """It is committed before its cause is forgotten (P3)."""
    with make(*SLOW) as house:
        address = "here-all@example.test" if kind == "success" else \
            "late-all@remote.test"
        id = send(house, {address: {"notify": kind}})
        house.silent_userdb = True  # a report cannot be committed
        if kind == "success":
            house.delivery().answer()
            house.wait_log("delivered", id=id)
        else:
            serve(house, {}).close()
            house.wait_log("deferred", id=id)
        house.kill()
        assert house.spooled("envelope") == [id]
        house.silent_userdb = False
        house.start()
        if kind == "delay":
            serve(house, {})
        assert wait_report(house).actions() == {
            address: "delivered" if kind == "success" else "delayed"}
        house.wait_log("reported" if kind == "success" else "warned", id=id)
        if kind == "delay":
            house.tool("delete", id)
        house.wait_empty()
        assert house.mailbox.empty()


def children(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as f:
        return [int(pid) for pid in f.read().split()]


@pytest.mark.parametrize("kind", ["success", "delay"])
def test_death_of_the_reporter(tmp_path, kind):
    """A report that cannot be written now is tried again, soon."""
    with make(*SLOW) as house:
        address = f"{'here' if kind == 'success' else 'late'}-all@" + (
            "example.test" if kind == "success" else "remote.test")
        id = send(house, {address: {"notify": kind}})
        if kind == "success":
            house.silent_userdb = True
            house.delivery().answer()
        else:
            worker = serve(house, {})
            worker.ready()
            job = worker.job()
            house.silent_userdb = True
            worker.result(0, "deferred", "4.2.0", "450 4.2.0 later")
            worker.done(job)
        while house.asked.get(timeout=SECONDS) != ANN:
            pass  # until the report's route is asked for
        (reporter,) = children(house.process)
        os.kill(reporter, signal.SIGKILL)
        house.wait_log("peer lost", what="reporter")
        house.silent_userdb = False
        if kind == "success":
            assert wait_report(house).actions() == {address: "delivered"}
            house.wait_empty()
        else:
            house.tool("flush", id)
            defer(worker)
            assert wait_report(house).actions() == {address: "delayed"}
            worker.close()
            house.wait_log("warned", id=id)
            house.tool("delete", id)
            house.wait_empty()
        assert house.mailbox.empty()


def test_success_is_told_once(tmp_path):
    """Also when others still wait, over a restart."""
    with make("delay-warning 0", "retry-minimum 1s",
              "retry-maximum 1s") as house:
        house.route("late-x@remote.test", "remote", "remote.test")
        id = send(house, {"here-all@example.test": {"notify": "success"},
                          "late-x@remote.test": {"notify": "success"}})
        house.delivery().answer()
        serve(house, {}).close()
        assert wait_report(house).actions() == {
            "here-all@example.test": "delivered"}
        house.wait_log("reported", id=id)
        house.restart()
        worker = house.worker()
        worker.ready()
        job = worker.job()
        worker.result(0, "delivered", "2.0.0")
        worker.done(job)
        assert wait_report(house).actions() == {
            "late-x@remote.test": "relayed"}
        worker.close()
        house.wait_empty()
        assert house.mailbox.empty()
