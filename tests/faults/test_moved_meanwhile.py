"""Between a kill and ``kitchen recover`` the project is moved: what is finished or undone is in its new place."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from kitchen.operations.kept_places import kept_place, place_of
from tests.bench import Bench
from tests.faults.test_crashes import CREATE_STEPS, DELETE_STEPS, _create, _delete, _end, _process
from tests.support import Project

_numbers = count(1)
_FOLDER = 4 * (CREATE_STEPS - 2)  # the first edge of the step that makes the worktree
_EARLIER = (
    "UPDATE kitchen_control.operation SET arguments = (arguments::jsonb - 'clone'"
    " || jsonb_build_object('worktree', %s::text)) WHERE state = 'running'"
)


@pytest.fixture
def moved(bench: Bench) -> Iterator[Bench]:
    """Return the project as it will be elsewhere; it goes back at the end."""
    there = Project(bench.project.root.with_name("elsewhere"), bench.project.home)
    yield Bench(there)
    if there.root.exists():
        there.root.rename(bench.project.root)
    bench.fresh().repository.worktrees()


def _killed(bench: Bench, work: object, name: str, edge: int) -> None:
    status = _process(bench, work, name, edge=edge, number=signal.SIGKILL)  # type: ignore[arg-type]
    assert os.WTERMSIG(status) == signal.SIGKILL


def _as_earlier_versions_wrote_it(bench: Bench, worktree: Path) -> None:
    services = bench.fresh().services("dev")
    with services.sessions.as_administrator() as session:
        assert session.execute(_EARLIER, [str(worktree)]) == 1
    services.control.session.close()


@pytest.mark.parametrize("is_earlier", [False, True], ids=["row", "earlier row"])
@pytest.mark.parametrize(
    "edge", [_FOLDER + 1, _FOLDER + 2, 4 * CREATE_STEPS - 1], ids=["begun", "its folder made", "made"]
)
def test_create_is_ended_where_the_project_is_now(bench: Bench, moved: Bench, edge: int, *, is_earlier: bool) -> None:
    before, name = bench.traces(), f"c{next(_numbers)}"
    _killed(bench, _create, name, edge)
    old = bench.fresh().worktrees / name
    if is_earlier:
        _as_earlier_versions_wrote_it(bench, old)
    bench.project.root.rename(moved.project.root)
    _end(moved)
    app = moved.fresh()
    is_made = edge >= 4 * CREATE_STEPS - 2
    assert (app.worktrees / name / "environments" / "dev.yaml").exists() == is_made
    assert not old.exists(), "nothing is made in the old place"
    if is_made:
        _delete(app, name)
    moved.project.root.rename(bench.project.root)
    assert bench.traces() == before


@pytest.mark.parametrize("edge", [6, 4 * DELETE_STEPS - 3], ids=["begun", "nearly through"])
def test_delete_is_ended_where_the_project_is_now(bench: Bench, moved: Bench, edge: int) -> None:
    before, name = bench.traces(), f"d{next(_numbers)}"
    _create(bench.fresh(), name)
    _killed(bench, _delete, name, edge)
    bench.project.root.rename(moved.project.root)
    _end(moved)
    assert not (moved.fresh().worktrees / name).exists()
    moved.project.root.rename(bench.project.root)
    assert bench.traces() == before


def test_rows_keep_no_folder_of_the_machine_and_another_clones_worktree_is_left_alone(bench: Bench) -> None:
    repository = bench.fresh().repository
    worktree = repository.root / ".kitchen" / "worktrees" / "profit"
    kept = kept_place(repository, worktree)
    assert str(repository.root) not in json.dumps(kept)
    assert place_of(repository, kept, is_embedded=True) == worktree
    assert place_of(repository, kept | {"clone": uuid4().hex}, is_embedded=False) is None
    outside = Path("/srv/worktrees/profit")
    assert place_of(repository, kept_place(repository, outside), is_embedded=True) == outside
    elsewhere = {"worktree": "/gone/.kitchen/worktrees/profit"}
    assert place_of(repository, elsewhere, is_embedded=True) == worktree
    assert place_of(repository, elsewhere, is_embedded=False) == Path(elsewhere["worktree"]), (
        "it may be another clone's"
    )
