"""Transport to somebody else's PostgreSQL: who the server is, is checked unless the environment says otherwise."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kitchen.adapters.postgres.connection import PgSession, connect
from tests.acceptance.external import Place, as_administrator, declare, examined, nobody, places, psql
from tests.support import Project, Server


def certificate(folder: Path, host: str) -> tuple[bytes, bytes]:
    """Return key and certificate of a server, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "warehouse of somebody else")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    (folder / "authority.pem").write_bytes(public)
    return private, public


def speaks_tls(session: PgSession, *, wanted: str) -> None:
    """Make a server read its settings again and wait until it has."""
    session.execute("SELECT pg_reload_conf()")
    until = time.monotonic() + 10
    while session.query("SELECT setting FROM pg_settings WHERE name = 'ssl'") != [(wanted,)]:
        assert time.monotonic() < until, "the server does not take its TLS settings"
        time.sleep(0.05)


@pytest.fixture
def encrypted(postgres15: Server, tmp_path: Path) -> Iterator[Place]:
    """Return a place on a server that speaks TLS; the wheel's programs cannot."""
    embedded = postgres15.embedded
    host, _ = embedded.tcp
    folder = embedded.folder / "tls"
    folder.mkdir(mode=0o700)
    for name, content in zip(("key.pem", "certificate.pem"), certificate(tmp_path, host), strict=True):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
        embedded.account.give(folder / name)
    embedded.account.give(folder)
    with connect(postgres15.credentials, application="acceptance test") as session:
        session.execute(f"ALTER SYSTEM SET ssl_key_file = '{folder}/key.pem'")
        session.execute(f"ALTER SYSTEM SET ssl_cert_file = '{folder}/certificate.pem'")
        session.execute("ALTER SYSTEM SET ssl = on")
        speaks_tls(session, wanted="on")
        try:
            with places(postgres15) as found:
                yield found[0]
        finally:
            session.execute("ALTER SYSTEM RESET ALL")
            speaks_tls(session, wanted="off")


def test_the_server_is_verified(project: Project, encrypted: Place, tmp_path: Path) -> None:
    declare(project, encrypted, None)
    file = project.root / "environments" / "production.yaml"
    plain = file.read_text()
    verified = plain.replace('"tls": "disable"', f'"tls": "verify-full", "authorities": "{tmp_path / "authority.pem"}"')
    as_administrator(project, encrypted.administrator, tmp_path)

    file.write_text(plain.replace('"tls": "disable"', '"tls": "verify-full"'))
    stranger = project.kitchen("environment", "install", "production", expect=6)
    assert "certificate verify failed" in stranger.stderr
    assert "warehouse.authorities" in stranger.stderr

    file.write_text(verified)
    project.kitchen("environment", "install", "production")
    nobody(project)
    assert examined(project, "production")["transport"]["level"] == "ok"
    assert psql(project, "production", "SET ROLE NONE; SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t"
    url = project.kitchen("env", "production", "--format", "url").stdout
    assert "sslmode=verify-full" in url
    assert "sslrootcert=" in url

    file.write_text(verified.replace("127.0.0.1", "localhost"))  # the certificate is not for this name
    other_name = project.kitchen("up", "production", expect=6)
    assert "does not match host name" in other_name.stderr

    file.write_text(plain.replace('"tls": "disable"', '"tls": "require"'))
    found = examined(project, "production")["transport"]
    assert (found["level"], "nobody checks who the server is" in found["says"]) == ("warn", True)
