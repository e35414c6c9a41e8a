# SPDX-License-Identifier: ISC
"""What it costs to find out who really sent a message, and to sign one."""
import contextlib
import os
import smtplib
import statistics
import subprocess
import tempfile

from account import accounted
from local import verdict
from measure import by_name, say
from scripted_dns import ScriptedDns
from servers import Ours
from suite import build_folder

JUDGED_MS = 1  # of processor time a message of 4 KiB, at most
OPENDKIM = 1  # times its library, at least
BIG_KIB = 1024  # of memory beyond the session's, at most
SIGNED = 1.2  # times the bare operation with the key, at most


def run(tool, *arguments):
    """The numbers that a tool of tests/bench prints."""
    done = subprocess.run(
        [os.path.join(build_folder(), "tests/bench", tool), *map(
            str, arguments)], capture_output=True, text=True, check=False,
        timeout=600)
    if done.returncode:
        raise SystemExit(f"{tool}: {done.stderr}")
    return [float(n) for n in done.stdout.split()]


def medians(rounds, *commands):
    """Of each command's numbers, the commands in turn."""
    found = [[] for _ in commands]
    for _ in range(rounds):
        for command, into in zip(commands, found):
            into.append(run(*command))
    return [[statistics.median(column) for column in zip(*rows)]
            for rows in found]


# -- the library, over a DNS in memory --

def library(options, folder):
    def path(name):
        return os.path.join(folder, name)
    times = 500 if options.quick else 5000
    ours = "mailauth-cost"
    commands = [(ours, "judge", path("small"), path("zone"), times),
                (ours, "sign", path("small"), path("key"), times // 10),
                (ours, "stream", path("big"), path("zone")),
                (ours, "dkim", path("small"), path("zone"), times)]
    peer = os.path.exists(os.path.join(
        build_folder(), "tests/bench/opendkim-cost"))
    if peer:
        commands += [
            ("opendkim-cost", "dkim", path("small"), path("zone"), times),
            ("opendkim-cost", "stream", path("big"), path("zone"))]
    judge, sign, stream, dkim, *theirs = medians(options.rounds, *commands)
    say("  SPF, DKIM (RSA-2048) and DMARC of 4 KiB: "
        f"{verdict(judge[0] / 1000, most=JUDGED_MS, unit=' ms')}")
    say(f"  25 MiB as they arrive: {stream[0]:.0f} MiB/s of a core; memory "
        f"{verdict(stream[1], most=BIG_KIB, unit=' KiB')}")
    say(f"  signing 4 KiB: {sign[0]:.0f} us, the key alone {sign[1]:.0f} us: "
        f"{verdict(sign[0] / sign[1], most=SIGNED)}")
    if not peer:
        say("  libopendkim is not there (Debian: libopendkim-dev)")
        return
    say(f"  DKIM alone of 4 KiB: {dkim[0]:.0f} us, libopendkim "
        f"{theirs[0][0]:.0f} us: "
        f"{verdict(theirs[0][0] / dkim[0], least=OPENDKIM)}")
    say(f"  DKIM alone of 25 MiB: {stream[0]:.0f} MiB/s, libopendkim "
        f"{theirs[1][0]:.0f} MiB/s: "
        f"{verdict(stream[0] / theirs[1][0], least=OPENDKIM)}")


# -- smtpd --

def zone_of(path):
    """The same, and from where smtpd sees the client come."""
    with open(path) as f:
        zone = {name: {"TXT": text} for name, text in (
            line.rstrip("\n").split("\t") for line in f)}
    for name in ("example.org", "mx.example.org"):
        zone[name] = {"TXT": "v=spf1 ip4:127.0.0.0/8 -all"}
    return zone


def send(server, message, times):
    with smtplib.SMTP("127.0.0.1", server.port, "mx.example.org",
                      timeout=60) as client:
        client.ehlo()
        for _ in range(times):
            client.sendmail("ann@example.org", [server.recipient], message)


def cost(server, message, times):
    """Milliseconds of processor time a message, of all our processes."""
    server.group.rest()
    before = server.group.seconds()
    send(server, message, times)
    server.group.rest()
    return (server.group.seconds() - before) / times * 1000


def most_resident(server):
    """KiB, of the smtpd that had most."""
    most = 0
    for pid in by_name(server.pid(), "smtpd"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as f:
            most = max([most, *(int(line.split()[1]) for line in f
                                if line.startswith("VmHWM"))])
    return most


def daemon(options, folder):
    def read(name):
        with open(os.path.join(folder, name), "rb") as f:
            return f.read().replace(b"\n", b"\r\n")
    times = 50 if options.quick else 500
    small, big = read("small"), read("big")
    with contextlib.ExitStack() as stack:
        dns = stack.enter_context(
            ScriptedDns(zone_of(os.path.join(folder, "zone"))))
        on, off = (stack.enter_context(accounted(
            f"mail-auth {word}", lambda w=word: Ours(
                extra=(f"mail-auth {w}",), dns_server=dns.address)))
            for word in ("yes", "no"))
        costs = ([], [])
        for _ in range(options.rounds):
            for server, into in zip((on, off), costs):
                into.append(cost(server, small, times))
        with_it, without = map(statistics.median, costs)
        say(f"  a message of 4 KiB through smtpd: {with_it:.2f} ms, with "
            f"mail-auth no {without:.2f} ms: "
            f"{verdict(with_it - without, most=JUDGED_MS, unit=' ms')}")
        kib = []
        for server in (on, off):
            send(server, big, 1)
            kib.append(most_resident(server))
        say(f"  25 MiB through smtpd: at most {kib[0]} KiB resident, with "
            f"mail-auth no {kib[1]} KiB: "
            f"{verdict(kib[0] - kib[1], most=BIG_KIB, unit=' KiB')}")


def bench_mailauth(options):
    say("\nmailauth: processor time of who really sent it, median of "
        f"{options.rounds}")
    with tempfile.TemporaryDirectory(prefix="pr-bench-mailauth-") as folder:
        run("mailauth-cost", "make", folder)
        library(options, folder)
        daemon(options, folder)
