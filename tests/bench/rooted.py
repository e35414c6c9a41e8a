# SPDX-License-Identifier: ISC
"""Mail servers whose Debian packages exclude each other: each from a folder
with a system of its own (README says how to make one), or from this one."""
import os
import pwd
import shutil
import subprocess

import peers
from suite import build_folder, free_port

# Of the server's system, these lie on the volume: empty or copied.
FOLDERS = {"etc": True, "home": False, "run": False, "var/spool": True,
           "var/log": True}
ENTER = """set -e
root=$1 here=$2
shift 2
for folder in %s; do
	mount --bind "$here/$folder" "$root/$folder"
done
[ "$root" = / ] || {
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
}
exec chroot "$root" "$@"
""" % " ".join(FOLDERS)


class Rooted(peers.Peer):
    """A server in a mount namespace of its own, with which its mounts end.
    Its user is "bench"; relay: (address, port) to which all mail goes."""
    domain, address = "bench.test", "127.0.0.1"
    program = None  # a path that only its package has
    command = ()
    fewer = 1  # messages: so many times fewer are sent to a slow one
    durable = True  # what it takes, before it says so

    def __init__(self, root, relay=None):
        super().__init__()
        self.port = free_port(self.address)
        self.relay = relay
        self.recipient = f"bench@{self.domain}"
        self.inbox = self.path("home/bench/Maildir")
        for folder, copied in FOLDERS.items():
            os.makedirs(os.path.dirname(self.path(folder)), exist_ok=True)
            if copied:
                subprocess.run(["cp", "-a", os.path.join(root, folder),
                                self.path(folder)], check=True)
            else:
                os.mkdir(self.path(folder))
        user = pwd.getpwnam("nobody")
        os.mkdir(self.path("home/bench"))
        os.chown(self.path("home/bench"), user.pw_uid, user.pw_gid)
        with open(self.path("etc/passwd"), "a") as f:
            f.write(f"bench:x:{user.pw_uid}:{user.pw_gid}::/home/bench:"
                    "/bin/sh\n")
        for name, text in (("resolv.conf",  # no DNS in the way
                            "lookup file\nnameserver 127.0.0.1\n"),
                           ("hosts", "127.0.0.1 localhost bench.test\n"),
                           ("mailname", "bench.test\n")):
            if os.path.lexists(self.path("etc", name)):
                os.unlink(self.path("etc", name))
            self.write(f"etc/{name}", text)
        self.configure()
        self.spawn([peers.find("unshare"), "-m", "--propagation", "private",
                    "sh", "-c", ENTER, "sh", root, self.folder,
                    *self.command], env={"PATH": peers.PATH, "LANG": "C"})
        self.ready(lambda: self.wait_listening(self.address, self.port))

    def configure(self):
        raise NotImplementedError

    def pid(self):
        return self.process.pid


class OpenSmtpd(Rooted):
    name = "opensmtpd"
    program = "usr/sbin/smtpctl"
    command = ("env", "LD_PRELOAD=/etc/listenq.so",
               "smtpd", "-F", "-f", "/etc/smtpd.conf")
    durable = False  # it says 250 without having synced anything

    def configure(self):
        host, port = self.relay or ("", 0)
        self.write("etc/smtpd.conf", f"""
listen on {self.address} port {self.port} hostname {self.domain}
smtp limit max-mails 1000000
mda limit max-session 200 max-session-per-user 50
mda limit task-hiwat 500 task-lowat 300 task-release 100
scheduler limit max-inflight 50000 max-schedule 1000
mta limit max-conn-per-host 50 max-conn-per-route 50
mta limit max-conn-per-connector 50
mta limit conn-delay-route 0 conn-delay-relay 0 reconn-delay-route 0
mta limit session-mail-max 1000 task-hiwat 500 task-lowat 300 task-release 100
action "in" maildir
action "out" relay host smtp://{host}:{port}
""" + ('match from any for any action "out"\n' if self.relay else
       f'match from any for domain "{self.domain}" action "in"\n'))
        # listen() with a queue of 5 is a throttle that no setting opens.
        shutil.copy(os.path.join(build_folder(), "tests/bench/listenq.so"),
                    self.path("etc/listenq.so"))


class Exim(Rooted):
    name = "exim"
    fewer = 8  # it takes its time
    program = "usr/sbin/exim4"
    command = ("exim4", "-bdf", "-q5m")

    def configure(self):
        path = self.write("etc/exim4/exim4.conf", f"""
primary_hostname = {self.domain}
local_interfaces = {self.address}
daemon_smtp_ports = {self.port}
acl_smtp_rcpt = accept_all
acl_smtp_data = accept_all
tls_advertise_hosts =
host_lookup =
smtp_accept_max = 1000
smtp_connect_backlog = 1000
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
split_spool_directory = true
queue_run_max = 20
remote_max_parallel = 20
begin acl
accept_all:
  accept
begin routers
""" + (f"""out:
  driver = manualroute
  route_list = * {self.relay[0]}
  self = send
  transport = out
""" if self.relay else """in:
  driver = accept
  check_local_user
  transport = in
""") + f"""begin transports
out:
  driver = smtp
  port = {self.relay[1] if self.relay else 25}
  allow_localhost
  connection_max_messages = 500
  hosts_try_fastopen =
in:
  driver = appendfile
  directory = $home/Maildir
  maildir_format
  delivery_date_add
  envelope_to_add
  return_path_add
begin retry
* * F,2h,1m; F,4d,10m
""", 0o640)
        os.chown(path, 0, os.stat(self.path("var/spool/exim4")).st_gid)


def found(folder):
    """{server's class: root of its system}: below folder by their names, or
    this system's; and the names of those that are not there."""
    servers, missing = {}, []
    for server in (OpenSmtpd, Exim):
        roots = [os.path.join(os.path.abspath(folder), server.name)] \
            if folder else []
        for root in [*roots, "/"]:
            if os.path.exists(os.path.join(root, server.program)):
                servers[server] = root
                break
        else:
            missing.append(server.name)
    return servers, missing
