# SPDX-License-Identifier: ISC
"""The world around a Suite: a real DNS server, a real Postfix, sinks.

Each lives in a folder of its own, runs as a child of the test, and listens
on loopback only.
"""
import os
import pwd
import random
import re
import select
import shutil
import socket
import subprocess
import tempfile

from suite import SECONDS, descendants, free_port, maildir_messages
from suite import wait_maildir
from watch import NotifySocket, Timeout, now, wait_exit, wait_for

PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def find(name):
    return shutil.which(name, path=PATH)


def loopback_address():
    """One that nobody else is likely to use, for a port that is fixed."""
    return f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.1"


class Peer:
    """A child process with a folder; a context manager."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(
            prefix="pr-peer-", dir=os.environ.get("POSTRIDER_TEST_FOLDER",
                                                  "/tmp"))
        os.chmod(self.folder, 0o755)
        self.process = None

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def spawn(self, command, **options):
        with open(self.path("output"), "ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=self.folder, start_new_session=True, **options)

    def ready(self, wait):
        """Call wait; a peer that does not come up leaves nothing behind."""
        try:
            wait()
        except BaseException:
            self.close()
            raise

    def output(self):
        with open(self.path("output"), errors="replace") as f:
            return f.read()

    def wait_listening(self, address, port, seconds=SECONDS):
        """Servers without a way to say that they are ready are asked."""
        deadline = now() + seconds
        alive = os.pidfd_open(self.process.pid)
        try:
            while True:
                try:
                    socket.create_connection((address, port), 1).close()
                    return
                except OSError:
                    if now() > deadline:
                        raise Timeout(self.output()) from None
                if select.select([alive], [], [], 0.02)[0]:
                    raise AssertionError(self.output())
        finally:
            os.close(alive)

    def close(self):
        if self.process:
            family = descendants(self.process.pid)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            for pid in family:
                if not wait_exit(pid, 2):
                    os.kill(pid, 9)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Dns(Peer):
    """NSD with the zones given: {"peer.test": "@ MX 10 mx\\nmx A ..."};
    what is in none of them does not exist."""

    def __init__(self, zones, address="127.0.0.1", port=None):
        super().__init__()
        self.address, self.port = address, port or free_port(address)
        text = f"""server:
    ip-address: {address}@{self.port}
    username: ""
    chroot: ""
    zonesdir: "{self.folder}"
    pidfile: ""
    database: ""
    logfile: ""
    zonelistfile: "{self.path('zonelist')}"
    xfrdfile: "{self.path('xfrd')}"
    xfrdir: "{self.folder}"
    server-count: 1
    verbosity: 1
remote-control:
    control-enable: no
"""
        for name, records in zones.items():
            self.write(name + ".zone", f"""$ORIGIN {name}.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A {address}
{records}
""")
            text += f'zone:\n    name: "{name}"\n    zonefile: "{name}.zone"\n'
        self.write("root", "$ORIGIN .\n$TTL 60\n@ SOA ns.test. nobody.test. "
                   f"1 3600 600 86400 60\n@ NS ns.test.\nns.test. A {address}\n")
        text += 'zone:\n    name: "."\n    zonefile: "root"\n'
        config = self.write("nsd.conf", text)
        self.notify = NotifySocket(self.path("notify"))
        self.spawn([find("nsd"), "-d", "-c", config],
                   env={"PATH": PATH, "NOTIFY_SOCKET": self.notify.path})
        self.ready(self._wait_ready)

    def _wait_ready(self):
        alive = os.pidfd_open(self.process.pid)
        try:
            if not self.notify.wait("READY=1", SECONDS, alive):
                raise AssertionError(self.output())
        finally:
            os.close(alive)
            self.notify.close()

    @property
    def server(self):
        return f"{self.address}:{self.port}"


class Sink(Peer):
    """Postfix's smtp-sink: takes everything, keeps each message."""

    def __init__(self, address="127.0.0.2", *options, port=None):
        super().__init__()
        self.address, self.port = address, port or free_port(address)
        os.mkdir(self.path("taken"))
        user = pwd.getpwnam("nobody")
        command = [find("smtp-sink"), "-d", "taken/%s."]
        if os.geteuid() == 0:
            os.chown(self.path("taken"), user.pw_uid, user.pw_gid)
            command += ["-u", "nobody"]
        self.spawn([*command, *options, f"{address}:{self.port}", "100"])
        self.ready(lambda: self.wait_listening(address, self.port))

    def taken(self):
        folder = self.path("taken")
        return [os.path.join(folder, n) for n in sorted(os.listdir(folder))
                if os.path.getsize(os.path.join(folder, n))]

    def wait_taken(self, count, seconds=SECONDS):
        return wait_for(
            lambda: self.taken() if len(self.taken()) >= count else None,
            self.path("taken"), seconds=seconds, what=f"{count} in the sink")


class Postfix(Peer):
    """Debian's Postfix, the MX of a domain, with one user, bob, whose
    Maildir is .maildir.  Needs root."""

    def __init__(self, domain="peer.test", address="127.0.0.2", nameserver=None,
                 routes=None, port=None, main=""):
        """nameserver: an address on whose port 53 Postfix looks names up.
        routes: {domain: port}, MX look-ups with another port than 25.
        main: further lines of main.cf."""
        super().__init__()
        self.domain, self.address = domain, address
        self.port = port or free_port(address)
        self.log = self.path("maillog")
        self.home = self.path("home")
        self.maildir = os.path.join(self.home, "bob", "")
        for name in ("queue", "data", "home", "conf"):
            os.mkdir(self.path(name))
        postfix, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(self.path("data"), postfix.pw_uid, postfix.pw_gid)
        os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
        self.write("conf/virtual", f"bob@{domain} bob/\n")
        self.write("conf/transport", "".join(
            f"{d} smtp:{d}:{p}\n" for d, p in (routes or {}).items()))
        self.main = main
        self._configure(nobody)
        command = [find("postfix"), "-c", self.path("conf"), "start-fg"]
        if nameserver:
            resolv = self.write("resolv.conf", f"nameserver {nameserver}\n"
                                "options edns0 trust-ad\n")
            command = [find("unshare"), "-m", "sh", "-c",
                       'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                       resolv, *command]
        self.spawn(command, env={"PATH": PATH, "LANG": "C"})
        self.ready(lambda: self.wait_log("daemon started"))

    def _configure(self, nobody):
        self.write("conf/main.cf", f"""compatibility_level = 3.6
queue_directory = {self.path('queue')}
data_directory = {self.path('data')}
maillog_file = {self.log}
maillog_file_prefixes = {self.folder}
myhostname = mx.{self.domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
smtp_bind_address = {self.address}
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {self.domain}
virtual_mailbox_maps = texthash:{self.path('conf/virtual')}
virtual_mailbox_base = {self.home}
virtual_uid_maps = static:{nobody.pw_uid}
virtual_gid_maps = static:{nobody.pw_gid}
transport_maps = texthash:{self.path('conf/transport')}
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_host_lookup = dns
biff = no
minimal_backoff_time = 5s
queue_run_delay = 5s
{self.main}
""")
        services = """postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""
        self.write("conf/master.cf",
                   f"{self.address}:{self.port} inet n - n - - smtpd\n"
                   + services)

    def log_text(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def wait_log(self, pattern, seconds=SECONDS):
        alive = os.pidfd_open(self.process.pid)
        try:
            return wait_for(lambda: re.search(pattern, self.log_text()),
                            self.log, seconds=seconds, what=pattern,
                            alive=alive)
        except Timeout as timeout:
            raise Timeout(f"{timeout}\n{self.output()}"
                          f"{self.log_text()}") from None
        finally:
            os.close(alive)

    def messages(self):
        return maildir_messages(self.maildir)

    def wait_maildir(self, count=1, seconds=SECONDS):
        return wait_maildir(self.maildir, count, seconds, self.log_text)


def smtp_source(port, recipient, *, count=1, sessions=1, size=4096,
                sender="load@source.test", address="127.0.0.1", more=(),
                seconds=120):
    """Postfix's load generator; raises when it is refused anything."""
    subprocess.run(
        [find("smtp-source"), "-m", str(count), "-s", str(sessions),
         "-l", str(size), "-f", sender, "-t", recipient, *more,
         f"{address}:{port}"],
        check=True, capture_output=True, timeout=seconds)
