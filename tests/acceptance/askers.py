"""A developer and a runner, each with a clone and a login of their own, and what they do all day."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.acceptance.external import RECIPE, places
from tests.acceptance.team import Team, made_project
from tests.support import Project, Server

NODE = (
    "DROP TABLE IF EXISTS {table};\nCREATE TABLE {table} AS SELECT {number} AS segment, count(*) AS paid FROM orders;\n"
)
numbers = count(1)


@contextmanager
def asking_team(server: Server, folder: Path) -> Iterator[Team]:
    """Return a team around a bare repository, with a runner and a developer; each test has kitchens of its own."""
    with made_project(folder / "project") as project, places(server, server) as (production, dev):
        made = Team(project, production, dev, folder)
        made.install()
        dev_file = project.root / "environments" / "dev.yaml"
        dev_file.write_text(dev_file.read_text() + "kitchens: {per_person: 50}\n")
        project.commit("room for everybody")
        project.git("branch", "-f", "dev", "main")
        project.kitchen("environment", "align", "dev")
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
    name = f"k{next(numbers)}"
    clone.kitchen("create", name)
    return name


def asked(clone: Project, kitchen: str, *more: str) -> dict[str, Any]:
    """Ask for a merge without waiting, and return the request."""
    told = json.loads(clone.kitchen("merge", kitchen, "--yes", "--no-wait", "--json", *more).stdout)
    request: dict[str, Any] = told["request"]
    return request


def shared(team: Team, path: str) -> str:
    return team.project.git("--git-dir", str(team.origin), "show", f"dev:{path}")


def requests(team: Team, kitchen: str) -> list[tuple[object, ...]]:
    """Return number, state and exit code of what was asked for a kitchen."""
    with team.dev.look() as session:
        return session.query(
            "SELECT number, state, code FROM kitchen_control.merge_request WHERE kitchen = %s ORDER BY 1", [kitchen]
        )


def started(clone: Project, *words: str) -> subprocess.Popen[str]:
    """Start a command in a clone, with what it says to be read."""
    return subprocess.Popen(
        [sys.executable, "-m", "kitchen", *words], cwd=clone.root, env=clone.environ, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def until(process: subprocess.Popen[str], word: str) -> str:
    """Read what a process says until a word comes."""
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if word in line:
            return said
    raise AssertionError(f"{word!r} was not said: {said}")
