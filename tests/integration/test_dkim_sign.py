# SPDX-License-Identifier: ISC
"""What leaves is signed: by the hash that who saw the message made, with the
key of From's domain, for those who may speak for it; and what others signed
leaves as it came."""
import email
import json
import os
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile

import dkim
import pytest

from deliverer import SmtpServer
from dnsserver import dns  # noqa: F401
from internal import Peer
from scripted_dns import (SERVFAIL, ScriptedDns, encode_data, encode_name,
                          record)

DOMAIN = "example.test"
SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
ANN, BOB = f"ann@{DOMAIN}", f"bob@{DOMAIN}"
AWAY = "carl@elsewhere.test"
HASH = "0" * 64
OVERSIGNED = "".join(f"{name}\r\n" for name in (
    "reply-to", "to", "cc", "subject", "date", "message-id", "mime-version",
    "content-type", "content-transfer-encoding"))
GOOD = "from:ann@example.test\r\nfrom\r\n" + OVERSIGNED
BODY = "Dear all,\n.\n..two dots\n\n  indented  \nbye\n\n\n"


def message(sender=ANN, *more, body=BODY, to=AWAY):
    return "\n".join([f"From: {sender}", f"To: {to}", "Subject: a  test",
                      *more, "", body])


def published(text):
    """{name: [record]} of what postrider-key prints."""
    found = {}
    for name, strings in re.findall(
            r"^(\S+)\. IN TXT \(((?:\s+\"[^\"\n]*\")+) \)$", text, re.M):
        parts = re.findall(r'"([^"]*)"', strings)
        assert all(0 < len(part) <= 255 for part in parts)
        found[name] = "".join(parts)
    return found


class House:
    """A suite whose mail leaves to a host of ours, and a DNS that has what
    its postmaster publishes."""

    def __init__(self, make_suite, extra=(), domains=(DOMAIN,), **options):
        self.dns = ScriptedDns()
        self.records = {}
        self.server = SmtpServer()
        self.suite = make_suite(
            domains=domains, users=[ANN, BOB], dns_server=self.dns.address,
            extra=[f"relay-host [127.0.0.1]:{self.server.port}", *extra],
            **options)

    def close(self):
        self.server.close()
        self.dns.close()

    def key(self, *arguments, **options):
        return self.suite.run("postrider-key", *arguments, **options)

    def publish(self, text):
        new = published(text)
        for name, record in new.items():
            self.dns.add(name, TXT=[record])
        self.records.update(new)
        return new

    def make(self, domain=DOMAIN):
        records = self.publish(self.key("dkim", domain).stdout)
        assert len(records) == 2
        self.key("dkim", "--check", domain)
        return records

    def submit(self, text, login=ANN, sender=None, to=AWAY, **options):
        with self.suite.submission(login) as smtp:
            smtp.sendmail(sender or login, [to],
                          text.replace("\n", "\r\n").encode(), **options)

    def arrived(self, n=1):
        """The n-th message that left, once the queue is empty."""
        self.suite.wait_queue_empty()
        assert len(self.server.messages) >= n, self.suite.log_text()
        return self.server.messages[n - 1][2]

    def verify(self, octets, domains=None):
        """By python3-dkim, each signature; what is in their d= and s=."""
        zone = {f"{name}.".encode(): record.encode()
                for name, record in self.records.items()}
        fields = email.message_from_bytes(octets).get_all(
            "DKIM-Signature", [])
        tags = []
        for i, field in enumerate(fields):
            assert dkim.DKIM(octets).verify(
                idx=i, dnsfunc=lambda name, timeout=5: zone.get(
                    name if isinstance(name, bytes) else name.encode())), field
            tags.append(dict(re.findall(r"(?:^|;)\s*(\w+)=([^;\s]*)", field)))
        assert [tag["a"] for tag in tags] == [
            "rsa-sha256", "ed25519-sha256"][:len(tags)]
        return tags


def opendkim(octets, records):
    """What opendkim says of the message: its lines about signatures."""
    if shutil.which("opendkim", path=SBIN) is None:
        pytest.skip("needs opendkim")
    with tempfile.TemporaryDirectory() as folder:
        def write(name, data):
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            return path
        keys = write("keys", "".join(
            f"{name} {record}\n" for name, record in records.items()
        ).encode())
        config = write("conf", f"""Mode v
TestPublicKeys {keys}
AuthservID test
InternalHosts 192.0.2.1
Socket local:{folder}/socket
""".encode())
        done = subprocess.run(
            ["opendkim", "-x", config, "-t", write("message", octets), "-vvv"],
            env={"PATH": SBIN}, capture_output=True, text=True, timeout=60)
    return re.findall(r"dkim=(\w+).*?header\.d=(\S+).*?header\.a=(\S+)",
                      done.stdout + done.stderr, re.S)


@pytest.fixture
def make_house(make_suite):
    houses = []

    def make(**options):
        houses.append(House(make_suite, **options))
        return houses[-1]

    yield make
    for house in houses:
        house.close()


@pytest.fixture
def house(make_house):
    house = make_house()
    house.suite.start()
    return house


def queued(house, **wanted):
    """The log line of such a message that was taken."""
    return house.suite.wait_log(
        lambda line: line.text.split(": ", 1)[-1].startswith("queued ") and
        all(line.get(k) == v for k, v in wanted.items()))


def first(house, octets):
    """The message without its signatures, which stand in front."""
    while octets.startswith(b"DKIM-Signature:"):
        octets = re.sub(rb"\A.*\r\n(?:[ \t].*\r\n)*", b"", octets, count=1)
    return octets


def test_a_local_users_mail_is_signed_twice(house):
    records = house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    octets = house.arrived()
    tags = house.verify(octets)
    assert [tag["d"] for tag in tags] == [DOMAIN, DOMAIN]
    for tag in tags:
        assert tag["c"] == "relaxed/relaxed" and "l" not in tag
    assert opendkim(octets, records) == [
        ("pass", DOMAIN, "rsa-sha256"), ("pass", DOMAIN, "ed25519-sha256")]
    assert first(house, octets).startswith(b"Received: ")
    assert queued(house, signed=DOMAIN)["from"] == f"<{ANN}>"


def test_one_octet_changed_is_noticed(house):
    """The verifiers above can tell."""
    records = house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    octets = house.arrived()
    for broken in (octets.replace(b"Dear", b"Deer"),
                   octets.replace(b"Subject: a", b"Subject: b"),
                   octets.replace(b"From: ann", b"From: a@b\r\nFrom: ann")):
        assert broken != octets
        assert not dkim.verify(broken, dnsfunc=lambda name, timeout=5: records[
            name.decode().rstrip(".")].encode())
        assert ("pass", DOMAIN, "rsa-sha256") not in opendkim(broken, records)


def test_without_a_key_it_leaves_unsigned(house):
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert b"DKIM-Signature" not in house.arrived()
    assert queued(house)["unsigned"] == "no key"


def test_dkim_sign_no(make_house):
    house = make_house(extra=["dkim-sign no"])
    house.suite.start()
    house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert b"DKIM-Signature" not in house.arrived()
    line = queued(house)
    assert "signed" not in line and "unsigned" not in line


def test_what_stays_here_is_not_signed(house):
    house.make()
    house.suite.sendmail("-f", ANN, BOB, message=message(to=BOB))
    [path] = house.suite.wait_maildir(BOB)
    with open(path, "rb") as f:
        assert b"DKIM-Signature" not in f.read()
    line = queued(house)
    assert "signed" not in line and "unsigned" not in line


def test_the_mailbox_has_no_signature_where_others_have(house):
    house.make()
    house.suite.sendmail("-f", ANN, AWAY, BOB, message=message())
    assert len(house.verify(house.arrived())) == 2
    [path] = house.suite.wait_maildir(BOB)
    with open(path, "rb") as f:
        assert b"DKIM-Signature" not in f.read()


@pytest.mark.parametrize("sender, why", [
    ("", "no mailbox in From"), (f"{ANN}, {BOB}", "several mailboxes in From"),
    ("x\nFrom: ann@example.test", "several From fields")])
def test_from_that_nobody_can_speak_for(house, sender, why):
    house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message(sender))
    assert b"DKIM-Signature" not in house.arrived()
    assert queued(house)["unsigned"] == why


@pytest.mark.parametrize("sender, domain", [
    (f"x@lists.{DOMAIN}", DOMAIN), (f"x@a.b.c.{DOMAIN}", DOMAIN),
    (f"x@{DOMAIN.upper()}", DOMAIN), (f"x@other{DOMAIN}", None),
    ("x@test", None), ("x@elsewhere.test", None), (f"x@{DOMAIN}.org", None)])
def test_the_nearest_domain_above_with_keys(house, sender, domain):
    house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message(sender))
    octets = house.arrived()
    assert [tag["d"] for tag in house.verify(octets)] == (
        [domain] * 2 if domain else [])


def test_its_own_keys_go_before_those_above(house):
    house.make()
    house.make(f"lists.{DOMAIN}")
    house.suite.sendmail("-f", ANN, AWAY, message=message(f"x@lists.{DOMAIN}"))
    assert {tag["d"] for tag in house.verify(house.arrived())} == {
        f"lists.{DOMAIN}"}


def test_a_report_of_ours_is_signed(house):
    """MAILER-DAEMON@mail.example.test, by the key of the domain above."""
    house.make()
    house.server.reply = lambda session, command: (
        "550 5.1.1 no" if command.startswith("RCPT TO:<carl") else None)
    house.suite.sendmail("-f", "dora@elsewhere.test", AWAY,
                         message=message("dora@elsewhere.test"))
    octets = house.arrived()
    assert b"multipart/report" in octets
    assert [tag["d"] for tag in house.verify(octets)] == [DOMAIN] * 2


# -- submission --

DATED = "Date: Mon, 30 Nov 2026 10:00:00 +0000", "Message-ID: <x@ann.test>"


def test_who_logs_in_has_it_signed(house):
    records = house.make()
    house.submit(message(ANN, *DATED))
    octets = house.arrived()
    assert [tag["d"] for tag in house.verify(octets)] == [DOMAIN] * 2
    assert opendkim(octets, records) == [
        ("pass", DOMAIN, "rsa-sha256"), ("pass", DOMAIN, "ed25519-sha256")]
    assert octets.endswith(message(ANN, *DATED).replace(
        "\n", "\r\n").encode())
    assert queued(house, signed=DOMAIN)["auth"] == ANN


def test_a_message_bigger_than_memory(house):
    house.make()
    house.submit(message(ANN, body="0123456789 \u00fc\n" * 60000))
    octets = house.arrived()
    assert len(octets) > 700000
    assert len(house.verify(octets)) == 2


def test_what_a_client_left_out_is_added_and_signed(house):
    """RFC 6409 section 8: behind Received, and not for strangers."""
    house.make()
    house.submit(message())
    octets = house.arrived()
    assert len(house.verify(octets)) == 2
    assert re.match(
        rb"Received: .*\r\n(?:\t.*\r\n)+Date: .* [+-]\d{4}\r\n"
        rb"Message-ID: <[0-9a-f]{16}@mail\.example\.test>\r\nFrom: ann@",
        first(house, octets))
    with house.suite.smtp() as smtp:
        smtp.sendmail("eve@there.test", [BOB], message("eve@there.test"))
    [path] = house.suite.wait_maildir(BOB)
    with open(path) as f:
        text = f.read()
    assert "\nDate:" not in text and "\nMessage-ID:" not in text


def test_nothing_is_added_that_is_there(house):
    house.submit(message(ANN, *DATED))
    octets = house.arrived()
    assert octets.count(b"Date:") == octets.count(b"Message-ID:") == 1


def test_without_from_it_is_the_senders(house):
    house.make()
    house.submit("Subject: x\n\nhello\n")
    octets = house.arrived()
    assert octets.endswith(b"\r\nSubject: x\r\n\r\nhello\r\n")
    assert b"\r\nFrom: <%s>\r\nDate: " % ANN.encode() in octets
    assert len(house.verify(octets)) == 2


@pytest.mark.parametrize("sender", [
    BOB, f"nobody@{DOMAIN}", "ann@elsewhere.test", f"root@lists.{DOMAIN}"])
def test_a_login_that_may_not_send_as_from(make_house, sender):
    house = make_house(extra=["bind-from no"])
    house.suite.start()
    house.make()
    house.submit(message(sender, *DATED))
    assert b"DKIM-Signature" not in house.arrived()
    assert queued(house)["unsigned"] == "sender-not-owned"


@pytest.mark.parametrize("sender", [
    f"Ann <{ANN}>", ANN.upper(), f"ann+x@{DOMAIN}", f"sales@{DOMAIN}"])
def test_every_address_of_a_login(house, sender):
    house.make()
    house.suite.add_alias(f"sales@{DOMAIN}", ANN)
    house.submit(message(sender, *DATED))
    assert len(house.verify(house.arrived())) == 2


def test_clients_of_relay_from(make_house):
    house = make_house(extra=["relay-from 127.0.0.1"])
    house.suite.start()
    house.make()
    with house.suite.smtp() as smtp:
        smtp.sendmail(BOB, [AWAY], message(BOB, *DATED))
        smtp.sendmail("x@elsewhere.test", [AWAY],
                      message("x@elsewhere.test", *DATED))
    house.suite.wait_queue_empty()
    signed = {re.search(rb"\r\nFrom: (\S+)", m[2])[1]: len(house.verify(m[2]))
              for m in house.server.messages}
    assert signed == {BOB.encode(): 2, b"x@elsewhere.test": 0}


def test_a_client_hears_that_keys_is_away(house):
    house.make()
    pid = house.suite.parents()["keys"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            house.submit(message(ANN, *DATED))
        assert refused.value.smtp_code == 451
        assert refused.value.smtp_error.startswith(b"4.7.5")
    finally:
        os.kill(pid, signal.SIGCONT)
    house.submit(message(ANN, *DATED))
    assert len(house.verify(house.arrived())) == 2


# -- who may have it signed --

def commit(peer, sender, recipient, packets):
    """A submission as smtpd hands it in; what queue says."""
    opened = peer.call("open")
    with os.fdopen(opened.fds[0], "wb") as f:
        f.write(b"From: ann@example.test\n\nx\n")
    os.close(opened.fds[1])
    peer.send("commit", ("id", opened["id"]), ("sender", sender),
              ("start", 0), ("wire", 30), ("body", "7bit"), ("utf8", 0),
              ("client", "c"), ("helo", "h"), ("protocol", "ESMTP"))
    for verb, attributes in packets:
        peer.send(verb, *attributes)
    peer.send("recipient", ("address", recipient))
    peer.send("end", ("count", 1))
    answer = peer.receive()
    if answer is not None and answer.verb == "committed":
        os.close(answer.fds[0])
        peer.send("synced")
    return answer


def test_a_broken_in_smtpd_has_nothing_signed(house):
    """Without a login what it says is to be signed is not looked at."""
    house.make()
    house.suite.add_alias(f"away@{DOMAIN}", AWAY)
    peer = Peer.connect(os.path.join(house.suite.run_dir, "smtpd", "queue"))
    facts = [("sign", [("from", ANN), ("body", HASH), ("fields", GOOD)])]
    assert commit(peer, ANN, f"away@{DOMAIN}", facts).verb == "committed"
    assert b"DKIM-Signature" not in house.arrived()


@pytest.mark.parametrize("packets", [
    [("sign", [("from", ANN)])], [("more", [("fields", "x")])],
    [("sign", [("from", ANN), ("body", "x"), ("fields", "x")])],
    [("sign", [("from", ANN), ("body", "0" * 64), ("fields", "")])],
    [("sign", [("from", ANN), ("body", "0" * 64), ("fields", "x"),
               ("more", 1)])],
    [("sign", [("reason", "x")])] * 2,
    [("sign", [("from", ANN), ("body", "0" * 64), ("fields", "x")]),
     ("more", [("fields", "x")])],
    [("sign", [("from", ANN), ("body", "0" * 64), ("fields", "x"),
               ("more", 1)])] + [
        ("more", [("fields", "x" * 7000), ("more", 1)])] * 8],
    ids=range(8))
@pytest.mark.parametrize("role", ["smtpd", "public"])
def test_garbage_about_signing_costs_that_connection(house, role, packets):
    peer = Peer.connect(os.path.join(house.suite.run_dir, role, "queue"))
    try:
        assert commit(peer, ANN, BOB, packets) is None
    except BrokenPipeError:
        pass
    assert house.suite.queued() == []
    house.suite.sendmail("-f", ANN, BOB, message=message())
    house.suite.wait_maildir(BOB)


def test_hostile_facts_of_a_local_user(house):
    """keys looks at them; the message is his, and leaves unsigned."""
    house.make()
    for i, fields in enumerate((GOOD.replace("ann", "bob"), OVERSIGNED, "x")):
        peer = Peer.connect(os.path.join(house.suite.run_dir, "public",
                                         "queue"))
        facts = [("sign", [("from", ANN), ("body", HASH), ("fields", fields)])]
        assert commit(peer, ANN, AWAY, facts).verb == "committed"
        assert b"DKIM-Signature" not in house.arrived(i + 1)


# -- what was signed by others --

def test_what_others_signed_is_passed_on_as_it_came(house):
    """By an alias, from a stranger: octet by octet, and not by us."""
    house.make()
    house.suite.add_alias(f"away@{DOMAIN}", AWAY)
    text = ("DKIM-Signature: v=1; a=rsa-sha256; d=there.test; s=x;\r\n"
            "\th=From; bh=x; b=y\r\nFrom: eve@there.test\r\n"
            "Subject:   folded\r\n\t twice \r\n\r\n\ttext  \r\n\r\n\r\n")
    with house.suite.smtp() as smtp:
        smtp.sendmail("eve@there.test", [f"away@{DOMAIN}"], text.encode())
    octets = house.arrived()
    assert octets.count(b"DKIM-Signature") == 1
    assert octets.endswith(text.encode())
    assert "unsigned" not in queued(house)


# -- what is signed is what leaves --

@pytest.mark.parametrize("body", [
    "", "\n", "\n\n\n", "no line end", "bare\rCR\rs", "a\r\nb\r\n", "a\n\r\nb",
    ".\n..\n...\n", " \n\t\n  \n", "trailing \t \n\n", "x" * 998 + "\n",
    "\u00fcml\u00e4ut \u2014 \u263a\n", "nul\0octet\n", "\r\r\n.\r.\n",
    "tab\tand   blanks\n" * 3000], ids=range(15))
def test_what_leaves_verifies(house, body):
    """From sendmail with -i: whatever line ends, dots and octets came."""
    records = house.make()
    house.suite.sendmail("-i", "-f", ANN, AWAY, message=message(
        "ann@example.test (\u00fc)", "X-Odd:   a\t b  ", body=body))
    octets = house.arrived()
    assert len(house.verify(octets)) == 2
    assert {verdict for verdict, *_ in opendkim(octets, records)} == {"pass"}


WIRE = [b"", b"\r\n", b"\r\n\r\n\r\n", b"..\r\n...\r\n.x\r\n",
        b"\xfc \xff\t\r\n", b" \r\n\t\r\n \t \r\n", b"x" * 998 + b"\r\n",
        "\u00fc\u263a\r\n".encode(), b"a  b\t\tc \r\n\r\n \r\n",
        bytes(c for c in range(1, 256) if c not in b"\r\n") + b"\r\n"]
HEADS = [b"", b"X-Odd: \xfc\r\n", b"Subject:\r\n a\r\n\t b \r\n",
         b"To:\r\n", b"Cc: a@b.test,\r\n\tc@d.test\r\n",
         b"Reply-To: x@y.test\r\nReply-To: z@y.test\r\n",
         b"List-Unsubscribe: <mailto:x@y.test>\r\n"]


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_what_leaves_verifies_however_it_came(house, piece):
    """By SMTP, in any pieces: our hash is that of the octets on the wire."""
    records = house.make()
    with house.suite.submission(ANN) as smtp:
        for i, (head, body) in enumerate(
                [(head, WIRE[3]) for head in HEADS] +
                [(HEADS[1], body) for body in WIRE]):
            smtp.mail(ANN)
            smtp.rcpt(AWAY)
            assert smtp.docmd("DATA")[0] == 354
            octets = (b"From: ann@example.test\r\n" + head + b"\r\n" +
                      re.sub(rb"(?m)^\.", b"..", body) + b".\r\n")
            for at in range(0, len(octets), piece):
                smtp.sock.sendall(octets[at:at + piece])
            assert smtp.getreply()[0] == 250, i
    house.suite.wait_queue_empty()
    assert len(house.server.messages) == len(HEADS) + len(WIRE)
    for _, _, octets in house.server.messages:
        assert len(house.verify(octets)) == 2
        assert {verdict for verdict, *_ in opendkim(octets, records)} == {
            "pass"}


# -- keys --


def test_the_printed_zone_is_one(house, dns):
    """As a name server reads it, and the tool finds it there."""
    text = house.key("dkim", DOMAIN).stdout
    dns.add_zone(DOMAIN, text)
    dns.start()
    house.suite.dns_server = dns.address
    house.suite.write_config()
    check = house.key("dkim", "--check", DOMAIN)
    assert check.stdout.count("in use from now on") == 2


def test_started_by_an_ordinary_user(make_house):
    house = make_house(root=False)
    house.suite.start()
    house.make()
    house.submit(message(ANN, *DATED))
    assert len(house.verify(house.arrived())) == 2


def test_selectors_change_when_the_new_ones_are_in_the_dns(house):
    old = house.make()

    def used():
        before = len(house.server.messages)
        house.suite.sendmail("-f", ANN, AWAY, message=message())
        tags = house.verify(house.arrived(before + 1))
        return {f"{tag['s']}._domainkey.{tag['d']}" for tag in tags}

    def states():
        return {one["name"]: one["state"] for one in json.loads(
            house.key("dkim", "list", "--json").stdout)}

    assert used() == set(old)
    text = house.key("dkim", "--rotate", DOMAIN).stdout
    new = {n: r for n, r in published(text).items() if n not in old}
    assert len(new) == 2
    again = house.key("dkim", "--rotate", DOMAIN, check=False)
    assert again.returncode == 69 and "wait" in again.stderr
    # not there yet
    check = house.key("dkim", "--check", check=False)
    assert check.returncode == 75 and check.stdout.count("waits") == 2
    assert used() == set(old)
    # another record there
    [rsa] = [n for n in new if n.endswith("-rsa._domainkey." + DOMAIN)]
    house.dns.add(rsa, TXT=[next(iter(old.values()))])
    assert house.key("dkim", "--check", check=False).returncode == 65
    assert used() == set(old)
    # one of them
    house.dns.add(rsa, TXT=[new[rsa]])
    house.records.update(new)
    assert house.key("dkim", "--check", DOMAIN, check=False).returncode == 75
    half = {rsa} | {n for n in old if "ed25519" in n}
    assert used() == half
    house.publish(text)
    check = house.key("dkim", "--check", "--quiet")
    assert check.stdout.count("in use from now on") == 1
    assert used() == set(new)
    assert states() == {**{n: "retired" for n in old},
                        **{n: "active" for n in new}}
    # the old ones may go now
    for name in old:
        house.key("dkim", "--delete", DOMAIN, name.split(".")[0])
        house.dns.update({name: {}})
    house.key("dkim", "--check")
    assert used() == set(new)


def test_what_is_changed_while_the_dns_is_asked_stays(house):
    """A look-up takes its time, and a key that is deleted meanwhile does not
    come back without its file."""
    old = [name.split(".")[0] for name in house.make()]
    new = house.publish(house.key("dkim", "--rotate", DOMAIN).stdout)
    name, text = [(n, r) for n, r in new.items()
                  if n.split(".")[0] not in old][0]
    done = []

    def answer(query):
        if not done:
            done.append(house.key("dkim", "--delete", DOMAIN, *old))
        return query.reply(record(encode_name(name), "TXT",
                                  encode_data("TXT", text)))
    house.dns.update({name: answer})
    house.key("dkim", "--check", check=False)
    assert done
    listed = house.key("dkim", "list").stdout
    assert not [one for one in old if f" {one} " in listed], listed
    house.key("dkim", "--check")
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived())) == 2


def test_a_record_that_has_gone_is_told(house):
    """From cron, too, where no news is good news."""
    names = list(house.make())
    check = house.key("dkim", "--check", "--quiet")
    assert check.stdout == check.stderr == ""
    house.dns.update({name: {} for name in names})
    check = house.key("dkim", "--check", check=False)
    assert check.returncode == 65 and check.stdout.count("is gone") == 2
    assert house.key("dkim", "--check", "--quiet",
                     check=False).stdout == check.stdout


def test_dead_dns_changes_nothing(house):
    house.publish(house.key("dkim", DOMAIN).stdout)
    for name in house.records:
        house.dns.update({name: SERVFAIL})
    check = house.key("dkim", "--check", check=False)
    assert check.returncode == 75 and "does not tell" in check.stdout
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert b"DKIM-Signature" not in house.arrived()


def test_deleted_keys_sign_no_more(house):
    names = house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived())) == 2
    house.key("dkim", "--delete", DOMAIN, *(n.split(".")[0] for n in names))
    assert json.loads(house.key("dkim", "list", "--json").stdout) == []
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert b"DKIM-Signature" not in house.arrived(2)


def test_keys_are_made_once_and_shown_again(house):
    first = house.key("dkim", DOMAIN).stdout
    assert house.key("dkim", DOMAIN.upper()).stdout == first
    assert len(published(first)) == 2


def test_keys_work_while_the_suite_is_stopped(house):
    house.suite.stop()
    records = house.make()
    house.suite.start()
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived())) == len(records)


def test_only_keys_can_read_them(house):
    house.make()
    top = os.path.join(house.suite.path("database-keys"), "dkim")
    folders = [top, os.path.join(top, DOMAIN)]
    files = [os.path.join(folders[1], name) for name in os.listdir(folders[1])]
    assert len(files) == 5
    owner = os.stat(house.suite.path("database-keys")).st_uid
    for path, mode in [(f, 0o700) for f in folders] + [
            (f, 0o600) for f in files]:
        status = os.stat(path)
        assert (status.st_mode & 0o777, status.st_uid) == (mode, owner), path


def test_a_key_of_opendkim_is_taken_over(house):
    folder = tempfile.mkdtemp(dir=house.suite.folder)
    subprocess.run(["opendkim-genkey", "-b", "2048", "-d", DOMAIN, "-s",
                    "mail", "-D", folder], check=True,
                   env={"PATH": SBIN})
    shutil.chown(folder, os.stat(house.suite.folder).st_uid)
    path = os.path.join(folder, "mail.private")
    shutil.chown(path, os.stat(house.suite.folder).st_uid)
    text = house.key("dkim", "--import", path, DOMAIN, "mail").stdout
    [(name, record)] = published(text).items()
    assert name == f"mail._domainkey.{DOMAIN}"
    with open(os.path.join(folder, "mail.txt")) as f:
        theirs = "".join(re.findall(r'"([^"]*)"', f.read()))
    assert record.split("p=")[1] == theirs.split("p=")[1]
    house.dns.add(name, TXT=[theirs])
    house.records[name] = record
    house.key("dkim", "--check", DOMAIN)
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert [tag["s"] for tag in house.verify(house.arrived())] == ["mail"]


@pytest.mark.parametrize("arguments, code", [
    (["../x"], 65), (["a..b"], 65), (["localhost"], 65), ([""], 65), (["a/b.test"], 65),
    (["--delete", DOMAIN, "nothing"], 65), (["--rotate", "none.test"], 68),
    (["--activate", DOMAIN], 64), (["--check", "none.test"], 68),
    (["--quiet", DOMAIN], 64),
    (["--import", "/dev/null", DOMAIN, "x"], 65), ([], 64)])
def test_bad_arguments(house, arguments, code):
    house.make()
    assert house.key("dkim", *arguments, check=False).returncode == code


def test_activated_by_hand(house):
    records = house.publish(house.key("dkim", DOMAIN).stdout)
    house.key("dkim", "--activate", DOMAIN,
              *(name.split(".")[0] for name in records))
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived())) == 2


# -- when keys is not there --

def test_a_message_waits_for_keys(house):
    """Nothing is taken that could not be signed, and all is well later."""
    house.make()
    pid = house.suite.parents()["keys"]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = house.suite.sendmail("-f", ANN, AWAY, message=message(),
                                    check=False)
        assert done.returncode == 75 and "4.7.5" in done.stderr
    finally:
        os.kill(pid, signal.SIGCONT)
    assert house.suite.queued() == []
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived())) == 2


def test_keys_killed_in_between(house):
    house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    house.suite.kill_service("keys")
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    house.suite.wait_queue_empty()
    assert [len(house.verify(m[2])) for m in house.server.messages] == [2, 2]


def test_a_broken_key_puts_mail_off(house):
    house.make()
    folder = os.path.join(house.suite.path("database-keys"), "dkim", DOMAIN)
    [path] = [os.path.join(folder, name) for name in os.listdir(folder)
              if name.endswith("-rsa.pem")]
    with open(path, "rb") as f:
        kept = f.read()
    with open(path, "wb") as f:
        f.write(b"-----BEGIN PRIVATE KEY-----\n")
    os.utime(os.path.join(folder, "selectors"))
    done = house.suite.sendmail("-f", ANN, AWAY, message=message(),
                                check=False)
    assert done.returncode == 75
    house.suite.wait_log(lambda line: "no key" in line.text and
                         line.get("domain") == DOMAIN)
    with open(path, "wb") as f:
        f.write(kept)
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived())) == 2


@pytest.mark.parametrize("name", ["dkim", f"dkim/{DOMAIN}"])
def test_a_folder_that_cannot_be_read_puts_mail_off(house, name):
    house.make()
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived())) == 2
    folder = os.path.join(house.suite.path("database-keys"), name)
    os.rename(folder, folder + ".away")
    with open(folder, "w"):
        pass
    done = house.suite.sendmail("-f", ANN, AWAY, message=message(),
                                check=False)
    assert done.returncode == 75
    house.suite.wait_log(lambda line: "no key" in line.text and
                         line.get("domain") == DOMAIN)
    os.unlink(folder)
    os.rename(folder + ".away", folder)
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    assert len(house.verify(house.arrived(2))) == 2


def test_the_same_signature_after_a_restart(house):
    house.make()
    house.server.reply = lambda session, command: (
        "451 4.3.0 later" if command.startswith("MAIL") else None)
    house.suite.sendmail("-f", ANN, AWAY, message=message())
    [ident] = house.suite.queued()
    house.suite.wait_log(lambda line: line.get("id") == ident and
                         line.get("status") == "deferred")
    envelope = house.suite.path("spool", "envelope", ident)
    with open(envelope) as f:
        signed = [line for line in f if line.startswith("dkim ")]
    assert len(signed) == 2
    shown = house.suite.run("postrider-queue", "show", ident).stdout
    assert re.findall(r"^signed +(\S+)", shown, re.M) == [DOMAIN] * 2
    house.suite.restart()
    house.server.reply = lambda session, command: None
    house.suite.run("postrider-queue", "flush")
    octets = house.arrived()
    house.verify(octets)
    fields = b"".join(octets.split(b"Received:")[0].splitlines(True))
    assert fields.decode().replace("\r\n", "\n") == "".join(
        re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)),
               line.removeprefix("dkim ")) for line in signed)


# -- who asks keys (A24) --

def ask(suite, role, fields, from_=ANN, body=HASH, more=()):
    peer = Peer.connect(os.path.join(suite.run_dir, role, "keys"))
    peer.send("dkim", ("serial", 7), ("from", from_), ("body", body),
              ("fields", fields), *more)
    return peer


@pytest.mark.parametrize("role", ["smtpd", "pop3d", "deliver"])
def test_a_speaker_gets_nothing_signed(house, role):
    house.make()
    assert ask(house.suite, role, GOOD).receive() is None


def test_the_administrator_and_queue_do(house):
    house.make()
    for role in ("queue", "admin"):
        answer = ask(house.suite, role, GOOD).receive()
        assert [n for n, _ in answer.attributes] == ["serial", "dkim", "dkim"]


@pytest.mark.parametrize("fields, from_", [
    (GOOD.replace("ann", "bob"), ANN), (OVERSIGNED, ANN),
    (GOOD.replace("\r\nfrom\r\n", "\r\n"), ANN), ("subject:x\r\n", ANN),
    (GOOD.replace("\r\nfrom\r\n", "\r\nfrom:x@y\r\nfrom\r\n"), ANN),
    (GOOD.replace("from\r\n", ""), ANN), (GOOD.replace("to\r\n", ""), ANN),
    (GOOD + "to:x\n", ANN), (GOOD + "\r\n", ANN), ("x", ANN),
    (GOOD + "x-other:x\r\n", ANN), (GOOD[:-2], ANN), (GOOD[:-1], ANN),
    (GOOD, "ann@elsewhere.test"), (GOOD, ""), (GOOD, "ann@"),
    (GOOD.replace("example.test", "../../x"), "ann@../../x")], ids=range(17))
def test_hostile_facts_are_not_signed(house, fields, from_):
    house.make()
    peer = ask(house.suite, "queue", fields, from_)
    answer = peer.receive()
    assert [n for n, _ in answer.attributes] == ["serial", "reason"]
    # and that connection goes on
    peer.send("dkim", ("serial", 8), ("from", ANN), ("body", HASH),
              ("fields", GOOD))
    assert peer.receive().get("dkim")


@pytest.mark.parametrize("packets", [
    [("dkim", [("serial", 1)])],
    [("more", [("fields", GOOD)])],
    [("dkim", [("serial", 1), ("from", ANN), ("body", "0" * 63),
               ("fields", GOOD)])],
    [("dkim", [("serial", 1), ("from", ANN), ("body", "z" * 64),
               ("fields", GOOD)])],
    [("dkim", [("serial", 1), ("from", ANN), ("body", HASH),
               ("fields", "x" * 7001)])],
    [("dkim", [("serial", 1), ("from", ANN), ("body", HASH),
               ("fields", GOOD), ("more", 2)])],
    [("dkim", [("serial", 1), ("from", ANN), ("body", HASH),
               ("fields", GOOD), ("more", 1)])] * 2,
    [("dkim", [("serial", 1), ("from", ANN), ("body", HASH),
               ("fields", GOOD), ("more", 1)])] + [
        ("more", [("fields", "x" * 7000), ("more", 1)])] * 8],
    ids=range(8))
def test_garbage_costs_that_connection(house, packets):
    house.make()
    peer = Peer.connect(os.path.join(house.suite.run_dir, "queue", "keys"))
    try:
        for verb, attributes in packets:
            peer.send(verb, *attributes)
    except BrokenPipeError:
        pass
    assert peer.receive() is None
    assert ask(house.suite, "queue", GOOD).receive().get("dkim")


def test_facts_in_many_packets(house):
    house.make()
    fields = GOOD.replace("subject\r\n", "".join(
        f"subject:{i} {'x' * 900}\r\n" for i in range(20)) + "subject\r\n")
    at, peer = 6000, ask(house.suite, "queue", fields[:6000],
                         more=[("more", 1)])
    while at < len(fields):
        last = at + 6000 >= len(fields)
        peer.send("more", ("fields", fields[at:at + 6000]),
                  *([] if last else [("more", 1)]))
        at += 6000
    assert peer.receive().get("dkim")
