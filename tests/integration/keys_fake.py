# SPDX-License-Identifier: ISC
"""The owner of the private keys, played by a test: it hands out certificates
and signs, as common/protocol.h has it, and fails when it is told to."""
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from internal import Owner

DIGESTS = {"sha256": hashes.SHA256, "sha384": hashes.SHA384,
           "sha512": hashes.SHA512}


def signature(key, scheme, data):
    if scheme == "ed25519":
        return key.sign(data)
    kind, _, digest = scheme.rpartition("-")
    digest = DIGESTS[digest]()
    if kind == "ecdsa":
        return key.sign(data, ec.ECDSA(digest))
    pad = (padding.PSS(padding.MGF1(digest), digest.digest_size)
           if kind == "rsa-pss" else padding.PKCS1v15())
    return key.sign(data, pad, digest)


class Keys(Owner):
    """pairs: (certificate file, key file) each, as pki.Authority issues."""

    def __init__(self, path, pairs=()):
        self.generation = 1
        self.ticket, self.previous = os.urandom(80), None
        self.peers = []
        self.signed = 0
        self.pairs = []
        self._set(pairs)
        super().__init__(path)

    def _set(self, pairs):
        self.pairs = []
        for certificate, key in pairs:
            with open(certificate, "rb") as f:
                chain = f.read()
            with open(key, "rb") as f:
                private = serialization.load_pem_private_key(f.read(), None)
            leaf = x509.load_pem_x509_certificate(chain)
            self.pairs.append((f"key{leaf.serial_number}", chain, private))

    def change(self, *pairs):
        """Other certificates, and everybody is told."""
        self._set(pairs)
        self.generation += 1
        self.tell()

    def tell(self):
        asked, self.peers = self.peers, []
        for peer in asked:
            try:
                peer.send("changed")
            except OSError:
                continue

    def serve(self, peer, _):
        while (p := peer.receive()) is not None:
            self.requests.append(p)
            self.at(p.verb, peer)
            getattr(self, p.verb)(peer, p)

    def certificates(self, peer, _):
        more = {"previous": self.previous.hex()} if self.previous else {}
        peer.send("certificates", generation=self.generation,
                  count=len(self.pairs), ticket=self.ticket.hex(), **more)
        self.peers.append(peer)

    def certificate(self, peer, p):
        if p["generation"] != str(self.generation):
            peer.send("stale")
            return
        ident, chain, _ = self.pairs[int(p["index"])]
        fd = os.memfd_create("chain", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(fd, chain)
        peer.send("certificate", key=ident, fds=[fd])
        os.close(fd)

    def sign(self, peer, p):
        [key] = [k for ident, _, k in self.pairs if ident == p["key"]] or [None]
        if key is None:
            peer.send("refused", reason="no such key")
            return
        made = signature(key, p["scheme"], bytes.fromhex(p["data"]))
        self.signed += 1
        peer.send("signed", signature=made.hex())
