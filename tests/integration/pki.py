# SPDX-License-Identifier: ISC
"""A certificate authority for one test.

    ca = Authority(folder)
    chain, key = ca.issue("mail.example.test")
    ssl.create_default_context(cafile=ca.path)
"""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = datetime.timedelta(hours=1)


def new_key(kind="ecdsa"):
    """kind: ecdsa (P-256), rsa (2048 bits) or ed25519."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def write(path, octets, mode):
    """A file replaced at one stroke, as certbot's links are."""
    descriptor = os.open(path + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC,
                         mode)
    with open(descriptor, "wb") as f:
        f.write(octets)
    os.rename(path + ".new", path)
    return path


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """Its own certificate is .path (PEM).  Its serial numbers count up, so
    that certificates are told apart by them."""

    def __init__(self, folder, name="Test Authority"):
        self.folder = folder
        self.key = new_key()
        self.name = x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Postrider tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.serial = 0
        self.certificate = self._sign(
            self._builder(self.name, self.key.public_key(), 0, 3650)
            .add_extension(x509.BasicConstraints(True, 0), True)
            .add_extension(self._usage(signs_certificates=True), True))
        self.path = write(os.path.join(folder, "ca.pem"),
                          self._pem(self.certificate), 0o644)

    @staticmethod
    def _pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _usage(signs_certificates):
        return x509.KeyUsage(
            digital_signature=not signs_certificates,
            key_cert_sign=signs_certificates, crl_sign=signs_certificates,
            content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False)

    def _builder(self, subject, public_key, begin, days):
        self.serial += 1
        start = datetime.datetime.utcnow() - HOUR + \
            datetime.timedelta(days=begin)
        return (x509.CertificateBuilder().subject_name(subject)
                .issuer_name(self.name).public_key(public_key)
                .serial_number(self.serial).not_valid_before(start)
                .not_valid_after(start + datetime.timedelta(days=days))
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                    public_key), False)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(
                        self.key.public_key()), False))

    def _sign(self, builder):
        return builder.sign(self.key, hashes.SHA256())

    @staticmethod
    def _revocations():
        """Where real authorities publish them; nobody listens there."""
        return x509.CRLDistributionPoints([x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://127.0.0.1:1/ca.crl")],
            None, None, None)])

    def issue(self, *names, kind="ecdsa", key=None, begin=0, days=90,
              stem=None):
        """(path of the certificate, path of its key) for these names, valid
        from `begin` days from now on; in files called STEM.pem, STEM.key,
        by default after the first name and the kind."""
        key = key or new_key(kind)
        subject = x509.Name([
            x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(
            self._builder(subject, key.public_key(), begin, days)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(self._usage(signs_certificates=False), True)
            .add_extension(x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(self._revocations(), False)
            .add_extension(x509.SubjectAlternativeName(
                [alternative(n) for n in names]), False))
        where = os.path.join(self.folder, stem or f"{names[0]}-{kind}")
        return (write(where + ".pem", self._pem(certificate), 0o644),
                write(where + ".key", key_pem(key), 0o600))
