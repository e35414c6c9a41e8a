# SPDX-License-Identifier: ISC
"""The servers that are compared, each in a folder of its own."""
import os
import pwd

import peers
from measure import PASSWORD, USERS
from suite import Suite, free_port


class Ours:
    name = "postrider"
    fewer, durable = 1, True  # see rooted.py

    def __init__(self, pair=None, extra=(), **more):
        """pair: certificate and key, for TLS on all of its ports; extra:
        config lines; more: what else Suite understands"""
        lines = ["smtpd-processes 200", "pop3d-processes 200",
                 "max-client-sessions 200", "max-network-sessions 400", *extra]
        kinds = ["smtp", "submission", "pop3"]
        if pair:
            lines += [f"tls-certificate {pair[0]}", f"tls-key {pair[1]}"]
            kinds += ["submissions", "pop3s"]
        self.other = "other@example.test"
        self.suite = Suite(
            users=[(f"u{n}@example.test", PASSWORD)
                   for n in range(1, USERS + 1)] + [(self.other, PASSWORD)],
            listen=kinds, extra=lines, **more)
        try:
            self.suite.start()
        except BaseException:
            self.close()
            raise
        self.port = self.suite.ports["smtp"]
        self.pop3_port = self.suite.ports["pop3"]
        self.submission_port = self.suite.ports["submission"]
        self.smtps_port = self.suite.ports.get("submissions")
        self.pop3s_port = self.suite.ports.get("pop3s")
        self.recipient = "u1@example.test"
        self.inbox = self.maildir()
        self.address = "127.0.0.1"
        self.users = "u%d@example.test"
        self.owner = pwd.getpwnam("postrider-mail") if os.geteuid() == 0 \
            else None

    def maildir(self, n=1):
        return self.suite.maildir(f"u{n}@example.test")

    def pid(self):
        return self.suite.pid

    def forget(self):
        """Nothing but the Maildirs themselves is remembered."""

    def close(self):
        self.suite.close()


class TunedPostfix(peers.Postfix):
    """Debian's Postfix without its artificial throttles."""
    name = "postfix"
    fewer, durable = 1, True

    def __init__(self, pair=None, main=""):
        """pair: certificate and key, for STARTTLS and for smtps_port;
        main: further lines of main.cf"""
        self.pair = pair
        self.smtps_port = free_port()
        super().__init__("bench.test", "127.0.0.1", main=main)
        self.recipient = "bob@bench.test"
        self.inbox = self.path("home", "bob")

    def _configure(self, nobody):
        super()._configure(nobody)
        with open(self.path("conf/main.cf"), "a") as f:
            f.write("""default_process_limit = 200
in_flow_delay = 0
qmgr_message_active_limit = 50000
qmgr_message_recipient_limit = 50000
virtual_destination_concurrency_limit = 20
default_destination_concurrency_limit = 50
initial_destination_concurrency = 20
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
""")
        with open(self.path("conf/master.cf"), "a") as f:
            f.write("pickup unix n - n 60 1 pickup\n")  # postqueue -f asks
        if self.pair:
            self._add_tls()

    def _add_tls(self):
        path = self.path("conf/main.cf")
        with open(path) as f:
            text = f.read().replace("smtpd_tls_security_level = none",
                                    "smtpd_tls_security_level = may")
        self.write("conf/main.cf", text + "smtpd_tls_chain_files = "
                   f"{self.pair[1]}, {self.pair[0]}\n")
        with open(self.path("conf/master.cf"), "a") as f:
            f.write(f"""{self.address}:{self.smtps_port} inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes
tlsmgr unix - - n 1000? 1 tlsmgr
""")

    def pid(self):
        return self.process.pid


class Dovecot(peers.Peer):
    """Debian's Dovecot, POP3 only, processes kept between sessions, a
    password that needs no hashing."""
    name = "dovecot"

    def __init__(self, pair=None):
        """pair: certificate and key, for STLS and for pop3s_port"""
        super().__init__()
        self.pop3_port = free_port()
        self.pop3s_port = free_port() if pair else 0
        tls = f"""ssl = yes
ssl_cert = <{pair[0]}
ssl_key = <{pair[1]}""" if pair else "ssl = no"
        self.users = "u%d"
        self.owner = pwd.getpwnam("nobody")
        for n in range(1, USERS + 1):
            os.makedirs(self.maildir(n))
        for folder, _, _ in os.walk(self.path("home")):
            os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
        config = self.write("dovecot.conf", f"""protocols = pop3
listen = 127.0.0.1
base_dir = {self.path('run')}
state_dir = {self.path('state')}
log_path = {self.path('log')}
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain
mail_max_userip_connections = 0
first_valid_uid = 1
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={self.owner.pw_uid} gid={self.owner.pw_gid} home={self.path('home')}/%u
}}
mail_location = maildir:~/Maildir
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  client_limit = 1000
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
  inet_listener pop3s {{
    port = {self.pop3s_port}
    ssl = yes
  }}
}}
service pop3 {{
  service_count = 100000
  process_min_avail = 2
  process_limit = 1024
}}
service stats {{
  client_limit = 10000
}}
service anvil {{
  client_limit = 10000
}}
service auth {{
  client_limit = 10000
}}
default_vsz_limit = 1024M
""")
        self.spawn([peers.find("dovecot"), "-F", "-c", config])
        self.ready(lambda: self.wait_listening("127.0.0.1", self.pop3_port))

    def maildir(self, n=1):
        return self.path("home", f"u{n}", "Maildir")

    def pid(self):
        return self.process.pid

    def forget(self):
        """Without its index files."""
        for folder in os.listdir(self.path("home")):
            maildir = self.path("home", folder, "Maildir")
            for name in os.listdir(maildir):
                if name.startswith("dovecot"):
                    os.unlink(os.path.join(maildir, name))


