"""The script for an administrator, the password's verifier, and password files."""

from __future__ import annotations

import hmac
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest

from kitchen.adapters.postgres.install import PgInstaller
from kitchen.cli.environments import tell_cautions
from kitchen.domain.connection import Credentials
from kitchen.domain.installation import as_script, provisioner_role, scram_verifier
from kitchen.domain.secret import Secret
from kitchen.errors import InvalidInput
from kitchen.files.passfile import password_of

LOGIN = Credentials("db.example", 5432, "shop", "ann", Secret(""))


def test_a_verifier_is_what_the_standard_says() -> None:
    """It fits both signatures of the conversation that RFC 7677 prints: user `user`, password `pencil`."""
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    said = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}".encode()
    verifier = scram_verifier(Secret("pencil"), b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert verifier.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    stored, server = (b64decode(key) for key in verifier.split("$")[2].split(":"))
    assert hmac.digest(server, said, "sha256") == b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    proof = b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client = bytes(a ^ b for a, b in zip(proof, hmac.digest(stored, said, "sha256"), strict=True))
    assert sha256(client).digest() == stored


def test_a_script_without_a_look_names_everything_and_no_password() -> None:
    installer = PgInstaller(None, environment="production", database='sh"op', schemas=("public",))
    script = as_script(installer.plan(provisioner_role("production"), Secret("never-shown"), takes_over=False))
    assert "never-shown" not in script
    assert "SUPERUSER" not in script
    for statement in (
        'CREATE DATABASE "sh""op" OWNER "kitchen__production__provisioner";',
        '\\connect "sh""op"',
        'REVOKE ALL ON DATABASE "sh""op" FROM PUBLIC;',
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
    ):
        assert statement in script.splitlines()
    assert "Nobody could look" in script


def test_what_stays_open_is_said_with_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    installer = PgInstaller(None, environment="production", database="shop", schemas=("public",))
    plan = installer.plan(provisioner_role("production"), Secret("never-shown"), takes_over=False)
    tell_cautions(plan)
    said = capsys.readouterr().err.splitlines()
    at = next(number for number, line in enumerate(said) if "An administrator may let it see" in line)
    assert said[at].startswith("! kitchen__production__provisioner does not see what transactions of other roles read")
    assert said[at + 1] == '    GRANT pg_read_all_stats TO "kitchen__production__provisioner";'


@pytest.mark.parametrize(
    ("lines", "password"),
    [
        ("db.example:5432:shop:ann:right", "right"),
        ("*:*:*:*:right", "right"),
        ("# ann\n\ndb.example:5432:shop:bob:wrong\n*:*:shop:ann:right\n*:*:*:*:wrong", "right"),
        ("db.example:5432:shop:ann:r\\:i\\\\ght", "r:i\\ght"),
        ("db.example:5433:shop:ann:wrong", None),
        ("db.example:5432:shop", None),
        ("", None),
    ],
)
def test_password_files(tmp_path: Path, lines: str, password: str | None) -> None:
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    file.write_text(lines)
    assert password_of(LOGIN, file) == (Secret(password) if password is not None else None)


def test_a_password_file_that_others_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text("*:*:*:*:right")
    file.chmod(0o640)
    with pytest.raises(InvalidInput, match="open to others"):
        password_of(LOGIN, file)
    assert password_of(LOGIN, tmp_path / "absent") is None
