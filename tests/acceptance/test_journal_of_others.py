"""What a developer writes into the shared journal by hand does nothing on the machine of whoever recovers it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.acceptance.external import places
from tests.acceptance.team import Team
from tests.support import Project

RECIPE = """
description: a trap
owner: nobody
nodes:
  trap: {command: [touch, MARKER], writes: [trapped]}
"""


@pytest.fixture
def team(project: Project, postgres: object, tmp_path: Path) -> Iterator[Team]:
    with places(postgres, postgres) as (production, dev):  # type: ignore[arg-type]
        made = Team(project, production, dev, tmp_path)
        made.install()
        yield made


def _forge(team: Team, kind: str, subject: str, arguments: dict[str, object], *steps: str) -> None:
    """Write an operation as a person with psql may: past its pivot, begun by a process that is gone."""
    identity = str(uuid4())
    with team.session("ann") as session:
        session.execute(
            "INSERT INTO kitchen_control.operation (id, kind, subject, arguments, state, by, host, pid, version, "
            "started_at) VALUES (%s, %s, %s, %s, 'running', 'ann', 'nowhere', 1, '0', now())",
            [identity, kind, subject, json.dumps(arguments)],
        )
        for step in steps:
            session.execute(
                "INSERT INTO kitchen_control.step (operation, name, state) VALUES (%s, %s, 'done')", [identity, step]
            )


def _document(team: Team, name: str) -> dict[str, object]:
    with team.session("ann") as session:
        ((found,),) = session.query("SELECT to_jsonb(k) FROM kitchen_control.kitchen AS k WHERE k.name = %s", [name])
    assert isinstance(found, dict)
    return found


def test_recovering_somebody_elses_operation_touches_nothing_here(team: Team, tmp_path: Path) -> None:
    ann, dora = team.admit("ann"), team.admit("dora", "admin")
    ann.kitchen("create", "trap")
    dora.kitchen("create", "precious")
    work = dora.root / ".kitchen" / "worktrees" / "precious" / "work.txt"
    work.write_text("not committed")
    head = dora.git("rev-parse", "precious")
    marker, evil = tmp_path / "marker", tmp_path / "evil" / "recipes" / "trap"
    evil.mkdir(parents=True)
    (evil / "recipe.yaml").write_text(RECIPE.replace("MARKER", str(marker)))
    document = {**_document(team, "trap"), "branch": "precious"}

    _forge(
        team, "create", "trap",
        {"kitchen": document, "worktree": str(tmp_path / "evil"), "makes_branch": False, "recipes": ["trap"]},
        "create record", "create secret", "create workspace", "create worktree", "create ready",
    )  # fmt: skip
    _forge(
        team, "update", "trap",
        {"kitchen": "trap", "branch": "precious", "old": head, "new": dora.git("rev-parse", "dev^{tree}"),
         "pantry": None},
        "branch",
    )  # fmt: skip
    _forge(
        team, "delete", "trap",
        {"kitchen": document, "worktree": str(work.parent), "branch_head": head, "recipes": [], "forced": True},
        "delete mark",
    )  # fmt: skip
    dora.kitchen("recover", "-e", "dev")
    assert not marker.exists()
    assert work.read_text() == "not committed"
    assert dora.git("rev-parse", "precious") == head
    left = json.loads(dora.kitchen("list", "--json").stdout)
    assert {each["name"] for each in left} == {"dev", "precious"}, "what the record vouches for was done"


def test_a_forged_kitchen_is_not_made_by_whoever_recovers(team: Team) -> None:
    ann, dora = team.admit("ann"), team.admit("dora", "admin")
    ann.kitchen("create", "trap")
    dora.kitchen("create", "private")
    victim = _document(team, "private")
    forged = {**_document(team, "trap"), "name": "spy", "id": str(uuid4()), "parent": "private", "branch": None}
    arguments = {"worktree": None, "makes_branch": False, "recipes": []}
    _forge(team, "create", "spy", {"kitchen": forged, **arguments}, "create ready")
    _forge(team, "create", "spy_too", {"kitchen": {**forged, "name": "spy_too", "id": victim["id"]}, **arguments},
           "create record")  # fmt: skip
    dora.kitchen("recover", "-e", "dev")
    assert _document(team, "private") == victim
    with team.session("ann") as session:
        assert session.query("SELECT name FROM kitchen_control.kitchen WHERE name LIKE 'spy%'") == []
    with team.dev.look() as session:
        assert session.query("SELECT rolname FROM pg_roles WHERE rolname LIKE '%\\_\\_spy%'") == []
