# SPDX-License-Identifier: ISC
"""postrider-dns: what to publish, what to serve, what is published."""
import hashlib
import ipaddress
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from pki import Authority
from suite import has, program

DOMAIN, HOST, ADDRESS = "example.test", "mail.example.test", "192.0.2.10"
ADDRESS6 = "2001:db8::10"
LISTEN = ["smtp 0.0.0.0:25", "submission 0.0.0.0:587",
          "submissions 0.0.0.0:465", "pop3 0.0.0.0:110", "pop3s 0.0.0.0:995"]
USAGE, DATAERR, CANTCREAT, CONFIG = 64, 65, 73, 78


class Desk:
    """A config, and the tool that reads it."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.ca = Authority(self.folder)
        self.hostname, self.listen, self.extra = HOST, list(LISTEN), []
        self.certificate, key = self.ca.issue(HOST)
        self.pairs = [(self.certificate, key)]

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self):
        lines = [f"hostname {self.hostname}", f"domain {DOMAIN}",
                 f"keys-dir {self.path('keys')}",
                 f"run-dir {self.path('run')}", "address-family ipv4"]
        lines += [f"listen {l}" for l in self.listen]
        for pair in self.pairs:
            lines += [f"tls-certificate {pair[0]}", f"tls-key {pair[1]}"]
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(lines + self.extra) + "\n")

    def run(self, *words, code=0):
        self.write()
        done = subprocess.run(
            [program("postrider-dns"), "-c", self.path("conf"), *words],
            capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=60)
        assert done.returncode == code, done
        return done

    def show(self, *words):
        """{(name, type): [data]} of the records, and those elsewhere."""
        rows = json.loads(self.run("show", "--json", *words).stdout)
        here, elsewhere = {}, {}
        for row in rows:
            (here if row["here"] else elsewhere).setdefault(
                (row["name"], row["type"]), []).append(row["data"])
        return here, elsewhere


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def key_hash(certificate):
    """SHA-256 of the certificate's public key, by openssl's own means."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    with open(certificate, "rb") as f:
        key = x509.load_pem_x509_certificate(f.read()).public_key()
    return hashlib.sha256(key.public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


# -- show --

def test_show(desk):
    here, elsewhere = desk.show("--ip", ADDRESS, "--ip", ADDRESS6, DOMAIN)
    policy_id = here.pop(("_mta-sts." + DOMAIN, "TXT"))[0]
    assert re.fullmatch(r"v=STSv1; id=[a-zA-Z0-9]{1,32}", policy_id)
    sixty = "ip4:192.0.2.10 ip6:2001:db8::10 -all"
    assert here == {
        (DOMAIN, "MX"): [f"10 {HOST}."],
        (HOST, "A"): [ADDRESS],
        (HOST, "AAAA"): [ADDRESS6],
        (DOMAIN, "TXT"): [f"v=spf1 mx {sixty}"],
        (HOST, "TXT"): [f"v=spf1 a {sixty}"],
        ("_dmarc." + DOMAIN, "TXT"):
            [f"v=DMARC1; p=none; rua=mailto:postmaster@{DOMAIN}"],
        ("_smtp._tls." + DOMAIN, "TXT"):
            [f"v=TLSRPTv1; rua=mailto:postmaster@{DOMAIN}"],
        ("_25._tcp." + HOST, "TLSA"):
            ["3 1 1 " + key_hash(desk.certificate).upper()],
        ("_submissions._tcp." + DOMAIN, "SRV"): [f"0 1 465 {HOST}."],
        ("_submission._tcp." + DOMAIN, "SRV"): [f"10 1 587 {HOST}."],
        ("_pop3s._tcp." + DOMAIN, "SRV"): [f"0 1 995 {HOST}."],
        ("_pop3._tcp." + DOMAIN, "SRV"): [f"10 1 110 {HOST}."],
    }
    assert elsewhere == {
        ("10.2.0.192.in-addr.arpa", "PTR"): [f"{HOST}."],
        (ipaddress.ip_address(ADDRESS6).reverse_pointer, "PTR"):
            [f"{HOST}."]}


def test_show_is_a_zone(desk, tool):
    """What is printed can be taken into a zone file as it is."""
    text = desk.run("show", "--ip", ADDRESS, "--web", "www.example.test",
                    "--mx", "mx2.example.net", DOMAIN).stdout
    zone = desk.path("zone")
    with open(zone, "w") as f:
        f.write(f"$ORIGIN {DOMAIN}.\n"
                "@ 60 SOA localhost. nobody.localhost. 1 60 60 60 60\n"
                "@ 60 NS localhost.\n" + text)
    done = subprocess.run([tool("nsd-checkzone"), DOMAIN, zone], check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done
    for name in ("mta-sts", "autoconfig", "autodiscover"):
        assert f"{name}.{DOMAIN}. 3600 IN CNAME www.example.test." in text
    # Text for people is comments, and so are other zones' records.
    outside = [l for l in text.splitlines()
               if l and not l.startswith(";") and f"{DOMAIN}. 3600 IN " not in
               l]
    assert outside == []
    assert ";10.2.0.192.in-addr.arpa. 3600 IN PTR" in text


def test_show_of_a_host_elsewhere(desk):
    desk.hostname = "mx.example.net"
    here, elsewhere = desk.show("--ip", ADDRESS, DOMAIN)
    assert here[DOMAIN, "MX"] == ["10 mx.example.net."]
    assert elsewhere["mx.example.net", "A"] == [ADDRESS]
    assert elsewhere["mx.example.net", "TXT"] == [
        f"v=spf1 a ip4:{ADDRESS} -all"]
    # The certificate does not cover that name.
    assert not [k for k in {**here, **elsewhere} if k[1] == "TLSA"]


def test_show_when_the_host_is_the_domain(desk):
    desk.hostname = DOMAIN
    here, _ = desk.show("--ip", ADDRESS, DOMAIN)
    assert here[DOMAIN, "TXT"] == [f"v=spf1 mx ip4:{ADDRESS} -all"]


def test_show_every_certificate(desk):
    desk.pairs.append(desk.ca.issue(HOST, kind="rsa"))
    desk.pairs.append(desk.ca.issue("other.example.net"))
    here, _ = desk.show(DOMAIN)
    assert here["_25._tcp." + HOST, "TLSA"] == [
        "3 1 1 " + key_hash(pair[0]).upper() for pair in desk.pairs[:2]]


def test_show_takes_the_addresses_of_the_config(desk):
    desk.extra = ["source-address 198.51.100.7"]
    here, _ = desk.show(DOMAIN)
    assert here[HOST, "A"] == ["198.51.100.7"]
    assert here[DOMAIN, "TXT"] == ["v=spf1 mx ip4:198.51.100.7 -all"]


def test_show_takes_the_addresses_that_are_listened_on(desk):
    desk.extra = ["source-address 198.51.100.7"]
    desk.listen[0] = "smtp 198.51.100.8:25 127.0.0.1:25"
    here, elsewhere = desk.show(DOMAIN)
    assert here[HOST, "A"] == ["198.51.100.8"]
    assert ("7.100.51.198.in-addr.arpa", "PTR") in elsewhere


def test_show_names_the_relay(desk):
    desk.extra = ["relay-host [smtp.example.net]:587"]
    text = desk.run("show", "--ip", ADDRESS, DOMAIN).stdout
    assert "Mail leaves by smtp.example.net" in text


def test_show_services_of_others_only(desk):
    desk.listen = ["smtp 0.0.0.0:25", "pop3s 127.0.0.1:995",
                   "submissions 192.0.2.10:2465"]
    here, _ = desk.show(DOMAIN)
    assert {k[0]: v for k, v in here.items() if k[1] == "SRV"} == {
        "_submissions._tcp." + DOMAIN: [f"0 1 2465 {HOST}."]}
    heading = "Where mail programs find it"
    assert heading in desk.run("show", DOMAIN).stdout
    desk.listen = ["smtp 0.0.0.0:25", "pop3s 127.0.0.1:995"]
    assert heading not in desk.run("show", DOMAIN).stdout


def test_reports_elsewhere_need_a_word(desk):
    here, elsewhere = desk.show("--reports", "dmarc@reports.example.net",
                                DOMAIN)
    assert here["_dmarc." + DOMAIN, "TXT"] == [
        "v=DMARC1; p=none; rua=mailto:dmarc@reports.example.net"]
    assert elsewhere[DOMAIN + "._report._dmarc.reports.example.net",
                     "TXT"] == ["v=DMARC1;"]


@pytest.mark.skipif(not has("IDN2"), reason="built without libidn2")
def test_internationalised_domain(desk):
    here, _ = desk.show("Müller.example")
    assert here["xn--mller-kva.example", "MX"] == [f"10 {HOST}."]


def test_policy_id_follows_the_policy(desk):
    def show(*words):
        return desk.show(*words, DOMAIN)[0]["_mta-sts." + DOMAIN, "TXT"]
    assert show() == show()
    assert len({*show(), *show("--mode", "enforce"), *show("--mx", "b.test"),
                *show("--max-age", "86400")}) == 4


# -- files --

URLS = {
    f"https://mta-sts.{DOMAIN}/.well-known/mta-sts.txt",
    f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml",
    f"https://{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml",
    f"https://autodiscover.{DOMAIN}/autodiscover/autodiscover.xml"}


def read(*names):
    with open(os.path.join(*names)) as f:
        return f.read()


def test_files(desk):
    www = desk.path("www")
    os.mkdir(www)
    rows = json.loads(desk.run("files", "--json", DOMAIN, www).stdout)
    assert {row["url"] for row in rows} == URLS
    for row in rows:
        assert os.stat(os.path.join(www, row["file"])).st_mode & 0o777 == 0o644
        assert row["url"].endswith("/" + row["file"])
    assert read(www, ".well-known/mta-sts.txt") == (
        f"version: STSv1\nmode: testing\nmx: {HOST}\nmax_age: 604800\n")
    # Nothing else is left behind.
    found = [os.path.relpath(os.path.join(folder, name), www)
             for folder, _, names in os.walk(www) for name in names]
    assert sorted(found) == sorted(row["file"] for row in rows)


def test_policy_is_read_by_our_own_reader(desk, build):
    www = desk.path("www")
    os.mkdir(www)
    desk.run("files", "--mode", "enforce", "--mx", "mx2.example.net", "--mx",
             HOST.upper(), "--max-age", "1209600", DOMAIN, www)
    reader = os.path.join(build, "tests", "tools", "read-policy")
    with open(os.path.join(www, ".well-known/mta-sts.txt")) as f:
        done = subprocess.run([reader], stdin=f, capture_output=True,
                              text=True, check=False)
    assert done.stdout.split("\n")[:3] == [
        "enforce 1209600", HOST, "mx2.example.net"], done


def servers(tree, kind):
    return [(s.findtext("hostname"), s.findtext("port"),
             s.findtext("socketType"), s.findtext("username"))
            for s in tree.iter(kind)]


def test_autoconfig(desk):
    www = desk.path("www")
    os.mkdir(www)
    desk.run("files", DOMAIN, www)
    tree = ElementTree.parse(os.path.join(www, "mail/config-v1.1.xml"))
    assert tree.find("emailProvider").get("id") == DOMAIN
    assert tree.findtext("emailProvider/domain") == DOMAIN
    who = "%EMAILADDRESS%"
    assert servers(tree, "incomingServer") == [
        (HOST, "995", "SSL", who), (HOST, "110", "STARTTLS", who)]
    assert servers(tree, "outgoingServer") == [
        (HOST, "465", "SSL", who), (HOST, "587", "STARTTLS", who)]
    assert read(www, "mail/config-v1.1.xml") == read(
        www, ".well-known/autoconfig/mail/config-v1.1.xml")


def test_autodiscover(desk):
    www = desk.path("www")
    os.mkdir(www)
    desk.listen = ["smtp 0.0.0.0:25", "submission 0.0.0.0:587",
                   "pop3s 0.0.0.0:995"]
    desk.run("files", DOMAIN, www)
    tree = ElementTree.parse(os.path.join(
        www, "autodiscover/autodiscover.xml"))
    space = ("{http://schemas.microsoft.com/exchange/autodiscover/outlook/"
             "responseschema/2006a}")
    assert [[p.findtext(space + name) for name in
             ("Type", "Server", "Port", "Encryption")]
            for p in tree.iter(space + "Protocol")] == [
        ["POP3", HOST, "995", "SSL"], ["SMTP", HOST, "587", "TLS"]]


def test_files_without_services(desk):
    www = desk.path("www")
    os.mkdir(www)
    desk.listen = ["smtp 0.0.0.0:25", "pop3 127.0.0.1:110"]
    done = desk.run("files", DOMAIN, www)
    assert "no POP3 service" in done.stderr
    assert "no submission service" in done.stderr


@pytest.mark.parametrize("where", [
    "", ".well-known", "mail/config-v1.1.xml"])
def test_files_follow_no_link(desk, where):
    www, other = desk.path("www"), desk.path("other")
    os.mkdir(other)
    if where:
        os.makedirs(os.path.dirname(os.path.join(www, where)))
    if where.endswith(".xml"):
        other = os.path.join(other, "file")
        with open(other, "w") as f:
            f.write("kept")
    os.symlink(other, os.path.join(www, where) if where else www)
    done = desk.run("files", DOMAIN, www, code=CANTCREAT)
    assert "link" in done.stderr or "Not a directory" in done.stderr
    if os.path.isdir(other):
        assert os.listdir(other) == []
    else:
        assert read(other) == "kept"


def test_files_keep_what_is_no_file(desk):
    www = desk.path("www")
    os.makedirs(os.path.join(www, "autodiscover/autodiscover.xml/x"))
    done = desk.run("files", DOMAIN, www, code=CANTCREAT)
    assert "no file stands there" in done.stderr


def test_files_are_replaced_at_one_stroke(desk):
    """Who has the old file open reads on in it."""
    www = desk.path("www")
    os.mkdir(www)
    desk.run("files", DOMAIN, www)
    with open(os.path.join(www, ".well-known/mta-sts.txt")) as old:
        desk.run("files", "--mode", "enforce", DOMAIN, www)
        assert "mode: testing" in old.read()
    assert "mode: enforce" in read(www, ".well-known/mta-sts.txt")


def test_files_need_a_folder(desk):
    done = desk.run("files", DOMAIN, desk.path("www"), code=CANTCREAT)
    assert "No such file" in done.stderr
    assert not os.path.exists(desk.path("www"))


# -- what cannot be --

@pytest.mark.parametrize("words, code", [
    ([], USAGE), (["show"], USAGE), (["files", DOMAIN], USAGE),
    (["show", DOMAIN, DOMAIN], USAGE), (["shew", DOMAIN], USAGE),
    (["show", "--unknown", DOMAIN], USAGE),
    (["files", "--ip", "192.0.2.1", DOMAIN, "/"], USAGE),
    (["show", "--ip", "192.0.2", DOMAIN], USAGE),
    (["show", "--ip", "192.0.2.1:25", DOMAIN], USAGE),
    (["show", "--mode", "strict", DOMAIN], USAGE),
    (["show", "--max-age", "-1", DOMAIN], USAGE),
    (["show", "--max-age", "31557601", DOMAIN], USAGE),
    (["show", "--mx", "a b", DOMAIN], USAGE),
    (["show", "--web", "https://www.example.test", DOMAIN], USAGE),
    (["show", "--reports", "nobody", DOMAIN], USAGE),
    (["show", "--reports", "a,b@example.test", DOMAIN], USAGE),
    (["show", *9 * ["--ip", "192.0.2.1"], DOMAIN], USAGE),
    (["show", ""], USAGE), (["show", "example"], USAGE),
    (["show", "ex ample.test"], USAGE), (["show", "a..test"], USAGE),
    (["show", "example.test\n; x"], USAGE),
    (["show", ".".join(4 * ["a" * 50])], DATAERR),
    (["show", "xn--\u00fc.test"], DATAERR),
])
def test_bad_arguments(desk, words, code):
    done = desk.run(*words, code=code)
    assert done.stderr and done.stdout == ""


def test_no_config(desk):
    done = subprocess.run(
        [program("postrider-dns"), "-c", desk.path("none"), "show", DOMAIN],
        capture_output=True, text=True, check=False)
    assert done.returncode == CONFIG and "none" in done.stderr


def test_host_name_must_be_whole(desk):
    desk.hostname = "mail"
    assert "full name" in desk.run("show", DOMAIN, code=CONFIG).stderr


def test_version_and_help(desk):
    assert desk.run("-V").stdout.startswith("postrider-dns ")
    assert desk.run("-h").stdout.startswith("usage: postrider-dns ")
