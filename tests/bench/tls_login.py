# SPDX-License-Identifier: ISC
"""TLS handshakes, logins, and what others feel of them."""
import contextlib
import os
import smtplib
import statistics
import tempfile
import time

from measure import PASSWORD, SESSIONS, USERS, Load, by_name, compare, cores
from measure import header, processor_seconds, running_on, say, session_kib
from pki import Authority
from servers import Dovecot, Ours, TunedPostfix

LOGINS = 1000  # a second, on one core, of users in the cache
WRONG = 32  # passwords in flight
SLOWER = 1.10  # another user's message at most, meanwhile
IDLE_KIB = 300  # a TLS session that waits
UNLIMITED = ("login-failures 100000", "login-failures-network 100000",
             "login-failures-user 100000")


@contextlib.contextmanager
def running(*servers, on=None):
    """Each with the same ECDSA P-256 certificate, on the servers' core."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="pr-bench-tls-"))
        os.chmod(folder, 0o755)
        pair = Authority(folder).issue("mail.example.test")
        with running_on(on or cores()[0]):
            started = [stack.enter_context(contextlib.closing(server(pair)))
                       for server in servers]
        yield started


def ms(loads):
    return statistics.median(l.cost for l in loads) * 1000


# -- handshakes --

def handshakes(options, title, protocol, pairs):
    """pairs: (server, port), ours and the peer's"""
    for clients in SESSIONS:
        loads = ([], [])
        for _ in range(options.rounds):
            for (server, port), into in zip(pairs, loads):
                into.append(Load(server, protocol, port, clients,
                                 1 if options.quick else 2).finish())
        compare(f"{title}: {clients} clients", "handshakes/s",
                *([l.rate for l in of] for of in loads), pairs[1][0].name)
    say(f"    of the server's core {ms(loads[0]):.2f} and {ms(loads[1]):.2f} "
        "ms each; the clients' core busy "
        + " and ".join(f"{statistics.median(l.busy for l in of):.0%}"
                       for of in loads))


def idle(server, title, names, port, logins, tls):
    each, session = session_kib(server, names, port, logins, tls)
    say(f"  {title:34} {each:10.0f} {session:10.0f}")
    return each


def bench_tls(options):
    say("\nFull TLS 1.3 handshakes, ECDSA P-256, servers and clients on a "
        f"core each, median of {options.rounds}")
    with running(Ours, TunedPostfix, Dovecot) as (ours, postfix, dovecot):
        header("postfix")
        handshakes(options, "STARTTLS", "smtp",
                   ((ours, ours.port), (postfix, postfix.port)))
        handshakes(options, "submissions", "smtps",
                   ((ours, ours.smtps_port), (postfix, postfix.smtps_port)))
        header("dovecot")
        handshakes(options, "STLS", "pop3",
                   ((ours, ours.pop3_port), (dovecot, dovecot.pop3_port)))
        handshakes(options, "pop3s", "pop3s",
                   ((ours, ours.pop3s_port), (dovecot, dovecot.pop3s_port)))
        say("\nPrivate memory of idle TLS sessions, KiB (ours: "
            f"{IDLE_KIB} at most)")
        say(f"  {'':34} {'a process':>10} {'a session':>10}")
        ehlo = [["EHLO client.test"]] * 10
        users = [[f"USER u{n}@example.test", f"PASS {PASSWORD}"]
                 for n in range(1, 11)]
        idle(ours, "smtpd", ["smtpd"], ours.smtps_port, ehlo, "implicit")
        idle(ours, "smtpd, STARTTLS", ["smtpd"], ours.port, ehlo, "STARTTLS")
        idle(ours, "pop3d, logged in", ["pop3d"], ours.pop3s_port, users,
             "implicit")
        idle(postfix, "Postfix's smtpd", ["smtpd"], postfix.smtps_port, ehlo,
             "implicit")
        users = [[f"USER u{n}", f"PASS {PASSWORD}"] for n in range(1, 11)]
        idle(dovecot, "Dovecot's pop3 (see README)", ["pop3", "pop3-login"],
             dovecot.pop3s_port, users, "implicit")


# -- logins --

def cached(options, server, title, protocol, port):
    """Sessions with a login a second, when everybody was there before."""
    login = "-u", server.users, "-p", PASSWORD
    Load(server, protocol, port, USERS, 0, *login).finish()
    checkers = by_name(server.pid(), "userdb")[:1]
    before = sum(map(processor_seconds, checkers))
    loads = [Load(server, protocol, port, 8, 1 if options.quick else 3,
                  *login).finish() for _ in range(options.rounds)]
    checked = (sum(map(processor_seconds, checkers)) - before) / sum(
        l.sessions for l in loads)
    rate = statistics.median(l.rate for l in loads)
    say(f"  {title:34} {rate:10.1f} logins/s, {ms(loads):.2f} ms of the core "
        "each" + (f", {checked * 1000:.2f} of them userdb's"
                  if checkers else ""))


def message_times(server, wanted):
    """Seconds that each of another user's messages took, from the connection
    to the end of the session, while wanted(times so far) is true."""
    times = []
    while wanted(times):
        begin = time.monotonic()
        with smtplib.SMTP("127.0.0.1", server.submission_port,
                          timeout=60) as smtp:
            smtp.login(server.other, PASSWORD)
            smtp.sendmail(server.other, [server.other],
                          "Subject: hello\r\n\r\n" + "hello\r\n" * 500)
        times.append(time.monotonic() - begin)
    return times


def guessing(options):
    """Everybody on all cores, as in life; another user's messages with and
    without guesses going on, in turn."""
    every = os.sched_getaffinity(0)
    seconds = 1 if options.quick else 5
    quiet, guessed, loads = [], [], []
    with running(lambda pair: Ours(pair, UNLIMITED), on=every) as [ours]:
        message_times(ours, lambda t: len(t) < 5)
        for _ in range(options.rounds):
            quiet += message_times(ours, lambda t: sum(t) < seconds)
            load = Load(ours, "smtps", ours.smtps_port, WRONG, seconds, "-bx",
                        "-u", ours.users, "-p", "wrong", on=every)
            guessed += message_times(
                ours, lambda _: load.process.poll() is None)
            loads.append(load.finish())
    a, b = statistics.median(quiet), statistics.median(guessed)
    say(f"  another user's message {a * 1000:.2f} ms; with {WRONG} wrong "
        f"passwords in flight {b * 1000:.2f} ms, {b / a:.2f} x "
        f"(at most {SLOWER} wanted)")
    say(f"    {statistics.median(l.rate for l in loads):.0f} guesses/s were "
        f"answered, {ms(loads):.0f} ms of a processor each")


def bench_login(options):
    say("\nLogins of cached users, all servers on one core, 8 clients on "
        f"another, median of {options.rounds} ({LOGINS} logins/s wanted)")
    with running(Ours, Dovecot) as (ours, dovecot):
        for title, protocol, port in (
                ("submission, clear", "clear-smtp", ours.submission_port),
                ("submissions", "smtps", ours.smtps_port),
                ("pop3, clear", "clear-pop3", ours.pop3_port),
                ("pop3s", "pop3s", ours.pop3s_port)):
            cached(options, ours, title, protocol, port)
        cached(options, dovecot, "Dovecot: pop3, clear", "clear-pop3",
               dovecot.pop3_port)
        cached(options, dovecot, "Dovecot: pop3s", "pop3s",
               dovecot.pop3s_port)
    guessing(options)
