# SPDX-License-Identifier: ISC
"""A validating resolver (unbound, Debian packages unbound and ldnsutils) on
loopback, with zones that a test writes: signed, not signed, or bogus.

    with SignedDns() as dns:
        dns.zone("dane.test", "@ MX 10 mx\\nmx A 127.0.0.1")
        dns.zone("plain.test", "mx A 127.0.0.1", signed=False)
        dns.start()

Names that are in no zone do not exist (insecurely).
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from dnsserver import free_port
from watch import wait_for

CONFIG = """\
server:
	interface: {host}@{port}
	username: ""
	chroot: ""
	directory: "{folder}"
	pidfile: ""
	use-syslog: no
	logfile: "{folder}/log"
	num-threads: 1
	do-daemonize: no
	access-control: 127.0.0.0/8 allow
	module-config: "validator iterator"
	local-zone: "test." nodefault
	qname-minimisation: no
	aggressive-nsec: no
	val-log-level: 2
	verbosity: 1
	cache-max-ttl: 0
	cache-max-negative-ttl: 0
remote-control:
	control-enable: no
"""
HEAD = """\
$ORIGIN {origin}
$TTL 60
@ SOA localhost. nobody.localhost. 1 3600 600 86400 60
@ NS localhost.
"""


def find(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") +
                         ":/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


class SignedDns:
    def __init__(self, host="127.0.0.1", port=None):
        self.unbound, self.keygen, self.sign = map(
            find, ("unbound", "ldns-keygen", "ldns-signzone"))
        self.host, self.port = host, port or free_port(host)
        self.folder = tempfile.mkdtemp(prefix="pr-signed-")
        os.chmod(self.folder, 0o755)
        self.zones = {}
        self.anchors = {}
        self.process = None
        self.zone("", "", signed=False)

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def _run(self, *command):
        done = subprocess.run(command, cwd=self.folder, check=False,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def zone(self, name, records, signed=True, bogus=()):
        """Records as in a zone file.  bogus: owners of a signed zone whose
        signatures are spoilt.  The same name again replaces it; before
        start(), or call restart() afterwards."""
        file = self.path((name or "root") + ".zone")
        with open(file, "w") as f:
            f.write(HEAD.format(origin=name + ".") + records + "\n")
        if signed:
            key = self.anchors.get(name)
            if not key:
                key = self._run(self.keygen, "-a", "ECDSAP256SHA256", "-k",
                                name)
                self.anchors[name] = key
            self._run(self.sign, "-o", name, "-f", file + ".signed", file,
                      key)
            file += ".signed"
            for owner in bogus:
                self._spoil(file, owner)
        self.zones[name] = file
        return self

    @staticmethod
    def _spoil(file, owner):
        """Other octets in every signature of this owner."""
        with open(file) as f:
            lines = f.read().split("\n")
        count = 0
        for i, line in enumerate(lines):
            if line.startswith(owner + ".\t") and "\tRRSIG\t" in line:
                head, signature = line.rsplit(" ", 1)
                lines[i] = f"{head} {signature[:8]}AAAA{signature[12:]}"
                count += 1
        assert count, (owner, "\n".join(lines))
        with open(file, "w") as f:
            f.write("\n".join(lines))

    def _write(self):
        parts = [CONFIG.format(host=self.host, port=self.port,
                               folder=self.folder)]
        for key in self.anchors.values():
            parts.append(f'server:\n\ttrust-anchor-file: "{key}.key"\n')
        for name, file in self.zones.items():
            parts.append(
                f'auth-zone:\n\tname: "{name}."\n\tzonefile: "{file}"\n'
                "\tfor-downstream: no\n\tfor-upstream: yes\n"
                "\tfallback-enabled: no\n")
        with open(self.path("unbound.conf"), "w") as f:
            f.write("".join(parts))

    def log(self):
        try:
            with open(self.path("log")) as f:
                return f.read()
        except OSError:
            return ""

    def start(self):
        self._write()
        open(self.path("log"), "w").close()
        with open(self.path("stderr"), "wb") as err:
            self.process = subprocess.Popen(
                [self.unbound, "-d", "-c", self.path("unbound.conf")],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err)

        def ready():
            if self.process.poll() is not None:
                with open(self.path("stderr")) as f:
                    raise AssertionError(f"unbound: {f.read()}{self.log()}")
            return "start of service" in self.log()
        wait_for(ready, self.path("log"), what="unbound's start")
        assert not re.search("error:", self.log()), self.log()
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
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
def signed_dns():
    with SignedDns() as server:
        yield server
