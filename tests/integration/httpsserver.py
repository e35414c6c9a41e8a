# SPDX-License-Identifier: ISC
"""A small HTTPS server that does as it is told, to the octet.

    with HttpsServer(*ca.issue("mta-sts.example.net")) as server:
        server.replies["/x"] = reply(b"hello")
        server.requests   # [(request line, host)]
"""
import socket
import ssl
import threading

from suite import SECONDS


def reply(body, content_type="text/plain", status="200 OK", headers=()):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}",
            *headers]
    if content_type:
        head.append(f"Content-Type: {content_type}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class HttpsServer:
    """replies: {path: octets, or a function that is given the socket and
    an event that is set when the server closes}."""

    def __init__(self, chain, key, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family)
        self.port = self.listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.replies, self.requests = {}, []
        self.closing = threading.Event()
        self.arrived = threading.Condition()
        self.threads = []
        self.threads.append(threading.Thread(target=self._accept))
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(plain,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, plain):
        plain.settimeout(SECONDS)
        try:
            with self.context.wrap_socket(plain, server_side=True) as s:
                self._answer(s)
        except (OSError, ValueError):
            plain.close()

    def _answer(self, s):
        octets = b""
        while b"\r\n\r\n" not in octets:
            more = s.recv(65536)
            if not more:
                return
            octets += more
        lines = octets.decode().split("\r\n")
        host = next(l.split(": ", 1)[1] for l in lines
                    if l.lower().startswith("host:"))
        with self.arrived:
            self.requests.append((lines[0], host))
            self.arrived.notify_all()
        answer = self.replies.get(
            lines[0].split()[1], reply(b"", status="404 Not Found"))
        if callable(answer):
            answer(s, self.closing)
        else:
            s.sendall(answer)
            s.unwrap()

    def wait(self, count):
        """Until so many requests have come."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: len(self.requests) >= count, SECONDS)

    def close(self):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
