# SPDX-License-Identifier: ISC
"""A mailing list and a forwarder as others run them: mlmmj and Postfix, with
opendkim where they sign.  Needs root."""
import os
import shutil

from peers import PATH, Peer, Postfix, find
from suite import free_port

TEXTS = "/usr/share/mlmmj/text.skel/en"
FOLDERS = ("incoming", "queue/discarded", "archive", "text", "subconf",
           "unsubconf", "bounce", "control", "moderation", "subscribers.d",
           "digesters.d", "requeue", "nomailsubs.d")


class Signer(Peer):
    """opendkim as a milter, which signs whatever passes for one domain."""

    def __init__(self, domain, key, address="127.0.0.1"):
        super().__init__()
        self.port = free_port(address)
        self.address = address
        pem = self.write("key", key.decode(), 0o600)
        keys = self.write("keys", f"k {domain}:s:{pem}\n")
        senders = self.write("senders", "* k\n")
        config = self.write("conf", f"""Syslog no
Mode s
Canonicalization relaxed/relaxed
KeyTable {keys}
SigningTable refile:{senders}
InternalHosts 0.0.0.0/0
RequireSafeKeys no
Socket inet:{self.port}@{address}
""")
        self.spawn([find("opendkim"), "-f", "-x", config],
                   env={"PATH": PATH})
        self.ready(lambda: self.wait_listening(address, self.port))

    @property
    def milter(self):
        return f"smtpd_milters = inet:{self.address}:{self.port}"


class Forwarder(Postfix):
    """Postfix that hands on to a host what an address of its own gets."""

    def __init__(self, domain, address, target, to, main=""):
        """to: (address, port), where all of target's domain goes."""
        self.to, self.target = to, target
        routed = target.rpartition("@")[2]
        super().__init__(domain, address, main=f"""\
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
virtual_alias_maps = inline:{{{{bob@{domain}={target}}}}}
transport_maps = inline:{{{{{routed}=smtp:[{to[0]}]:{to[1]}}}}}
{main}""")


class List(Postfix):
    """The list news@DOMAIN by mlmmj, with one subscriber."""

    def __init__(self, domain, address, subscriber, to, control=None,
                 main=""):
        """control: {file: content} of mlmmj's folder of that name."""
        self.list_control = {
            "listaddress": f"news@{domain}", "owner": f"owner@{domain}",
            "delimiter": "+", "relayhost": address, **(control or {})}
        self.subscriber = subscriber
        routed = subscriber.rpartition("@")[2]
        super().__init__(domain, address, main=f"""\
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
mlmmj_destination_recipient_limit = 1
recipient_delimiter = +
virtual_mailbox_maps = inline:{{{{news@{domain}=news}} \
{{bob@{domain}=bob/}}}}
transport_maps = inline:{{{{news@{domain}=mlmmj:}} \
{{{routed}=smtp:[{to[0]}]:{to[1]}}}}}
{main}""")

    def _configure(self, nobody):
        super()._configure(nobody)
        folder = self.path("news")
        for name in FOLDERS:
            os.makedirs(os.path.join(folder, name))
        for name in os.listdir(TEXTS):
            shutil.copy(os.path.join(TEXTS, name),
                        os.path.join(folder, "text"))
        self.write("news/index", "")
        self.list_control["smtpport"] = str(self.port)
        for name, content in self.list_control.items():
            self.write(f"news/control/{name}", content + "\n")
        self.write(f"news/subscribers.d/{self.subscriber[0]}",
                   self.subscriber + "\n")
        for where, folders, files in os.walk(folder):
            for name in [where, *(os.path.join(where, n) for n in files)]:
                os.chown(name, nobody.pw_uid, nobody.pw_gid)
        with open(self.path("conf/master.cf"), "a") as f:
            f.write("mlmmj unix - n n - - pipe flags=ORhu user=nobody "
                    f"argv={find('mlmmj-receive')} -F -L {folder}\n")
