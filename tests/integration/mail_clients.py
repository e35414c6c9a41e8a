# SPDX-License-Identifier: ISC
"""Other people's clients, under TLS, each told which mechanism to use.

    SMTP["curl"].send(suite, login, message)
    POP3["mpop"].fetch(suite, login)     the message they got

A Login says who, by which mechanism, with what.  Each client verifies the
server's certificate.
"""
import dataclasses
import os
import poplib
import pty
import select
import smtplib
import subprocess
import time

import peers
from suite import SECONDS

NAME = "localhost"  # in the certificate of a Suite(tls=True)


@dataclasses.dataclass
class Login:
    user: str
    mechanism: str
    secret: str  # password, or token

    @property
    def is_token(self):
        return self.mechanism in ("OAUTHBEARER", "XOAUTH2")


def call(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True,
                          timeout=SECONDS * 2, check=False, text=True,
                          **options)
    if done.returncode:
        raise AssertionError(f"{command}: exit {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stdout


def private(suite, name, text):
    """A file as these clients want it: readable by us alone."""
    path = suite.path(name)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600),
              "w") as f:
        f.write(text)
    return path


def environment(suite):
    return dict(os.environ, HOME=suite.folder, FETCHMAILHOME=suite.folder,
                USER="root", TERM="xterm", LC_ALL="C")


class Client:
    """program: what must be installed; mechanisms: what it can."""

    def __init__(self, program, run, *mechanisms):
        self.program, self.run, self.mechanisms = program, run, mechanisms

    def there(self):
        return self.program is None or peers.find(self.program)

    send = fetch = lambda self, *arguments: self.run(*arguments)


# -- curl --

def curl_login(suite, login):
    options = ["-sS", "--ssl-reqd", "--cacert", suite.ca.path,
               "--login-options", "AUTH=" + login.mechanism.replace(
                   "APOP", "+APOP")]
    if login.is_token:
        return [*options, "--user", login.user + ":",
                "--oauth2-bearer", login.secret]
    return [*options, "--user", f"{login.user}:{login.secret}"]


def curl_send(suite, login, message):
    letter = private(suite, "letter", message)
    call("curl", *curl_login(suite, login), "--crlf",
         f"smtps://{NAME}:{suite.ports['submissions']}/client.test",
         "--mail-from", login.user, "--mail-rcpt", login.user,
         "--upload-file", letter)


def curl_send_starttls(suite, login, message):
    letter = private(suite, "letter", message)
    call("curl", *curl_login(suite, login), "--crlf", "--sasl-ir",
         f"smtp://{NAME}:{suite.ports['submission']}/client.test",
         "--mail-from", login.user, "--mail-rcpt", login.user,
         "--upload-file", letter)


def curl_fetch(suite, login):
    return call("curl", *curl_login(suite, login),
                f"pop3s://{NAME}:{suite.ports['pop3s']}/1")


def curl_fetch_stls(suite, login):
    return call("curl", *curl_login(suite, login), "--sasl-ir",
                f"pop3://{NAME}:{suite.ports['pop3']}/1")


# -- swaks --

def swaks_send(suite, login, message):
    call("swaks", "--server", NAME, "--port", suite.ports["submission"],
         "--tls", "--tls-verify", "--tls-ca-path", suite.ca.path,
         "--tls-sni", suite.hostname, "--auth", login.mechanism,
         "--auth-user", login.user, "--auth-password", login.secret,
         "--from", login.user, "--to", login.user, "--data", "-",
         input=message)


def swaks_send_implicit(suite, login, message):
    call("swaks", "--server", NAME, "--port", suite.ports["submissions"],
         "--tls-on-connect", "--tls-verify", "--tls-ca-path", suite.ca.path,
         "--auth", login.mechanism, "--auth-user", login.user,
         "--auth-password", login.secret, "--from", login.user,
         "--to", login.user, "--data", "-", input=message)


# -- msmtp and mpop --

def lambers(suite, login, port, implicit):
    return f"""account default
host {NAME}
port {port}
tls on
tls_starttls {'off' if implicit else 'on'}
tls_trust_file {suite.ca.path}
auth {login.mechanism.lower()}
user {login.user}
password "{login.secret}"
"""


def msmtp_send(suite, login, message, kind="submission"):
    config = lambers(suite, login, suite.ports[kind], kind == "submissions")
    call("msmtp", "-C", private(suite, "msmtprc", config
                                + f"from {login.user}\n"),
         login.user, input=message)


def msmtp_send_implicit(suite, login, message):
    msmtp_send(suite, login, message, "submissions")


def mpop_fetch(suite, login, kind="pop3s"):
    config = lambers(suite, login, suite.ports[kind], kind == "pop3s")
    mbox = suite.path("mbox")
    call("mpop", "-C", private(suite, "mpoprc", config + f"""keep on
received_header off
uidls_file {suite.path('uidls-' + login.mechanism + kind)}
delivery mbox {mbox}
"""))
    return taken(mbox)


def mpop_fetch_stls(suite, login):
    return mpop_fetch(suite, login, "pop3")


def taken(path):
    with open(path) as f:
        text = f.read()
    os.unlink(path)
    return text


# -- fetchmail --

def fetchmail_fetch(suite, login, kind="pop3s"):
    """Its word for USER and PASS is password."""
    tls = "ssl" if kind == "pop3s" else "sslproto \"TLS1+\""
    protocol, method = ("apop", "") if login.mechanism == "APOP" else (
        "pop3", "auth " + login.mechanism.lower().replace("user", "password"))
    mbox = suite.path("fetched")
    rc = private(suite, "fetchmailrc", f"""set idfile {suite.path('ids')}
set pidfile {suite.path('fetchmail.pid')}
poll {NAME} service {suite.ports[kind]} protocol {protocol} {method}
  user "{login.user}" password "{login.secret}"
  {tls} sslcertck sslcertfile {suite.ca.path} keep fetchall
  mda "cat >>{mbox}"
""")
    call("fetchmail", "-f", rc, "--nosyslog", env=environment(suite))
    return taken(mbox)


def fetchmail_fetch_stls(suite, login):
    return fetchmail_fetch(suite, login, "pop3")


# -- gsasl: a login, no message --

def gsasl_send(suite, login, message):
    shown = call("gsasl", "--smtp", "--starttls", "--x509-ca-file",
                 suite.ca.path, "--hostname", NAME,
                 *([] if login.mechanism.endswith("-PLUS") else ["--no-cb"]),
                 "-m", login.mechanism, "-a", login.user, "-p", login.secret,
                 f"--connect={NAME}:{suite.ports['submission']}",
                 input="\n", env=environment(suite))
    assert "\n235 2.7.0 " in shown, shown
    with suite.submission(login.user) as smtp:
        smtp.sendmail(login.user, [login.user], message)


# -- mutt --

def on_a_terminal(command, env, answers=(), seconds=SECONDS):
    """(wait status, all that was shown) of a command that wants a terminal.
    answers: [(text, keys)], each given once when the text has shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, env)
    answers, shown, end = list(answers), b"", time.monotonic() + seconds
    try:
        while select.select([terminal], [], [], end - time.monotonic())[0]:
            shown += os.read(terminal, 65536)
            if answers and answers[0][0].encode() in shown:
                os.write(terminal, answers.pop(0)[1].encode())
        os.kill(pid, 9)
    except OSError:
        pass  # EIO: the other side of the terminal has gone
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    return status, shown.decode(errors="replace")


def muttrc(suite, login, more):
    """Debian's mutt chooses SCRAM-SHA-256-PLUS where it is left the choice,
    and cannot do it."""
    name = login.mechanism.lower()
    return private(suite, "muttrc", f"""set folder={suite.folder}
set certificate_file={suite.ca.path} ssl_force_tls=yes ssl_verify_host=yes
set sleep_time=0 wait_key=no copy=no from="{login.user}"
set pop_user="{login.user}" pop_pass="{login.secret}"
set pop_authenticators="{name}" smtp_authenticators="{name}"
set smtp_pass="{login.secret}"
set smtp_url="smtps://{login.user}@{NAME}:{suite.ports['submissions']}/"
{more}
""")


def mutt_fetch(suite, login):
    box = suite.path("piped")
    rc = muttrc(suite, login,
                f"push '<pipe-message>cat >{box}<enter><exit>'")
    status, shown = on_a_terminal(
        ["mutt", "-n", "-F", rc, "-R", "-f",
         f"pops://{NAME}:{suite.ports['pop3s']}/"], environment(suite))
    assert status == 0 and os.path.exists(box), shown
    return taken(box)


def mutt_send(suite, login, message):
    """It makes its own header."""
    call("mutt", "-n", "-F", muttrc(suite, login, ""), "-s", "by mutt", "--",
         login.user, input=message, env=environment(suite))


# -- Python --

def python_fetch(suite, login):
    pop3 = suite.pop3(kind="pop3s")
    if login.mechanism == "APOP":
        pop3.apop(login.user, login.secret)
    else:
        pop3.user(login.user)
        pop3.pass_(login.secret)
    lines = pop3.retr(1)[1]
    pop3.quit()
    return b"\n".join(lines).decode()


def python_send(suite, login, message):
    with suite.smtp("submission", tls=True) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = login.user, login.secret
        method = login.mechanism.lower().replace("-", "_")
        smtp.auth(login.mechanism, getattr(smtp, "auth_" + method))
        smtp.sendmail(login.user, [login.user], message)


# Told to take XOAUTH2, curl takes OAUTHBEARER where that is offered, too.
SMTP = {
    "curl (smtps)": Client("curl", curl_send, "PLAIN", "LOGIN", "CRAM-MD5",
                           "OAUTHBEARER"),
    "curl (STARTTLS, initial response)": Client(
        "curl", curl_send_starttls, "PLAIN", "LOGIN", "OAUTHBEARER"),
    "swaks (STARTTLS)": Client("swaks", swaks_send, "PLAIN", "LOGIN",
                               "CRAM-MD5"),
    "swaks (implicit)": Client("swaks", swaks_send_implicit, "PLAIN",
                               "LOGIN"),
    "msmtp (STARTTLS)": Client("msmtp", msmtp_send, "PLAIN", "LOGIN",
                               "SCRAM-SHA-256", "CRAM-MD5", "OAUTHBEARER",
                               "XOAUTH2"),
    "msmtp (implicit)": Client("msmtp", msmtp_send_implicit, "PLAIN",
                               "SCRAM-SHA-256"),
    "mutt (implicit)": Client("mutt", mutt_send, "PLAIN", "SCRAM-SHA-256"),
    "gsasl": Client("gsasl", gsasl_send, "PLAIN", "LOGIN", "SCRAM-SHA-256",
                    "SCRAM-SHA-256-PLUS", "CRAM-MD5"),
    "Python": Client(None, python_send, "PLAIN", "LOGIN", "CRAM-MD5"),
}
POP3 = {
    "curl (pop3s)": Client("curl", curl_fetch, "PLAIN", "LOGIN", "CRAM-MD5",
                           "APOP", "OAUTHBEARER"),
    "curl (STLS, initial response)": Client(
        "curl", curl_fetch_stls, "PLAIN", "LOGIN", "OAUTHBEARER"),
    "mpop (pop3s)": Client("mpop", mpop_fetch, "USER", "PLAIN", "LOGIN",
                           "SCRAM-SHA-256", "CRAM-MD5", "APOP",
                           "OAUTHBEARER", "XOAUTH2"),
    "mpop (STLS)": Client("mpop", mpop_fetch_stls, "USER", "PLAIN",
                          "SCRAM-SHA-256"),
    "fetchmail (pop3s)": Client("fetchmail", fetchmail_fetch, "USER",
                                "CRAM-MD5", "APOP"),
    "fetchmail (STLS)": Client("fetchmail", fetchmail_fetch_stls, "USER"),
    "mutt (pop3s)": Client("mutt", mutt_fetch, "USER", "SCRAM-SHA-256",
                           "PLAIN", "APOP"),
    "Python": Client(None, python_fetch, "USER", "APOP"),
}
