"""Killed at every edge where a project is shared by a remote: here and there end in the same whole state.

See ``test_crashes`` for how processes are killed. On every change a part is run, ``KITCHEN_FAULTS=all`` runs all edges.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from kitchen.errors import Incomplete
from kitchen.operations import delivery_steps
from kitchen.operations.apply import preview_steps
from kitchen.operations.create import create_steps
from kitchen.operations.create_plan import Wish, plan_working
from kitchen.operations.delete import delete_steps, plan_deletion
from kitchen.operations.merge import plan_merge, record
from kitchen.ports import Repository
from tests import report
from tests.bench import Bench, opened
from tests.faults.test_crashes import _create, _delete, _edges, _end, _process, _recover
from tests.faults.test_crashes_deliver import _changed, _merge, _of, _settled, _state
from tests.report import create

CREATE_STEPS, DELETE_STEPS, MERGE_STEPS = 7, 8, 22  # checked against the lists below

_numbers = count(1)


@dataclass
class SharedBench(Bench):
    """A project whose branches are shared by a bare repository next to it."""

    @property
    def shared(self) -> Path:
        return self.project.root.parent / "shared.git"

    def there(self) -> frozenset[tuple[str, ...]]:
        """Return the branches of the shared repository."""
        told = self.project.git("--git-dir", str(self.shared), "for-each-ref", "refs/heads")
        return frozenset(("there", *line.split()) for line in told.splitlines())

    def traces(self) -> frozenset[tuple[str, ...]]:
        return super().traces() | self.there()


@pytest.fixture(scope="module")
def bench() -> Iterator[SharedBench]:
    """Return a shared project with ``dev`` up, where the report has run."""
    with opened("dev") as made:
        report.ground(made, "dev")
        found = SharedBench(made.project)
        found.project.git("init", "-q", "--bare", str(found.shared))
        found.project.git("remote", "add", "origin", str(found.shared))
        found.project.git("push", "-q", "origin", "main", "dev")
        create(found, "work")
        yield found


def _agree(bench: SharedBench) -> bool:
    """Say whether dev is the same commit here and there."""
    here = bench.project.git("rev-parse", "dev")
    return any(trace[1] == here and trace[-1] == "refs/heads/dev" for trace in bench.there())


def test_the_edges_are_those_of_the_step_lists(bench: SharedBench) -> None:
    app = bench.fresh()
    services = app.services("dev")
    creation = plan_working(services, app.repository, app.worktrees, Wish("counted"), person="ann")
    assert len(create_steps(services, creation, repository=app.repository)) == CREATE_STEPS
    _create(app, "counted")
    kitchen = services.control.kitchens.get("counted")
    assert kitchen is not None
    deletion = plan_deletion(services, app.repository, app.worktrees, kitchen, force=True)
    assert len(delete_steps(services, deletion, repository=app.repository)) == DELETE_STEPS
    _delete(bench.fresh(), "counted")
    _changed(bench)
    work = services.control.kitchens.get("work")
    assert work is not None
    merge = plan_merge(services, app.repository, work)
    assert merge.plan is not None
    steps = preview_steps(services, app.repository, record(services, merge, merge.plan))
    assert len(steps) == MERGE_STEPS
    assert any(step.startswith("pushing branch dev of origin") for step in steps)
    _merge(bench.fresh(), "work")
    assert _agree(bench)


@pytest.mark.parametrize("edge", _edges(CREATE_STEPS, every=5))
def test_create_killed(bench: SharedBench, edge: int) -> None:
    before, name = bench.traces(), f"c{next(_numbers)}"
    assert os.WTERMSIG(_process(bench, _create, name, edge=edge, number=signal.SIGKILL)) == signal.SIGKILL
    _end(bench)
    if edge < 4 * CREATE_STEPS - 2:
        assert bench.traces() == before, "neither here nor there"
        return
    assert any(trace[-1] == f"refs/heads/{name}" for trace in bench.there())
    _delete(bench.fresh(), name)
    assert bench.traces() == before


@pytest.mark.parametrize("edge", _edges(DELETE_STEPS, every=5))
def test_delete_killed(bench: SharedBench, edge: int) -> None:
    before, name = bench.traces(), f"d{next(_numbers)}"
    _create(bench.fresh(), name)
    assert os.WTERMSIG(_process(bench, _delete, name, edge=edge, number=signal.SIGKILL)) == signal.SIGKILL
    _end(bench)
    if edge < 2:
        _delete(bench.fresh(), name)
    assert bench.traces() == before, "neither here nor there"


def _around_the_push() -> list[int]:
    """Return the edges of the steps that move something: closing, pushing, swapping, following."""
    return list(range(4 * MERGE_STEPS)) if os.environ.get("KITCHEN_FAULTS") == "all" else [41, 44, 45, 46, 47, 50, 53]


@pytest.mark.parametrize("edge", _around_the_push())
def test_merge_killed(bench: SharedBench, edge: int) -> None:
    old, before = _state(bench), _settled(bench.traces())
    new = _of(_changed(bench))
    assert os.WTERMSIG(_process(bench, _merge, "work", edge=edge, number=signal.SIGKILL)) == signal.SIGKILL
    _end(bench)
    now = _state(bench)
    assert now in (old, new), "branch and tables say the same"
    assert _agree(bench), "here and there"
    assert {t for t in _settled(bench.traces()) if t[0] != "there"} == {t for t in before if t[0] != "there"}
    if now == old:
        _merge(bench.fresh(), "work")
        assert _state(bench) == new, "typed again it goes through"


def test_a_remote_that_goes_away_in_the_middle_leaves_a_merge_that_recover_ends(bench: SharedBench) -> None:
    """Whether the push arrived nobody knows while nobody answers: nothing is undone behind it."""
    new = _of(_changed(bench))
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    merge = plan_merge(services, app.repository, kitchen)
    assert merge.plan is not None
    says = preview_steps(services, app.repository, record(services, merge, merge.plan))
    pivot = next(n for n, step in enumerate(says) if step.startswith("pushing branch"))
    _process(bench, _merge, "work", edge=4 * pivot + 2, number=signal.SIGKILL)  # pushed, and not noted
    away = bench.shared.with_name("away.git")
    bench.shared.rename(away)
    try:
        assert os.WEXITSTATUS(_process(bench, _recover, "", edge=None, number=0)) == 7
        status = services.control.kitchens.get("dev")
        assert status is not None
        assert status.state == "publishing"
    finally:
        away.rename(bench.shared)
    _end(bench)
    assert _state(bench) == new
    assert _agree(bench)


def test_a_merge_that_another_machine_pushed_is_finished_without_its_files(bench: SharedBench) -> None:
    new = _of(_changed(bench))
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    merge = plan_merge(services, app.repository, kitchen)
    assert merge.plan is not None
    says = preview_steps(services, app.repository, record(services, merge, merge.plan))
    pivot = next(n for n, step in enumerate(says) if step.startswith("pushing branch"))
    _process(bench, _merge, "work", edge=4 * pivot + 2, number=signal.SIGKILL)
    folder = app.repository.common_dir / "kitchen" / "candidates"
    assert list(folder.iterdir())
    shutil.rmtree(folder)
    _end(bench)
    assert _state(bench) == new
    assert _agree(bench)
    assert not list(folder.iterdir())


def test_a_reader_that_stays_past_the_wait_is_named_and_recover_finishes(
    bench: SharedBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = _of(_changed(bench))
    monkeypatch.setattr(delivery_steps, "WAIT", 1.0)  # instead of minutes
    push = delivery_steps.push_moved
    with ExitStack() as reading:

        def then_read(repository: Repository, branch: str, commit: str, old: str | None) -> None:
            push(repository, branch, commit, old)
            session = reading.enter_context(bench.fresh().services("dev").sessions.as_administrator())
            reading.enter_context(session.transaction())
            session.execute("LOCK TABLE dev.best IN ACCESS SHARE MODE")

        monkeypatch.setattr(delivery_steps, "push_moved", then_read)  # the real one, and a reader right behind it
        with pytest.raises(Incomplete, match=r"process \d+ of ") as caught:
            _merge(bench.fresh(), "work")
        assert caught.value.exit_code == 7
        assert "kitchen recover" in str(caught.value.hint)
        assert bench.fresh().find("dev", "dev")[1].state == "publishing"
    monkeypatch.undo()
    _end(bench)
    assert _state(bench) == new
    assert _agree(bench)
