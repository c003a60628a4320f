"""Real servers and real projects that tests use; ``tests/conftest.py`` makes them into fixtures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from kitchen.adapters.embedded import roles
from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.sessions import PgSessions
from kitchen.domain.connection import Credentials

REPOSITORY = Path(__file__).resolve().parents[1]
POSTGRES_15 = Path("/usr/lib/postgresql/15")


def further_postgres() -> dict[int, Path]:
    """Return the installations that KITCHEN_TEST_POSTGRES adds, by version: ``16=/folder,17=/folder``."""
    named = [each.split("=", 1) for each in os.environ.get("KITCHEN_TEST_POSTGRES", "").split(",") if each]
    return {int(version): Path(folder) for version, folder in named}


FURTHER = further_postgres()
MORE = tuple(f"postgres{version}" for version in sorted(FURTHER))  # names of fixtures
SERVERS = ("postgres15", "postgres18", *MORE)


def missing(part: str, why: str) -> None:
    """Skip a test whose part this machine has not; fail where the part is required."""
    if part in os.environ.get("KITCHEN_REQUIRE", "").split(","):
        pytest.fail(f"{part} is required (KITCHEN_REQUIRE): {why}")
    pytest.skip(f"{part}: {why}")


class PasswordsInMemory:
    """Keeps the passwords of a server that lives as long as this process."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, str]] = {}

    def read(self, path: str) -> dict[str, str] | None:
        return self._kept.get(path)

    def write(self, path: str, secret: dict[str, str], *, create_only: bool = False) -> None:
        self._kept[path] = dict(secret)

    def delete(self, path: str) -> None:
        self._kept.pop(path, None)

    def list(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self._kept if path.startswith(prefix)))


@dataclass
class Warehouse:
    """One fresh database, set up as embedded environments set theirs up."""

    administrator: Credentials  # kitchen_provisioner, no superuser
    superuser: Credentials
    version: int  # 15 to 18
    sessions: PgSessions = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = PgSessions(lambda: self.administrator)


class Server:
    """A running server; databases are made and dropped in it."""

    _numbers = count(1)

    def __init__(self, embedded: EmbeddedPostgres, version: int) -> None:
        self.embedded = embedded
        self.version = version
        self.credentials = replace(embedded.superuser(), database="postgres")
        self._open: set[str] = set()

    @property
    def bin_dir(self) -> Path:
        """Return the folder of psql and pg_dump."""
        return self.embedded.bin_dir

    def make(self) -> Warehouse:
        """Make one more database; drop it with ``drop``, or the roles of all tests after it stay: see ``database``."""
        name = f"warehouse_{next(self._numbers)}"
        with connect(self.credentials, application="tests") as session:
            roles.make_database(session, name)
        superuser = replace(self.credentials, database=name)
        with connect(superuser, application="tests") as session:
            roles.hand_over_public(session)
        self._open.add(name)
        return Warehouse(replace(self.embedded.administrator(), database=name), superuser, self.version)

    @contextmanager
    def database(self) -> Iterator[Warehouse]:
        """Make one more database for a while."""
        made = self.make()
        try:
            yield made
        finally:
            self.drop(made)

    def drop(self, warehouse: Warehouse) -> None:
        """Drop a database, and with the last one the roles that tests made."""
        name = warehouse.superuser.database
        self._open.discard(name)
        with connect(self.credentials, application="tests") as session:
            session.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            if self._open:
                return
            rows = session.query("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname !~ '^pg_'")
            made = [row[0] for row in rows if row[0] not in (roles.SUPERUSER, roles.PROVISIONER)]
            if made:
                session.execute("DROP ROLE " + ", ".join(made))


class Project:
    """A git project with embedded environments of its own, and the command line to use it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.home = home
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PG", "GIT_", "KITCHEN"))},
            "KITCHEN_HOME": str(home),
            "KITCHEN_KEY_HOME": str(home / "keys"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PYTHONPATH": str(REPOSITORY),
            "KITCHEN_TRACE": "1",
        }

    def git(self, *arguments: str) -> str:
        """Run git in the project and return what it printed."""
        return self._run(["git", *arguments], self.root, None, 60, 0).stdout.strip()

    def kitchen(
        self,
        *arguments: str,
        expect: int | None = 0,
        cwd: Path | None = None,
        typed: str | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a kitchen command and check its exit code; None expects any failure that is not a bug."""
        return self._run([sys.executable, "-m", "kitchen", *arguments], cwd or self.root, typed, timeout, expect)

    def commit(self, message: str = "change") -> str:
        """Commit everything in the project's folder and return the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def _run(
        self, command: list[str], cwd: Path, typed: str | None, timeout: float, expect: int | None
    ) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run(
            command,
            cwd=cwd,
            env=self.environ,
            input=typed,
            timeout=timeout,
            text=True,
            capture_output=True,
            check=False,
        )
        as_expected = answer.returncode == expect if expect is not None else answer.returncode not in (0, 70)
        assert as_expected, f"{command} gave {answer.returncode}\n{answer.stdout}\n{answer.stderr}"
        return answer

    def stop(self) -> None:
        """Stop the servers that were started below this project's home."""
        for folder in self.home.glob("*/*/postgres"):
            EmbeddedPostgres(folder, folder.parent.name, PasswordsInMemory()).stop()
