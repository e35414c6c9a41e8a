# SPDX-License-Identifier: ISC
"""Accept by SMTP and deliver to a local Maildir, beside the peers."""
import contextlib
import dataclasses
import os
import statistics
import struct
import subprocess
import time

import peers
import rooted
from account import Counter, accounted
from ceiling import ceilings
from measure import say
from servers import Ours, TunedPostfix
from watch import Timeout, Watch, wait_for

# size, sessions, messages and in a quick run, times the best peer
CELLS = ((4096, 1, 400, 60, 1.5), (4096, 8, 2000, 200, 3),
         (4096, 32, 2000, 300, 3), (4096, 100, 2000, 300, 3),
         (65536, 8, 800, 100, 2), (65536, 32, 800, 100, 2))
PROCESSOR_MS = 0.8  # a message of 4 KiB, at most


class Arrivals:
    """Counts names that appear in a Maildir's new/, from the kernel's
    events; reads them in batches, so as not to load the machine."""

    def __init__(self, maildir):
        self.watch = Watch(os.path.join(maildir, "new"))
        self.seen = 0

    def wait(self, count, seconds=300, pause=0.005):
        """Until there were so many; the time of it."""
        end = time.monotonic() + seconds
        while self.seen < count:
            if time.monotonic() > end:
                raise Timeout(f"{self.seen} of {count} arrived")
            time.sleep(pause)
            try:
                octets = os.read(self.watch.fd, 1 << 20)
            except BlockingIOError:
                continue
            at = 0
            while at < len(octets):
                _, mask, _, size = struct.unpack_from("iIII", octets, at)
                self.seen += bool(mask & 0x180)  # IN_CREATE, IN_MOVED_TO
                at += 16 + size
        return time.monotonic()

    def close(self):
        self.watch.close()


@dataclasses.dataclass
class Run:
    """Of one server, once."""
    rate: float  # messages a second
    processor: float  # ms a message
    written: float  # KiB a message


def source(server, size, sessions, count, reuse, recipient=None):
    """smtp-source at work."""
    return subprocess.Popen(
        [peers.find("smtp-source"), *(["-d"] if reuse else []),
         "-s", str(sessions), "-m", str(count), "-l", str(size),
         "-f", "load@source.test", "-t", recipient or server.recipient,
         f"{server.address}:{server.port}"])


def measured(server, volume, count, begin_load, wait):
    """begin_load() starts smtp-source, wait() returns when the last message
    was where it should be."""
    server.group.rest()
    volume.settle()
    written, used = volume.written(), server.group.seconds()
    begin = time.monotonic()
    load = begin_load()
    try:
        end = wait()
    finally:
        code = load.wait(60)
    if code:
        raise SystemExit(f"smtp-source against {server.name}: exit {code}")
    server.group.rest()
    used = server.group.seconds() - used
    volume.settle()
    return Run(count / (end - begin), used * 1000 / count,
               (volume.written() - written) / 1024 / count)


def deliver(server, volume, size, sessions, count, reuse):
    empty(server.inbox)
    arrivals = Arrivals(server.inbox)
    try:
        return measured(
            server, volume, count,
            lambda: source(server, size, sessions, count, reuse),
            lambda: arrivals.wait(count))
    finally:
        arrivals.close()


def empty(maildir):
    for sub in ("new", "cur"):
        folder = os.path.join(maildir, sub)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))


def first_message(server):
    """The Maildir is made with the first delivery."""
    peers.smtp_source(server.port, server.recipient, count=20, sessions=4,
                      address=server.address)
    new = server.inbox + "/new"
    wait_for(lambda: os.path.isdir(new) and len(os.listdir(new)) >= 20, new,
             what="the first messages")


# -- what is printed --

def head(servers):
    say(f"  {'':27}" + "".join(f"{s.name:>18}" for s in servers))


def line(title, servers, runs, aim):
    """runs: {server: [Run]}, ours first; rates, (ms of processor time) and
    whether we are as many times as fast as the best peer as we aim to be;
    (our rate, our ms)"""
    rates = [statistics.median(r.rate for r in runs[s]) for s in servers]
    costs = [statistics.median(r.processor for r in runs[s])
             for s in servers]
    text = f"  {title:27}" + "".join(
        f"{rate:10.0f} ({cost:5.2f})" for rate, cost in zip(rates, costs))
    rivals = [i for i, s in enumerate(servers) if i and s.durable]
    if rivals:
        best = max(rivals, key=lambda i: rates[i])
        text += "  " + verdict(rates[0] / rates[best], aim,
                               unit=f" x {servers[best].name}")
    say(text)
    return rates[0], costs[0]


def verdict(figure, least=None, most=None, unit=""):
    met = figure >= least if most is None else figure <= most
    bound = f"at least {least:g}" if most is None else f"at most {most:g}"
    return (f"{figure:.2f}{unit}, aim {bound}: "
            f"{'met' if met else 'not met'}")


# -- the part --

def makers(options, relay=None):
    """{name: () -> server}, ours first; relay: (address, port) to which
    all of them send all mail."""
    made = {
        "postrider": lambda: Ours(extra=(
            f"relay-host [{relay[0]}]:{relay[1]}",
            "relay-from 127.0.0.1") if relay else ("mail-auth no",)),
        "postfix": lambda: TunedPostfix(main=(
            f"relayhost = [{relay[0]}]:{relay[1]}\nmynetworks = 127.0.0.0/8"
            ) if relay else "")}
    servers, missing = rooted.found(options.peers)
    for server, root in servers.items():
        made[server.name] = lambda s=server, r=root: s(r, relay)
    if missing:
        say(f"  not installed: {', '.join(missing)}")
    return made


def title(size, sessions, reuse):
    return (f"{size // 1024:2} KiB, {sessions:3} sessions, "
            f"{'kept' if reuse else 'new'}")


def bench_local(options):
    say("\nlocal: messages a second until the last is in the Maildir, and "
        "(ms of processor time a\nmessage); one connection a message (new) "
        f"or kept open (kept); median of {options.rounds}, servers in turn")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(accounted(name, make))
                   for name, make in makers(options).items()]
        for server in servers:
            first_message(server)
        head(servers)
        rates, costs = {}, []
        for size, sessions, count, quick, aim in CELLS:
            for reuse in (False, True):
                runs = {s: [] for s in servers}
                for _ in range(options.rounds):
                    for server in servers:
                        runs[server].append(deliver(
                            server, options.volume, size, sessions,
                            (quick if options.quick else count)
                            // server.fewer, reuse))
                rate, cost = line(title(size, sessions, reuse), servers,
                                  runs, aim)
                rates[size, sessions] = rate
                if size == 4096 and sessions > 1:
                    costs.append(cost)
        say(f"  processor time a message of 4 KiB, 8 sessions and more: "
            f"{verdict(max(costs), most=PROCESSOR_MS, unit=' ms')}")
        counts(options, servers)
    ceilings(options, rates)


def counts(options, servers):
    """Counted in runs of their own: it costs processor time."""
    count = 200 if options.quick else 2000
    say(f"\n  a message of 4 KiB, {count} of them:")
    head(servers)
    for sessions, reuse in ((8, False), (32, True)):
        found = []
        for server in servers:
            n = count // server.fewer
            with Counter(server.group) as counter:
                run = deliver(server, options.volume, 4096, sessions, n,
                              reuse)
            each = {k: seen / n for k, seen in counter.found.items()}
            found.append({**each, "written": run.written})
        say(f"  {title(4096, sessions, reuse)}")
        for key, what in (("switches", "context switches"),
                          ("calls", "system calls"),
                          ("syncs", "calls of the sync family"),
                          ("forks", "processes created"),
                          ("execs", "programs executed"),
                          ("written", "KiB written to the disk")):
            say(f"    {what:25}" + "".join(
                f"{f[key]:18.2f}" if key in f else f"{'(no perf)':>18}"
                for f in found))
        if "forks" in found[0]:
            # Idle workers are replaced now and then: no whole one.
            forks = found[0]["forks"]
            say("    no process created a message: "
                f"{verdict(forks, most=0.1, unit='')}")
