# SPDX-License-Identifier: ISC
"""Where deliver takes mail to: MX records from a real DNS server."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from deliverer import (  # noqa: F401
    CLOSE, SmtpServer, deliver, smtp_port)
from dnsserver import free_port
from suite import SECONDS
from watch import wait_for

HOSTS = "\n".join(f"mx{n} A 127.0.0.{n}" for n in range(1, 40))


def statuses(results):
    return [result["status"] for result in results]


def job(deliver, domain="example.net", **options):
    results = deliver.queue.job(f"bob@{domain}", domain=domain, **options)
    return results[0]


def test_preference_order(deliver):
    """The best first; the next only when it fails; none after success."""
    deliver.zone(HOSTS + "\n@ MX 30 mx13\n@ MX 10 mx11\n@ MX 20 mx12")
    refusing = deliver.server(
        "127.0.0.11", reply=lambda s, c: "421 busy" if not c else None)
    taking = deliver.server("127.0.0.12")
    last = deliver.server("127.0.0.13")
    deliver.start()
    result = job(deliver)
    assert result["status"] == "delivered"
    assert result["relay"] == (
        f"mx12.example.net[127.0.0.12]:{deliver.port}")
    assert len(refusing.sessions) == 1 and len(taking.messages) == 1
    assert last.sessions == []


def test_nobody_listens_at_the_best(deliver):
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mx12")
    taking = deliver.server("127.0.0.12")
    deliver.start()
    assert job(deliver)["status"] == "delivered"
    assert len(taking.messages) == 1
    assert "Connection refused" in deliver.log()


@pytest.mark.parametrize("stage", ["", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("code", ["421", "450"])
def test_temporary_refusal_leads_to_the_next(deliver, stage, code):
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mx12")
    deliver.server("127.0.0.11", reply=lambda s, c: (
        f"{code} 4.0.0 no" if c[:4] == stage[:4] and (c or not stage)
        else None))
    taking = deliver.server("127.0.0.12")
    deliver.start()
    assert job(deliver)["status"] == "delivered"
    assert len(taking.messages) == 1


@pytest.mark.parametrize("stage", ["", "EHLO"])
def test_refused_at_the_door_leads_to_the_next(deliver, stage):
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mx12")
    deliver.server("127.0.0.11", reply=lambda s, c: (
        "554 5.3.2 no" if not c or c[:4] in ("EHLO", "HELO") else None))
    taking = deliver.server("127.0.0.12")
    deliver.start()
    assert job(deliver)["status"] == "delivered"
    assert len(taking.messages) == 1


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "."])
def test_permanent_refusal_is_final(deliver, stage):
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mx12")
    deliver.server("127.0.0.11", reply=lambda s, c: (
        "550 5.7.1 no" if c[:4] == stage else None))
    other = deliver.server("127.0.0.12")
    deliver.start()
    assert job(deliver)["status"] == "failed"
    assert other.sessions == []


def test_one_door_closed_for_good_another_for_now(deliver):
    """Deferred: the second may let us in later."""
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mx12\n@ MX 30 mx13")
    for host, reply in (("127.0.0.11", "554 never"), ("127.0.0.12", "421 later"),
                        ("127.0.0.13", "554 never")):
        deliver.server(host, reply=lambda s, c, reply=reply:
                       reply if not c else None)
    deliver.start()
    result = job(deliver)
    assert (result["status"], result["text"]) == ("deferred", "421 later")


def test_no_result_after_the_dot_is_not_tried_elsewhere(deliver):
    from deliverer import CLOSE
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mx12")
    deliver.server("127.0.0.11",
                   reply=lambda s, c: CLOSE if c == "." else None)
    other = deliver.server("127.0.0.12")
    deliver.start()
    assert job(deliver)["status"] == "deferred"
    assert other.sessions == []


def test_recipients_deferred_here_are_tried_there(deliver):
    """And those that were taken are not sent twice."""
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mx12")
    first = deliver.server("127.0.0.11", reply=lambda s, c: (
        "451 later" if c.startswith("RCPT TO:<b") else
        "550 no" if c.startswith("RCPT TO:<c") else None))
    second = deliver.server("127.0.0.12")
    deliver.start()
    results = deliver.queue.job(*(f"{n}@example.net" for n in "abc"))
    assert statuses(results) == ["delivered", "delivered", "failed"]
    assert first.messages[0][1] == ["RCPT TO:<a@example.net>"]
    assert second.messages[0][1] == ["RCPT TO:<b@example.net>"]


def test_equal_preferences_are_shuffled(deliver):
    deliver.zone(HOSTS + "\n" + "\n".join(
        f"* MX 10 mx{n}" for n in range(11, 15)) + "\n* MX 20 mx15")
    servers = [deliver.server(
        f"127.0.0.{n}", ehlo=("there.example", "LIMITS MAILMAX=1"))
               for n in range(11, 16)]
    deliver.start()
    for number in range(60):  # each on a connection of its own
        assert job(deliver, f"d{number}.example.net")["status"] == "delivered"
    counts = [len(server.messages) for server in servers]
    assert sum(counts) == 60 and counts[4] == 0
    assert all(counts[:4])  # by chance not: once in ten million runs


def test_domains_with_one_host_share_a_session(deliver):
    deliver.zone(HOSTS + "\na MX 10 mx11\nb MX 10 mx11\nb MX 10 mx12\n"
                 "b MX 10 mx13\nc MX 10 mx14\nc MX 20 mx11")
    servers = [deliver.server(f"127.0.0.{n}") for n in range(11, 15)]
    deliver.start()
    for name in ("a", "b", "a", "c"):
        assert job(deliver, f"{name}.example.net")["status"] == "delivered"
    assert [len(server.messages) for server in servers] == [3, 0, 0, 1]
    assert [len(server.sessions) for server in servers] == [1, 0, 0, 1]


def test_a_shared_session_that_has_ended_is_opened_anew(deliver):
    deliver.zone(HOSTS + "\na MX 10 mx11\nb MX 10 mx11")
    said = iter([None, "421 4.3.2 that was enough"])
    server = deliver.server("127.0.0.11", reply=lambda s, c: (
        next(said, None) if c[:4] == "MAIL" else None))
    deliver.start()
    for name in ("a", "b"):
        assert job(deliver, f"{name}.example.net")["status"] == "delivered"
    assert len(server.sessions) == 2 and len(server.messages) == 2


@pytest.mark.parametrize("records,best", [
    ("@ MX 20 mx11\n@ MX 10 mx13\n@ MX 10 mx12", "mx12.example.net"),
    ("@ MX 10 MX12", "mx12.example.net"),
    ("@ A 127.0.0.12", "example.net")])
def test_the_best_host_is_told(deliver, records, best):
    """Whatever became of it: queue groups domains by it."""
    deliver.zone(HOSTS + "\n" + records)
    deliver.start()
    assert job(deliver)["mx"] == best
    for n in (12, 13):
        deliver.server(f"127.0.0.{n}")
    assert job(deliver)["mx"] == best


@pytest.mark.parametrize("stage,reply,scope", [
    ("", "421 busy", "host"), ("", "450 later", "host"), ("", CLOSE, "host"),
    ("EHLO", "421 busy", "host"), ("MAIL", "450 later", "session"),
    ("MAIL", CLOSE, "session"), ("RCPT", "450 4.2.0 later", "recipient"),
    ("RCPT", "421 busy", "session"), ("DATA", "451 later", "message"),
    (".", "451 later", "message"), (".", CLOSE, "message")])
def test_what_a_deferral_is_about(deliver, stage, reply, scope):
    deliver.zone(HOSTS + "\n@ MX 10 mx11")
    deliver.server("127.0.0.11", reply=lambda s, c: (
        reply if c[:4] == stage and (c or not stage) else None))
    deliver.start()
    result = job(deliver)
    assert (result["status"], result["scope"]) == ("deferred", scope)


def test_no_dns_and_no_connection_are_about_the_host(deliver):
    deliver.zone(HOSTS + "\n@ MX 10 mx11\nb MX 10 mx11.gone.test.")
    deliver.start()
    assert job(deliver)["scope"] == "host"


def test_null_mx(deliver):
    deliver.zone("@ MX 0 .\n@ A 127.0.0.1")
    server = deliver.server()
    deliver.start()
    result = job(deliver)
    assert (result["status"], result["dsn"]) == ("failed", "5.1.10")
    assert result["relay"] == "none" and server.sessions == []


def test_no_mx_but_an_address(deliver):
    deliver.zone("@ A 127.0.0.11")
    server = deliver.server("127.0.0.11")
    deliver.start()
    assert job(deliver)["relay"] == (
        f"example.net[127.0.0.11]:{deliver.port}")
    assert len(server.messages) == 1


def test_alias_of_a_domain(deliver):
    """The address stays as it was written."""
    deliver.zone(HOSTS + "\n@ MX 10 mx11")
    deliver.zone("@ TXT x\nsub CNAME example.net.\nhost CNAME mx12.example.net.",
                 "other.org")
    server, host = deliver.server("127.0.0.11"), deliver.server("127.0.0.12")
    deliver.start()
    assert job(deliver, "sub.other.org")["status"] == "delivered"
    assert server.messages[0][1] == ["RCPT TO:<bob@sub.other.org>"]
    assert job(deliver, "host.other.org")["status"] == "delivered"
    assert len(host.messages) == 1


def test_mx_that_is_an_alias(deliver):
    deliver.zone(HOSTS + "\n@ MX 10 alias\nalias CNAME mx11")
    server = deliver.server("127.0.0.11")
    deliver.start()
    assert job(deliver)["status"] == "delivered"
    assert len(server.messages) == 1


@pytest.mark.parametrize("records,domain,status,dsn", [
    ("", "nowhere.example.net", "failed", "5.1.2"),
    ("@ TXT x", "example.net", "failed", "5.1.2"),
    ("@ MX 10 gone", "example.net", "failed", "5.1.2"),
    ("@ MX 10 zero\nzero A 0.0.0.0", "example.net", "failed", "5.1.2"),
    ("@ MX 10 any\nany AAAA ::", "example.net", "failed", "5.1.2"),
    ("@ MX 10 m\nm A 224.0.0.1\nm A 255.255.255.255\nm AAAA ff02::1",
     "example.net", "failed", "5.1.2"),
    ("@ MX 10 m\nm AAAA fe80::1", "example.net", "failed", "5.1.2"),
    ("", "refused.example.org", "deferred", "4.4.3"),
    ("@ MX 10 mx.example.org.", "example.net", "deferred", "4.4.3"),
    ("@ CNAME loop.example.com.", "sub.example.net", "failed", "5.1.2"),
    ("loop CNAME loop", "loop.example.net", "deferred", "4.4.3"),
])
def test_no_way(deliver, records, domain, status, dsn):
    if records.startswith("@ CNAME"):
        records = ""
    deliver.zone(records)
    deliver.start()
    result = job(deliver, domain)
    assert (result["status"], result["dsn"]) == (status, dsn), result
    assert result["relay"] == "none"


def test_dead_dns(deliver):
    deliver.start(dns=False)
    result = job(deliver)
    assert (result["status"], result["dsn"]) == ("deferred", "4.4.3")


def test_one_unresolvable_host_of_two(deliver):
    deliver.zone(HOSTS + "\n@ MX 10 gone\n@ MX 20 mx11")
    server = deliver.server("127.0.0.11")
    deliver.start()
    assert job(deliver)["status"] == "delivered"
    assert len(server.messages) == 1


def test_thousand_mx(deliver):
    """A14: bounded, and it ends."""
    deliver.zone("\n".join(f"@ MX {i} mx{i}\nmx{i} A 127.0.0.{i % 200 + 50}"
                           for i in range(1000)))
    deliver.start()
    began = time.monotonic()
    assert job(deliver)["status"] == "deferred"
    assert time.monotonic() - began < 10
    assert deliver.log().count("Connection refused") == 10


def test_internationalised_domain(deliver, build):
    with open(f"{build}/build.h") as f:
        if "#define HAVE_IDN2 1" not in f.read():
            pytest.skip("built without libidn2")
    deliver.zone(HOSTS + "\nxn--bcher-kva MX 10 mx11")
    server = deliver.server("127.0.0.11", ehlo=("there", "SMTPUTF8"))
    deliver.start()
    for name in ("bücher", "Bu\u0308cher"):
        result = job(deliver, f"{name}.example.net", utf8=1)
        assert result["status"] == "delivered"
        assert server.messages[-1][1] == [f"RCPT TO:<bob@{name}.example.net>"]
    [result] = deliver.queue.job(
        "bob@example.net", domain="ü" * 100 + ".example.net", utf8=1)
    assert (result["status"], result["dsn"]) == ("failed", "5.1.2")


def test_small_messages_do_not_wait(deliver):
    """No 40 ms between our packets (Nagle against delayed ACK)."""
    server = deliver.server()
    deliver.start()
    assert job(deliver, "[127.0.0.1]")["status"] == "delivered"
    began = time.monotonic()
    for _ in range(50):
        assert job(deliver, "[127.0.0.1]")["status"] == "delivered"
    assert time.monotonic() - began < 1.5
    assert len(server.messages) == 51 and len(server.sessions) == 1


# -- ourselves --

def test_our_own_name_is_the_best(deliver):
    deliver.zone(HOSTS + "\n@ MX 10 MAIL.example.test.\n@ MX 20 mx11")
    server = deliver.server("127.0.0.11")
    deliver.start()
    result = job(deliver)
    assert (result["status"], result["dsn"]) == ("failed", "5.4.6")
    assert server.sessions == []


def test_our_own_name_and_what_is_no_better_is_dropped(deliver):
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 20 mail.example.test.\n"
                 "@ MX 20 mx12\n@ MX 30 mx13")
    others = [deliver.server(f"127.0.0.{n}") for n in (12, 13)]
    deliver.start()
    assert job(deliver)["status"] == "deferred"  # nobody at mx11
    assert not any(server.sessions for server in others)
    first = deliver.server("127.0.0.11")
    assert job(deliver)["status"] == "delivered"
    assert len(first.messages) == 1


@pytest.mark.parametrize("listen", ["127.0.0.11", "0.0.0.0"])
def test_our_own_listener(deliver, listen):
    """By address and port, whatever its name."""
    deliver.zone(HOSTS + "\n@ MX 10 mx11\n@ MX 10 mx12\n@ MX 20 mx13")
    servers = [deliver.server(f"127.0.0.{n}") for n in (11, 12, 13)]
    deliver.start(f"listen smtp {listen}:{deliver.port}")
    result = job(deliver)
    assert (result["status"], result["dsn"]) == ("failed", "5.4.6")
    assert not any(server.sessions for server in servers)


def test_our_own_listener_behind_a_better_host(deliver):
    deliver.zone(HOSTS + "\n@ MX 10 mx12\n@ MX 20 mx11")
    servers = [deliver.server(f"127.0.0.{n}") for n in (11, 12)]
    deliver.start(f"listen smtp 127.0.0.11:{deliver.port}")
    assert job(deliver)["status"] == "delivered"
    assert servers[0].sessions == [] and len(servers[1].messages) == 1


def test_loopback_on_port_25_is_ourselves(deliver):
    deliver.zone("@ MX 10 mx\nmx A 127.0.0.77")
    deliver.zone("@ AAAA ::1", "six.example")
    deliver.start("smtp-port 25", "listen smtp 127.0.0.1:2526", port=False)
    for domain in ("example.net", "six.example", "[127.0.0.9]", "[IPv6:::1]"):
        result = job(deliver, domain)
        assert (result["status"], result["dsn"]) == ("failed", "5.4.6")


# -- families, sources, ports, literals, relay --

def test_ipv6(deliver):
    deliver.zone("@ MX 10 mx\nmx AAAA ::1\nmx A 127.0.0.11")
    six, four = deliver.server("::1"), deliver.server("127.0.0.11")
    deliver.start()
    assert job(deliver)["relay"] == f"mx.example.net[::1]:{deliver.port}"
    assert len(six.messages) == 1 and four.sessions == []


def test_ipv4_where_ipv6_fails(deliver):
    deliver.zone("@ MX 10 mx\nmx AAAA ::1\nmx A 127.0.0.11")
    four = deliver.server("127.0.0.11")
    deliver.start()
    assert job(deliver)["status"] == "delivered"
    assert len(four.messages) == 1


@pytest.mark.parametrize("family,taken", [("ipv4", 1), ("ipv6", 0)])
def test_address_family(deliver, family, taken):
    deliver.zone("@ MX 10 mx\nmx AAAA ::1\nmx A 127.0.0.11")
    servers = [deliver.server("::1"), deliver.server("127.0.0.11")]
    deliver.start(f"address-family {family}")
    assert job(deliver)["status"] == "delivered"
    assert len(servers[taken].messages) == 1
    assert servers[1 - taken].sessions == []


def test_other_family_only(deliver):
    deliver.zone("@ MX 10 mx\nmx A 127.0.0.11")
    deliver.start("address-family ipv6")
    assert job(deliver)["status"] == "deferred"


def test_no_ipv6_from_an_address_without_a_name(deliver):
    """2001:db8:: is nowhere, but the kernel has a source for it here only
    where there is a route; the configured source decides."""
    deliver.zone("@ MX 10 mx\nmx AAAA 2001:db8::25\nmx A 127.0.0.11")
    deliver.zone("@ MX 10 mx\nmx AAAA 2001:db8::25", "six.example")
    deliver.dns.add_zone("arpa")
    four = deliver.server("127.0.0.11")
    deliver.start("source-address 2001:db8::1")
    for number in range(3):
        assert job(deliver)["status"] == "delivered"
    result = job(deliver, "six.example")
    assert result["status"] == "deferred" and "PTR" in result["text"]
    assert len(four.messages) == 3
    assert deliver.log().count("no PTR record; IPv6") == 1
    assert "2001:db8::25" not in deliver.log()


def test_ipv6_from_an_address_with_a_name(deliver):
    deliver.zone("@ MX 10 mx\nmx AAAA 2001:db8::25\nmx A 127.0.0.11")
    deliver.dns.add_reverse("2001:db8::1", "mail.example.test")
    four = deliver.server("127.0.0.11")
    deliver.start("source-address 2001:db8::1")
    assert job(deliver)["status"] == "delivered"  # after IPv6 was tried
    assert "2001:db8::25" in deliver.log()
    assert len(four.messages) == 1


def test_source_address(deliver):
    peers = []
    server = deliver.server(
        reply=lambda s, c: peers.append(s.socket.getpeername()[0]))
    deliver.start("source-address 127.0.0.35")
    assert deliver.to_literal("bob")[0]["status"] == "delivered"
    assert set(peers) == {"127.0.0.35"} and len(server.messages) == 1


def test_ports_in_order(deliver):
    deliver.zone("@ MX 10 mx\nmx A 127.0.0.11")
    second = smtp_port(["127.0.0.11"])
    taking = deliver.server("127.0.0.11", second)
    deliver.start(f"smtp-port {second}")
    assert job(deliver)["relay"].endswith(f":{second}")
    assert len(taking.messages) == 1
    assert f"127.0.0.11]:{deliver.port}" in deliver.log()


@pytest.mark.parametrize("literal", ["[127.0.0.11]", "[IPv6:::1]",
                                     "[ipv6:::1]"])
def test_address_literals(deliver, literal):
    server = deliver.server("::1" if "6" in literal.split(":")[0]
                            else "127.0.0.11")
    deliver.start()
    assert job(deliver, literal)["status"] == "delivered"
    assert len(server.messages) == 1


@pytest.mark.parametrize("literal", ["[0.0.0.0]", "[IPv6:::]", "[224.0.0.1]",
                                     "[example.net]", "[]", "[127.0.0.1"])
def test_impossible_literals(deliver, literal):
    server = deliver.server()
    deliver.start()
    results = deliver.queue.job("bob@example.net", domain=literal)
    assert (results[0]["status"], results[0]["dsn"]) == ("failed", "5.1.2")
    assert server.sessions == []


def test_relay_host(deliver):
    """By MX; in brackets by address; everything goes there."""
    deliver.zone(HOSTS + "\n@ MX 10 mx11\nrelay A 127.0.0.12\n"
                 "relay MX 10 mx13\nelsewhere MX 10 mx14")
    servers = {n: deliver.server(f"127.0.0.{n}") for n in (11, 12, 13)}
    deliver.start(f"relay-host relay.example.net:{deliver.port}")
    assert job(deliver)["status"] == "delivered"
    assert job(deliver, "nowhere.invalid")["status"] == "delivered"
    assert len(servers[13].messages) == 2
    assert len(servers[13].sessions) == 1
    assert servers[11].sessions == servers[12].sessions == []


@pytest.mark.parametrize("relay", ["[relay.example.net]", "[127.0.0.12]"])
def test_relay_host_in_brackets(deliver, relay):
    deliver.zone("relay A 127.0.0.12\nrelay MX 10 mx13\nmx13 A 127.0.0.13")
    server = deliver.server("127.0.0.12")
    deliver.start(f"relay-host {relay}:{deliver.port}")
    assert job(deliver, "else.where")["status"] == "delivered"
    assert len(server.messages) == 1


def test_relay_host_that_is_ourselves(deliver):
    deliver.start(f"relay-host [127.0.0.1]:{deliver.port}",
                  f"listen smtp 127.0.0.1:{deliver.port}")
    assert job(deliver)["dsn"] == "5.4.6"


def test_connections_for_one_job_are_bounded(deliver):
    deliver.zone(HOSTS + "\n" + "\n".join(
        f"@ MX {n} mx{n}" for n in range(1, 40)))
    servers = [deliver.server(
        f"127.0.0.{n}", reply=lambda s, c: "421 no" if c[:4] == "MAIL"
        else None) for n in range(1, 10)]
    deliver.start()
    assert job(deliver)["status"] == "deferred"
    assert sum(len(server.sessions) for server in servers) == 3


# -- a real sink --

def test_smtp_sink(deliver, tool):
    """Postfix's smtp-sink takes what we send, dots and all."""
    port = free_port()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pr-sink-"))
    folder.chmod(0o777)  # it gives up root before it writes
    sink = subprocess.Popen(
        [tool("smtp-sink"), *(("-u", "nobody") if not os.geteuid() else ()),
         "-d", str(folder / "got."), f"127.0.0.1:{port}", "100"],
        stdin=subprocess.DEVNULL)
    try:
        deliver.start(f"smtp-port {port}", port=False)

        def taken():
            return deliver.queue.job(
                *(f"u{n}@[127.0.0.1]" for n in range(5)),
                domain="[127.0.0.1]")
        results = taken()
        end = time.monotonic() + SECONDS
        while statuses(results)[0] == "deferred" and time.monotonic() < end:
            results = taken()  # it does not say when it is ready
        assert statuses(results) == ["delivered"] * 5
        dumped = wait_for(lambda: list(folder.glob("got.*")),
                          str(folder))
        text = dumped[0].read_text()
        assert text.count("X-Rcpt-Args") == 5
        assert "\n.a dot\n..two\nbye\n" in text
    finally:
        sink.terminate()
        sink.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_server_class_stuffs_nothing():
    """The test's own server takes stuffing away: a test of the tests."""
    import smtplib
    server = SmtpServer()
    with smtplib.SMTP("127.0.0.1", server.port, timeout=SECONDS) as client:
        client.sendmail("a@b.c", "d@e.f", b"x\r\n.y\r\n")
    server.close()
    assert server.messages[0][2] == b"x\r\n.y\r\n" and not server.errors
