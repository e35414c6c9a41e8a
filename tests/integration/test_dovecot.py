# SPDX-License-Identifier: ISC
"""Dovecot serves IMAP on our Maildirs, with our users' passwords: from an
exported file, and by asking postrider-checkpassword."""
import imaplib
import os
import pwd

import pytest

import peers
from suite import SECONDS, Suite, free_port, program
from test_junk import Smtpd, pop3, subjects

ANN, BOB = "ann@example.test", "bob@example.test"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="Dovecot's users need root"),
    pytest.mark.skipif(not os.path.exists("/usr/lib/dovecot/imap")
                       or not peers.find("dovecot"),
                       reason="dovecot-imapd is not installed"),
]

BY_FILE = """passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = passwd-file
  args = {users}
}}
"""
BY_PROGRAM = """passdb {{
  driver = checkpassword
  args = {checkpassword} -c {config}
}}
userdb {{
  driver = prefetch
}}
service auth {{
  user = root
  vsz_limit = 0
}}
"""


class Dovecot(peers.Peer):
    def __init__(self, databases):
        super().__init__()
        self.port = free_port()
        owner = pwd.getpwnam("postrider-mail")
        config = self.write("dovecot.conf", f"""protocols = imap
listen = 127.0.0.1
base_dir = {self.path('run')}
state_dir = {self.path('state')}
log_path = {self.path('log')}
ssl = no
disable_plaintext_auth = no
first_valid_uid = {owner.pw_uid}
first_valid_gid = {owner.pw_gid}
service imap-login {{
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
{databases}""")
        self.spawn([peers.find("dovecot"), "-F", "-c", config])
        self.ready(lambda: self.wait_listening("127.0.0.1", self.port))

    def log(self):
        with open(self.path("log"), errors="replace") as f:
            return f.read()


@pytest.mark.parametrize("databases", [BY_FILE, BY_PROGRAM],
                         ids=["export", "checkpassword"])
def test_imap(databases):
    with Suite(root=True, users=[ANN]) as suite:
        with suite.smtp() as client:
            client.sendmail("bob@client.test", [ANN],
                            "Subject: for both\r\n\r\nhello\r\n")
        suite.wait_maildir(ANN, 1)
        users = suite.path("users")
        with open(users, "w") as f:
            f.write(suite.user_tool("export", "--format", "dovecot").stdout)
        os.chmod(users, 0o644)
        with Dovecot(databases.format(
                users=users, config=suite.config,
                checkpassword=program("postrider-checkpassword"))) as dovecot:
            try:
                read(dovecot, suite)
                if databases == BY_PROGRAM:
                    assert ("login failed client=127.0.0.1 service=admin"
                            in suite.log_text())
            except BaseException:
                print(dovecot.log())
                raise


def read(dovecot, suite):
    imap = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=SECONDS)
    with pytest.raises(imaplib.IMAP4.error):
        imap.login(ANN, "wrong")
    assert imap.login(ANN, suite.passwords[ANN])[0] == "OK"
    assert imap.select()[1] == [b"1"]
    assert b"Subject: for both" in imap.fetch("1", "(BODY[HEADER])")[1][0][1]
    # What one of them does, the other shows.
    client = suite.pop3(ANN)
    uid = client.uidl()[1][0].split()[1]
    client.quit()
    imap.store("1", "+FLAGS", r"(\Seen \Flagged)")
    client = suite.pop3(ANN)
    assert client.uidl()[1][0].split()[1] == uid
    client.dele(1)
    client.quit()
    imap.noop()
    assert imap.select()[1] == [b"0"]
    imap.logout()


def test_junk_is_a_folder_there():
    """Made by us, it is one that Dovecot lists; made by Dovecot, it is ours."""
    with Suite(root=True, users=[ANN, BOB], extra=["junk folder"]) as suite, \
            Smtpd.of(suite) as smtpd:
        with Dovecot(BY_PROGRAM.format(
                config=suite.config,
                checkpassword=program("postrider-checkpassword"))) as dovecot:
            imap = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=SECONDS)
            imap.login(BOB, suite.passwords[BOB])
            assert imap.create("Junk")[0] == "OK"
            assert imap.subscribe("Junk")[0] == "OK"
            for address in ANN, BOB:
                smtpd.commit(address, b"Subject: for sale\n\nbuy\n")
            suite.wait_queue_empty()
            assert imap.select("Junk")[1] == [b"1"]
            [subscribed] = imap.lsub()[1]
            assert subscribed.endswith(b"Junk")
            imap.logout()
            imap = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=SECONDS)
            imap.login(ANN, suite.passwords[ANN])
            assert any(line.rstrip(b'"').endswith(b"Junk")
                       for line in imap.list()[1])
            assert imap.select("INBOX")[1] == [b"0"]
            assert imap.select("Junk")[1] == [b"1"]
            assert b"for sale" in imap.fetch("1", "(BODY[HEADER])")[1][0][1]
            imap.logout()
            for address in ANN, BOB:
                assert subjects(pop3(
                    suite, address.replace("@", "+Junk@"),
                    suite.passwords[address])) == [b"Subject: for sale"]
