# SPDX-License-Identifier: ISC
"""smtpd -i and pop3d -i under a superserver; the owners run under
`postrider start` without listeners."""
import os
import poplib
import smtplib

import pytest

from peers import Peer
from suite import SECONDS, LogLine, free_port, program
from test_clients import TEXT

ANN = "ann@example.test"


class Tcpserver(Peer):
    """ucspi-tcp's tcpserver in front of one of our programs."""

    def __init__(self, tcpserver, suite, name, *options):
        super().__init__()
        self.port = free_port()
        self.spawn([tcpserver, "-v", "-H", "-R", "-l0", "127.0.0.1",
                    str(self.port), program(name), "-c", suite.config, "-i",
                    *options],
                   env=suite._environment(), **suite._as_user())
        self.ready(lambda: self.wait_listening("127.0.0.1", self.port))


@pytest.fixture(params=["root", "user"])
def owners(request, make_suite):
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    return make_suite(root=request.param == "root", users=[ANN], tls=True,
                      listen=[("smtp", "127.0.0.1")]).start()


def test_smtp(owners, tool):
    with Tcpserver(tool("tcpserver"), owners, "smtpd") as server:
        for n in range(3):
            with smtplib.SMTP("127.0.0.1", server.port,
                              timeout=SECONDS) as smtp:
                smtp.sendmail("x@elsewhere.test", [ANN],
                              TEXT.format(client=n))
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    smtp.sendmail("x@elsewhere.test", ["no@example.test"],
                                  "x")
        owners.wait_maildir(ANN, 3)
        # What smtpd says itself goes to the superserver's log.
        accepted = [LogLine(line) for line in server.output().splitlines()
                    if " accepted " in line]
        assert [line["client"] for line in accepted] == ["127.0.0.1"] * 3


def test_pop3(owners, tool):
    with owners.smtp() as smtp:
        smtp.sendmail("x@elsewhere.test", [ANN], TEXT.format(client="pop"))
    owners.wait_maildir(ANN)
    with Tcpserver(tool("tcpserver"), owners, "pop3d") as server:
        for _ in range(2):
            pop3 = poplib.POP3("127.0.0.1", server.port, timeout=SECONDS)
            pop3.user(ANN)
            pop3.pass_(owners.passwords[ANN])
            assert pop3.stat()[0] == 1
            assert b"Bonjour from pop." in pop3.retr(1)[1]
            pop3.quit()


def test_tls(owners, tool):
    """STARTTLS and STLS, and TLS from the start, with -l."""
    suite, context = owners, owners.tls_context()
    password = suite.passwords[ANN]
    with Tcpserver(tool("tcpserver"), suite, "smtpd", "-l",
                   "submission") as server:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=SECONDS) as smtp:
            smtp.starttls(context=context)
            smtp.login(ANN, password)
            smtp.sendmail(ANN, [ANN], TEXT.format(client="starttls"))
    with Tcpserver(tool("tcpserver"), suite, "smtpd", "-l",
                   "submissions") as server:
        with smtplib.SMTP_SSL("127.0.0.1", server.port, timeout=SECONDS,
                              context=context) as smtp:
            smtp.login(ANN, password)
            smtp.sendmail(ANN, [ANN], TEXT.format(client="tls"))
    suite.wait_maildir(ANN, 2)
    with Tcpserver(tool("tcpserver"), suite, "pop3d") as server:
        pop3 = poplib.POP3("127.0.0.1", server.port, timeout=SECONDS)
        pop3.stls(context=context)
        pop3.user(ANN)
        pop3.pass_(password)
        assert pop3.stat()[0] == 2
        pop3.quit()
    with Tcpserver(tool("tcpserver"), suite, "pop3d", "-l",
                   "pop3s") as server:
        pop3 = poplib.POP3_SSL("127.0.0.1", server.port, timeout=SECONDS,
                               context=context)
        pop3.user(ANN)
        pop3.pass_(password)
        assert pop3.stat()[0] == 2
        pop3.quit()


def test_without_owners_it_is_temporary(make_suite, tool):
    """No suite runs: 4xx to the client, not silence."""
    suite = make_suite(users=[ANN]).start()
    suite.stop()
    with Tcpserver(tool("tcpserver"), suite, "smtpd") as server:
        with suite_socket(server.port) as s:
            assert s.makefile("rb").readline().startswith(b"421 4.")


def suite_socket(port):
    import socket
    s = socket.create_connection(("127.0.0.1", port), SECONDS)
    s.settimeout(SECONDS)
    return s


def test_sendmail_bs(suite):
    """sendmail -bs: SMTP on standard input and output, as a local user."""
    script = ("EHLO localhost\r\nMAIL FROM:<ann@example.test>\r\n"
              f"RCPT TO:<{ANN}>\r\nDATA\r\nSubject: bs\r\n\r\nhello\r\n"
              ".\r\nQUIT\r\n")
    done = suite.run("sendmail", "-bs", input=script)
    assert done.stdout.startswith("220 ")
    assert "\n221 " in done.stdout
    suite.wait_maildir(ANN)
