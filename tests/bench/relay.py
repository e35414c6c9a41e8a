# SPDX-License-Identifier: ISC
"""Accept by SMTP and hand on by SMTP, beside the peers."""
import contextlib
import os
import pwd
import re
import statistics
import time

import peers
from account import accounted
from local import head, line, makers, measured, source
from measure import say
from suite import free_port
from watch import Timeout

SESSIONS = 32
AIM = 2  # times the best peer


class CountingSink(peers.Peer):
    """Postfix's smtp-sink: takes everything, keeps nothing, counts."""

    def __init__(self, address="127.0.0.2", port=None):
        super().__init__()
        self.address, self.port = address, port or free_port(address)
        if os.geteuid() == 0:
            os.chown(self.folder, pwd.getpwnam("nobody").pw_uid, -1)
        self.spawn([peers.find("smtp-sink"), "-c",
                    *(["-u", "nobody"] if os.geteuid() == 0 else []),
                    f"{address}:{self.port}", "1000"])
        self.ready(lambda: self.wait_listening(address, self.port))

    def count(self):
        """Messages taken: the last of its running totals, each behind a
        carriage return."""
        with open(self.path("output"), "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - 500))
            found = re.findall(rb"mesg=(\d+)\s", f.read())
        return int(found[-1]) if found else 0

    def wait(self, count, seconds=300, pause=0.005):
        """Until it has taken so many; the time of it."""
        end = time.monotonic() + seconds
        while self.count() < count:
            if time.monotonic() > end:
                raise Timeout(f"{self.count()} of {count} in the sink")
            time.sleep(pause)
        return time.monotonic()


def relay(server, volume, sink, count):
    before = sink.count()
    return measured(
        server, volume, count,
        lambda: source(server, 4096, SESSIONS, count, True,
                       "someone@away.test"),
        lambda: sink.wait(before + count))


def bench_relay(options):
    say(f"\nrelay: 4 KiB, {SESSIONS} sessions, connections kept, until "
        "smtp-sink has taken the last;\nmessages a second and (ms of "
        f"processor time), median of {options.rounds}")
    count = 300 if options.quick else 3000
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(CountingSink())
        servers = [stack.enter_context(accounted(name, make))
                   for name, make in makers(
                       options, (sink.address, sink.port)).items()]
        head(servers)
        for server in servers:
            relay(server, options.volume, sink, 20)
        runs = {s: [] for s in servers}
        for _ in range(options.rounds):
            for server in servers:
                runs[server].append(relay(server, options.volume, sink,
                                          count // server.fewer))
        line("4 KiB, to one host", servers, runs, AIM)
        for server in servers:
            writes = statistics.median(r.written for r in runs[server])
            say(f"    {server.name}: {writes:.0f} KiB written a message")
