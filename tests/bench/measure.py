# SPDX-License-Identifier: ISC
"""What every part of the bench counts and prints with."""
import contextlib
import os
import socket
import ssl
import statistics
import subprocess
import time

from suite import build_folder, descendants, process_name

IDLE = 1.5  # seconds; what is idle gives memory back after one
PASSWORD = "secret"
USERS = 32
SESSIONS = (1, 8, 32)


def say(*words):
    print(*words, flush=True)


def compare(title, unit, ours, theirs, name):
    a, b = statistics.median(ours), statistics.median(theirs)
    say(f"  {title:34} {a:10.1f} {b:10.1f} {unit:12} "
        f"{a / b:6.2f} x {name}")
    return a / b


def header(name):
    say(f"  {'':34} {'postrider':>10} {name:>10}")


def private_kib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith("Private_"))
    return total


def by_name(pid, *names):
    return [p for p in descendants(pid) if process_name(p) in names]


# -- sessions that are kept open --

class Session:
    """A connection, greeted; tls: "implicit", "STARTTLS", "STLS" or none.
    Nobody verifies the certificate."""

    def __init__(self, port, tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        if tls == "implicit":
            self._protect()
        self.file = self.socket.makefile("rb")
        self._reply()
        if tls == "STARTTLS":
            self.say("EHLO client.test")
        if tls in ("STARTTLS", "STLS"):
            self.say(tls)
            self._protect()
            self.file = self.socket.makefile("rb")

    def _protect(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def _reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line

    def say(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        line = self._reply()
        if line[:1] not in (b"2", b"+"):
            raise SystemExit(f"{command}: {line}")

    def close(self):
        self.file.close()
        self.socket.close()


def session_kib(server, names, port, logins, tls=None):
    """Private memory of the processes of these names while there is a
    session for each list of commands in logins, parents not counted: (a
    process's, all of them divided by the sessions)."""
    with contextlib.ExitStack() as stack:
        for commands in logins:
            session = Session(port, tls)
            stack.callback(session.close)
            for command in commands:
                session.say(command)
        time.sleep(IDLE)
        pids = by_name(server.pid(), *names)
        workers = [p for p in pids
                   if not any(q in pids for q in descendants(p))]
        kib = private_kib(workers)
    return kib / max(len(workers), 1), kib / len(logins)


# -- processors --

def cores():
    """(for servers, for clients): a processor each, where there are two."""
    mine = sorted(os.sched_getaffinity(0))
    return {mine[-1]}, {mine[0]}


@contextlib.contextmanager
def running_on(processors):
    """What is started within runs there, with all that it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def processor_seconds(pid):
    """What a process and its descendants, the ended ones too, have used."""
    ticks = 0
    for p in (pid, *descendants(pid)):
        with contextlib.suppress(OSError), open(f"/proc/{p}/stat") as f:
            ticks += sum(int(n) for n in f.read().rsplit(")", 1)[1]
                         .split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


# -- load under TLS --

class Load:
    """tests/bench/tlsload at work.  After finish(): .sessions, .rate a second,
    .cost seconds of the server's processor a session, .busy the clients'
    use of a processor (1: it is they that are measured)."""

    def __init__(self, server, protocol, port, clients, seconds, *options,
                 on=None):
        self.server = server
        self.what = f"tlsload {protocol} against {server.name}"
        self.before = processor_seconds(server.pid())
        with running_on(on or cores()[1]):
            self.process = subprocess.Popen(
                [os.path.join(build_folder(), "tests/bench/tlsload"),
                 *options, protocol, str(port), str(clients), str(seconds)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self):
        out, error = self.process.communicate(timeout=600)
        used = processor_seconds(self.server.pid()) - self.before
        if self.process.returncode:
            raise SystemExit(f"{self.what}: {out}{error}")
        self.sessions, took, clients_used = map(float, out.split())
        self.rate = self.sessions / took
        self.cost = used / max(self.sessions, 1)
        self.busy = clients_used / took
        return self
