"""Who may not publish asks: a developer's merge into dev, done by a runner with a clone and a login of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.acceptance.external import RECIPE, places, psql
from tests.acceptance.team import Team, made_project
from tests.support import Project

NODE = (
    "DROP TABLE IF EXISTS {table};\nCREATE TABLE {table} AS SELECT {number} AS segment, count(*) AS paid FROM orders;\n"
)
_numbers = count(1)


@pytest.fixture(scope="module", params=["postgres15", "postgres18"])
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Return a team around a bare repository, with a runner and a developer; each test has kitchens of its own."""
    server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("team")
    with made_project(folder / "project") as project, places(server, server) as (production, dev):
        made = Team(project, production, dev, folder)
        made.install()
        made.share()
        made.admit("ci", "runner")
        made.admit("ann")
        yield made


def cook(clone: Project, kitchen: str, number: int = 1, *, pushes: bool = True) -> str:
    """Commit a recipe that makes the table of a kitchen's name, and return the commit."""
    worktree = clone.root / ".kitchen" / "worktrees" / kitchen
    recipe = worktree / "recipes" / kitchen
    recipe.mkdir(parents=True, exist_ok=True)
    (recipe / "recipe.yaml").write_text(RECIPE.replace("segment_paid", kitchen))
    (recipe / f"{kitchen}.sql").write_text(NODE.format(table=kitchen, number=number))
    clone.git("-C", str(worktree), "add", "-A")
    clone.git("-C", str(worktree), "commit", "-q", "-m", f"{kitchen} is {number}")
    if pushes:
        clone.git("-C", str(worktree), "push", "-q", "origin", kitchen)
    return clone.git("-C", str(worktree), "rev-parse", "HEAD")


def made(clone: Project) -> str:
    """Make a kitchen with a name of its own."""
    name = f"k{next(_numbers)}"
    clone.kitchen("create", name)
    return name


def asked(clone: Project, kitchen: str) -> dict[str, Any]:
    """Ask for a merge without waiting, and return the request."""
    told = json.loads(clone.kitchen("merge", kitchen, "--yes", "--no-wait", "--json").stdout)
    request: dict[str, Any] = told["request"]
    return request


def shared(team: Team, path: str) -> str:
    return team.project.git("--git-dir", str(team.origin), "show", f"dev:{path}")


def test_a_developers_merge(team: Team) -> None:
    ann, ci = team.clones["ann"], team.clones["ci"]
    name = made(ann)
    commit = cook(ann, name)
    request = asked(ann, name)
    assert (request["state"], request["by"], request["commit"]) == ("queued", "ann", commit)

    (answered,) = json.loads(ci.kitchen("ci", "publish", "-e", "dev", "--json").stdout)
    assert (answered["state"], answered["taken_by"], answered["release"]) == ("published", "ci", 1)
    assert "AS SELECT 1" in shared(team, f"recipes/{name}/{name}.sql")
    with team.dev.look() as session:
        assert session.query(f"SELECT segment FROM dev.{name}") == [(1,)]
        assert session.query("SELECT by, state FROM kitchen_control.release") == [("ci", "released")]
        ((detail,),) = session.query(
            "SELECT detail FROM kitchen_control.audit WHERE action = 'publish' AND person = 'ci' AND phase = 'outcome'"
        )
        assert detail["asked_by"] == "ann"
        assert session.query("SELECT person FROM kitchen_control.audit WHERE action = 'ask to merge'") == [("ann",)]
    ann.git("fetch", "-q")
    assert "AS SELECT 1" in ann.git("show", f"origin/dev:recipes/{name}/{name}.sql")
    ann.kitchen("create", "after")
    assert psql(ann, "after", f"SELECT segment FROM {name}") == "1"
    assert "has everything" in ann.kitchen("merge", name).stderr
