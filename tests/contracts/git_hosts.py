"""Hosts of git repositories as teams have them: an sshd with keys of its own, and smart HTTP behind TLS and a password.

Both serve the bare repositories below one folder. What a person's own configuration says of them is in ``person``.
"""

from __future__ import annotations

import base64
import getpass
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import missing

USER, PASSWORD = "ann", "open-sesame-81"
SSHD = "/usr/sbin/sshd"


class Host(Protocol):
    """A host of repositories."""

    def address(self, repository: Path) -> str: ...
    def person(self, folder: Path) -> Path: ...


class SshHost:
    """An sshd on a loopback port that lets one key in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.log = folder / "sshd.log"
        for name in ("host", "person", "stranger"):
            _keygen(folder / name)
        (folder / "authorized").write_text((folder / "person.pub").read_text())
        self.known_hosts = folder / "known_hosts"
        key = (folder / "host.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n")
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\n"
            f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\nUseDNS no\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen([SSHD, "-D", "-f", f"{folder}/sshd_config", "-E", str(self.log)])
        _wait_for(self.port, self.log)

    def address(self, repository: Path) -> str:
        """Return the address of a repository."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"

    def person(self, folder: Path, *, key: str = "person", knows: bool = True) -> Path:
        """Write the git configuration of a person who has a key and knows the host; returns its path."""
        known = self.known_hosts if knows else folder / "known_hosts"
        (folder / "ssh_config").write_text(
            f"Host *\n  IdentityFile {self.folder / key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n"
        )
        return _written(folder / "gitconfig", f"[core]\n\tsshCommand = ssh -F {folder / 'ssh_config'}\n")

    def close(self) -> None:
        """Stop the sshd; its sessions end with their clients."""
        self._process.terminate()
        self._process.wait(10)


class HttpsHost:
    """Git's own HTTP backend behind TLS, with a certificate of an authority of our own and basic authentication."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []  # who was let in, and to what
        self.stalls = False  # takes requests and answers none
        _certificates(folder)
        host = self

        class Handler(_Backend):
            owner = host

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def address(self, repository: Path, *, login: str = "") -> str:
        """Return the address of a repository."""
        return f"https://{login}127.0.0.1:{self.port}{repository}"

    def person(self, folder: Path, *, password: str = PASSWORD, trusts: bool = True) -> Path:
        """Write the git configuration of a person with a helper that knows a password; returns its path."""
        helper = _written(
            folder / "helper",
            f'#!/bin/sh\n[ "$1" = get ] && printf "username={USER}\\npassword={password}\\n"\nexit 0\n',
        )
        helper.chmod(0o700)
        trust = f"[http]\n\tsslCAInfo = {self.folder / 'authority.pem'}\n" if trusts else ""
        return _written(folder / "gitconfig", f"{trust}[credential]\n\thelper = {helper}\n")

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Backend(BaseHTTPRequestHandler):
    """Hands requests to ``git http-backend``, as any web server would."""

    protocol_version = "HTTP/1.1"
    owner: HttpsHost

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        while self.owner.stalls:
            time.sleep(0.1)
        path, _, query = self.path.partition("?")
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self._send(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
            return
        self.owner.asked.append(path)
        environ = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": "/", "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": USER,
            "GIT_CONFIG_GLOBAL": os.devnull, "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1", "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        made = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, check=False)
        head, _, content = made.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self._send(status, [(name, value) for name, value in headers if name != "Status"], content)

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def ssh_host(folder: Path) -> Iterator[SshHost]:
    """Serve over ssh while the block runs."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        missing("sshd", f"no {SSHD}")
    folder.mkdir()
    host = SshHost(folder)
    try:
        yield host
    finally:
        host.close()


@contextmanager
def https_host(folder: Path) -> Iterator[HttpsHost]:
    """Serve over HTTPS while the block runs."""
    folder.mkdir()
    host = HttpsHost(folder)
    try:
        yield host
    finally:
        host.close()


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, log: Path) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text() if log.exists() else "sshd did not start")


def _certificates(folder: Path) -> None:
    """Make an authority, and a server's key and certificate that it vouches for."""
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = _named("authority of the tests")
    (folder / "authority.pem").write_bytes(_pem(_signed(issuer, issuer, authority, authority, ca=True)))
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "server.pem").write_bytes(_pem(_signed(_named("git host"), issuer, key, authority, ca=False)))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(private)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(by, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
