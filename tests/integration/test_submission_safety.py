# SPDX-License-Identifier: ISC
"""What smtpd makes sure of when people hand in mail: that From is theirs,
that nobody learns where they are, and to whom else they wrote."""
import base64
import email
import os
import smtplib

import pytest

from mail_clients import call, environment, muttrc, on_a_terminal, private
from mail_clients import Login
from suite import PASSWORD

ANN, BOB, OFF = "ann@example.test", "bob@example.test", "off@example.test"
HELO = "laptop.secret.test"
RELAY = "127.0.0.9"  # one of relay-from


@pytest.fixture(scope="module")
def shared(make_shared_suite):
    suite = make_shared_suite(
        tls=True, users=[ANN, BOB, OFF], extra=[f"relay-from {RELAY}"])
    suite.start()
    suite.add_alias("sales@example.test", ANN, BOB)
    suite.add_alias("news@example.test", "sales@example.test")
    return suite


@pytest.fixture(scope="module")
def make_shared_suite():
    from suite import Suite
    made = []

    def make(**options):
        made.append(Suite(**options))
        return made[-1]
    yield make
    for suite in made:
        suite.close()


@pytest.fixture
def house(shared):
    yield shared
    for user in (ANN, BOB):
        for path in shared.messages(user):
            os.unlink(path)


def submit(suite, text, sender=ANN, to=BOB, kind="submission", login=ANN,
           tls=False, **options):
    """The answer to the message, (code, text)."""
    with suite.smtp(kind, login=login, tls=tls, **options) as smtp:
        assert smtp.mail(sender)[0] == 250
        assert smtp.rcpt(to)[0] == 250
        code, said = smtp.data(text)
        return code, said.decode()


def arrived(suite, user=BOB):
    """The one message that has come."""
    path, = suite.wait_maildir(user)
    with open(path, "rb") as f:
        octets = f.read()
    os.unlink(path)
    return email.message_from_bytes(octets)


def refused(answer, address=None, field="From"):
    code, text = answer
    assert code == 550 and text.startswith("5.7.1 "), answer
    if address:
        assert f"<{address}> in {field} is no address" in text
    else:
        assert "does not say clearly" in text
    return True


# -- From --

ENCODED = "=?utf-8?B?%s?=" % base64.b64encode(b"<boss@bank.test>").decode()


@pytest.mark.parametrize("header,address", [
    ("From: boss@example.test", "boss@example.test"),
    ("From: Bob <bob@example.test>", BOB),
    ("From: Ann <boss@bank.test>", "boss@bank.test"),
    ("From: \"ann@example.test\" <boss@bank.test>", "boss@bank.test"),
    # a second one, above or below
    ("From: ann@example.test\nFrom: boss@bank.test", "boss@bank.test"),
    ("From: boss@bank.test\nSubject: x\nfrom: ann@example.test",
     "boss@bank.test"),
    ("From: ann@example.test\nX: y\nFrom : boss@bank.test",
     "boss@bank.test"),
    ("From: ann@example.test\nFrom\n : boss@bank.test", "boss@bank.test"),
    # lists, folded
    ("From: ann@example.test, boss@bank.test", "boss@bank.test"),
    ("From:\n ann@example.test,\n\tBoss\n <boss@bank.test>",
     "boss@bank.test"),
    ("From: boss@bank.test,\n ann@example.test", "boss@bank.test"),
    # what one reader takes for an address and another does not
    ("From: <ann@example.test> (<boss@bank.test>)", None),
    ("From: <boss@bank.test>(<ann@example.test>)", None),
    ("From: boss@bank.test <ann@example.test>", None),
    ("From: <ann@example.test> <boss@bank.test>", None),
    ("From: <@example.test,@b.test:boss@bank.test>", None),
    ("From: \"x\\\" <boss@bank.test> \\\"\" <ann@example.test>", None),
    (f"From: {ENCODED}", None),
    (f"From: {ENCODED}, ann@example.test", None),
    ("From: boss=40bank.test, =?utf-8?q?boss=40bank.test?=", None),
    ("From: Bank: boss@bank.test;", None),
    ("From: undisclosed:;", None),
    ("From:", None),
    # lines that are a field for some
    (" From: boss@bank.test\nFrom: ann@example.test", None),
    ("no field\n\tFrom: boss@bank.test\nFrom: ann@example.test", None),
    ("From: ann@example.test\nFr\x02om: boss@bank.test", None),
    ("no field\nFrom: boss@bank.test", "boss@bank.test"),
    # not sent on, though it looks like it
    ("Resent-To: bob@example.test\nFrom: boss@bank.test", "boss@bank.test"),
    ("Received: x\nResent-Date: x\nReceived: y\n"
     "Resent-From: ann@example.test\nFrom: boss@bank.test",
     "boss@bank.test"),
    # nor does that give leave to write as the author
    ("Resent-From: ann@example.test\nFrom: bob@example.test", BOB),
    ("Resent-From: ann@example.test\nResent-To: bob@example.test\n"
     "Sender: ann@example.test\nFrom: boss@bank.test", "boss@bank.test"),
], ids=range(31))
def test_from_is_the_logins(house, header, address):
    text = f"{header}\nSubject: x\n\nx\n".replace("\n", "\r\n")
    assert refused(submit(house, text.encode()), address)
    if address:
        line = house.wait_log(lambda l: l.get("author") == address)
        assert line["auth"] == ANN and line["dsn"] == "5.7.1"
        assert line["client"] == "127.0.0.1"
    assert not house.messages(BOB) and not house.queued()


@pytest.mark.parametrize("header,address,field", [
    ("From: ann@example.test\nSender: boss@bank.test", "boss@bank.test",
     "Sender"),
    ("Resent-From: boss@bank.test\nFrom: ann@example.test",
     "boss@bank.test", "Resent-From"),
    ("Resent-From: ann@example.test\nResent-Sender: boss@bank.test\n"
     "From: ann@example.test", "boss@bank.test", "Resent-Sender"),
])
def test_whoever_else_is_named(house, header, address, field):
    text = f"{header}\nSubject: x\n\nx\n".replace("\n", "\r\n")
    assert refused(submit(house, text.encode()), address, field)


@pytest.mark.parametrize("header", [
    "From: ann@example.test",
    "From: ANN+list@Example.Test",
    "From: \"Boss, boss at bank\" <ann@example.test> (at home)",
    "From: =?utf-8?q?Ann=2C_Boss?= <ann@example.test>",
    "From: sales@example.test",
    "From: Sales <news@example.test>, ann@example.test\n"
    "Sender: ann@example.test",
    "From: ann@example.test\nReply-To: boss@bank.test",
    "Resent-From: ann@example.test\nResent-To: x@y.test\n"
    "From: sales@example.test\nSender: ann@example.test",
])
def test_what_is_his(house, header):
    take(house, header)


def take(house, header):
    text = f"{header}\nSubject: x\n\nx\n".replace("\n", "\r\n")
    assert submit(house, text.encode())[0] == 250
    message = arrived(house)
    for field in header.replace("\n ", " ").split("\n"):
        name, _, value = field.partition(": ")
        assert value in message.get_all(name)


def test_so_many_and_no_more(house):
    house.user_tool("grant", "ann", "@many.test")
    for n, answer in (16, 250), (17, 550):
        authors = ", ".join(f"a{i}@many.test" for i in range(n))
        code, text = submit(
            house, f"From: {authors}\r\nSubject: x\r\n\r\nx\r\n")
        assert code == answer, text
    assert "more than 16 addresses in From" in text
    house.user_tool("revoke", "ann", "@many.test")


def test_grants(house):
    def as_one(address):
        return submit(house, f"From: {address}\r\nSubject: x\r\n\r\nx\r\n")
    other = "boss@bank.test"
    assert refused(as_one(other), other)
    for grant in other, "@bank.test":
        house.user_tool("grant", ANN, grant)
        assert as_one(other)[0] == 250
        assert arrived(house)["From"] == other
        assert submit(house, f"From: {other}\r\n\r\nx\r\n",
                      sender=other)[0] == 250
        assert arrived(house)["Return-Path"] == f"<{other}>"
        # Somebody else's are nobody's.
        assert refused(submit(house, f"From: {other}\r\n\r\nx\r\n", to=ANN,
                              sender=BOB, login=BOB), other)
        house.user_tool("revoke", ANN, grant)
        assert refused(as_one(other), other)


def test_within_a_session(house):
    """What userdb says by now holds."""
    text = b"From: boss@bank.test\r\nSubject: x\r\n\r\nx\r\n"
    house.user_tool("grant", OFF, "boss@bank.test")
    with house.smtp("submission", login=OFF) as smtp:
        smtp.sendmail(OFF, [BOB], text)
        assert arrived(house)["From"] == "boss@bank.test"
        house.user_tool("revoke", OFF, "boss@bank.test")
        with pytest.raises(smtplib.SMTPDataError):
            smtp.sendmail(OFF, [BOB], text)
        house.user_tool("grant", OFF, "boss@bank.test")
        house.user_tool("disable", OFF)
        # As the null sender may be anybody's, From alone is asked for.
        with pytest.raises(smtplib.SMTPDataError):
            smtp.sendmail("", [BOB], text)
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(OFF, [BOB], text)
    house.user_tool("enable", OFF)


def test_who_has_no_login_is_not_bound(house):
    text = b"From: boss@bank.test\r\nSubject: x\r\n\r\nx\r\n"
    with house.smtp(source_address=(RELAY, 0)) as smtp:
        smtp.sendmail("boss@bank.test", [BOB], text)
    assert arrived(house)["From"] == "boss@bank.test"
    house.sendmail(BOB, message="From: boss@bank.test\n\nx\n")
    assert arrived(house)["From"] == "boss@bank.test"


def test_where_mail_may_be_sent_on(make_suite):
    suite = make_suite(
        users=[ANN, BOB], extra=["bind-from resent"]).start()
    for header in (
            "Resent-From: ann@example.test\nResent-To: x@y.test\n"
            "From: boss@bank.test\nSender: list@bank.test",
            "Resent-From: ann@example.test\nReceived: from x by y; date\n"
            "Resent-From: boss@bank.test\nFrom: boss@bank.test"):
        take(suite, header)
    for header, address, field in (
            ("Resent-From: boss@bank.test\nFrom: ann@example.test",
             "boss@bank.test", "Resent-From"),
            ("Resent-To: bob@example.test\nFrom: boss@bank.test",
             "boss@bank.test", "From")):
        text = f"{header}\nSubject: x\n\nx\n".replace("\n", "\r\n")
        assert refused(submit(suite, text.encode()), address, field)


def test_both_keywords_say_no(make_suite):
    suite = make_suite(users=[ANN, BOB], extra=[
        "bind-from no", "hide-submitter no"]).start()
    assert submit(suite, "From: boss@bank.test\r\n\r\nx\r\n",
                  local_hostname=HELO)[0] == 250
    message = arrived(suite)
    assert message["From"] == "boss@bank.test"
    assert message["Received"].startswith(f"from {HELO} ([127.0.0.1])")


# -- what is missing, what is too much --

def test_what_is_missing(house):
    def fields(text, **options):
        assert submit(house, text, **options)[0] == 250
        return arrived(house)
    for sender, added in (ANN, ANN), ("sales@example.test",) * 2, ("", ANN):
        message = fields("Subject: x\r\n\r\nx\r\n", sender=sender)
        assert message["From"] == f"<{added}>"
        assert email.utils.parsedate_to_datetime(message["Date"])
        assert message["Message-ID"].endswith("@mail.example.test>")
    message = fields("From: ann@example.test\r\nDate: d\r\n\r\nx\r\n")
    assert message.get_all("Date") == ["d"] and message["Message-ID"]
    with house.smtp(source_address=(RELAY, 0)) as smtp:
        smtp.sendmail(ANN, [BOB], b"From: x@y.test\r\n\r\nx\r\n")
        message = arrived(house)
        assert message["Date"] and message["Message-ID"]
        # Whose it is only that client can say.
        smtp.sendmail(ANN, [BOB], b"Subject: x\r\n\r\nx\r\n")
        assert arrived(house)["From"] is None
    house.sendmail("-f", ANN, BOB, message="Subject: x\n\nx\n")
    message = arrived(house)
    assert ANN in message["From"] and message["Date"]
    assert message["Message-ID"]
    # A stranger's is not ours to complete.
    with house.smtp() as smtp:
        smtp.sendmail("x@y.test", [BOB], b"From: x@y.test\r\n\r\nx\r\n")
    assert arrived(house)["Date"] is None


def test_blind_copies(house):
    text = ("From: ann@example.test\r\nTo: bob@example.test\r\n"
            "Bcc: hidden@bank.test,\r\n\thidden2@bank.test\r\n"
            "Subject: x\r\nresent-bcc: hidden3@bank.test\r\n"
            "bCC : hidden4@bank.test\r\n\r\nBcc: the body's\r\n")

    def seen():
        message = arrived(house)
        assert message["To"] == BOB and message["Subject"] == "x"
        assert message.get_payload().endswith("Bcc: the body's\n")
        return "hidden" in str(message)
    for kind in "submission", "submissions":
        assert submit(house, text, kind=kind)[0] == 250
        assert not seen()
    house.sendmail(BOB, message=text.replace("\r", ""))
    assert not seen()
    # Another server passes on what it got.
    with house.smtp(source_address=(RELAY, 0)) as smtp:
        smtp.sendmail(ANN, [BOB], text)
    assert seen()


# -- where they are --

@pytest.mark.parametrize("kind,tls,protocol", [
    ("submission", False, "ESMTPA"), ("submission", True, "ESMTPSA"),
    ("submissions", False, "ESMTPSA")])
def test_where_a_login_writes_from(house, kind, tls, protocol):
    text = f"From: {ANN}\r\nSubject: {kind}{tls}\r\n\r\nx\r\n"
    assert submit(house, text, kind=kind, tls=tls,
                  local_hostname=HELO)[0] == 250
    message = arrived(house)
    received, = message.get_all("Received")
    assert received.startswith(
        f"by mail.example.test (Postrider) with {protocol} id ")
    assert ("using TLSv1" in received) == ("S" in protocol[4:])
    assert f"for <{BOB}>" in received
    for hidden in HELO, "127.0.0.1", "localhost":
        assert hidden not in str(message)
    line = house.wait_log(lambda l: l.get("id") == received.split()[6] and
                          "accepted" in l.text)
    assert line["client"] == "127.0.0.1" and line["helo"] == HELO


def test_where_others_come_from(house):
    with house.smtp(source_address=(RELAY, 0), local_hostname=HELO) as smtp:
        smtp.sendmail(ANN, [BOB], b"From: x@y.test\r\n\r\nx\r\n")
    assert arrived(house)["Received"].startswith(f"from {HELO} ([{RELAY}])")
    with house.smtp(local_hostname=HELO) as smtp:
        smtp.sendmail("x@y.test", [BOB], b"From: x@y.test\r\n\r\nx\r\n")
    assert arrived(house)["Received"].startswith(f"from {HELO} ([127.0.0.1])")
    house.sendmail(BOB, message="From: x@y.test\n\nx\n")
    assert arrived(house)["Received"].startswith("by mail.example.test ")


def test_a_report_does_not_tell_either(house):
    """Its head goes to whoever reads that address, and its postmaster."""
    with house.smtp("submission", login=ANN, local_hostname=HELO) as smtp:
        smtp.sendmail(ANN, [BOB], f"From: {ANN}\r\nSubject: x\r\n\r\nx\r\n",
                      rcpt_options=["NOTIFY=SUCCESS"])
    report = arrived(house, ANN)
    assert report.get_content_type() == "multipart/report"
    assert HELO not in str(report)


# -- clients that were not written here --

def swaks(house, sender, *more):
    return call("swaks", "--server", "127.0.0.1", "--port",
                house.ports["submission"], "--tls", "--auth", "PLAIN",
                "--auth-user", ANN, "--auth-password", PASSWORD,
                "--from", ANN, "--to", BOB, "--h-From", sender, *more)


def test_swaks(house):
    swaks(house, f"Ann <{ANN}>", "--h-Bcc", "hidden@bank.test")
    message = arrived(house)
    assert message["From"] == f"Ann <{ANN}>" and message["Bcc"] is None
    with pytest.raises(AssertionError, match="550 5.7.1 <boss@bank.test>"):
        swaks(house, "boss@bank.test")


def msmtp(house, text):
    """It is told by no option to take Bcc out."""
    return call("msmtp", "-C", "/dev/null", "--host=127.0.0.1",
                f"--port={house.ports['submissions']}", "--tls=on",
                "--tls-starttls=off", f"--tls-trust-file={house.ca.path}",
                "--auth=plain", f"--user={ANN}",
                f"--passwordeval=echo '{PASSWORD}'", f"--from={ANN}",
                "--remove-bcc-headers=off", BOB, input=text)


def test_msmtp(house):
    msmtp(house, f"From: {ANN}\nBcc: hidden@bank.test\nSubject: x\n\nx\n")
    assert arrived(house)["Bcc"] is None
    with pytest.raises(AssertionError, match="550 5.7.1 <boss@bank.test>"):
        msmtp(house, "From: boss@bank.test\nSubject: x\n\nx\n")


def test_mutt_sends_on(make_suite):
    """Its bounce, which keeps the author; and who resends writes anew."""
    house = make_suite(tls=True, users=[ANN, BOB],
                       extra=["bind-from resent"]).start()
    box = private(house, "box", "From x Thu Jan  1 00:00:00 1970\n"
                  "Received: from a.test by b.test; Thu, 1 Jan 1970 00:00:00 "
                  "+0000\nFrom: Boss <boss@bank.test>\nTo: ann@example.test\n"
                  "Subject: for you\nMessage-ID: <1@bank.test>\n"
                  "Date: Thu, 1 Jan 1970 00:00:00 +0000\n\nhello\n")
    rc = muttrc(house, Login(ANN, "PLAIN", PASSWORD),
                "set use_from=yes envelope_from=yes\n"
                f"push '<bounce-message>{BOB}<enter>y<exit>'")
    status, shown = on_a_terminal(
        ["mutt", "-n", "-F", rc, "-R", "-f", box], environment(house))
    assert status == 0, shown
    message = arrived(house)
    assert message["From"] == "Boss <boss@bank.test>"
    assert ANN in message["Resent-From"] and BOB in message["Resent-To"]
    assert message["Subject"] == "for you"
    assert message["Message-ID"] == "<1@bank.test>"
