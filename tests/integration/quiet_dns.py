# SPDX-License-Identifier: ISC
"""A DNS server for houses whose test is not about the DNS: one a process, on
loopback, for as long as that lives.

Nobody has published anything (TXT: no such record) and no address has a name
(PTR: no such name), so that strangers' mail can be judged, and is taken.
Where other hosts are it does not tell (SERVFAIL): mail for them stays in the
queue, as without a DNS.  That is "127.0.0.1:1", where nobody answers.
"""
import functools
import socket
import struct
import threading

PTR, TXT = 12, 16
SERVFAIL, NXDOMAIN = 2, 3
RESPONSE = 0x8180  # recursion available


def answer(packet):
    """The reply to a question, or None."""
    at = 12
    while at < len(packet) and packet[at]:
        at += packet[at] + 1
    if len(packet) < at + 5:
        return None
    kind, = struct.unpack_from("!H", packet, at + 1)
    rcode = {TXT: 0, PTR: NXDOMAIN}.get(kind, SERVFAIL)
    return packet[:2] + struct.pack(
        "!5H", RESPONSE | rcode, 1, 0, 0, 0) + packet[12:at + 5]


def serve(sock):
    while True:
        packet, peer = sock.recvfrom(4096)
        reply = answer(packet)
        if reply:
            sock.sendto(reply, peer)


@functools.cache
def quiet_dns():
    """Its address, for dns-server in a config."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(sock,), daemon=True).start()
    return f"127.0.0.1:{sock.getsockname()[1]}"
