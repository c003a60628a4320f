"""Living in kitchens: what is said of conflicts, of unfinished work and of newer data, and how one gets out."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kitchen.adapters.git.command import GitCommand
from kitchen.adapters.postgres.connection import PgSession
from kitchen.domain.journal import Operation, OperationState
from kitchen.domain.kitchen import Kind, State
from kitchen.operations.kitchens import overviews, unfinished
from tests.bench import Bench, opened
from tests.support import Project

_FILE = "environments/notes.md"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("dev") as made:
        yield made


@pytest.fixture
def project(bench: Bench) -> Iterator[Project]:
    """Return the project; its working kitchens go at the end."""
    yield bench.project
    found = json.loads(bench.project.kitchen("list", "--json").stdout)
    for each in sorted(found, key=lambda one: one["created_at"], reverse=True):
        if each["kind"] == "working":
            bench.project.kitchen("delete", each["name"], "--force", "--yes")


def _write(worktree: Path, text: str) -> None:
    (worktree / _FILE).write_text(text)
    for words in (["add", "-A"], ["commit", "-q", "-m", text.strip()]):
        subprocess.run(["git", *words], cwd=worktree, check=True)


def _conflict(project: Project) -> Path:
    """Make a kitchen that its parent does not merge into, and return its worktree."""
    project.kitchen("create", "above")
    project.kitchen("create", "below", "--parent", "above")
    trees = project.root / ".kitchen" / "worktrees"
    _write(trees / "above", "theirs\n")
    _write(trees / "below", "ours\n")
    return trees / "below"


def _status(project: Project, name: str = "below") -> dict[str, object]:
    found = json.loads(project.kitchen("status", name, "--json").stdout)
    assert isinstance(found, dict)
    return found


def test_a_conflict_is_resolved_and_the_update_goes_on(project: Project) -> None:
    tree = _conflict(project)
    refused = project.kitchen("update", "below", expect=4).stderr
    assert _FILE in refused
    assert "kitchen resolve below" in refused
    assert _status(project)["changes"] == [], "nothing was touched"
    begun = project.kitchen("resolve", "below", expect=4)
    assert begun.stdout.split() == [str(tree / _FILE)]
    assert "<<<<<<<" in (tree / _FILE).read_text()
    for words in (("update", "below"), ("merge", "below", "--yes"), ("resolve", "below")):
        said = project.kitchen(*words, expect=4).stderr
        assert f"unresolved is {_FILE}" in said, words
        assert "kitchen resolve below --abort" in said
        assert f"add {_FILE}" in said
    status = _status(project)
    assert status["unresolved"] == [_FILE]
    assert "git merge: unresolved" in str(status["because"])
    assert "commit" not in str(status["next"])
    (tree / _FILE).write_text("both\n")
    subprocess.run(["git", "add", _FILE], cwd=tree, check=True)
    assert str(_status(project)["next"]).startswith("kitchen resolve")
    done = json.loads(project.kitchen("resolve", "below", "--json").stdout)
    assert done["commit"] == project.git("rev-parse", "below")
    assert project.git("log", "-1", "--format=%P %s", "below").split()[1:] == [
        project.git("rev-parse", "above"), "Merge", "above", "into", "below",
    ]  # fmt: skip
    overview = _status(project)["overview"]
    assert isinstance(overview, dict)
    assert (overview["ahead"], overview["behind"]) == (2, 0)
    assert "nothing to resolve" in project.kitchen("resolve", "below").stderr


def test_what_was_added_with_its_conflict_markers_is_not_committed(project: Project) -> None:
    tree = _conflict(project)
    project.kitchen("resolve", "below", expect=4)
    before = project.git("rev-parse", "below")
    subprocess.run(["git", "add", _FILE], cwd=tree, check=True)
    for words in (("resolve", "below"), ("update", "below"), ("merge", "below", "--yes")):
        said = project.kitchen(*words, expect=4).stderr
        assert f"conflict markers (<<<<<<<, >>>>>>>) stand in what was added as resolved: {_FILE}" in said, words
        assert f"add {_FILE}, then kitchen resolve below; to give up: kitchen resolve below --abort" in said
    assert project.git("rev-parse", "below") == before
    assert _status(project)["unresolved"] == [_FILE]
    (tree / _FILE).write_text("both\n")
    assert _FILE in project.kitchen("resolve", "below", expect=4).stderr, "mended, and not added"
    subprocess.run(["git", "add", _FILE], cwd=tree, check=True)
    project.kitchen("resolve", "below")
    assert project.git("show", f"below:{_FILE}") == "both"


def test_a_conflict_can_be_given_up(project: Project) -> None:
    tree = _conflict(project)
    project.kitchen("resolve", "below", expect=4)
    project.kitchen("resolve", "below", "--abort")
    assert (tree / _FILE).read_text() == "ours\n"
    assert _status(project)["changes"] == []
    project.kitchen("resolve", "below", "--abort", expect=4)


def test_uncommitted_work_is_not_merged_over(project: Project) -> None:
    tree = _conflict(project)
    (tree / "new.md").write_text("not committed\n")
    assert "new.md" in project.kitchen("resolve", "below", expect=4).stderr
    assert (tree / _FILE).read_text() == "ours\n"


def test_a_halted_cherry_pick_is_named_too(project: Project) -> None:
    tree = _conflict(project)
    subprocess.run(["git", "cherry-pick", "above"], cwd=tree, check=False, capture_output=True)
    status = _status(project)
    assert status["next"] == f"git -C {tree} status"
    assert "cherry-pick --continue" in str(status["because"])
    assert "cherry-pick --abort" in str(status["because"])


def _operation(kind: str, subject: str) -> Operation:
    return Operation(
        id=uuid4(), kind=kind, subject=subject, arguments={}, state=OperationState.RUNNING, by="bob",
        host=socket.gethostname(), pid=os.getpid(), version="0", started_at=datetime.now(UTC),
    )  # fmt: skip


def test_unfinished_work_is_listed_also_of_what_is_no_kitchen(bench: Bench, project: Project) -> None:
    """An interrupted refresh, the create of a kitchen that has no record yet, a merge into the parent."""
    project.kitchen("create", "below")
    control = bench.fresh().services("dev").control
    left = [_operation("pantry refresh", "pantry"), _operation("create", "nowhere"), _operation("merge", "dev")]
    for each in left:
        control.journal.begin(each)
    try:
        for words in (("list",), ("tree",), ("list", "--mine")):
            said = project.kitchen(*words).stderr
            for each in left:
                assert f"{each.kind} of {each.subject} is unfinished, by bob" in said, words
                assert f"kitchen recover {str(each.id)[:8]}" in said
        said = project.kitchen("status", "below").stderr
        assert "pantry refresh of pantry is unfinished" in said
        assert "nowhere" not in said
        assert f"next: kitchen recover {str(left[2].id)[:8]}" in said
        with control.locks.hold("dev", purpose="merge"):
            assert "merge of dev is going on, by bob" in project.kitchen("list").stderr
    finally:
        for each in left:
            control.journal.finish(each.id, OperationState.UNDONE, error=None)


def test_a_newer_pantry_is_told(bench: Bench, project: Project) -> None:
    project.kitchen("create", "below")
    control = bench.fresh().services("dev").control
    versions = [control.pantries.begin({}) for _ in range(2)]
    control.pantries.publish(versions[0], {})
    found = control.kitchens.get("below")
    assert found is not None
    control.kitchens.save(replace(found, pantry=versions[0]), expected=State.READY)
    assert "is there" not in project.kitchen("status", "below").stdout
    control.pantries.publish(versions[1], {})
    status = project.kitchen("status", "below")
    assert f"v{versions[0]} (v{versions[1]} is there)" in status.stdout
    assert "kitchen update below --data" in status.stderr
    assert f"v{versions[1]} is there" in project.kitchen("tree").stdout
    control.kitchens.save(found, expected=State.READY)
    for version in versions:
        control.pantries.drop(version)


def test_the_runs_of_an_earlier_kitchen_of_that_name_are_not_its_own(bench: Bench, project: Project) -> None:
    control = bench.fresh().services("dev").control
    project.kitchen("create", "below")
    with control.session.transaction():
        control.session.execute(
            "INSERT INTO kitchen_control.run (id, kitchen, recipe, state, by, backend_pid, started_at, parameters)"
            " VALUES (gen_random_uuid(), 'below', 'old', 'passed', 'bob', 0, now() - interval '1 day', '{}')"
        )
    overview = _status(project)["overview"]
    assert isinstance(overview, dict)
    assert overview["last_run"] is None


def test_a_project_that_was_moved_goes_on(project: Project) -> None:
    project.kitchen("create", "below")
    old = project.root
    project.root = old.rename(old.with_name("moved it's"))
    try:
        tree = project.root / ".kitchen" / "worktrees" / "below"
        (tree / _FILE).write_text("not committed\n")
        inside = project.kitchen("status", cwd=tree)
        assert "worktree below is known to git again" in inside.stderr
        assert f"worktree     {tree}" in inside.stdout
        assert _status(project)["changes"] == [_FILE]
        assert project.kitchen("enter", "below", "--", "git", "status", "--short").stdout == f"?? {_FILE}\n"
        project.kitchen("delete", "below", "--yes", expect=5)
        assert (tree / _FILE).exists()
    finally:
        project.root = project.root.rename(old)
    assert "known to git again" in project.kitchen("list").stderr
    assert "known to git again" not in project.kitchen("list").stderr


def test_it_asks_as_often_however_many_kitchens_there_are(
    bench: Bench, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    query, execute, run = PgSession.query, PgSession.execute, GitCommand.run

    def queried(self: PgSession, statement: str, *rest: Any) -> Any:
        asked.append("statement")
        return query(self, statement, *rest)

    def executed(self: PgSession, statement: str, *rest: Any) -> Any:
        asked.append("statement")
        return execute(self, statement, *rest)

    def started(self: GitCommand, command: str, *options: str, **rest: Any) -> Any:
        asked.append(command)
        return run(self, command, *options, **rest)

    monkeypatch.setattr(PgSession, "query", queried)
    monkeypatch.setattr(PgSession, "execute", executed)
    monkeypatch.setattr(GitCommand, "run", started)
    counted: list[list[str]] = []
    for number in range(1, 4):
        project.kitchen("create", f"k{number}")
        tree = project.root / ".kitchen" / "worktrees" / f"k{number}"
        _write(tree, f"{number}\n")
        asked.clear()
        app = bench.fresh()
        services = app.services("dev")
        found = overviews(services, app.repository, worktrees=app.worktrees, left=unfinished(services))
        assert [each.ahead for each in found if each.kind is Kind.WORKING] == [1] * number
        counted.append(sorted(asked))
        services.control.session.close()
    assert counted[0] == counted[1] == counted[2]
    assert len(counted[0]) <= 12, counted[0]


def test_every_command_says_when_its_kitchen_expires(project: Project) -> None:
    project.kitchen("create", "below", "--ttl", "12h")
    for words in (
        ("env", "below"),
        ("diff", "below"),
        ("enter", "below", "--", "true"),
        ("status", "below"),
        ("list",),
    ):
        said = project.kitchen(*words).stderr
        assert said.count("kitchen edit below --ttl 14d") == 1, words
    assert "expires" not in project.kitchen("edit", "below", "--ttl", "14d").stderr
    assert "expires" not in project.kitchen("env", "below").stderr


def test_hydrating_says_where_an_empty_table_of_ones_own_hides_the_rows(project: Project) -> None:
    project.kitchen("create", "above")
    project.kitchen("create", "below", "--parent", "above")
    project.kitchen("enter", "above", "--", "psql", "-qc", "CREATE TABLE bills AS SELECT 1 AS id")
    project.kitchen("enter", "below", "--", "psql", "-qc", "CREATE TABLE IF NOT EXISTS bills (id int)")
    for command in (["hydrate", "bills", "-k", "below"], ["show", "below"]):
        said = project.kitchen(*command).stderr
        assert "your own public.bills is empty and hides above.bills, which is not" in said
        assert "type kitchen hydrate public.bills" in said
    project.kitchen("enter", "below", "--", "psql", "-qc", "DROP TABLE bills")
    assert "hides" not in project.kitchen("hydrate", "bills", "-k", "below").stderr
    assert project.kitchen("enter", "below", "--", "psql", "-Atc", "SELECT id FROM bills").stdout == "1\n"
