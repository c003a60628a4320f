"""Folders of embedded servers, and what tests ask of the servers in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kitchen.adapters.embedded.cluster import ClusterFolder
from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.secret_file import FileSecretStore
from kitchen.domain.connection import Credentials
from tests.support import REPOSITORY, PasswordsInMemory

AS_ROOT = os.geteuid() == 0


START = """
import sys
from pathlib import Path
from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.secret_file import FileSecretStore
home = Path(sys.argv[1])
EmbeddedPostgres(home / "p" / "dev" / "postgres", "dev", FileSecretStore(home / "secrets", home / "k" / "key")).start()
"""


@contextmanager
def a_home() -> Iterator[Path]:
    """Return a folder that the server's user may pass through; servers below it are stopped at the end."""
    made = Path(tempfile.mkdtemp(prefix="kitchen-tests-", dir="/tmp"))
    made.chmod(0o711 if AS_ROOT else 0o700)
    yield made
    for folder in made.rglob("postgres"):
        if (folder / "cluster.json").exists():
            EmbeddedPostgres(folder, "x", PasswordsInMemory()).stop()
    shutil.rmtree(made)


def embedded(home: Path, environment: str = "dev") -> EmbeddedPostgres:
    """Return the server of an environment below a home, its passwords in the real store."""
    store = FileSecretStore(home / "secrets", home / "k" / "key")
    return EmbeddedPostgres(home / "p" / environment / "postgres", environment, store)


def query(credentials: Credentials, statement: str) -> list[tuple[object, ...]]:
    with connect(credentials, application="tests") as session:
        return session.query(statement)


def postmaster(postgres: EmbeddedPostgres) -> int:
    pid = ClusterFolder(postgres.folder).server()
    assert pid is not None
    return pid


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.001)


def starting(home: Path) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, "-c", START, str(home)], env=environ, stderr=subprocess.PIPE)
