# SPDX-License-Identifier: ISC
"""A long queue for a destination that is dead: what does it cost others?"""
import contextlib
import math
import smtplib
import statistics
import subprocess
import time

from account import accounted
from local import Arrivals, first_message, source, verdict
from measure import by_name, private_kib, say
from servers import Ours, TunedPostfix
from watch import Timeout
from world import World

PART = 1000  # messages
ENDS = 5  # so many of these parts are compared at either end
TIMES = 30  # a message is sent, to see how long it takes
PATIENCE = 20  # seconds for it
STEADY = 0.9  # of the first thousands' rate, at least
SECOND = 1.0  # for list and stats
LONGER = 1.2  # than on an empty queue, at most: as much as noise
OCTETS = 128  # of the index, a message
FASTER = 2  # than Postfix, when the queue drains


# -- filling it --

def part(server, count):
    """(messages a second, ms of processor time a message) taken"""
    used, begin = server.group.seconds(), time.monotonic()
    if source(server, 4096, 32, count, True, "someone@dead.test").wait(1200):
        raise SystemExit(f"smtp-source against {server.name} failed")
    took = time.monotonic() - begin
    return count / took, (server.group.seconds() - used) * 1000 / count


def fill(server, count):
    """[(rate, ms)] of the first and of the last thousands"""
    ends = min(ENDS, count // PART // 2)
    first = [part(server, PART) for _ in range(ends)]
    if count > 2 * ends * PART:
        part(server, count - 2 * ends * PART)
    return first, [part(server, PART) for _ in range(ends)]


def medians(parts):
    return [statistics.median(column) for column in zip(*parts)]


def show_filling(server, first, last):
    """The last's rate as a share of the first's, and the same by processor
    time alone."""
    (rate, cost), (rate_now, cost_now) = medians(first), medians(last)
    say(f"  {server.name}: taken a second {rate:.0f} first, {rate_now:.0f} "
        f"last ({cost:.2f} and {cost_now:.2f} ms of processor time)")
    return rate_now / rate, cost / cost_now


# -- what else there is to see --

def queue_octets(server):
    """Private memory of our queue."""
    return private_kib(by_name(server.pid(), "queue")) * 1024


def tool_seconds(server, *command):
    """Of postrider-queue; None: it knows no such command."""
    took = []
    for _ in range(3):
        begin = time.monotonic()
        done = server.suite.run("postrider-queue", *command, check=False,
                                seconds=300)
        took.append(time.monotonic() - begin)
        if done.returncode == 64:
            return None, ""
    if done.returncode:
        raise SystemExit(f"postrider-queue: {done.stderr}")
    return statistics.median(took), done.stdout


def single(server, recipient, wait):
    """ms that one message takes, from connecting until it is there; wait(n)
    returns when n more than before are; infinite: more than PATIENCE"""
    took = []
    for n in range(1, TIMES + 1):
        begin = time.monotonic()
        try:
            with smtplib.SMTP(server.address, server.port,
                              timeout=PATIENCE) as client:
                client.sendmail("one@source.test", [recipient],
                                b"Subject: one\r\n\r\nLine.\r\n")
                took.append((wait(n) - begin) * 1000)
        except (Timeout, OSError):  # smtplib's are OSErrors
            return math.inf
    return statistics.median(took)


def singles(server, world):
    """[ms to a Maildir, ms to the live host]"""
    with contextlib.closing(Arrivals(server.inbox)) as arrivals:
        here = single(server, server.recipient,
                      lambda n: arrivals.wait(n, PATIENCE, 0.0005))
    before = world.live.count()
    return [here, single(server, "someone@live.test",
                         lambda n: world.live.wait(before + n, PATIENCE,
                                                   0.0005))]


def awake_singles(server, world):
    """singles(), when what sleeps between messages has been woken."""
    singles(server, world)
    return singles(server, world)


def empty_queue(server, world):
    first_message(server)
    return awake_singles(server, world)


def drain(server, world, count, flush):
    """(messages a second, ms of processor time a message)"""
    sink = world.back()
    used, begin = server.group.seconds(), time.monotonic()
    flush()
    took = sink.wait(count, 1200) - begin
    return count / took, (server.group.seconds() - used) * 1000 / count


# -- the part --

def backlog_of_ours(server, world, count):
    """Fills it, and says all but how it drains."""
    empty = empty_queue(server, world)
    server.group.rest()
    before = queue_octets(server)
    share, by_processor = show_filling(server, *fill(server, count))
    say(f"    the last as fast as the first: {verdict(share, STEADY)} "
        f"(by processor time {by_processor:.2f})")
    server.group.rest()
    each = (queue_octets(server) - before) / count
    say("    memory of queue a message: "
        f"{verdict(each, most=OCTETS, unit=' octets')}")
    for command in (("list",), ("list", "--json"), ("stats",)):
        took, _ = tool_seconds(server, *command)
        say(f"    postrider-queue {' '.join(command)}: "
            + ("not there" if took is None else
               verdict(took, most=SECOND, unit=" s")))
    for where, a, b in zip(("to a Maildir", "to a live host"), empty,
                           awake_singles(server, world)):
        say(f"    one message {where}: {a:.1f} ms on an empty queue, "
            f"{b:.1f} now: {verdict(b / a, most=LONGER, unit=' x')}")


def refusing(options, count):
    say(f"\nbacklog: {count} messages of 4 KiB for a host that refuses "
        "connections")
    with contextlib.closing(World()) as world, \
            accounted("postrider", lambda: Ours(**world.ours())) as server:
        backlog_of_ours(server, world, count)
        ours, cost = drain(server, world, count, lambda: server.suite.run(
            "postrider-queue", "flush", seconds=300))
        say(f"    the host is back, {ours:.0f} messages a second leave "
            f"({cost:.2f} ms)")
    with contextlib.closing(World()) as world, accounted(
            "postfix", lambda: TunedPostfix(main=world.postfix())) as server:
        empty = empty_queue(server, world)
        show_filling(server, *fill(server, count))
        server.group.rest()
        for where, a, b in zip(("to a Maildir", "to a live host"), empty,
                               awake_singles(server, world)):
            say(f"    one message {where}: {a:.1f} ms on an empty queue, "
                f"{b:.1f} now")
        theirs, cost = drain(server, world, count, lambda: subprocess.run(
            ["postqueue", "-c", server.path("conf"), "-f"], check=True,
            stderr=subprocess.DEVNULL))
        say(f"    the host is back, {theirs:.0f} messages a second leave "
            f"({cost:.2f} ms)")
    say("  the queue drains: "
        f"{verdict(ours / theirs, FASTER, unit=' x postfix')}")


def silent(options, count):
    say(f"\nbacklog: {count} messages of 4 KiB for a host that answers "
        "nothing")
    with contextlib.closing(World(silent=True)) as world, \
            accounted("postrider", lambda: Ours(**world.ours())) as server:
        backlog_of_ours(server, world, count)


def bench_backlog(options):
    count = 2000 if options.quick else 100000
    refusing(options, count)
    silent(options, count)
