# SPDX-License-Identifier: ISC
"""What a good client feels of thousands that are not, at port 25."""
import contextlib
import os
import re
import smtplib
import statistics
import subprocess
import time

from local import verdict
from measure import private_kib, say
from servers import Ours
from suite import build_folder

IDLE = 5000  # connections that say nothing
IDLE_KIB = 16  # each, at most
SLOWER = 1.2  # times the median of a good client's message, at most
BOTS = 2000  # connections a second that talk before the greeting
RATE_LEFT = 0.7  # of a good client's messages a second, at least
DELAY_MS = 1  # more than without the gate for who is known, at most
MESSAGE = ("From: ann@client.test\r\nTo: u1@example.test\r\n"
           "Subject: hello\r\n\r\n" + "hello\r\n" * 500)
# A guest's descriptors beside ours; the rest as a small site has it.
CONFIG = ("greet-delay 4s", "tarpit 2s", "max-waiting 20000")


def begin(*arguments):
    return subprocess.Popen(
        [os.path.join(build_folder(), "tests/bench/gateload"),
         *map(str, arguments)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def idle(server, count):
    load = begin("idle", server.port, count)
    if load.stdout.readline() != "ready\n":
        raise SystemExit(f"gateload: {load.wait()}")
    try:
        yield
    finally:
        load.communicate()


def messages(server, wanted):
    """Seconds that each took, connection to QUIT, while wanted(times)."""
    times = []
    while wanted(times):
        started = time.monotonic()
        with smtplib.SMTP("127.0.0.1", server.port, "client.test",
                          timeout=60) as smtp:
            smtp.sendmail("ann@client.test", [server.recipient], MESSAGE)
        times.append(time.monotonic() - started)
    return times


def become_known(server):
    """One good message is all it takes; ledger hears of it a moment later."""
    while messages(server, lambda t: not t)[0] > 1:
        continue


def kernel_kib():
    """What the kernel holds for its structures and for sockets' octets."""
    with open("/proc/meminfo") as f:
        slab = int(re.search(r"^Slab: *(\d+)", f.read(), re.M)[1])
    with open("/proc/net/sockstat") as f:
        pages = int(re.search(r"^TCP:.* mem (\d+)", f.read(), re.M)[1])
    return slab + pages * os.sysconf("SC_PAGE_SIZE") // 1024


def many_idle(options, server):
    count = 500 if options.quick else IDLE
    most = 1 if options.quick else 4
    gate = server.suite.parents()["smtp-gate"]
    quiet, crowded, own, kernel = [], [], [], []
    for _ in range(options.rounds):
        quiet += messages(server, lambda t: sum(t) < most)
        before = private_kib([gate]), kernel_kib()
        with idle(server, count):
            own.append((private_kib([gate]) - before[0]) / count)
            kernel.append((kernel_kib() - before[1]) / count)
            crowded += messages(server, lambda t: sum(t) < most)
    a, b = statistics.median(quiet), statistics.median(crowded)
    both = statistics.median(own) + statistics.median(kernel)
    say(f"  {count} idle connections: {statistics.median(own):.1f} KiB of "
        f"smtp-gate's and {statistics.median(kernel):.1f} KiB of the kernel's"
        " (both ends of each, for both are on this machine) each: "
        f"{verdict(both, most=IDLE_KIB, unit=' KiB')}")
    say(f"  a good client's message {a * 1000:.2f} ms, with them "
        f"{b * 1000:.2f} ms: {verdict(b / a, most=SLOWER)}")


def talkers(options, server):
    seconds = 1 if options.quick else 5
    quiet, crowded, refused = [], [], []
    for _ in range(options.rounds):
        quiet.append(rate(messages(server, lambda t: sum(t) < seconds)))
        load = begin("talk", server.port, BOTS, seconds)
        crowded.append(rate(messages(
            server, lambda _: load.poll() is None)))
        ended, took = load.communicate()[0].split()
        refused.append(int(ended) / float(took))
    a, b = statistics.median(quiet), statistics.median(crowded)
    say(f"  a good client's messages {a:.1f}/s; with "
        f"{statistics.median(refused):.0f} connections/s that talk first "
        f"{b:.1f}/s: {verdict(b / a, least=RATE_LEFT)}")


def rate(times):
    return len(times) / sum(times)


def hello_ms(port, times):
    """From the connection to the end of EHLO and QUIT."""
    found = []
    for _ in range(times):
        started = time.monotonic()
        with smtplib.SMTP("127.0.0.1", port, "client.test",
                          timeout=60) as smtp:
            smtp.ehlo()
        found.append((time.monotonic() - started) * 1000)
    return found


def delay(options, server):
    """Port 587 is smtpd's own; what is said is the same."""
    times = 50 if options.quick else 500
    direct, gated = [], []
    for _ in range(options.rounds):
        direct += hello_ms(server.submission_port, times)
        gated += hello_ms(server.port, times)
    a, b = statistics.median(direct), statistics.median(gated)
    say(f"  EHLO and QUIT of a known client without the gate {a:.2f} ms, "
        f"with it {b:.2f} ms, more by "
        f"{verdict(b - a, most=DELAY_MS, unit=' ms')}")


def bench_gate(options):
    say("\nThe gate on port 25")
    with contextlib.closing(Ours(extra=CONFIG)) as server:
        become_known(server)
        many_idle(options, server)
        talkers(options, server)
        delay(options, server)
