# SPDX-License-Identifier: ISC
"""smtpd and ledger: who sends too much, and who guesses who is at home."""
import json
import os
import smtplib
import threading

import pytest

from internal import Owner
from smtpd_fakes import ANN, BOB, Smtpd
from suite import SECONDS, Suite


MESSAGE = b"From: x@elsewhere.test\r\nSubject: x\r\n\r\n"


class Ledger(Owner):
    """Answers as it is told, and keeps what it hears."""

    def __init__(self, path):
        self.answers = {}  # by verb
        self._news = threading.Condition()
        super().__init__(path)

    def serve(self, peer, _):
        while (p := peer.receive()) is not None:
            with self._news:
                self.requests.append(p)
                self._news.notify_all()
            self.at(p.verb, peer)
            if p.verb == "recipient":
                peer.send("recipient",
                          **self.answers.get(p.verb, {"verdict": "ok"}))

    def wait(self, verb, n=1):
        with self._news:
            assert self._news.wait_for(
                lambda: len(self.heard(verb)) >= n, SECONDS)

    def heard(self, verb):
        return [dict(p.attributes) for p in self.requests if p.verb == verb]


@pytest.fixture
def make_smtpd():
    made = []

    def make(*extra, ledger=True):
        service = Smtpd(extra=list(extra))
        made.append(service)
        if ledger:
            service.ledger = Ledger(os.path.join(service.own, "ledger"))
            made.append(service.ledger)
        return service.start()
    yield make
    for service in reversed(made):
        service.close()


# -- what is asked and told --

def test_what_is_asked_and_told(make_smtpd):
    smtpd = make_smtpd()
    with smtpd.client() as client:
        client.ehlo()
        client.envelope()
        assert client.command(f"RCPT TO:<{BOB}>") == 250
        assert client.command("RCPT TO:<nobody@example.test>") == 550
        assert client.command("RCPT TO:<x@other.test>") == 554
        assert client.data(MESSAGE + b".\r\n") == 250
        smtpd.ledger.wait("ended", 2)
    here = {"client": "127.0.0.1"}
    assert smtpd.ledger.heard("recipient") == [
        {**here, "first": "1", "mailbox": ANN}, {**here, "mailbox": BOB},
        here]
    assert smtpd.ledger.heard("accepted") == [
        {"mailbox": ANN}, {"mailbox": BOB}]
    assert smtpd.ledger.heard("ended") == [
        {**here, "result": "unknown"}, {**here, "result": "taken"}]


def test_a_message_that_is_not_sent_counts_for_no_mailbox(make_smtpd):
    """Or whoever says RCPT often enough shuts a mailbox."""
    smtpd = make_smtpd()
    with smtpd.client() as client:
        client.ehlo()
        client.envelope()
        assert client.command("RSET") == 250
        assert client.message(b"Subject: x\r\n\r\nbare\n\r\n", BOB) == 550
        smtpd.ledger.wait("ended")
    assert smtpd.ledger.heard("ended")[0]["result"] == "refused"
    assert not smtpd.ledger.heard("accepted")


def test_who_is_no_stranger_is_not_counted(make_smtpd):
    smtpd = make_smtpd("relay-from 127.0.0.2")
    with smtpd.submission() as client:
        assert client.message(sender=ANN) == 250
    with smtpd.client(address="127.0.0.2") as client:
        client.ehlo()
        assert client.message() == 250
    assert not smtpd.ledger.requests


RATES = [("client-rate", "450 4.7.1", "too much comes from your address"),
         ("mailbox-rate", "450 4.2.1", "this mailbox gets mail too quickly")]


@pytest.mark.parametrize("verdict, answer, text", RATES)
def test_over_a_limit(make_smtpd, verdict, answer, text):
    smtpd = make_smtpd()
    smtpd.ledger.answers["recipient"] = {
        "verdict": verdict, "what": "mailbox-messages", "wait": 30}
    with smtpd.client() as client:
        client.ehlo()
        assert client.command("MAIL FROM:<x@elsewhere.test>") == 250
        for _ in range(30):  # no error of the client's
            client.command(f"RCPT TO:<{ANN}>")
            assert client.text.startswith(answer)
        smtpd.ledger.answers = {}
        assert client.command(f"RCPT TO:<{ANN}>") == 250
    assert f'reason="{text}' in smtpd.log()


def test_a26_who_guesses_learns_nothing(make_smtpd):
    """Who exists and who does not is answered alike."""
    smtpd = make_smtpd()
    smtpd.ledger.answers["recipient"] = {"verdict": "client-rate"}
    with smtpd.client() as client:
        client.ehlo()
        assert client.command("MAIL FROM:<x@elsewhere.test>") == 250
        answers = set()
        for name in ANN, "nobody@example.test", "postmaster":
            client.command(f"RCPT TO:<{name}>")
            answers.add(client.text)
    assert len(answers) == 1


def test_what_is_suspect_makes_nobody_known(make_smtpd):
    smtpd = make_smtpd()
    with smtpd.client() as client:
        client.ehlo()
        assert client.message(b"Subject: without From\r\n\r\n") == 250
        smtpd.ledger.wait("ended")
    assert smtpd.ledger.heard("ended")[0]["result"] == "junk"


def test_who_runs_ahead_offends(make_smtpd):
    smtpd = make_smtpd()
    with smtpd.client() as client:
        client.send("EHLO client.example\r\nMAIL FROM:<x@elsewhere.test>\r\n")
        client.reply()
        client.reply()
    smtpd.ledger.wait("bad")
    assert smtpd.ledger.heard("bad") == [
        {"client": "127.0.0.1", "what": "pipelining"}]


# -- ledger is not as it should be --

def lost(smtpd):
    return smtpd.log().count("peer lost what=ledger")


def send(smtpd, times=3):
    with smtpd.client() as client:
        client.ehlo()
        for _ in range(times):
            assert client.message() == 250


def test_without_ledger(make_smtpd):
    smtpd = make_smtpd(ledger=False)
    send(smtpd)
    assert lost(smtpd) == 1


@pytest.mark.parametrize("fault", ["silence", "malformed"])
def test_ledger_talks_nonsense_or_not_at_all(make_smtpd, fault):
    """It costs a second, once, and is left alone for a while."""
    smtpd = make_smtpd()
    smtpd.ledger.answers["recipient"] = {"verdict": "ok", "more": "x"}
    if fault == "silence":
        smtpd.ledger.fault = ("recipient", "silence")
    send(smtpd)
    assert lost(smtpd) == 1
    assert len(smtpd.ledger.heard("recipient")) == 1


def test_ledger_is_started_anew(make_smtpd):
    smtpd = make_smtpd()
    with smtpd.client() as client:
        client.ehlo()
        assert client.message() == 250
        smtpd.ledger.fault = ("recipient", "close")
        assert client.message() == 250
    assert lost(smtpd) == 0
    assert len(smtpd.ledger.heard("recipient")) == 3


# -- the real one --

@pytest.fixture
def make_suite():
    made = []

    def make(*extra):
        made.append(Suite(users=[ANN, BOB], extra=extra).start())
        return made[-1]
    yield make
    for suite in made:
        suite.close()


def mail(suite, recipient=ANN, source="127.0.0.1"):
    with suite.smtp(source_address=(source, 0),
                    local_hostname="client.example") as client:
        try:
            client.sendmail("x@elsewhere.test", [recipient],
                            MESSAGE)
        except smtplib.SMTPRecipientsRefused as refused:
            (code, text), = refused.recipients.values()
            return code, text.split()[0].decode()
    return 250, ""


def test_a21_client_rate(make_suite):
    suite = make_suite("client-messages 3/1h")
    first, *others = [mail(suite) for _ in range(4)]
    assert first == (250, "")
    # It is known by now, and may do four times as much.
    assert others == [(250, "")] * 3
    stranger = [mail(suite, "nobody@example.test", "127.0.0.2")
                for _ in range(4)]
    assert stranger == [(550, "5.1.1")] * 3 + [(450, "4.7.1")]
    assert mail(suite, source="127.0.0.2") == (450, "4.7.1")
    assert mail(suite, source="127.0.0.3") == (250, "")


def test_a21_mail_bomb(make_suite):
    suite = make_suite("mailbox-messages 10/1h")
    answers = [mail(suite, source=f"127.0.1.{i}") for i in range(1, 15)]
    assert answers == [(250, "")] * 10 + [(450, "4.2.1")] * 4
    assert mail(suite, BOB) == (250, "")
    assert len(suite.wait_maildir(ANN, 10)) == 10


def test_a_user_with_a_limit_of_his_own(make_suite):
    suite = make_suite()
    suite.user_tool("limit", ANN, "mailbox-messages", "2/1h")
    suite.add_alias("both@example.test", ANN, BOB)
    suite.add_alias("other@example.test", ANN)
    assert mail(suite) == mail(suite, "other@example.test") == (250, "")
    assert mail(suite, "other@example.test") == (450, "4.2.1")
    assert mail(suite, "ANN@EXAMPLE.TEST") == (450, "4.2.1")
    assert mail(suite, BOB) == mail(suite, "both@example.test") == (250, "")


def test_a26_unknown_recipients(make_suite):
    suite = make_suite("unknown-recipients 5/1h")
    answers = [mail(suite, f"guess{i}@example.test") for i in range(7)]
    assert answers == [(550, "5.1.1")] * 5 + [(450, "4.7.1")] * 2
    assert mail(suite) == (450, "4.7.1")
    assert mail(suite, source="127.0.0.2") == (250, "")
    assert "what=unknown-recipients" in suite.log_text()


def test_what_is_counted_is_shown_and_forgotten(make_suite):
    suite = make_suite("unknown-recipients 2/1h")
    for i in range(2):
        mail(suite, f"guess{i}@example.test", "127.0.0.2")
    assert mail(suite, source="127.0.0.2") == (450, "4.7.1")
    assert mail(suite) == (250, "")
    shown = suite.user_tool("tallies", "127.0.0.2", "127.0.0.1").stdout
    stranger, _, known = shown.partition("\n127.0.0.1\n")
    assert stranger.startswith("127.0.0.2\n  not known\n")
    assert "\n  unknown-recipients: 2 of 2 in 1h\n" in stranger
    assert "its recipients are put off for 30m: " in stranger
    assert known.startswith("  known: mail was taken from it at about 20")
    (listed,) = json.loads(
        suite.user_tool("tallies", "--json", ANN).stdout)
    assert listed["of"] == ANN and any(
        line.startswith("mailbox-messages: ") for line in listed["tallies"])
    suite.user_tool("forget", "127.0.0.2")
    assert mail(suite, source="127.0.0.2") == (250, "")
    failed = suite.user_tool("forget", "192.0.2.1", check=False)
    assert failed.returncode == os.EX_NOUSER
    assert "192.0.2.1: nothing is counted there" in failed.stderr
    suite.stop()
    failed = suite.user_tool("tallies", "192.0.2.1", check=False)
    assert failed.returncode == os.EX_UNAVAILABLE
    assert "ledger does not run" in failed.stderr
