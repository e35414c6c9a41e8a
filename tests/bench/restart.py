# SPDX-License-Identifier: ISC
"""A start with a long queue: when is mail taken, when is all of it known?"""
import os
import re
import smtplib
import subprocess
import time

from account import accounted
from backlog import OCTETS, queue_octets
from local import verdict
from measure import by_name, say
from servers import Ours
from suite import build_folder
from volume import volume
from watch import Timeout, wait_for

DOMAINS = 100  # to which the queued messages go, in equal parts
AT_ONCE = 2  # seconds until the first 250, with all that starts
REBUILT = 60  # seconds


def deferred_ones(server):
    """One message for each domain, of which nothing is known for now: the
    suite's DNS server does not answer.  Then the suite stops."""
    with smtplib.SMTP(server.address, server.port, timeout=60) as client:
        for n in range(DOMAINS):
            client.sendmail(f"from{n}@source.test", [f"to@d{n}.test"],
                            b"Subject: one\r\n\r\n" + b"Line.\r\n" * 100)
    folder = os.path.join(server.suite.spool, "cur")
    wait_for(lambda: len(os.listdir(folder)) == DOMAINS, folder, seconds=60,
             what="deferred messages")
    server.suite.stop()


def multiply(server, count):
    subprocess.run([os.path.join(build_folder(), "tests/bench/multiply"),
                    server.suite.spool, str(count - DOMAINS)], check=True)


def take_one(server, seconds):
    """Seconds until a message was taken, tried again and again."""
    begin = time.monotonic()
    while True:
        try:
            with smtplib.SMTP(server.address, server.port,
                              timeout=seconds) as client:
                client.sendmail("one@source.test", [server.recipient],
                                b"Subject: one\r\n\r\nLine.\r\n")
                return time.monotonic() - begin
        except OSError:
            if time.monotonic() > begin + seconds:
                raise Timeout("no message is taken") from None
            time.sleep(0.005)


def until_recovered(server, begin, seconds=1800):
    """(seconds since begin, messages found, slowest message that was taken
    meanwhile)"""
    slowest = 0
    with open(server.suite.log) as log:
        log.seek(server.log_before)
        text = ""
        while True:
            text = text[-200:] + log.read()
            found = re.search(r"recovered messages=(\d+)\s", text)
            if found:
                return time.monotonic() - begin, int(found[1]), slowest
            if time.monotonic() > begin + seconds:
                raise Timeout(f"not recovered within {seconds} s")
            slowest = max(slowest, take_one(server, 60))
            time.sleep(0.1)


def start(server):
    """{what: figure} of a start with what is in the spool"""
    server.log_before = os.path.getsize(server.suite.log)
    used, begin = server.group.seconds(), time.monotonic()
    with server.group.entered():
        server.suite.spawn()
    first = take_one(server, 300)
    took, found, slowest = until_recovered(server, begin)
    used = server.group.seconds() - used
    server.group.rest()
    with open(f"/proc/{by_name(server.pid(), 'queue')[0]}/status") as f:
        most = int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])
    return {"first": first, "took": took, "used": used, "found": found,
            "slowest": slowest, "most": most / 1024,
            "octets": queue_octets(server)}


def show(title, got):
    say(f"  {title}: the first 250 after DATA: "
        f"{verdict(got['first'], most=AT_ONCE, unit=' s')}")
    say(f"    {got['found']} messages known: "
        f"{verdict(got['took'], most=REBUILT, unit=' s')} "
        f"({got['used']:.1f} s of processor time); the slowest message taken "
        f"meanwhile {got['slowest']:.2f} s")


def bench_restart(options):
    count = 20000 if options.quick else 1000000
    say(f"\nrestart: {count} messages for {DOMAINS} domains in the spool")
    with volume(512 + count * 11 // 1024, 2 * count + 100000,
                sparse=True), \
            accounted("postrider", lambda: Ours(extra=(
                "relay-from 127.0.0.1", "retry-minimum 12h",
                "retry-maximum 1d"))) as server:
        server.suite.keep = True  # the volume goes as a whole
        server.group.rest()
        empty = queue_octets(server)
        deferred_ones(server)
        multiply(server, count)
        subprocess.run(["sync"], check=True)
        got = start(server)
        show("in the cache", got)
        say("    memory of queue a message: "
            + verdict((got["octets"] - empty) / count, most=OCTETS,
                      unit=" octets")
            + f"; all of it at most {got['most']:.0f} MiB")
        server.suite.stop()
        if os.geteuid() == 0:
            with open("/proc/sys/vm/drop_caches", "w") as f:
                f.write("3")
            show("after a boot, all on disk", start(server))
