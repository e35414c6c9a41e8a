# SPDX-License-Identifier: ISC
"""Every way to log in but the plain one: userdb computes what both sides of
SCRAM, CRAM-MD5 and APOP are said to compute, counts at ledger, makes hashes
and verifiers anew, and keeps app passwords apart."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import smtplib
import socket
import time

import pytest

from suite import SECONDS
from userdb_daemon import Daemon, Peer, encode, receive_with_fds
from watch import wait_for

CLIENT = {"client": "192.0.2.1", "mechanism": "SCRAM-SHA-256", "tls": 1}


@pytest.fixture
def make():
    made = []

    def make(**options):
        made.append(Daemon(**options))
        return made[-1]
    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(make):
    """Started, with ann@example.test (secret) and a queue."""
    d = make(extra=["password-cost 1"])
    d.add("ann@example.test")
    d.start()
    d.owner("queue")
    return d


def sha256(octets):
    return hashlib.sha256(octets).digest()


def mac(key, text):
    return hmac.digest(key, text.encode(), "sha256")


def b64(octets):
    return base64.b64encode(octets).decode()


class Scram:
    """A client's side (RFC 5802), on a connection to userdb."""

    def __init__(self, peer, user="ann", password="secret", **more):
        self.peer, self.user, self.password = peer, user, password
        self.asked, self.end = peer.begin("scram", user=user,
                                          **{**CLIENT, **more})

    def messages(self, nonce="clients", binding="biws"):
        self.first = f"n={self.user},r={nonce}"
        self.final = f"c={binding},r={nonce}{self.asked['nonce']}"
        server_first = (f"r={nonce}{self.asked['nonce']},"
                        f"s={self.asked['salt']},i={self.asked['iterations']}")
        return f"{self.first},{server_first},{self.final}"

    def proof(self):
        message = self.messages()
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password.encode(),
            base64.b64decode(self.asked["salt"]),
            int(self.asked["iterations"]))
        client_key = mac(salted, "Client Key")
        signature = mac(sha256(client_key), message)
        self.expected = b64(mac(mac(salted, "Server Key"), message))
        return b64(bytes(a ^ b for a, b in zip(client_key, signature)))

    def finish(self, proof=None):
        proof = self.proof() if proof is None else proof
        return self.peer.ask("proof", first=self.first, final=self.final,
                             proof=proof)


# -- SCRAM --

def test_scram(daemon):
    smtpd = daemon.peer("role-smtpd")
    scram = Scram(smtpd)
    answer = scram.finish()
    assert answer.verb == "login"
    assert answer["verdict"] == "login-ok", daemon.log()
    assert answer["user"] == "ann@example.test"
    assert answer["signature"] == scram.expected
    queue, _ = daemon.sockets["queue"].accept()
    octets, fds = receive_with_fds(queue)
    assert b"ann@example.test" in octets and len(fds) == 1
    # The connection is good for another one, of another kind, too.
    answer = Scram(smtpd, password="wrong").finish()
    assert answer.pairs == [("verdict", "login-failed")]
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    log = daemon.log()
    assert re.search(r"login client=192.0.2.1 service=smtpd "
                     r"mechanism=SCRAM-SHA-256 tls=yes auth=ann@example.test",
                     log)
    assert re.search(r"login failed client=192.0.2.1 .*"
                     r'mechanism=SCRAM-SHA-256 .*reason="wrong password"', log)
    assert "secret" not in log and scram.proof() not in log


def test_scram_proofs_that_prove_nothing(daemon):
    smtpd = daemon.peer("role-smtpd")
    good = Scram(smtpd)
    proof = good.proof()
    assert good.finish(proof)["verdict"] == "login-ok"
    # The same once more: userdb's half of the nonce is another one.
    replay = Scram(smtpd)
    assert replay.asked["nonce"] != good.asked["nonce"]
    replay.first, replay.final = good.first, good.final
    assert replay.finish(proof)["verdict"] == "login-failed"
    for mend in ("", "AAAA", "!", b64(bytes(32)), b64(bytes(64))):
        bad = Scram(smtpd)
        bad.messages()
        assert bad.finish(mend)["verdict"] == "login-failed", mend
    # What was said is part of what is proven.
    for name, value in (("first", "n=bob,r=clients"),
                        ("first", "n=ann,r=client"),
                        ("final", "c=eSws,r=clients"), ("first", ""),
                        ("final", "")):
        bad = Scram(smtpd)
        proof = bad.proof()
        setattr(bad, name, value + (bad.asked["nonce"]
                                    if value.startswith("c=") else ""))
        assert bad.finish(proof)["verdict"] == "login-failed", value


def test_scram_in_its_order(daemon):
    smtpd = daemon.peer("role-smtpd")
    Scram(smtpd)
    smtpd.send("cancel")
    assert Scram(smtpd).finish()["verdict"] == "login-ok"
    # Look-ups may come between.
    scram = Scram(smtpd)
    assert smtpd.ask("recipient", address="ann@example.test")[
        "verdict"] == "recipient-ok"
    assert scram.finish()["verdict"] == "login-ok"
    for octets in (encode("proof", first="a", final="b", proof="c"),
                   encode("cancel")):
        other = daemon.peer("role-pop3d")
        other.socket.send(octets)
        assert other.is_closed()
    # Two at a time may not.
    twice = daemon.peer("role-smtpd")
    scram = Scram(twice)
    with pytest.raises((EOFError, ConnectionError)):
        Scram(twice)
    assert scram.end.recv(9) == b""
    assert daemon.crashes() == 0


def test_a_user_without_a_verifier_looks_like_nobody(make):
    d = make(extra=["password-cost 1"])
    d.add("ann@example.test")
    line = d.tool("export").stdout.splitlines()[1]
    bob = re.sub(r" scram=\S+", "", line).replace("ann@", "bob@")
    d.tool("import", input=bob + "\n")
    d.start()
    d.owner("queue")
    smtpd = d.peer("role-smtpd")

    def challenge(user):
        scram = Scram(smtpd, user)
        answer = scram.finish()
        return (scram.asked["salt"], scram.asked["iterations"],
                answer["verdict"])
    names = ["bob", "nobody", "x@remote.test", "not an address", "a" * 300]
    first = {name: challenge(name) for name in names}
    ann = challenge("ann")
    assert ann[2] == "login-ok"
    for name, (salt, iterations, verdict) in first.items():
        assert verdict == "login-failed"
        assert iterations == ann[1]
        assert len(base64.b64decode(salt)) == len(base64.b64decode(ann[0]))
    assert len({salt for salt, _, _ in first.values()} | {ann[0]}) == 6
    # For ever the same, after a restart as well, however it is written.
    d.kill_server()
    smtpd = d.peer("role-smtpd")
    assert {name: challenge(name) for name in names} == first
    assert challenge("Nobody@Example.Test") == first["nobody"]
    # Neither a user's first password nor his next one shows in the salt.
    d.add("nobody@example.test", "secret")
    assert challenge("nobody") == (*first["nobody"][:2], "login-ok")
    d.tool("passwd", "--password-stdin", "nobody", input="other\n")
    assert challenge("nobody") == first["nobody"]
    # A login with the password makes what is missing.
    assert '"scram": false' in d.tool("show", "--json", "bob").stdout
    assert smtpd.login("bob", "secret")[0]["verdict"] == "login-ok"
    assert '"scram": true' in d.tool("show", "--json", "bob").stdout
    assert challenge("bob") == (*first["bob"][:2], "login-ok")


def test_a_password_changed_between_challenge_and_proof(daemon):
    smtpd = daemon.peer("role-smtpd")
    scram = Scram(smtpd)
    proof = scram.proof()
    daemon.tool("passwd", "--password-stdin", "ann", input="other\n")
    assert scram.finish(proof)["verdict"] == "login-failed"
    daemon.tool("disable", "ann")
    assert Scram(smtpd, password="other").finish()["verdict"] == "login-failed"
    daemon.tool("enable", "ann")
    assert Scram(smtpd, password="other").finish()["verdict"] == "login-ok"


# -- CRAM-MD5, APOP --

def digest(peer, kind, user, password, challenge="<1.2@mail.example.test>"):
    if kind == "apop":
        made = hashlib.md5((challenge + password).encode()).hexdigest()
    else:
        made = hmac.new(password.encode(), challenge.encode(),
                        "md5").hexdigest()
    return peer.begin("digest", kind=kind, user=user, challenge=challenge,
                      response=made, client="192.0.2.1", tls=0)[0]["verdict"]


@pytest.mark.parametrize("kind", ["cram-md5", "apop"])
def test_digests_of_reversible_passwords_only(daemon, kind):
    smtpd = daemon.peer("role-smtpd")
    for password in ("secret", "nobody's", ""):
        assert digest(smtpd, kind, "ann", password) == "login-failed"
    done = daemon.tool("passwd", "--password-stdin", "--reversible", "ann",
                       input="two words\n")
    assert done.stdout == ""
    assert digest(smtpd, kind, "ann", "two words") == "login-ok"
    assert digest(smtpd, kind, "ann", "secret") == "login-failed"
    for user in ("nobody", "", "a" * 300):
        assert digest(smtpd, kind, user, "nobody's") == "login-failed"
    for response in ("", "0" * 31, "0" * 64, "Z" * 32):
        assert smtpd.begin(
            "digest", kind=kind, user="ann", challenge="<1@x>",
            response=response, client="192.0.2.1", tls=1)[0][
                "verdict"] == "login-failed"
    done = daemon.tool("passwd", "--password-stdin", "ann", input="plain\n")
    assert "no more CRAM-MD5" in done.stderr
    assert digest(smtpd, kind, "ann", "plain") == "login-failed"
    assert digest(smtpd, kind, "ann", "two words") == "login-failed"
    assert smtpd.login("ann", "plain")[0]["verdict"] == "login-ok"


def test_digest_vectors(make):
    """RFC 2195 section 2 and RFC 1939 section 7."""
    d = make(extra=["password-cost 1"])
    for user, password in (("tim", "tanstaaftanstaaf"), ("mrose", "tanstaaf")):
        d.add(user + "@example.test", password)
        d.tool("passwd", "--password-stdin", "--reversible", user,
               input=password + "\n")
    d.start()
    d.owner("queue")
    smtpd = d.peer("role-smtpd")
    for kind, user, challenge, response in (
            ("cram-md5", "tim", "<1896.697170952@postoffice.reston.mci.net>",
             "b913a602c7eda7a495b4e6e7334d3890"),
            ("apop", "mrose", "<1896.697170952@dbc.mtview.ca.us>",
             "c4c9334bac560ecc979e58001b3e22fb")):
        answer, _ = smtpd.begin("digest", kind=kind, user=user,
                                challenge=challenge, response=response,
                                client="192.0.2.1", tls=1)
        assert answer["verdict"] == "login-ok", kind


# -- app passwords --

def used(d, user="ann"):
    shown = json.loads(d.tool("show", "--json", user).stdout)[0]
    return {a["name"]: a["used"] for a in shown["app_passwords"]}


@pytest.mark.parametrize("running", [True, False])
def test_app_passwords_are_made_listed_and_revoked(make, running):
    d = make(extra=["password-cost 1"])
    d.add("ann@example.test")
    if running:
        d.start()
    made = {name: d.tool("passwd", "--app", name, "ann").stdout
            for name in ("phone", "old.PC_2-b")}
    assert all(re.fullmatch(r"([a-z2-7]{4}-){5}[a-z2-7]{4}\n", p)
               for p in made.values())
    assert len(set(made.values())) == 2
    assert used(d) == {"phone": 0, "old.PC_2-b": 0}
    assert "app      phone, made 20" in d.tool("show", "ann").stdout
    again = d.tool("passwd", "--app", "phone", "ann", check=False)
    assert again.returncode == 65 and "already" in again.stderr
    done = d.tool("passwd", "--password-stdin", "ann", input="other\n")
    assert "2 app passwords are still valid" in done.stderr
    d.tool("passwd", "--app", "phone", "--revoke", "ann")
    assert used(d) == {"old.PC_2-b": 0}
    gone = d.tool("passwd", "--app", "phone", "--revoke", "ann", check=False)
    assert gone.returncode == 67 and "no app password phone" in gone.stderr
    for arguments, code in ((["--app", "x", "nobody"], 67),
                            (["--app", "a b", "ann"], 65),
                            (["--app", "", "ann"], 65),
                            (["--app", "x" * 65, "ann"], 65),
                            (["--revoke", "ann"], 64),
                            (["--app", "x", "ann", "bob"], 64),
                            (["--app", "x", "--reversible", "ann"], 64)):
        done = d.tool("passwd", *arguments, check=False)
        assert (done.returncode, done.stdout) == (code, ""), arguments
    # With the user they go, all of them.
    d.tool("del", "ann")
    assert "\napp " not in d.tool("export").stdout
    d.tool("add", "--no-password", "ann")
    assert used(d) == {}
    for i in range(20):
        d.tool("passwd", "--app", f"n{i}", "ann")
    done = d.tool("passwd", "--app", "n20", "ann", check=False)
    assert done.returncode == 65 and "at most 20" in done.stderr


def test_app_passwords_log_in_by_plain_alone(daemon):
    app = daemon.tool("passwd", "--app", "phone", "ann").stdout.strip()
    smtpd = daemon.peer("role-smtpd")
    mailbox = daemon.owner("mailbox")
    for typed in (app, app.replace("-", ""), app.upper(),
                  app.replace("-", " ")):
        assert smtpd.login("ann", typed)[0]["verdict"] == "login-ok", typed
    assert daemon.peer("role-pop3d").login("ann", app)[0][
        "verdict"] == "login-ok"
    assert daemon.peer("role-admin").ask(
        "check", user="ann", password=app)["verdict"] == "login-ok"
    assert mailbox and "app=phone" in daemon.log()
    assert app not in daemon.log()
    assert Scram(smtpd, password=app).finish()["verdict"] == "login-failed"
    assert digest(smtpd, "apop", "ann", app) == "login-failed"
    # It is his, and nobody else's.
    daemon.add("bob@example.test")
    for user in ("bob", "nobody"):
        assert smtpd.login(user, app)[0]["verdict"] == "login-failed"
    daemon.tool("disable", "ann")
    assert smtpd.login("ann", app)[0]["verdict"] == "login-failed"
    daemon.tool("enable", "ann")
    assert smtpd.login("ann", app)[0]["verdict"] == "login-ok"
    daemon.tool("passwd", "--app", "phone", "--revoke", "ann")
    assert smtpd.login("ann", app)[0]["verdict"] == "login-failed"


def test_last_use_is_written_once_an_hour(daemon, make):
    app = daemon.tool("passwd", "--app", "phone", "ann").stdout.strip()
    smtpd = daemon.peer("role-smtpd")
    assert smtpd.login("ann", app)[0]["verdict"] == "login-ok"
    first = used(daemon)["phone"]
    assert abs(first - time.time()) < 60
    text = daemon.tool("export").stdout
    # So long ago, by way of an import elsewhere.
    for ago in (3000, 3601):
        other = make(extra=["password-cost 1"])
        other.tool("import", input=text.replace(
            f"used={first}", f"used={first - ago}"))
        other.start()
        other.owner("queue")
        assert other.peer("role-smtpd").login("ann", app)[0][
            "verdict"] == "login-ok"
        assert (used(other)["phone"] == first - ago) == (ago < 3600)
        assert used(other)["phone"] <= time.time()


# -- hashes made anew --

def hash_of(d, user="ann"):
    line = [l for l in d.tool("export").stdout.splitlines()
            if l.startswith(f"user {user}@")][0]
    return re.search(r" hash=(\S+)", line).group(1)


def test_hashes_rise_with_the_cost(make):
    d = make(extra=["password-cost 1"])
    d.add("ann@example.test")
    d.tool("import", input="user old@example.test "
           "hash=$6$saltsalt$%s\n" % sha512_of("secret"))
    d.start()
    d.owner("queue")
    smtpd = d.peer("role-smtpd")
    cheap = hash_of(d)
    assert cheap.startswith("$y$j75$")
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    assert hash_of(d) == cheap
    # Of another method.
    assert smtpd.login("old", "wrong")[0]["verdict"] == "login-failed"
    assert hash_of(d, "old").startswith("$6$")
    assert smtpd.login("old", "secret")[0]["verdict"] == "login-ok"
    assert hash_of(d, "old").startswith("$y$j75$")
    assert Scram(smtpd, "old").finish()["verdict"] == "login-ok"
    # The parameters rise; what was remembered costs nothing, so forget it.
    d.write_config()
    with open(d.config) as f:
        text = f.read()
    with open(d.config, "w") as f:
        f.write(text.replace("password-cost 1", "password-cost 3"))
    with open(d.config) as f:
        d.tell("reload", fds=[f.fileno()])
    assert d.status().verb == "status"
    d.kill_server()
    smtpd = d.peer("role-smtpd")
    before = d.tool("show", "--json", "ann").stdout
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    risen = hash_of(d)
    assert risen.startswith("$y$j7T$")
    assert d.tool("show", "--json", "ann").stdout == before
    # And is remembered: nobody hashes again.
    for pid in d.processes()["userdb-checker"]:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    finally:
        for pid in d.processes()["userdb-checker"]:
            os.kill(pid, signal.SIGCONT)
    assert hash_of(d) == risen


def sha512_of(password):
    import subprocess
    done = subprocess.run(["openssl", "passwd", "-6", "-salt", "saltsalt",
                           password], capture_output=True, text=True,
                          check=True)
    return done.stdout.strip().split("$")[3]


def test_a_hash_made_anew_does_not_undo_a_new_password(make):
    d = make(extra=["password-cost 1"])
    d.tool("import", input="user ann@example.test "
           "hash=$6$saltsalt$%s\n" % sha512_of("secret"))
    d.start()
    d.owner("queue")
    smtpd = d.peer("role-smtpd")
    checkers = d.processes()["userdb-checker"]
    for pid in checkers:
        os.kill(pid, signal.SIGSTOP)
    smtpd.login("ann", "secret", wait=False)
    d.tool("passwd", "--password-stdin", "ann", input="other\n")
    changed = hash_of(d)
    for pid in checkers:
        os.kill(pid, signal.SIGCONT)
    assert smtpd.receive()["verdict"] == "login-failed"
    assert hash_of(d) == changed
    assert smtpd.login("ann", "other")[0]["verdict"] == "login-ok"
    assert smtpd.login("ann", "secret")[0]["verdict"] == "login-failed"


# -- ledger --

class Ledger:
    def __init__(self, daemon):
        self.listener = daemon.owner("ledger")
        self.connection = None

    def receive(self):
        if self.connection is None:
            sock, _ = self.listener.accept()
            sock.setblocking(True)
            self.connection = Peer.__new__(Peer)
            self.connection.socket = sock
            sock.settimeout(SECONDS)
        return self.connection.receive()

    def answer(self, attempt, verdict, **more):
        self.connection.send("attempt", serial=attempt["serial"],
                             verdict=verdict, **more)


@pytest.fixture
def counted(make):
    d = make(extra=["password-cost 1"])
    d.add("ann@example.test")
    ledger = Ledger(d)
    d.start()
    d.owner("queue")
    return d, ledger


def test_ledger_is_asked_before_and_told_after(counted):
    d, ledger = counted
    smtpd = d.peer("role-smtpd")
    for user, password, canonical, result in (
            ("Ann", "secret", "ann@example.test", "good"),
            ("ann", "wrong", "ann@example.test", "wrong"),
            ("Nobody@example.test", "x", "nobody@example.test", "unknown"),
            ("No Address", "x", "no address", "unknown")):
        _, end = smtpd.login(user, password, wait=False)
        attempt = ledger.receive()
        assert (attempt.verb, attempt["client"], attempt["user"]) == (
            "attempt", "192.0.2.1", canonical)
        ledger.answer(attempt, "ok")
        outcome = ledger.receive()
        assert outcome.pairs == [
            ("serial", attempt["serial"]), ("client", "192.0.2.1"),
            ("user", canonical), ("result", result)]
        assert smtpd.receive()["verdict"] == (
            "login-ok" if result == "good" else "login-failed")
        end.close()
    # A proof is an attempt, a challenge is none; what was remembered is one.
    scram = Scram(smtpd, password="wrong")
    smtpd.send("proof", first=scram.first if scram.proof() else "",
               final=scram.final, proof=scram.proof())
    ledger.answer(ledger.receive(), "ok")
    assert ledger.receive()["result"] == "wrong"
    assert smtpd.receive()["verdict"] == "login-failed"
    smtpd.login("Ann", "secret", wait=False)
    ledger.answer(ledger.receive(), "ok")
    assert ledger.receive()["result"] == "good"
    assert smtpd.receive()["verdict"] == "login-ok"


def test_who_is_refused_is_not_looked_at(counted):
    d, ledger = counted
    smtpd = d.peer("role-smtpd")
    for password in ("secret", "wrong"):
        smtpd.login("ann", password, wait=False)
        ledger.answer(ledger.receive(), "refused", wait=77)
        assert smtpd.receive().pairs == [("verdict", "login-later")]
    assert d.log().count("login refused client=192.0.2.1 service=smtpd ") == 2
    # Nothing was told about them.
    smtpd.login("ann", "secret", wait=False)
    assert ledger.receive().verb == "attempt"


def test_ledger_has_time_where_it_says_so(counted):
    """A login that is to wait does so beyond the patience with a ledger that
    says nothing, and one that is given up is told of."""
    d, ledger = counted
    first, second, third = (d.peer("role-smtpd") for _ in range(3))
    first.login("ann", "secret", wait=False)
    waits = ledger.receive()
    ledger.answer(waits, "wait")
    second.login("ann", "secret", wait=False)
    silent = ledger.receive()
    # Of this one nothing is heard, which shows when two seconds are over.
    assert second.receive()["verdict"] == "login-ok"
    assert ledger.receive()["serial"] == silent["serial"]
    assert len(re.findall(r" login client=", d.log())) == 1
    ledger.answer(waits, "ok")
    assert first.receive()["verdict"] == "login-ok"
    told = ledger.receive()
    assert (told["serial"], told["result"]) == (waits["serial"], "good")
    third.login("ann", "secret", wait=False)
    gone = ledger.receive()
    ledger.answer(gone, "wait")
    third.close()
    told = ledger.receive()
    assert (told["serial"], told["result"]) == (gone["serial"], "none")
    assert d.crashes() == 0


def test_a_check_is_counted_where_it_says_for_whom(counted):
    d, ledger = counted
    admin = d.peer("role-admin")
    admin.send("check", user="ann", password="wrong", client="192.0.2.9")
    attempt = ledger.receive()
    assert (attempt["client"], attempt["user"]) == (
        "192.0.2.9", "ann@example.test")
    ledger.answer(attempt, "ok")
    told = ledger.receive()
    assert (told["client"], told["result"]) == ("192.0.2.9", "wrong")
    assert admin.receive()["verdict"] == "login-failed"
    assert "login failed client=192.0.2.9 service=admin " in d.log()
    admin.send("check", user="ann", password="secret", client="192.0.2.9")
    ledger.answer(ledger.receive(), "refused", wait=5)
    assert admin.receive()["verdict"] == "login-later"
    # Without a client there is nobody to count against.
    admin.send("check", user="ann", password="secret")
    assert admin.receive()["verdict"] == "login-ok"


def test_without_ledger_logins_go_on(counted):
    d, ledger = counted
    smtpd = d.peer("role-smtpd")
    # It never answers.
    smtpd.login("ann", "secret", wait=False)
    assert ledger.receive().verb == "attempt"
    assert smtpd.receive()["verdict"] == "login-ok"
    assert "ledger does not answer" in d.log()
    # It ends while it is asked, it talks nonsense, it is not there at all.
    smtpd.login("ann", "secret", wait=False)
    while ledger.receive().verb != "attempt":
        pass
    ledger.connection.close()
    assert smtpd.receive()["verdict"] == "login-ok"
    ledger.connection = None
    time_out = time.monotonic() + SECONDS
    while time.monotonic() < time_out:
        smtpd.login("ann", "secret", wait=False)
        ledger.listener.settimeout(0.2)
        try:
            ledger.receive()
            break
        except (socket.timeout, BlockingIOError):
            assert smtpd.receive()["verdict"] == "login-ok"
    ledger.connection.send("nonsense")
    assert smtpd.receive()["verdict"] == "login-ok"
    ledger.listener.close()
    os.unlink(d.path("run/userdb/ledger"))
    for _ in range(5):
        assert smtpd.login("ann", "secret")[0]["verdict"] == "login-ok"
    assert d.log().count("logins not counted") == 1
    assert d.crashes() == 0


# -- the whole house --

def test_show_tells_of_failed_logins(suite):
    """ledger's count, by way of postrider-user."""
    shown = suite.user_tool("show", "ann").stdout
    assert "failures 0\n" in shown and "scram    yes\n" in shown
    for password in ("wrong", "guessed"):
        with suite.smtp("submission") as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("ann@example.test", password)

    def failures():
        return json.loads(suite.user_tool(
            "show", "--json", "ann").stdout)[0]
    wait_for(lambda: failures()["failed_logins"] >= 2, suite.path("log"))
    shown = suite.user_tool("show", "ann").stdout
    assert "failed   from 127.0.0.1, 20" in shown
    assert {f["client"] for f in failures()["failed"]} == {"127.0.0.1"}


def at_once(suite, password, n=40):
    """The replies to as many logins at the same moment."""
    plain = base64.b64encode(b"\0ann@example.test\0" + password.encode())
    clients = [suite.connect("submission") for _ in range(n)]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(c.makefile("rb")) for c in clients]
        for client, file in zip(clients, files):
            stack.enter_context(client)
            assert file.readline().startswith(b"220")
            client.sendall(b"EHLO client.test\r\n")
            while file.readline()[3:4] == b"-":
                pass
        for client in clients:
            client.sendall(b"AUTH PLAIN " + plain + b"\r\n")
        return [file.readline()[:3] for file in files]


def test_logins_at_the_same_moment(suite):
    """Of guesses, the limit of them is looked at; all that are good go."""
    assert at_once(suite, suite.passwords["ann@example.test"]) == [b"235"] * 40
    assert set(at_once(suite, "wrong")) <= {b"454", b"535"}
    assert 0 < suite.log_text().count("login failed client=127.0.0.1 ") <= 20


def test_an_app_password_sends_and_reads_mail(suite):
    app = suite.user_tool("passwd", "--app", "phone", "ann").stdout.strip()
    with suite.smtp("submission") as client:
        client.login("ann@example.test", app)
        client.sendmail("ann@example.test", "ann@example.test",
                        "Subject: app\r\n\r\nhello\r\n")
    suite.wait_maildir("ann@example.test", 1)
    client = suite.pop3("ann@example.test", app)
    assert client.stat()[0] == 1
    client.quit()
    assert "app=phone" in suite.log_text()
    assert app not in suite.log_text()


def test_a_ledger_that_hangs_is_not_connected_to_again(counted):
    """Else its queue fills up, and connect(2) behind a full one waits."""
    d, ledger = counted
    peers = [d.peer("role-smtpd") for _ in range(200)]
    peers[0].login("ann", "wrong", wait=False)
    assert ledger.receive().verb == "attempt"
    assert peers[0].receive()["verdict"] == "login-failed"
    for _ in range(3):
        for peer in peers:
            peer.login("ann", "wrong", wait=False)
        for peer in peers:
            assert peer.receive()["verdict"] in ("login-failed", "login-later")
    ledger.listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        ledger.listener.accept()
    # What it has kept it may answer late.
    while ledger.receive().verb != "attempt":
        pass
    assert d.log().count("logins not counted") == 1
    assert d.crashes() == 0


# -- a reader of POP3 names a folder --

class Sessions:
    """mailbox: the records that come to it."""

    def __init__(self, daemon):
        self.listener = daemon.owner("mailbox")
        self.peer = None

    def next(self):
        if self.peer is None:
            self.peer, _ = self.listener.accept()
        octets, fds = receive_with_fds(self.peer)
        for fd in fds:
            os.close(fd)
        assert len(octets) == 512 and len(fds) == 1
        return (octets[:16].rstrip(b"\0").decode(),
                octets[16:].rstrip(b"\0").decode())


def test_every_way_leads_to_the_folder(daemon):
    mailbox, pop3d = Sessions(daemon), daemon.peer("role-pop3d")
    daemon.tool("passwd", "--password-stdin", "--reversible", "ann",
                input="secret\n")
    app = daemon.tool("passwd", "--app", "phone", "ann").stdout.strip()
    junk = ("virtual-junk", "ann@example.test")
    for user in "ann+Junk", "ANN+junk@Example.Test":
        for password in "secret", app:
            answer, _ = pop3d.login(user, password)
            assert answer.pairs == [("verdict", "login-ok"),
                                    ("user", "ann@example.test")]
            assert mailbox.next() == junk
        assert Scram(pop3d, user=user).finish()["verdict"] == "login-ok"
        assert mailbox.next() == junk
        for kind in "cram-md5", "apop":
            assert digest(pop3d, kind, user, "secret") == "login-ok"
            assert mailbox.next() == junk
        assert pop3d.login(user, "wrong")[0]["verdict"] == "login-failed"
    assert pop3d.login("ann", "secret")[0]["verdict"] == "login-ok"
    assert mailbox.next() == ("virtual-session", "ann@example.test")
    assert "auth=ann@example.test folder=Junk" in daemon.log()
    for user in "ann+spam", "ann+junk+x", "ann+junks", "annjunk", "+junk":
        assert pop3d.login(user, "secret")[0]["verdict"] == "login-failed"
    # Only a session with mailbox has folders.
    for role in "role-smtpd", "role-admin":
        peer = daemon.peer(role)
        answer = peer.login("ann+junk", "secret")[0] if "smtpd" in role else \
            peer.ask("check", user="ann+junk", password="secret")
        assert answer["verdict"] == "login-failed"


def test_a_user_of_that_very_name_is_himself(daemon):
    mailbox, pop3d = Sessions(daemon), daemon.peer("role-pop3d")
    daemon.add("ann+junk@example.test", "other")
    assert pop3d.login("ann+Junk", "other")[0]["verdict"] == "login-ok"
    assert mailbox.next() == ("virtual-session", "ann+junk@example.test")
    assert pop3d.login("ann+junk", "secret")[0]["verdict"] == "login-failed"
    assert pop3d.login("ann+junk+junk", "other")[0]["verdict"] == "login-ok"
    assert mailbox.next() == ("virtual-junk", "ann+junk@example.test")


def test_a_folder_tells_nobody_who_exists(daemon):
    """Nor makes another of a user, for whoever counts his failures."""
    pop3d = daemon.peer("role-pop3d")

    def salt(user):
        asked = Scram(pop3d, user=user).asked
        pop3d.send("cancel")
        return asked["salt"], asked["iterations"]
    for name in "ann", "nobody", "nobody@elsewhere.test":
        local, at, domain = name.partition("@")
        assert salt(name) == salt(f"{local}+Junk{at}{domain}")


def test_a_verifier_made_at_such_a_login_is_the_users(make):
    d = make(extra=["password-cost 1"])
    d.tool("import", input="user ann@example.test "
           "hash=$6$saltsalt$%s\n" % sha512_of("secret"))
    d.start()
    mailbox, pop3d = Sessions(d), d.peer("role-pop3d")
    before = Scram(pop3d).asked["salt"]
    pop3d.send("cancel")
    assert pop3d.login("ann+junk", "secret")[0]["verdict"] == "login-ok"
    mailbox.next()
    scram = Scram(pop3d)
    assert scram.asked["salt"] == before
    assert scram.finish()["verdict"] == "login-ok"


def test_failures_count_for_the_user(counted):
    d, ledger = counted
    pop3d = d.peer("role-pop3d")
    for user, canonical, result in (
            ("Ann+Junk", "ann@example.test", "wrong"),
            ("Nobody+junk@example.test", "nobody@example.test", "unknown")):
        pop3d.login(user, "wrong", wait=False)
        attempt = ledger.receive()
        assert attempt["user"] == canonical
        ledger.answer(attempt, "ok")
        outcome = ledger.receive()
        assert (outcome["user"], outcome["result"]) == (canonical, result)
        assert pop3d.receive()["verdict"] == "login-failed"
