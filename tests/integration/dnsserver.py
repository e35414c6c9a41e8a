# SPDX-License-Identifier: ISC
"""A real DNS server (nsd, Debian package nsd) on loopback, with the zones
that a test writes.

    def test_it(dns, make_suite):
        dns.add_zone("example.net", "@ MX 10 mx\nmx A 127.0.0.1")
        dns.start()
        suite = make_suite(dns_server=dns.address)

The fixture `dns` is there after `from dnsserver import dns`.  Names that are
in no zone are refused, as an authoritative server does, which is a temporary
failure; zone("test") or zone(".") makes them not exist.
"""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from ports import any_port
from watch import wait_for

CONFIG = """\
server:
	ip-address: {host}@{port}
	do-ip6: yes
	username: "{user}"
	chroot: ""
	server-count: 1
	zonesdir: "{folder}"
	database: ""
	pidfile: "{folder}/pid"
	zonelistfile: "{folder}/zone.list"
	xfrdfile: "{folder}/xfrd.state"
	xfrdir: "{folder}"
	logfile: "{folder}/log"
	rrl-ratelimit: 0
remote-control:
	control-enable: no
"""
HEAD = """\
$ORIGIN {origin}
$TTL 60
@ SOA localhost. nobody.localhost. 1 3600 600 86400 60
@ NS localhost.
"""


def free_port(host="127.0.0.1"):
    """A port that is free for UDP and TCP alike."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = any_port()
        with socket.socket(family, socket.SOCK_DGRAM) as udp, \
                socket.socket(family, socket.SOCK_STREAM) as tcp:
            try:
                udp.bind((host, port))
                tcp.bind((host, port))
            except OSError:
                continue
        return port


class DnsServer:
    def __init__(self, host="127.0.0.1"):
        program = shutil.which(
            "nsd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not program:
            pytest.skip("nsd is not installed")
        self.program = program
        self.host = host
        self.port = free_port(host)
        self.zones = {}
        self.process = None
        self.folder = tempfile.mkdtemp(prefix="pr-dns-")

    @property
    def address(self):
        """For dns-server in a config."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def add_zone(self, name, records=""):
        """Records as in a zone file, relative to the zone; SOA and NS are
        there already.  The same name again adds to it.  Before start(), or
        call restart() afterwards."""
        self.zones.setdefault(name.rstrip("."), []).append(records)
        return self

    def add_reverse(self, address, *names):
        """PTR records of an IPv4 or IPv6 address."""
        import ipaddress
        owner = ipaddress.ip_address(address).reverse_pointer
        zone = "arpa"
        if zone not in self.zones:
            self.add_zone(zone)
        for name in names:
            self.add_zone(zone, f"{owner}. PTR {name}.")
        return self

    def _write(self):
        parts = [CONFIG.format(host=self.host, port=self.port,
                               folder=self.folder, user="")]
        for number, (name, records) in enumerate(self.zones.items()):
            file = f"zone{number}"
            with open(os.path.join(self.folder, file), "w") as f:
                f.write(HEAD.format(origin=name + "."))
                f.write("\n".join(records) + "\n")
            parts.append(f'zone:\n\tname: "{name or "."}"\n'
                         f'\tzonefile: "{file}"\n')
        with open(self._path("nsd.conf"), "w") as f:
            f.write("".join(parts))

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _log(self):
        try:
            with open(self._path("log")) as f:
                return f.read()
        except OSError:
            return ""

    def start(self):
        self._write()
        if os.path.exists(self._path("log")):
            os.unlink(self._path("log"))
        with open(self._path("stderr"), "wb") as err:
            self.process = subprocess.Popen(
                [self.program, "-d", "-c", self._path("nsd.conf")],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err)

        def ready():
            if self.process.poll() is not None:
                with open(self._path("stderr")) as f:
                    raise AssertionError(f"nsd ended: {f.read()}{self._log()}")
            return "nsd started" in self._log()
        wait_for(ready, self.folder, self._path("log"), what="nsd's start")
        assert "error:" not in self._log(), self._log()
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def dns():
    with DnsServer() as server:
        yield server
