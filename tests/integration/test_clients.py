# SPDX-License-Identifier: ISC
"""Every client that people really use says what it always says."""
import email
import os
import poplib
import smtplib
import subprocess

import pytest

from suite import PASSWORD, SECONDS

ANN = "ann@example.test"
TEXT = """From: Someone <ann@example.test>
To: Ann <ann@example.test>
Subject: by {client}
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <{client}@elsewhere.test>

Bonjour from {client}.
.
..two dots, and a line with one alone above
"""


def call(*command, check=True, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True,
                          text=True, timeout=SECONDS * 2, check=False,
                          **options)
    if check and done.returncode:
        raise AssertionError(f"{command}: exit {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def private(suite, name, text):
    """A config file as these clients want it: readable by us alone."""
    path = suite.path(name)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600),
              "w") as f:
        f.write(text)
    return path


def arrived(suite, client):
    """The message in ann's Maildir, whole."""
    for path in suite.wait_maildir(ANN):
        with open(path, "rb") as f:
            octets = f.read()
        message = email.message_from_bytes(octets)
        if message["Subject"] == f"by {client}":
            # swaks ends its data with a line of its own.
            assert octets.rstrip(b"\n").endswith(
                TEXT.format(client=client).split("\n\n")[1].strip().encode())
            assert message["Return-Path"]
            return message
    raise AssertionError(f"nothing by {client}")


def give(suite, *clients):
    """Messages in ann's Maildir for the POP3 clients to find."""
    with suite.smtp() as smtp:
        for client in clients:
            smtp.sendmail("someone@elsewhere.test", [ANN],
                          TEXT.format(client=client))
    suite.wait_maildir(ANN, len(clients))


# -- SMTP --

def test_smtplib(suite):
    with suite.smtp() as smtp:
        assert smtp.ehlo()[0] == 250
        for extension in ("pipelining", "size", "8bitmime", "smtputf8",
                          "enhancedstatuscodes", "limits"):
            assert smtp.has_extn(extension), extension
        assert not smtp.has_extn("auth")
        smtp.sendmail("someone@elsewhere.test", [ANN],
                      TEXT.format(client="smtplib"))
    assert arrived(suite, "smtplib")["Return-Path"] == \
        "<someone@elsewhere.test>"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_smtplib_login(suite, mechanism):
    with suite.smtp("submission") as smtp:
        smtp.ehlo()
        assert mechanism in smtp.esmtp_features["auth"].split()
        smtp.user, smtp.password = ANN, PASSWORD
        smtp.auth(mechanism, getattr(
            smtp, f"auth_{mechanism.lower()}"), initial_response_ok=True)
        smtp.sendmail(ANN, [ANN], TEXT.format(client="smtplib"))
    assert "ESMTPA" in arrived(suite, "smtplib")["Received"]


def test_smtplib_wrong_password(suite):
    with suite.smtp("submission") as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            smtp.login(ANN, "not this")
        assert refusal.value.smtp_code == 535
        assert refusal.value.smtp_error.startswith(b"5.7.8 ")


def test_swaks(suite, tool):
    text = TEXT.format(client="swaks")
    call(tool("swaks"), "--server", f"127.0.0.1:{suite.ports['smtp']}",
         "--from", "someone@elsewhere.test", "--to", ANN, "--data", "-",
         input=text)
    arrived(suite, "swaks")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_login(suite, tool, mechanism):
    call(tool("swaks"), "--server", f"127.0.0.1:{suite.ports['submission']}",
         "--auth", mechanism, "--auth-user", ANN, "--auth-password", PASSWORD,
         "--from", ANN, "--to", ANN, "--data", "-",
         input=TEXT.format(client="swaks"))
    arrived(suite, "swaks")


def test_swaks_pipelined(suite, tool):
    call(tool("swaks"), "--server", f"127.0.0.1:{suite.ports['smtp']}",
         "--pipeline", "--from", "someone@elsewhere.test", "--to",
         f"{ANN},{ANN}", "--data", "-", input=TEXT.format(client="swaks"))
    arrived(suite, "swaks")


def test_curl_sends(suite, tool):
    path = suite.path("letter")
    with open(path, "w") as f:
        f.write(TEXT.format(client="curl"))
    call(tool("curl"), "-sS", "--crlf", "--user", f"{ANN}:{PASSWORD}",
         f"smtp://127.0.0.1:{suite.ports['submission']}/client.test",
         "--mail-from", ANN, "--mail-rcpt", ANN, "--upload-file", path)
    arrived(suite, "curl")


def test_msmtp(suite, tool):
    config = private(suite, "msmtprc", f"""account default
host 127.0.0.1
port {suite.ports['submission']}
auth plain
user {ANN}
password "{PASSWORD}"
tls off
from {ANN}
""")
    call(tool("msmtp"), "-C", config, ANN, input=TEXT.format(client="msmtp"))
    arrived(suite, "msmtp")


def test_perl_net_smtp(suite, tool):
    script = """
use Net::SMTP;
my ($port, $ann) = @ARGV;
my $s = Net::SMTP->new("127.0.0.1", Port => $port, Timeout => 20) or die $@;
$s->mail('someone@elsewhere.test') or die $s->message;
$s->to($ann) or die $s->message;
$s->data(do { local $/; <STDIN> }) or die $s->message;
$s->quit or die $s->message;
"""
    call(tool("perl"), "-we", script, suite.ports["smtp"], ANN,
         input=TEXT.format(client="perl"))
    arrived(suite, "perl")


def test_perl_net_smtp_login(suite, tool):
    if call(tool("perl"), "-MAuthen::SASL", "-e", "1",
            check=False).returncode:
        pytest.skip("Authen::SASL is not installed")
    script = """
use Net::SMTP;
my ($port, $ann, $password) = @ARGV;
my $s = Net::SMTP->new("127.0.0.1", Port => $port, Timeout => 20) or die $@;
$s->auth($ann, $password) or die $s->message;
$s->mail($ann) or die $s->message;
$s->to($ann) or die $s->message;
$s->data(do { local $/; <STDIN> }) or die $s->message;
$s->quit or die $s->message;
"""
    call(tool("perl"), "-we", script, suite.ports["submission"], ANN,
         PASSWORD, input=TEXT.format(client="perl"))
    arrived(suite, "perl")


def test_smtp_source(suite, tool):
    from peers import smtp_source
    tool("smtp-source")
    smtp_source(suite.ports["smtp"], ANN, count=40, sessions=8)
    suite.wait_maildir(ANN, 40)
    smtp_source(suite.ports["smtp"], ANN, count=20, sessions=2,
                more=["-d"])
    assert len(suite.wait_maildir(ANN, 60)) == 60


# -- POP3 --

def test_poplib(suite):
    give(suite, "one", "two")
    pop3 = suite.pop3(ANN)
    assert pop3.stat()[0] == 2
    capabilities = pop3.capa()
    for name in ("TOP", "UIDL", "PIPELINING", "RESP-CODES"):
        assert name in capabilities, name
    sizes = [int(line.split()[1]) for line in pop3.list()[1]]
    uids = [line.split()[1] for line in pop3.uidl()[1]]
    assert len(set(uids)) == 2
    for number, size in enumerate(sizes, 1):
        lines = pop3.retr(number)[1]
        assert sum(len(line) + 2 for line in lines) == size
        assert b"." in lines
    top = pop3.top(1, 1)[1]
    assert top[top.index(b"") + 1:] == [b"Bonjour from one."]
    pop3.dele(1)
    pop3.rset()
    pop3.dele(2)
    pop3.quit()
    pop3 = suite.pop3(ANN)
    assert [line.split()[1] for line in pop3.uidl()[1]] == [uids[0]]
    pop3.quit()
    assert len(suite.messages(ANN)) == 1


def test_poplib_wrong_password(suite):
    pop3 = suite.pop3()
    pop3.user(ANN)
    with pytest.raises(poplib.error_proto) as refusal:
        pop3.pass_("not this")
    assert refusal.value.args[0].startswith(b"-ERR")
    pop3.close()


def test_curl_reads(suite, tool):
    give(suite, "curl")
    url = f"pop3://127.0.0.1:{suite.ports['pop3']}"
    login = ["--user", f"{ANN}:{PASSWORD}"]
    listed = call(tool("curl"), "-sS", *login, url + "/").stdout
    assert listed.split()[0] == "1"
    text = call(tool("curl"), "-sS", *login, url + "/1").stdout
    assert TEXT.format(client="curl") in text.replace("\r\n", "\n")


def test_perl_net_pop3(suite, tool):
    give(suite, "perl")
    script = """
use Net::POP3;
my ($port, $ann, $password) = @ARGV;
my $p = Net::POP3->new("127.0.0.1", Port => $port, Timeout => 20) or die $@;
die $p->message unless $p->login($ann, $password) == 1;
print @{$p->get(1)};
$p->delete(1) or die $p->message;
$p->quit or die $p->message;
"""
    text = call(tool("perl"), "-we", script, suite.ports["pop3"], ANN,
                PASSWORD).stdout
    assert TEXT.format(client="perl") in text
    assert suite.messages(ANN) == []


def test_mpop(suite, tool):
    give(suite, "one", "two")
    config = private(suite, "mpoprc", f"""account default
host 127.0.0.1
port {suite.ports['pop3']}
auth user
user {ANN}
password "{PASSWORD}"
tls off
keep off
received_header off
uidls_file {suite.path('uidls')}
delivery mbox {suite.path('mbox')}
""")
    call(tool("mpop"), "-C", config)
    with open(suite.path("mbox")) as f:
        text = f.read()
    assert "Bonjour from one." in text and "Bonjour from two." in text
    assert suite.messages(ANN) == []


def test_fetchmail(suite, tool):
    give(suite, "one", "two")
    done = fetchmail(suite, tool("fetchmail"), ANN, suite.path("fetched"))
    assert "Bonjour from one." in done and "Bonjour from two." in done
    assert suite.messages(ANN) == []


def fetchmail(suite, fetchmail_path, address, into):
    """What fetchmail fetched, all of it in one text."""
    rc = private(suite, "fetchmailrc", f"""set idfile {suite.path('ids')}
set pidfile {suite.path('fetchmail.pid')}
poll 127.0.0.1 service {suite.ports['pop3']} protocol pop3
  auth password user "{address}" password "{PASSWORD}" sslproto ""
  mda "cat >>{into}"
""")
    call(fetchmail_path, "-f", rc, "--nosyslog",
         env=dict(os.environ, HOME=suite.folder, USER="root",
                  FETCHMAILHOME=suite.folder))
    with open(into) as f:
        return f.read()


# -- other readers of the same Maildir --

def test_python_mailbox_reads_the_maildir(suite):
    import mailbox
    give(suite, "one", "two")
    box = mailbox.Maildir(suite.maildir(ANN), create=False)
    assert sorted(m["Subject"] for m in box) == ["by one", "by two"]
    key = next(k for k, m in box.items() if m["Subject"] == "by one")
    message = box[key]
    message.set_subdir("cur")
    message.add_flag("S")
    box[key] = message
    pop3 = suite.pop3(ANN)
    assert pop3.stat()[0] == 2
    pop3.quit()


def test_mutt_reads_the_maildir(suite, tool):
    give(suite, "mutt")
    tool("mutt")
    piped = suite.path("piped")
    # Without a folder of mutt's own it would ask whether to make one.
    config = private(suite, "muttrc", f"""set folder={suite.folder}
push '<pipe-message>cat >{piped}<enter><exit>'
""")
    # mutt wants a terminal; script(1) gives it one.
    call(tool("script"), "-qec",
         f"mutt -F {config} -n -R -f {suite.maildir(ANN)}",
         suite.path("typescript"),
         env={"TERM": "xterm", "HOME": suite.folder,
              "PATH": os.environ["PATH"]},
         stdin=subprocess.DEVNULL)
    with open(piped) as f:
        assert "Bonjour from mutt." in f.read()
