"""Let out while their kitchen runs a recipe: the run ends, nothing is half, and others go on with the kitchen."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.external import places, psql
from tests.acceptance.team import Team, made_project
from tests.faults.test_crashes import WHOLE
from tests.support import Project

SERVERS = ("postgres15", "postgres18") if WHOLE else ("postgres18",)
RECIPE = "description: x\nnodes:\n  slow: {%s}\n"
SQL = "DROP TABLE IF EXISTS slow;\nCREATE TABLE slow AS SELECT 2 AS n;\nINSERT INTO slow SELECT 3 FROM pg_sleep(300);\n"
PYTHON = """\
import subprocess, time
subprocess.run(["psql", "-X", "-c", "BEGIN; DELETE FROM slow; SELECT pg_sleep(300); COMMIT"], check=True)
time.sleep(300)
"""


@pytest.fixture(scope="module", params=SERVERS)
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("team")
    with made_project(folder / "project") as project, places(server, server) as (production, dev):
        made = Team(project, production, dev, folder)
        made.install(fills=False)
        yield made


def _wait(what: Callable[[], object]) -> None:
    until = time.monotonic() + 90
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def _works(machine: Project, name: str, node: str, file: str, text: str) -> None:
    """Make a kitchen with a table, and a recipe that changes it for a long time."""
    machine.kitchen("create", name)
    psql(machine, name, "CREATE TABLE slow AS SELECT 1 AS n")
    worktree = machine.root / ".kitchen" / "worktrees" / name
    recipe = worktree / "recipes" / "slow"
    recipe.mkdir(parents=True)
    (recipe / "recipe.yaml").write_text(RECIPE % node)
    (recipe / file).write_text(text)


@pytest.mark.parametrize(
    ("person", "node", "file", "text"),
    [("sally", "sql: slow.sql", "slow.sql", SQL), ("pete", "python: slow.py, writes: [slow]", "slow.py", PYTHON)],
)
def test_the_run_of_a_leaver_ends(team: Team, person: str, node: str, file: str, text: str) -> None:
    machine, name = team.admit(person), f"k_{person}"
    _works(machine, name, node, file, text)
    running = subprocess.Popen(
        [sys.executable, "-m", "kitchen", "run", "slow", "-k", name], cwd=machine.root, env=machine.environ,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with team.dev.look() as session:
            asleep = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
            _wait(lambda: session.query(asleep))
            team.project.kitchen("environment", "revoke", person, "-e", "dev", "--yes")
            _, told = running.communicate(timeout=90)
            assert running.returncode not in (0, 70), told
            assert not any(line.startswith("Traceback") for line in told.splitlines()), told
            assert not session.query(asleep), "nothing of theirs goes on in the server"
            session.query("SELECT FROM kitchen_control.lock FOR UPDATE NOWAIT")  # raises where somebody holds one
            assert session.query(f"SELECT n FROM {name}.slow") == [(1,)], "the node is not half done"
    finally:
        running.kill()
    (run,) = json.loads(team.project.kitchen("runs", "list", "-k", name, "--json").stdout)
    assert run["state"] in ("errored", "cancelled", "failed"), run
    machine.kitchen("list", "-e", "dev", expect=8)
    team.project.kitchen("recover", "-e", "dev")
    team.project.kitchen("delete", name, "--yes", "--force")
