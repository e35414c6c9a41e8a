# SPDX-License-Identifier: ISC
"""userdb's side of a login, for tests in which it is not userdb.

One user, in all the ways of common/protocol.h: password, token, digest,
SCRAM-SHA-256.  What was asked is kept.
"""
import base64
import hashlib
import hmac
import os

from internal import Packet

ITERATIONS = 4096
ORDER = {  # exactly these attributes, in this order
    "login": ["user", "password", "client", "mechanism", "tls"],
    "token": ["token", "user", "client", "mechanism", "tls"],
    "digest": ["kind", "user", "challenge", "response", "client", "tls"],
    "scram": ["user", "client", "mechanism", "tls"],
    "proof": ["first", "final", "proof"],
}


def b64(octets):
    if isinstance(octets, str):
        octets = octets.encode()
    return base64.b64encode(octets).decode()


def _hmac(key, text, digest="sha256"):
    return hmac.new(key, text.encode() if isinstance(text, str) else text,
                    digest).digest()


class Scram:
    """The keys of RFC 5802 section 3."""

    def __init__(self, password, salt=None, iterations=ITERATIONS):
        self.salt = salt or os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), self.salt,
                                     iterations)
        self.client = _hmac(salted, "Client Key")
        self.stored = hashlib.sha256(self.client).digest()
        self.server = _hmac(salted, "Server Key")

    def proof(self, message):
        signature = _hmac(self.stored, message)
        return bytes(a ^ b for a, b in zip(self.client, signature))

    def signature(self, message):
        return _hmac(self.server, message)


class Logins:
    def __init__(self, names, password, canonical, token="good.token"):
        self.names, self.password = names, password
        self.canonical, self.token = canonical, token
        self.scram = Scram(password)
        self.challenge = None  # JSON for a refused token
        self.verdicts = {}  # {verb: verdict} said instead
        self.asked = []

    def knows(self, verb):
        return verb in ORDER or verb == "cancel"

    def answer(self, p, state):
        """The answer (None: there is none), and whether it is a welcome;
        state: a dictionary that lives as long as the connection."""
        self.asked.append(p)
        if p.verb == "cancel":
            assert state.pop("nonce")
            return None, False
        names = [n for n, _ in p.attributes]
        assert names == [n for n in ORDER[p.verb]
                         if n != "user" or p.verb != "token"
                         or "user" in names], p
        assert len(p.fds) == (p.verb != "proof")
        if p.verb in self.verdicts:
            return Packet("login", verdict=self.verdicts[p.verb]), False
        return getattr(self, "_" + p.verb)(p, state)

    def _say(self, right, **more):
        if right:
            return Packet("login", verdict="login-ok", user=self.canonical,
                          **more), True
        return Packet("login", verdict="login-failed"), False

    def _login(self, p, _):
        return self._say(p["user"].lower() in self.names and
                         p["password"] == self.password)

    def _token(self, p, _):
        user = p.get("user")
        if p["token"] == self.token and (
                user is None or user.lower() in self.names):
            return self._say(True)
        answer, _ = self._say(False)
        if self.challenge:
            answer.attributes.append(("challenge", self.challenge))
        return answer, False

    def _digest(self, p, _):
        if p["kind"] == "apop":
            right = hashlib.md5(
                (p["challenge"] + self.password).encode()).hexdigest()
        else:
            right = _hmac(self.password.encode(), p["challenge"], "md5").hex()
        return self._say(p["user"].lower() in self.names and
                         hmac.compare_digest(p["response"].lower(), right))

    def _scram(self, p, state):
        state["nonce"] = b64(os.urandom(18))
        state["known"] = p["user"].lower() in self.names
        return Packet("scram", nonce=state["nonce"],
                      salt=b64(self.scram.salt),
                      iterations=ITERATIONS), False

    def _proof(self, p, state):
        nonce = state.pop("nonce")
        client = p["first"].split(",r=")[1].split(",")[0]
        assert f",r={client}{nonce}" in p["final"]
        first = (f"r={client}{nonce},s={b64(self.scram.salt)},"
                 f"i={ITERATIONS}")
        message = f"{p['first']},{first},{p['final']}"
        right = state["known"] and hmac.compare_digest(
            p["proof"], b64(self.scram.proof(message)))
        signature = b64(self.scram.signature(message))
        return self._say(right, **({"signature": signature} if right else {}))


class ScramClient:
    """RFC 5802's client, which a test can make misbehave."""

    def __init__(self, user, password, header="n,,", binding=b""):
        self.password = password
        self.header, self.binding = header, binding
        self.nonce = b64(os.urandom(18))
        self.bare = f"n={user},r={self.nonce}"

    def first(self):
        return self.header + self.bare

    def final(self, server_first):
        fields = dict(f.split("=", 1) for f in server_first.split(","))
        assert fields["r"].startswith(self.nonce)
        keys = Scram(self.password, base64.b64decode(fields["s"]),
                     int(fields["i"]))
        channel = b64(self.header.encode() + self.binding)
        without = f"c={channel},r={fields['r']}"
        message = f"{self.bare},{server_first},{without}"
        self.signature = b64(keys.signature(message))
        return f"{without},p={b64(keys.proof(message))}"
