"""Whole projects for acceptance tests, and a way to look into their servers that no kitchen command has."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.secret_file import FileSecretStore
from tests.acceptance.external import Place, places
from tests.conftest import _home
from tests.support import SERVERS, Project

Look = Callable[[Project, str], AbstractContextManager[PgSession]]


def server_of(project: Project, environment: str) -> EmbeddedPostgres:
    """Return one environment's server, with the secrets by which its superuser is reached."""
    identity = (project.root / ".git" / "kitchen" / "id").read_text().strip()
    folder = project.home / identity / environment
    secrets = FileSecretStore(folder / "secrets", project.home / "keys" / f"{identity}.key")
    return EmbeddedPostgres(folder / "postgres", environment, secrets)


@contextmanager
def looking(project: Project, environment: str) -> Iterator[PgSession]:
    """Open a superuser's session on one environment's server: it sees what is really there."""
    with connect(server_of(project, environment).superuser(), application="acceptance test") as session:
        yield session


def dump(project: Project, environment: str) -> str:
    """Return everything that is in an environment's database, statistics too, as pg_dump writes it."""
    server = server_of(project, environment)
    login = server.superuser()
    answer = subprocess.run(
        [server.bin_dir / "pg_dump", "--statistics", "-w"],
        env={
            "PGHOST": login.host, "PGPORT": str(login.port), "PGDATABASE": login.database, "PGUSER": login.user,
            "PGPASSWORD": login.password.reveal(),
        },
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return answer.stdout


@pytest.fixture
def look() -> Look:
    """Return the opener of superuser sessions."""
    return looking


class Demo(Project):
    """A project that ``kitchen demo`` has made, with everything that was shown meanwhile."""

    told: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Return a project that ``kitchen demo`` has made in a folder that only its owner may enter."""
    above = tmp_path_factory.mktemp("demo")
    above.chmod(0o700)
    home = _home()
    made = Demo(above / "demo", home)
    try:
        played = made.kitchen("demo", str(made.root), cwd=above, timeout=600)
        made.told = played.stdout + played.stderr
        yield made
    finally:
        made.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def bare(project: Project) -> Project:
    """Return a project without the example's recipe and with an empty masking file."""
    shutil.rmtree(project.root / "recipes")
    (project.root / "recipes").mkdir()
    (project.root / "environments" / "masking.yaml").write_text("tables: {}\n")
    project.commit("nothing of the shop")
    project.git("branch", "-f", "dev", "main")
    return project


def pagila() -> Path | None:
    """Return the real database beside the repository, if it is there."""
    found = Path(__file__).resolve().parents[3] / "shared" / "data" / "pagila.sql"
    return found if found.exists() else None


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return a place for production on each kind of server in turn."""
    with places(request.getfixturevalue(request.param)) as found:
        yield found[0]
