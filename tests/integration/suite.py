# SPDX-License-Identifier: ISC
"""A whole Postrider in a folder of its own, for one test.

    with Suite() as suite:
        suite.add_user("ann@example.test", "secret")
        with suite.smtp() as client:
            client.sendmail("a@b.test", "ann@example.test", message)
        suite.wait_maildir("ann@example.test", 1)

As root it runs with the real accounts and chroots; Suite(root=False), and
every Suite of an ordinary user, runs as that user in a sandbox.  Nothing
outside its folder is written, only its own processes are ended.
"""
import atexit
import functools
import json
import os
import poplib
import pwd
import re
import shlex
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile

from pki import Authority
from ports import any_port
from quiet_dns import quiet_dns
from watch import NotifySocket, Timeout, wait_exit, wait_for

PROGRAMS = {
    "postrider": "supervisor", "smtpd": "smtpd", "pop3d": "pop3d",
    "smtp-gate": "smtpd",
    "deliver": "deliver", "queue": "queue", "postrider-queue": "queue",
    "mailbox": "mailbox", "ledger": "ledger", "fetch": "fetch",
    "userdb": "userdb", "postrider-user": "userdb",
    "keys": "keys", "postrider-key": "keys",
    "postrider-checkpassword": "tools", "postrider-dns": "tools",
    "postrider-mailauth": "mailauth",
    "postrider-report": "tools", "sendmail": "sendmail", "mailq": "sendmail",
    "newaliases": "sendmail",
}
KINDS = ("smtp", "submission", "submissions", "pop3", "pop3s")
DOMAIN = "example.test"
HOSTNAME = "mail.example.test"
# What the tests do from one address in a minute, and to one mailbox.
UNLIMITED = {"greet-delay": "0s", "greylist": "no", "sender-domain": "no",
             "error-delay": "0", **dict.fromkeys((
    "client-connections", "network-connections", "client-messages",
    "client-recipients", "unknown-recipients", "offences",
    "mailbox-messages", "login-messages", "login-recipients",
    "login-new-recipients"), 0)}
PASSWORD = "correct horse battery staple"
SECONDS = float(os.environ.get("POSTRIDER_TEST_SECONDS", "20"))


def build_folder():
    """Where the built programs lie: $POSTRIDER_BUILD, the current folder,
    build/ in the source tree, the source tree."""
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(os.path.dirname(here))
    for folder in (os.environ.get("POSTRIDER_BUILD"), os.getcwd(),
                   os.path.join(top, "build"), top):
        if folder and os.path.exists(
                os.path.join(folder, "supervisor", "postrider")):
            return os.path.abspath(folder)
    raise RuntimeError("no built postrider; set POSTRIDER_BUILD")


def _defined(name):
    with open(os.path.join(build_folder(), "build.h")) as f:
        return bool(re.search(rf"^#define {name} 1", f.read(), re.M))


def has(feature):
    """Was it built with that?  "CURL", "SECCOMP", ... of build.h."""
    return _defined(f"HAVE_{feature}")


def sanitized():
    """Built with sanitizers, which have memory of their own and keep what
    was freed?"""
    return _defined("SANITIZERS")


@functools.cache
def programs_folder():
    """The build folder; a copy of its programs where the user that root's
    tests become cannot reach them (a checkout below /root)."""
    build = build_folder()
    first = os.path.join(build, "supervisor", "postrider")
    if os.geteuid() != 0 or subprocess.run(
            ["test", "-x", first], **as_user(pwd.getpwnam("nobody")),
            check=False).returncode == 0:
        return build
    copy = tempfile.mkdtemp(prefix="pr-build-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    os.chmod(copy, 0o755)
    for name, folder in PROGRAMS.items():
        built = os.path.join(build, folder, name)
        os.makedirs(os.path.join(copy, folder), exist_ok=True)
        os.chmod(os.path.join(copy, folder), 0o755)
        if os.path.exists(built):
            os.chmod(shutil.copy(built, os.path.join(copy, folder)), 0o755)
    return copy


def as_user(user):
    """What subprocess wants to hear to become one, None: stay as we are."""
    return {"user": user.pw_uid, "group": user.pw_gid,
            "extra_groups": []} if user else {}


def program(name):
    """The path of a built program."""
    return os.path.join(programs_folder(), PROGRAMS[name], name)


_given_ports = set()


def free_port(address="127.0.0.1"):
    """A TCP port that nobody listens on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        port = any_port()
        if port in _given_ports:
            continue
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


def descendants(pid):
    """Pids of all living descendants of a process."""
    found = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as f:
                children = [int(c) for c in f.read().split()]
        except OSError:
            continue
        for child in children:
            found += [child] + descendants(child)
    return found


def process_name(pid):
    """The base name of the program a process runs, "" when it is gone.
    From its arguments: exe is unreadable for an undumpable process."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            first = f.read().split(b"\0")[0].decode()
    except OSError:
        return ""
    if not first:
        return ""
    return os.path.basename(first.split(":")[0].split()[0])


def can_trace():
    """May we look into other users' processes?  Root in a container may have
    no CAP_SYS_PTRACE."""
    with open("/proc/self/status") as f:
        [effective] = [line.split()[1] for line in f
                       if line.startswith("CapEff:")]
    return bool(int(effective, 16) & 1 << 19)


class LogLine(dict):
    """key=value pairs of a log line; .text is the line itself."""

    _pair = re.compile(r'(?<!\S)([a-z][a-z0-9_-]*)=("(?:[^"\\]|\\.)*"|\S*)')

    def __init__(self, text):
        super().__init__()
        self.text = text
        for key, value in self._pair.findall(text):
            if value.startswith('"'):
                value = value[1:-1].replace('\\"', '"')
            self[key] = value


class Suite:
    def __init__(self, *, root=None, extra=(), listen=None, hostname=HOSTNAME,
                 domains=(DOMAIN,), dns_server=None, smtp_port=None,
                 users=(), folder=None, environment=None, tls=False):
        """root: None is "when we are root".  extra: further config lines.
        tls: with a certificate of an authority of its own (.ca), and with
        all five kinds of listeners.
        listen: kinds or (kind, address) pairs instead of the usual three.
        users: (address, password) pairs or addresses, added before start.
        folder: keep everything in this folder instead of a temporary one."""
        self.root = os.geteuid() == 0 if root is None else root
        if self.root and os.geteuid() != 0:
            raise PermissionError("root=True needs root")
        self.user = None  # whom programs run as, where we are root
        if not self.root and os.geteuid() == 0:
            self.user = pwd.getpwnam("nobody")
        self.hostname, self.domains = hostname, list(domains)
        self.extra = [extra] if isinstance(extra, str) else list(extra)
        self.dns_server, self.smtp_port = dns_server, smtp_port
        self.environment = dict(environment or {})
        self._first_users = list(users)
        kinds = KINDS if tls else ("smtp", "submission", "pop3")
        self._listen_kinds = list(listen or kinds)
        self._temporary = folder is None
        if folder is None:
            base = os.environ.get("POSTRIDER_TEST_FOLDER", "/tmp")
            folder = tempfile.mkdtemp(prefix="pr-", dir=base)
        self.folder = folder
        os.chmod(folder, 0o755)
        self.config = self.path("postrider.conf")
        self.run_dir = self.path("run")
        self.log = self.path("log")
        self.stderr = self.path("stderr")
        for name in ("spool", "mail", "database"):
            setattr(self, name, self.path(name))
        self.process = None
        self.notify = None
        self.keep = False
        self.passwords = {}
        self._choose_ports()
        if self.user:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self.ca = None
        if tls:
            self.extra[:0] = self._certificate_lines()

    # -- set up --

    def _certificate_lines(self):
        os.mkdir(self.path("pki"))
        self.ca = Authority(self.path("pki"))
        certificate, key = self.issue(self.hostname, "localhost", "127.0.0.1",
                                      "::1")
        return [f"tls-certificate {certificate}", f"tls-key {key}"]

    def issue(self, *names, **options):
        """(certificate, key) by the suite's authority (pki.py), the key
        readable for whom the suite runs as."""
        pair = self.ca.issue(*names, **options)
        if self.user:
            os.chown(pair[1], self.user.pw_uid, self.user.pw_gid)
        return pair

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def _choose_ports(self):
        self.listen, self.ports, self.addresses = [], {}, {}
        for kind in self._listen_kinds:
            kind, address = (kind, "127.0.0.1") if isinstance(
                kind, str) else kind
            port = free_port(address)
            self.ports.setdefault(kind, port)
            self.addresses.setdefault(kind, address)
            shown = f"[{address}]" if ":" in address else address
            self.listen.append(f"listen {kind} {shown}:{port}")

    def config_lines(self):
        lines = [f"hostname {self.hostname}"]
        lines += [f"domain {domain}" for domain in self.domains]
        lines += self.listen
        lines += [f"spool-dir {self.spool}", f"mail-dir {self.mail}",
                  f"database-dir {self.database}", f"run-dir {self.run_dir}",
                  f"log-file {self.log}",
                  "allow-plaintext-auth 127.0.0.1",
                  "allow-plaintext-auth ::1"]
        # Never the machine's resolver: a test talks to loopback only.
        lines.append(f"dns-server {self.dns_server or quiet_dns()}")
        lines.append(f"smtp-port {self.smtp_port or 1}")
        # Every client of a test is a stranger; most tests are not about that.
        said = {line.split()[0] for line in self.extra if line.split()}
        lines += [f"{keyword} {value}" for keyword, value
                  in UNLIMITED.items() if keyword not in said]
        return lines + self.extra

    def write_config(self, *extra):
        """Write the config; extra lines are kept for later writes."""
        self.extra += extra
        with open(self.config, "w") as f:
            f.write("\n".join(self.config_lines()) + "\n")
        os.chmod(self.config, 0o644)

    def _as_user(self):
        return as_user(self.user)

    def _environment(self):
        kept = ("PATH", "HOME", "LANG", "TERM", "ASAN_OPTIONS",
                "UBSAN_OPTIONS", "LSAN_OPTIONS")
        env = {k: os.environ[k] for k in kept if k in os.environ}
        env["POSTRIDER_LIBEXEC"] = programs_folder()
        env.update(self.environment)
        return env

    def run(self, name, *arguments, input=None, check=True, config=True,
            seconds=SECONDS, text=True, **more):
        """Run one of our programs with -c; the CompletedProcess."""
        command = [program(name)]
        if config:
            command += ["-c", self.config]
        command += [str(a) for a in arguments]
        options = {"env": self._environment(), "cwd": self.folder,
                   **self._as_user(), **more}
        if input is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(
            command, input=input, capture_output=True, text=text,
            timeout=seconds, **options)
        if check and done.returncode != 0:
            raise AssertionError(
                f"{shlex.join(command)}: exit {done.returncode}\n"
                f"{done.stdout}{done.stderr}")
        return done

    def init(self):
        if not os.path.exists(self.config):
            self.write_config()
        self.run("postrider", "init")

    # -- life --

    def start(self, seconds=SECONDS):
        """init where needed, start in the foreground, wait for readiness."""
        first = not os.path.exists(self.spool)
        self.write_config()
        if first:
            self.init()
            for user in self._first_users:
                self.add_user(*((user,) if isinstance(user, str) else user))
        self.spawn()
        self.wait_ready(seconds)
        return self

    def spawn(self):
        """Start without waiting."""
        self.notify = NotifySocket(self.path("notify"))
        environment = self._environment()
        environment["NOTIFY_SOCKET"] = self.notify.path
        with open(self.stderr, "ab") as err:
            self.process = subprocess.Popen(
                [program("postrider"), "-c", self.config, "start", "-f"],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                env=environment, cwd=self.folder, start_new_session=True,
                **self._as_user())

    def wait_ready(self, seconds=SECONDS):
        alive = os.pidfd_open(self.process.pid)
        try:
            if not self.notify.wait("READY=1", seconds, alive):
                raise AssertionError(
                    f"postrider ended with {self.process.wait()}:\n"
                    f"{self.stderr_text()}{self.log_text()}")
        except Timeout as timeout:
            raise Timeout(f"{timeout}\n{self.stderr_text()}"
                          f"{self.log_text()}") from None
        finally:
            os.close(alive)

    @property
    def pid(self):
        return self.process.pid

    def stop(self, seconds=SECONDS):
        """End politely; every process of ours must be gone, exit code 0."""
        if not self.process:
            return
        family = descendants(self.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
            left = [p for p in family if not wait_exit(p, 5)]
        except subprocess.TimeoutExpired:
            code, left = "nothing (killed)", []
            left = descendants(self.pid)
        names = [process_name(p) for p in left]
        self._end_everything(left)
        if code != 0 or left:
            raise AssertionError(f"postrider ended with {code}, left behind "
                                 f"{names}\n{self.stderr_text()}"
                                 f"{self.log_text()[-4000:]}")

    def _end_everything(self, pids=()):
        """SIGKILL for what is left of this suite, and of nothing else."""
        if self.process:
            pids = set(pids) | set(descendants(self.pid))
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process = None
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            wait_exit(pid, 5)
        if self.notify:
            self.notify.close()
            self.notify = None

    def kill_all(self):
        """SIGKILL for every process of the suite at once, as if the power
        had gone (but for what the kernel has in memory)."""
        family = descendants(self.pid)
        self.process.kill()
        self.process.wait()
        self._end_everything(family)

    def restart(self):
        self.stop()
        self.start()

    def reload(self):
        self.write_config()
        self.run("postrider", "reload")

    def close(self):
        """Stop, remove the folder (keep it when asked)."""
        try:
            self.stop()
        finally:
            self._end_everything()
            if self._temporary and not self.keep:
                shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.keep_log()
            self.__exit__(None, None, None, failed=True)
            raise

    def __exit__(self, kind, value, traceback, failed=False):
        if kind:
            self.keep_log()
        try:
            self.close()
        except AssertionError:
            if not kind and not failed:
                raise

    def keep_log(self):
        """Where a failed test's log is found afterwards."""
        kept = os.path.join(tempfile.gettempdir(),
                            os.path.basename(self.folder) + ".log")
        with open(kept, "w") as f:
            f.write(self.stderr_text() + self.log_text())
        print(f"log kept in {kept}")

    # -- processes --

    def services(self):
        """{service: [pids]} of the running suite, from /proc."""
        found = {}
        for pid in descendants(self.pid):
            name = process_name(pid)
            if name:  # else it ended just now
                found.setdefault(name, []).append(pid)
        return found

    def parents(self):
        """{service: pid} of the processes the supervisor started itself."""
        return {process_name(p): p for p in descendants(self.pid)
                if self._parent(p) == self.pid}

    @staticmethod
    def _parent(pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            return 0

    def kill_service(self, name, how=signal.SIGKILL):
        """End a service's own process (the parent of its workers) and wait
        until it is gone.  The supervisor starts a new one."""
        pid = self.parents()[name]
        os.kill(pid, how)
        assert wait_exit(pid, SECONDS)
        return pid

    def status(self):
        return json.loads(self.run("postrider", "status", "--json").stdout)

    # -- users --

    def user_tool(self, *arguments, **options):
        return self.run("postrider-user", *arguments, **options)

    def add_user(self, address, password=PASSWORD):
        self.user_tool("add", "--password-stdin", address,
                       input=password + "\n")
        self.passwords[address] = password

    def add_alias(self, name, *targets):
        self.user_tool("alias", "add", name, *targets)

    # -- clients --

    def tls_context(self):
        """A client's, that trusts the suite's authority alone."""
        return ssl.create_default_context(cafile=self.ca.path)

    def smtp(self, kind="smtp", login=None, tls=False, **options):
        """A connected smtplib.SMTP; login: an address added before; tls:
        begin it (on submissions it is there from the start)."""
        address = self.addresses[kind], self.ports[kind]
        if kind == "submissions":
            client = smtplib.SMTP_SSL(*address, timeout=SECONDS,
                                      context=self.tls_context(), **options)
        else:
            client = smtplib.SMTP(*address, timeout=SECONDS, **options)
        if tls:
            client.starttls(context=self.tls_context())
        if login:
            client.login(login, self.passwords[login])
        return client

    def submission(self, login):
        return self.smtp("submission", login=login)

    def pop3(self, address=None, password=None, kind="pop3", tls=False):
        """A connected poplib.POP3, logged in where there is an address; tls:
        begin it (on pop3s it is there from the start)."""
        where = self.addresses[kind], self.ports[kind]
        if kind == "pop3s":
            client = poplib.POP3_SSL(*where, timeout=SECONDS,
                                     context=self.tls_context())
        else:
            client = poplib.POP3(*where, timeout=SECONDS)
        if tls:
            client.stls(context=self.tls_context())
        if address:
            client.user(address)
            client.pass_(password or self.passwords[address])
        return client

    def connect(self, kind="smtp"):
        """A bare connection, for what no client library says."""
        s = socket.create_connection((self.addresses[kind],
                                      self.ports[kind]), SECONDS)
        s.settimeout(SECONDS)
        return s

    def sendmail(self, *arguments, message="", **options):
        """Our sendmail(1)."""
        return self.run("sendmail", *arguments, input=message, **options)

    # -- mail --

    def maildir(self, address):
        local, _, domain = address.rpartition("@")
        return os.path.join(self.mail, domain, local.lower())

    def messages(self, address):
        """Paths of the messages in new/ and cur/, oldest name first."""
        return maildir_messages(self.maildir(address))

    def wait_maildir(self, address, count=1, seconds=SECONDS):
        """The paths, once there are at least that many messages."""
        return wait_maildir(self.maildir(address), count, seconds,
                            lambda: self.log_text()[-4000:])

    def queued(self):
        """Ids of the messages in the spool."""
        folder = os.path.join(self.spool, "envelope")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def wait_queue_empty(self, seconds=SECONDS):
        folders = [os.path.join(self.spool, n)
                   for n in ("envelope", "new", "cur")]
        wait_for(lambda: not any(os.listdir(f) for f in folders), *folders,
                 seconds=seconds, what="an empty queue")

    # -- log --

    @staticmethod
    def _text(path):
        try:
            with open(path, errors="backslashreplace") as f:
                return f.read()
        except OSError:
            return ""

    def log_text(self):
        return self._text(self.log)

    def stderr_text(self):
        return self._text(self.stderr)

    def log_lines(self):
        return [LogLine(line) for line in self.log_text().splitlines()]

    def wait_log(self, wanted, seconds=SECONDS):
        """The first log line for which wanted(line) is true; wanted may be
        a text that the line contains."""
        test = (lambda line: wanted in line.text) if isinstance(
            wanted, str) else wanted

        def look():
            return next((l for l in self.log_lines() if test(l)), None)
        try:
            return wait_for(look, self.log, seconds=seconds,
                            what=f"log line {wanted}")
        except Timeout as timeout:
            raise Timeout(f"{timeout}\n{self.log_text()[-4000:]}") from None


def maildir_messages(folder):
    found = []
    for sub in ("new", "cur"):
        try:
            names = os.listdir(os.path.join(folder, sub))
        except FileNotFoundError:
            continue
        found += [os.path.join(folder, sub, n) for n in names
                  if not n.startswith(".")]
    return sorted(found, key=os.path.basename)


def wait_maildir(folder, count, seconds=SECONDS, hint=lambda: ""):
    def look():
        found = maildir_messages(folder)
        return found if len(found) >= count else None
    try:
        return wait_for(look, os.path.join(folder, "new"),
                        os.path.join(folder, "cur"), seconds=seconds,
                        what=f"{count} messages in {folder}")
    except Timeout as timeout:
        raise Timeout(f"{timeout}, there are "
                      f"{len(maildir_messages(folder))}\n{hint()}") from None
