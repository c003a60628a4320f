"""What stands before an object store: something that ends TLS there, or a server that knows no bucket policies."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_NO_POLICIES = (
    b'<?xml version="1.0"?><Error><Code>NotImplemented</Code><Message>A header or query you provided implies '
    b"functionality that is not implemented.</Message></Error>"
)


class WithoutPolicies:
    """A real server behind an address where nobody has heard of policies: ``?policy`` is answered with 501."""

    def __init__(self, endpoint: str) -> None:
        behind = urlsplit(endpoint)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "policy" in urlsplit(self.path).query:
                    self._answer(501, _NO_POLICIES, {})
                    return
                there = http.client.HTTPConnection(str(behind.hostname), behind.port, timeout=30)
                there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():  # Host too: it is signed
                    if name.lower() not in ("connection", "expect"):
                        there.putheader(name, value)
                there.endheaders(body)
                answer = there.getresponse()
                self._answer(answer.status, answer.read(), dict(answer.getheaders()))
                there.close()

            def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - names of the protocol

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> WithoutPolicies:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


@dataclass
class TlsFront:
    """A load balancer: speaks TLS with us and plain HTTP with the server behind it."""

    port: int
    certificate: Path
    key: Path

    def __enter__(self) -> TlsFront:
        self._told = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._told.load_cert_chain(self.certificate, self.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                threading.Thread(target=self._carry, args=(self._listener.accept()[0],), daemon=True).start()

    def _carry(self, accepted: socket.socket) -> None:
        with (
            suppress(OSError),
            self._told.wrap_socket(accepted, server_side=True) as here,
            socket.create_connection(("127.0.0.1", self.port)) as there,
        ):
            back = threading.Thread(target=_pump, args=(there, here), daemon=True)
            back.start()
            _pump(here, there)
            back.join(30)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
