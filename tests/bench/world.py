# SPDX-License-Identifier: ISC
"""Where mail goes when it leaves: a host that lives and one that is dead."""
import contextlib
import socket

from peers import Dns
from relay import CountingSink
from suite import free_port

DEAD, LIVE = "127.0.0.9", "127.0.0.10"


class World:
    """dead.test, where nobody listens (or, if silent, nobody answers), and
    live.test with a sink, both on one port."""

    def __init__(self, silent=False):
        self.port = free_port(DEAD)
        self.stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.dns = stack.enter_context(Dns(
                {f"{name}.test": f"@ MX 10 mx\nmx A {address}"
                 for name, address in (("dead", DEAD), ("live", LIVE))}))
            self.live = stack.enter_context(CountingSink(LIVE, self.port))
            if silent:
                self._fall_silent(stack)
            self.stack = stack.pop_all()

    def _fall_silent(self, stack):
        """A full queue of connections: the kernel drops what else knocks."""
        deaf = stack.enter_context(socket.socket())
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind((DEAD, self.port))
        deaf.listen(0)
        for _ in range(4):
            knock = stack.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex((DEAD, self.port))

    def back(self):
        """A sink where nobody listened."""
        return self.stack.enter_context(CountingSink(DEAD, self.port))

    # -- how servers find their way --

    def ours(self):
        return {"extra": ("relay-from 127.0.0.1",),
                "dns_server": self.dns.server, "smtp_port": self.port}

    def postfix(self):
        """Its usual times, not those that our tests give it."""
        return f"""transport_maps = inline:{{
 {{ dead.test = smtp:[{DEAD}]:{self.port} }},
 {{ live.test = smtp:[{LIVE}]:{self.port} }} }}
minimal_backoff_time = 300s
queue_run_delay = 300s
"""

    def close(self):
        self.stack.close()
