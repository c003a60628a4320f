"""The memory of a refresh does not grow with rows, nor with what stands in them: 200 MB at most, whatever comes.

On every change a part of the rows is copied; ``KITCHEN_FAULTS=all`` copies five million, and two gigabytes of letters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.connection import Credentials
from kitchen.operations.pantry_refresh import Refresh, refresh
from tests.contracts.pantries import Place, Production, policy
from tests.support import REPOSITORY, Server, Warehouse

WHOLE = os.environ.get("KITCHEN_FAULTS") == "all"
PEOPLE, LETTERS = (5_000_000, 2_000) if WHOLE else (150_000, 300)
MOST = 200  # MB

TABLES = f"""
CREATE TABLE public.people AS SELECT n AS id, 'First' || n % 5000 AS first_name,
    'first' || n || '@mail.example.com' AS email, repeat('words about person ' || n || ' ', 5) AS notes
FROM generate_series(1, {PEOPLE}) n;
ALTER TABLE public.people ADD PRIMARY KEY (id);
CREATE TABLE public.letters AS SELECT n AS id, repeat(md5(n::text), 32768) AS body, repeat('dear sir ', 1000) AS shown
FROM generate_series(1, {LETTERS}) n;
ALTER TABLE public.letters ADD PRIMARY KEY (id);
ANALYZE;
"""
POLICY = """
tables:
  people:
    id: {mask: keep, why: surrogate key}
    first_name: {mask: first_name, subject: id}
    email: {mask: email, subject: id}
    notes: {mask: text, subject: id}
  letters:
    id: {mask: keep, why: surrogate key}
    body: {mask: keep, why: checksums}
    shown: {mask: text, subject: id}
"""


@pytest.fixture
def source(postgres15: Server) -> Iterator[Warehouse]:
    """Return a database on another server than the pantry's, so that every row goes through the command."""
    made = postgres15.make()
    with connect(made.administrator, application="tests") as session:
        for statement in TABLES.split(";\n"):
            if statement.strip():
                session.execute(statement)
    yield made
    postgres15.drop(made)


def test_a_refresh_takes_no_more_memory_for_more_rows(source: Warehouse, warehouse18: Warehouse) -> None:
    logins = json.dumps([warehouse.administrator.to_secret() for warehouse in (source, warehouse18)])
    command = [sys.executable, "-m", "tests.benchmarks.test_pantry_memory"]
    done = subprocess.run(command, cwd=REPOSITORY, input=logins, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["rows"] == {"public.people": PEOPLE, "public.letters": LETTERS}
    assert LETTERS >= 1.5 * MOST  # MB that went through: what kept them would be seen
    assert said["before"] < said["peak"] <= MOST, said


def _refresh(source: Credentials, target: Credentials) -> dict[str, object]:
    before = _peak()
    production, place = Production(Warehouse(source, source, 15)), Place(Warehouse(target, target, 18))
    wish = Refresh(production.source, "production", production.secrets, policy(POLICY))
    version = refresh(place, wish, say=lambda _: None)
    manifest = next(found.manifest for found in place.control.pantries.all() if found.version == version)
    return {"before": before, "peak": _peak(), "rows": manifest["rows"]}


def _peak() -> float:
    """Return the most memory that this process ever had, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_refresh(*(Credentials.from_secret(login) for login in json.load(sys.stdin)))) + "\n")
