# SPDX-License-Identifier: ISC
"""Tokens, signed by PyJWT, through userdb: who is let in, what is answered to
who is not, and what becomes of the keys."""
import base64
import json
import os
import re
import subprocess
import time

import pytest

from dnsserver import dns  # noqa: F401
from httpsserver import HttpsServer, reply
from userdb_daemon import Daemon, Peer, encode, receive_with_fds
from watch import wait_for

jwt = pytest.importorskip("jwt")
algorithms = pytest.importorskip("jwt.algorithms")
ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

ISSUER = "https://id.example.test"
CONFIG = [f"oauth-issuer {ISSUER}", "oauth-audience mail other",
          "oauth-jwks /keys.json", "password-cost 1"]


@pytest.fixture(scope="module")
def keys():
    return {"r": rsa.generate_private_key(65537, 2048),
            "e": ec.generate_private_key(ec.SECP256R1()),
            "new": ec.generate_private_key(ec.SECP256R1())}


def jwks(keys, *ids):
    made = []
    for key_id in ids:
        key = keys[key_id]
        algorithm = (algorithms.RSAAlgorithm if key_id == "r"
                     else algorithms.ECAlgorithm)
        made.append({**json.loads(algorithm.to_jwk(key.public_key())),
                     "kid": key_id, "use": "sig"})
    return json.dumps({"keys": made})


def token(keys, key_id="e", **claims):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "mail", "exp": now + 300, "nbf": now - 5,
              "email": "ann@example.test", "scope": "openid", **claims}
    return jwt.encode({k: v for k, v in claims.items() if v is not None},
                      keys[key_id],
                      algorithm="RS256" if key_id == "r" else "ES256",
                      headers={"kid": key_id})


@pytest.fixture
def make():
    made = []

    def make(*more, jwks=None, config=CONFIG):
        d = Daemon(extra=[*config, *more])
        made.append(d)
        d.add("ann@example.test")
        d.start()
        d.owner("queue")
        if jwks is not None:
            d.hand_keys(jwks, "/keys.json")
            wait_for(lambda: "token keys taken" in d.log(), d.path("log"))
        return d
    yield make
    for daemon in made:
        daemon.close()


def ask(d, text, mechanism="OAUTHBEARER", role="role-smtpd", **more):
    peer = d.peer(role)
    answer, end = peer.begin("token", token=text, client="192.0.2.1",
                             mechanism=mechanism, tls=1) if not more else \
        peer.begin("token", token=text, user=more["user"],
                   client="192.0.2.1", mechanism=mechanism, tls=1)
    peer.close()
    end.close()
    return answer


# -- who is let in --

@pytest.mark.parametrize("key_id", ["r", "e"])
def test_a_token_logs_its_user_in(make, keys, key_id):
    d = make(jwks=jwks(keys, "r", "e"))
    good = token(keys, key_id)
    answer = ask(d, good)
    assert answer.pairs == [("verdict", "login-ok"),
                            ("user", "ann@example.test")]
    for user in ("ann", "Ann@Example.Test"):
        assert ask(d, good, "XOAUTH2", user=user)["verdict"] == "login-ok"
    assert re.search(r"login client=192.0.2.1 service=smtpd "
                     r"mechanism=OAUTHBEARER tls=yes auth=ann@example.test",
                     d.log())
    assert good not in d.log() and good.split(".")[2] not in d.log()
    assert d.crashes() == 0


def test_tokens_of_nobody_of_the_disabled_and_of_others(make, keys):
    d = make(jwks=jwks(keys, "e"))
    d.add("bob@example.test")
    assert ask(d, token(keys), user="bob")["verdict"] == "login-failed"
    assert "token of another user" in d.log()
    for claim in ("nobody@example.test", "ann@remote.test", "x y", "-"):
        assert ask(d, token(keys, email=claim))["verdict"] == "login-failed"
    d.tool("disable", "ann")
    assert ask(d, token(keys))["verdict"] == "login-failed"


def test_a_reader_with_a_token_names_a_folder(make, keys):
    d = make(jwks=jwks(keys, "e"))
    mailbox = d.owner("mailbox")
    kinds = {"ann+Junk": b"virtual-junk", "ann": b"virtual-session"}
    peer = None
    for user, kind in kinds.items():
        assert ask(d, token(keys), role="role-pop3d", user=user)[
            "verdict"] == "login-ok"
        peer = peer or mailbox.accept()[0]
        octets, fds = receive_with_fds(peer)
        os.close(*fds)
        assert octets[:16].rstrip(b"\0") == kind
    for user, claim in (("bob+junk", "ann"), ("ann+junk", "bob"),
                        ("ann", "ann+junk"), ("ann+junk", "ann+junk")):
        assert ask(d, token(keys, email=claim), role="role-pop3d", user=user)[
            "verdict"] == "login-failed"


def test_what_the_config_says_counts(make, keys):
    d = make("oauth-user-claim upn", "oauth-scope mail.read mail.send",
             jwks=jwks(keys, "e"))
    assert ask(d, token(keys, upn="ann", scope="mail.send x mail.read"))[
        "verdict"] == "login-ok"
    assert ask(d, token(keys, upn="ann", aud=["x", "other"], scope=None,
                        scp=["mail.read", "mail.send"]))[
        "verdict"] == "login-ok"
    answer = ask(d, token(keys, upn="ann", scope="mail.read"))
    assert answer["verdict"] == "login-failed"
    assert json.loads(answer["challenge"]) == {
        "status": "insufficient_scope", "scope": "mail.read mail.send",
        "openid-configuration":
            f"{ISSUER}/.well-known/openid-configuration"}


BAD = {
    "another issuer": {"iss": "https://evil.test"},
    "another audience": {"aud": "web"},
    "without an end": {"exp": None},
    "has expired": {"exp": 1},
    "not valid yet": {"nbf": int(time.time()) + 3600},
    "names no user": {"email": None},
    "is not verified": {"email_verified": False},
}


@pytest.mark.parametrize("reason", sorted(BAD))
def test_bad_claims_are_refused_with_a_challenge(make, keys, reason):
    d = make(jwks=jwks(keys, "e"))
    answer = ask(d, token(keys, **BAD[reason]))
    assert answer["verdict"] == "login-failed"
    challenge = json.loads(answer["challenge"])
    assert challenge["status"] == "invalid_token"
    answer = ask(d, token(keys, **BAD[reason]), "XOAUTH2", user="ann")
    challenge = json.loads(answer["challenge"])
    assert challenge["status"] == "401"
    assert challenge["schemes"] == "bearer"
    assert d.log().count(reason) == 2, d.log()


def test_who_signs_and_how(make, keys):
    """The unit tests have all of it; here is that they are used."""
    d = make(jwks=jwks(keys, "r", "e"))
    forged = dict(keys, e=keys["new"])
    none = jwt.encode({"iss": ISSUER, "aud": "mail", "exp": 2 ** 31,
                       "email": "ann@example.test"}, None, algorithm="none")
    for bad in (token(forged), token(keys, "new"), none, "x", "..", "a.b.c",
                "e30.e30.e30", "[" * 8000, "." * 8192,
                token(keys) + "A"):
        answer = ask(d, bad)
        assert answer["verdict"] == "login-failed", bad
        assert json.loads(answer["challenge"])["status"] == "invalid_token"
    peer = d.peer("role-smtpd")
    peer.socket.send(encode("token", token="x" * 8193, client="192.0.2.1",
                            mechanism="XOAUTH2", tls=1))
    assert peer.is_closed()
    assert ask(d, token(keys))["verdict"] == "login-ok"
    assert "worker crashed" not in d.log()


def test_without_oauth_in_the_config(make, keys):
    d = make(config=["password-cost 1"])
    answer = ask(d, token(keys))
    assert answer["verdict"] == "login-failed"
    assert json.loads(answer["challenge"]) == {"status": "invalid_token"}


# -- the keys --

def test_no_keys_cost_logins_with_tokens_alone(make, keys):
    d = make()
    d.hand_keys(None, "/keys.json")
    wait_for(lambda: "token keys refused" in d.log(), d.path("log"))
    for _ in range(3):
        answer = ask(d, token(keys))
        assert answer.pairs == [("verdict", "login-later")]
    assert d.peer("role-smtpd").login("ann", "secret")[0][
        "verdict"] == "login-ok"
    assert d.log().count("token keys refused") == 1
    assert 'what=/keys.json reason="No such file or directory"' in d.log()


BROKEN = {"empty": "", "json": "{", "list": "[]", "none": '{"keys":[]}',
          "deep": "[" * 200000, "binary": bytes(range(256)) * 100,
          "large": '{"keys":[' + " " * 300000 + "]}",
          "weak": '{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}'}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_broken_keys_leave_the_old_ones(make, keys, kind):
    d = make(jwks=jwks(keys, "e"))
    d.hand_keys(BROKEN[kind], "/keys.json")
    wait_for(lambda: "token keys refused" in d.log(), d.path("log"))
    assert ask(d, token(keys))["verdict"] == "login-ok"
    d.hand_keys(jwks(keys, "new"), "/keys.json")
    wait_for(lambda: d.log().count("token keys taken") == 2, d.path("log"))
    assert ask(d, token(keys, "new"))["verdict"] == "login-ok"
    assert ask(d, token(keys))["verdict"] == "login-failed"
    assert d.log().count("token keys refused") == 1
    assert "worker crashed" not in d.log()


def test_keys_outlive_the_server_and_its_checkers(make, keys):
    d = make(jwks=jwks(keys, "e"))
    d.kill_server()
    wait_for(lambda: d.log().count("token keys taken") == 2, d.path("log"))
    assert ask(d, token(keys))["verdict"] == "login-ok"
    for pid in d.processes()["userdb-checker"]:
        os.kill(pid, 9)
    assert ask(d, token(keys))["verdict"] == "login-ok"


def reload(d, old, new):
    with open(d.config) as f:
        text = f.read()
    with open(d.config, "w") as f:
        f.write(text.replace(old, new))
    with open(d.config) as f:
        d.tell("reload", fds=[f.fileno()])
    assert d.status().verb == "status"


def test_another_issuers_tokens_are_not_for_the_old_keys(make, keys):
    d = make(jwks=jwks(keys, "e"))
    reload(d, "/keys.json", "/others.json")
    wait_for(lambda: ask(d, token(keys))["verdict"] == "login-later",
             d.path("log"))
    d.hand_keys(jwks(keys, "new"), "/others.json")
    wait_for(lambda: d.log().count("token keys taken") == 2, d.path("log"))
    assert ask(d, token(keys, "new"))["verdict"] == "login-ok"


# -- fetched ones --

URL = "https://id.example.test/keys"
FETCHED = [f"oauth-jwks {URL}" if line.startswith("oauth-jwks") else line
           for line in CONFIG]


def bring(fetcher, asked, text, **more):
    import tempfile
    with tempfile.TemporaryFile() as f:
        f.write(text.encode())
        f.flush()
        fetcher.send("got", fds=[f.fileno()], serial=asked["serial"],
                     result="ok", **more)


def test_fetch_brings_keys(make, keys):
    d = make(config=FETCHED)
    assert ask(d, token(keys))["verdict"] == "login-later"
    fetcher = d.peer("role-fetch")
    fetcher.send("ready")
    asked = fetcher.receive()
    assert (asked.verb, asked["url"]) == ("get", URL)
    assert int(asked["max"]) == 256 * 1024
    bring(fetcher, asked, jwks(keys, "e"), **{"max-age": 600})
    wait_for(lambda: "token keys taken" in d.log(), d.path("log"))
    assert f"what={URL} keys=1" in d.log()
    assert ask(d, token(keys))["verdict"] == "login-ok"
    fetcher.send("ready")
    # A key that is not there is no reason to ask again a moment later.
    assert ask(d, token(keys, "new"))["verdict"] == "login-failed"
    fetcher.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        fetcher.receive()


def test_fetch_that_fails_is_said_once(make, keys):
    d = make(config=FETCHED)
    fetcher = d.peer("role-fetch")
    fetcher.send("ready")
    asked = fetcher.receive()
    fetcher.send("got", serial=asked["serial"], result="failed",
                 reason="HTTP 503")
    wait_for(lambda: "token keys not fetched" in d.log(), d.path("log"))
    assert f'what={URL} reason="HTTP 503"' in d.log()
    assert ask(d, token(keys))["verdict"] == "login-later"
    fetcher.send("ready")
    # Another one, which goes away in the middle of it.
    fetcher.socket.settimeout(30)
    asked = fetcher.receive()
    assert asked.verb == "get"
    fetcher.close()
    other = d.peer("role-fetch")
    other.send("ready")
    other.socket.settimeout(60)
    bring(other, other.receive(), jwks(keys, "e"))
    wait_for(lambda: "token keys taken" in d.log(), d.path("log"))
    assert d.log().count("token keys not fetched") == 1
    for octets in (encode("got", serial=1), encode("get"),
                   encode("got", serial="x", result="ok")):
        bad = Peer(d.path("run", "fetch", "userdb"))
        bad.socket.send(octets)
        assert bad.is_closed()
        bad.close()
    assert d.crashes() == 0


# -- the whole house, with curl --

def test_the_file_is_taken_anew_when_it_changes(make_suite, keys, tool):
    curl = tool("curl")
    s = make_suite(users=["ann@example.test"], tls=True)
    path = s.path("keys.json")

    def write(text):
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
    write(jwks(keys, "e"))
    s.write_config(f"oauth-issuer {ISSUER}", "oauth-audience mail",
                   f"oauth-jwks {path}")
    s.start()
    s.wait_log("token keys taken")

    def login(mechanism, text, kind="submissions"):
        scheme = "smtps" if kind == "submissions" else "pop3s"
        return subprocess.run(
            [curl, "-sS", "--cacert", s.ca.path, "--resolve",
             f"{s.hostname}:{s.ports[kind]}:127.0.0.1",
             f"{scheme}://{s.hostname}:{s.ports[kind]}/", "--user",
             "ann@example.test:", "--oauth2-bearer", text, "--login-options",
             f"AUTH={mechanism}",
             *(["--mail-from", "ann@example.test", "--mail-rcpt",
                "ann@example.test", "-T", "-"] if scheme == "smtps" else [])],
            input="Subject: token\r\n\r\nhello\r\n", text=True,
            capture_output=True, timeout=60)
    for count, mechanism in enumerate(("OAUTHBEARER", "XOAUTH2"), 1):
        done = login(mechanism, token(keys))
        assert done.returncode == 0, done.stderr + s.log_text()
        s.wait_maildir("ann@example.test", count)
        done = login(mechanism, token(keys), "pop3s")
        assert done.returncode == 0 and "1 " in done.stdout, done.stderr
        assert login(mechanism, token(keys, exp=1)).returncode == 67
    write("broken")
    s.wait_log("token keys refused")
    assert login("XOAUTH2", token(keys), "pop3s").returncode == 0
    write(jwks(keys, "new"))
    wait_for(lambda: s.log_text().count("token keys taken") == 2,
             s.path("log"))
    assert login("XOAUTH2", token(keys, "new"), "pop3s").returncode == 0
    assert login("XOAUTH2", token(keys), "pop3s").returncode == 67
    os.unlink(path)
    s.run("postrider-user", "list")
    wait_for(lambda: "No such file" in s.log_text(), s.path("log"))
    assert login("XOAUTH2", token(keys, "new"), "pop3s").returncode == 0


def test_keys_come_by_https(make_suite, dns, keys):  # noqa: F811
    """userdb asks fetch, fetch asks the issuer, a checker looks."""
    dns.zones["keys.test"] = ["www A 127.0.0.1\n"]
    dns.start()
    s = make_suite(users=["ann@example.test"], tls=True,
                   dns_server=dns.address)
    with HttpsServer(*s.ca.issue("www.keys.test")) as web:
        web.replies["/set"] = reply(
            jwks(keys, "e").encode(), "application/json",
            headers=["Cache-Control: max-age=3600"])
        url = f"https://www.keys.test:{web.port}/set"
        s.write_config(f"oauth-issuer {ISSUER}", "oauth-audience mail",
                       f"oauth-jwks {url}", f"tls-trust {s.ca.path}")
        s.start()
        line = s.wait_log("token keys taken")
        assert line["what"] == url and line["keys"] == "1"
        with s.smtp("submission", tls=True) as client:
            client.ehlo()
            said = f"user=ann@example.test\1auth=Bearer {token(keys)}\1\1"
            code, _ = client.docmd("AUTH", "XOAUTH2 " + base64.b64encode(
                said.encode()).decode())
            assert code == 235
        assert len(web.requests) == 1


def test_check_looks_at_the_keys(make_suite, keys):
    s = make_suite(users=["ann@example.test"])
    path = s.path("keys.json")
    s.write_config(f"oauth-issuer {ISSUER}", "oauth-audience mail",
                   f"oauth-jwks {path}")
    s.start()
    warning = f"oauth-jwks {path}: No such file or directory"
    assert warning in s.run("postrider", "check", check=False).stdout
    with open(path, "w") as f:
        f.write(jwks(keys, "e"))
    assert warning not in s.run("postrider", "check", check=False).stdout
