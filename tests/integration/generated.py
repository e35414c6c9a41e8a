# SPDX-License-Identifier: ISC
"""What mail must be that no person has written (RFC 3834, 5322, 3464)."""
import email
import email.policy
import email.utils
import re
import time

from suite import HOSTNAME

ONCE = ("Return-Path", "Date", "From", "To", "Subject", "Message-ID",
        "Auto-Submitted", "MIME-Version", "Content-Type")
NEVER = ("Bcc", "Reply-To", "Sender", "Resent-From", "Received",
         "Disposition-Notification-To", "Return-Receipt-To")
CLASSES = {"failed": "5", "delayed": "4", "delivered": "2", "relayed": "2",
           "expanded": "2"}


def read(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def check(octets, to, kind="auto-generated", sender=""):
    """The message, of any kind.  sender: its reverse-path; other than the
    null one only where failures are somebody's to know."""
    message = read(octets)
    head = octets.partition(b"\n\n")[0]
    assert head.isascii() and b"\r" not in octets
    assert all(len(line) <= 998 for line in octets.split(b"\n"))
    for name in ONCE:
        assert len(message.get_all(name, [])) == 1, (name, head)
    for name in NEVER[:-3] + NEVER[-2:]:
        assert name not in message, name
    assert message["Return-Path"] == f"<{sender}>"
    assert message["Auto-Submitted"] == kind
    assert [a.addr_spec for a in message["To"].addresses] == [to]
    author, = message["From"].addresses
    assert author.addr_spec == (sender or f"MAILER-DAEMON@{HOSTNAME}")
    assert re.fullmatch(rf"<[^\s<>@]+@{re.escape(HOSTNAME)}>",
                        message["Message-ID"])
    age = time.time() - email.utils.parsedate_to_datetime(
        message["Date"]).timestamp()
    assert -60 < age < 86400
    assert not any(part.defects for part in message.walk())
    return message


def check_dsn(octets, to, kind="auto-replied"):
    """(message, per-message fields, [per-recipient fields])"""
    message = check(octets, to, kind)
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    text, status, returned = message.get_payload()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert returned.get_content_type() in ("message/rfc822",
                                           "text/rfc822-headers")
    head, *recipients = status.get_payload()
    assert head["Reporting-MTA"] == f"dns; {HOSTNAME}"
    assert email.utils.parsedate_to_datetime(head["Arrival-Date"])
    assert recipients
    for fields in recipients:
        names = [name.lower() for name in fields.keys()]
        assert len(set(names)) == len(names)
        assert re.match("(rfc822|utf-8); .+@", fields["Final-Recipient"])
        assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", fields["Status"])
        assert fields["Status"][0] == CLASSES[fields["Action"]]
        assert ("will-retry-until" in names) == (
            fields["Action"] == "delayed")
    return message, head, recipients


def check_thread(message, own, before=()):
    """RFC 3834 section 3.1.5, RFC 5322 section 3.6.4"""
    assert message["In-Reply-To"] == own
    assert message["References"].split() == [*before, own]
