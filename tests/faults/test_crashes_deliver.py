"""Killed at every edge of every step, ``merge`` and ``release rollback`` end with branch and tables together.

The edges are counted from the step lists; see ``test_crashes`` for how processes are killed. On every change a part
is run; ``KITCHEN_FAULTS=all`` runs every edge.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, product
from pathlib import Path

import pytest

from kitchen.app import App
from kitchen.domain.release import Release, ReleaseState
from kitchen.operations.apply import apply, preview_steps
from kitchen.operations.merge import plan_merge, record
from kitchen.operations.rollback import Restoration, plan_forward, plan_rollback, restore, restore_steps
from tests import report
from tests.bench import Bench, opened
from tests.faults.test_crashes import EDGES, WHOLE, _end, _process, _recover, _silent
from tests.report import TOTALS, commit, create, psql

MERGE_STEPS, ROLLBACK_STEPS = 22, 6  # checked against the lists below

_numbers = count(2)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with ``dev`` up, where the report has run."""
    with opened("dev") as made:
        report.ground(made, "dev")
        create(made, "work")
        yield made


def _merge(app: App, name: str) -> None:
    services, kitchen = app.find(name, "dev")
    merge = plan_merge(services, app.repository, kitchen)
    assert merge.plan is not None
    apply(services, app.repository, record(services, merge, merge.plan), say=_silent)


def _rollback(app: App, _: str) -> None:
    _restored(app, ReleaseState.RELEASED, plan_rollback)


def _forward(app: App, _: str) -> None:
    _restored(app, ReleaseState.ROLLED_BACK, plan_forward)


def _restored(app: App, state: ReleaseState, plan: Callable[..., Restoration]) -> None:
    """Take the newest merge in that state out, or in again."""
    services = app.services("dev")
    merges: list[Release] = [each for each in services.control.releases.all(kitchen="dev") if each.kind == "merge"]
    newest = next(each for each in merges if each.state is state)
    restore(services, app.repository, plan(services, app.repository, newest), why="Back", say=_silent)


def _changed(bench: Bench) -> int:
    """Commit a new factor in the kitchen and return it."""
    factor = next(_numbers)
    worktree = Path(bench.project.root / ".kitchen" / "worktrees" / "work")
    (worktree / "recipes" / "report" / "totals.sql").write_text(
        TOTALS.replace("sum(amount)", f"sum(amount) * {factor}")
    )
    commit(bench, worktree)
    return factor


def _state(bench: Bench) -> tuple[str, int]:
    """Return what stands in dev: the recipe in its branch, and what the tables say."""
    text = bench.project.git("show", "dev:recipes/report/totals.sql")
    factor = text.split("sum(amount)")[1].split(" AS total")[0].removeprefix(" * ") or "1"
    return factor, int(psql(bench, "dev", "SELECT max(total) FROM best"))


def _of(factor: int) -> tuple[str, int]:
    return str(factor), 50500 * factor


def _settled(traces: frozenset[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """Return traces without what a publication leaves on purpose: branches, archives, and tables in them."""
    return frozenset(t for t in traces if t[0] not in ("ref", "relation") and not any("__r" in part for part in t))


def _edges(steps: int, *, every: int) -> list[object]:
    names = ((edge, f"step {edge // 4 + 1} {EDGES[edge % 4]}") for edge in range(0, 4 * steps, 1 if WHOLE else every))
    return [pytest.param(edge, id=name) for edge, name in names]


def test_the_edges_are_those_of_the_step_lists(bench: Bench) -> None:
    _changed(bench)
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    merge = plan_merge(services, app.repository, kitchen)
    assert merge.plan is not None
    release = record(services, merge, merge.plan)
    steps = preview_steps(services, app.repository, release)
    assert len(steps) == MERGE_STEPS
    places = [next(n for n, step in enumerate(steps) if step.startswith(what))
              for what in ("asking", "closing c_", "rehearsing", "moving branch", "moving public")]  # fmt: skip
    assert places == sorted(places), "nobody writes to the candidate between its tests and the swap"
    done = apply(services, app.repository, release, say=_silent).release
    back = plan_rollback(services, app.repository, done)
    planned = replace(done, plan=back.plan)
    steps = restore_steps(services, app.repository, back, planned, str(done.commit), say=_silent)
    assert len(steps) == ROLLBACK_STEPS


@pytest.mark.parametrize("edge", _edges(MERGE_STEPS, every=5))
def test_merge_killed(bench: Bench, edge: int) -> None:
    old, before = _state(bench), _settled(bench.traces())
    new = _of(_changed(bench))
    assert os.WTERMSIG(_process(bench, _merge, "work", edge=edge, number=signal.SIGKILL)) == signal.SIGKILL
    _end(bench)
    now = _state(bench)
    assert now in (old, new), "branch and tables say the same"
    assert _settled(bench.traces()) == before, "no candidate, no unfinished operation, nothing half open"
    if now == old:
        _merge(bench.fresh(), "work")
        assert _state(bench) == new, "typed again it goes through"


def test_nothing_builds_on_a_merge_that_was_killed_half_way(bench: Bench) -> None:
    _changed(bench)
    _merge(bench.fresh(), "work")  # what a rollback would go back before
    new = _of(_changed(bench))
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    merge = plan_merge(services, app.repository, kitchen)
    assert merge.plan is not None
    says = preview_steps(services, app.repository, record(services, merge, merge.plan))
    (moved,) = [position for position, said in enumerate(says) if said.startswith("moving branch")]
    _process(bench, _merge, "work", edge=4 * moved + 3, number=signal.SIGKILL)

    back = ("release", "rollback", "-e", "dev", "--yes")
    for words in (("merge", "work", "--yes"), ("delete", "work", "--yes"), ("promote", "--dry-run"), back):
        refused = bench.project.kitchen(*words, expect=4).stderr
        assert "half-way" in refused, words
        assert "kitchen recover" in refused
    _end(bench)
    assert _state(bench) == new, "past its pivot a merge goes forward"
    assert "everything of work already" in bench.project.kitchen("merge", "work", "--yes").stderr


def test_a_merge_killed_after_its_swap_is_finished_by_typing_it_again(bench: Bench) -> None:
    _changed(bench)
    _merge(bench.fresh(), "work")
    before = _settled(bench.traces())
    new = _of(_changed(bench))
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    merge = plan_merge(services, app.repository, kitchen)
    assert merge.plan is not None
    release = record(services, merge, merge.plan)
    says = preview_steps(services, app.repository, release)
    (swapped,) = [position for position, said in enumerate(says) if said.startswith("moving public")]
    _process(bench, _merge, "work", edge=4 * swapped + 3, number=signal.SIGKILL)
    assert _state(bench) == new
    looked = bench.project.kitchen("merge", "work", "--dry-run")
    assert "would be finished" in looked.stdout
    assert _settled(bench.traces()) != before
    again = bench.project.kitchen("merge", "work", "--yes").stderr
    assert f"release {release.number} was interrupted after its branch and tables had moved" in again
    assert "is finished" in again
    assert f"dev has everything of work already: release {release.number}, by " in again
    assert "brought it with 2 tables (best, totals)" in again
    assert _settled(bench.traces()) == before, "no candidate, no unfinished operation"
    assert "interrupted" not in bench.project.kitchen("merge", "work", "--yes").stderr


@pytest.mark.parametrize("edge", _edges(ROLLBACK_STEPS, every=3))
def test_rollback_killed(bench: Bench, edge: int) -> None:
    old = _state(bench)
    new = _of(_changed(bench))
    _merge(bench.fresh(), "work")
    before = _settled(bench.traces())
    assert os.WTERMSIG(_process(bench, _rollback, "", edge=edge, number=signal.SIGKILL)) == signal.SIGKILL
    _end(bench)
    now = _state(bench)
    assert now in (old, new), "branch and tables say the same"
    assert _settled(bench.traces()) == before
    if now == new:
        _rollback(bench.fresh(), "")
        assert _state(bench) == old


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("edge", _edges(MERGE_STEPS, every=17))
def test_merge_interrupted(bench: Bench, edge: int, number: int) -> None:
    old, before = _state(bench), _settled(bench.traces())
    new = _of(_changed(bench))
    _process(bench, _merge, "work", edge=edge, number=number)
    _end(bench)
    assert _state(bench) in (old, new)
    assert _settled(bench.traces()) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("edge", _edges(ROLLBACK_STEPS, every=11))
def test_rollback_interrupted(bench: Bench, edge: int, number: int) -> None:
    old = _state(bench)
    new = _of(_changed(bench))
    _merge(bench.fresh(), "work")
    before = _settled(bench.traces())
    _process(bench, _rollback, "", edge=edge, number=number)
    _end(bench)
    assert _state(bench) in (old, new), "branch and tables say the same"
    assert _settled(bench.traces()) == before


@pytest.mark.parametrize(("first", "second"), [(30, 3), (45, 2), (49, 1), (52, 5), (60, 4)])
def test_recovery_of_a_merge_killed(bench: Bench, first: int, second: int) -> None:
    old, before = _state(bench), _settled(bench.traces())
    new = _of(_changed(bench))
    _process(bench, _merge, "work", edge=first, number=signal.SIGKILL)
    _process(bench, _recover, "", edge=second, number=signal.SIGKILL)
    _end(bench)
    assert _state(bench) in (old, new)
    assert _settled(bench.traces()) == before


def _restored_pairs() -> list[object]:
    """Return what dies where, and where the one that recovers it does: by chance, but always the same."""
    chosen = random.Random(20261121)  # noqa: S311 - the same sample every time
    pairs = list(product(range(1, 4 * ROLLBACK_STEPS), range(1, 12)))
    many = 25 if WHOLE else 2
    return [
        pytest.param(work, *pair, id=f"{work.__name__[1:]} {pair[0]}, then {pair[1]}")
        for work in (_rollback, _forward)
        for pair in chosen.sample(pairs, many)
    ]


@pytest.mark.parametrize(("work", "first", "second"), _restored_pairs())
def test_recovery_of_a_rollback_killed(bench: Bench, work: Callable[[App, str], None], first: int, second: int) -> None:
    out = _state(bench)
    merged = _of(_changed(bench))
    _merge(bench.fresh(), "work")
    if work is _forward:
        _rollback(bench.fresh(), "")
    was, aim = (merged, out) if work is _rollback else (out, merged)
    assert _state(bench) == was
    before = _settled(bench.traces())
    assert os.WTERMSIG(_process(bench, work, "", edge=first, number=signal.SIGKILL)) == signal.SIGKILL
    _process(bench, _recover, "", edge=second, number=signal.SIGKILL)
    _end(bench)
    assert _state(bench) in (was, aim), "branch and tables say the same"
    assert _settled(bench.traces()) == before, "nothing unfinished, nothing half open"
    if _state(bench) == was:
        work(bench.fresh(), "")
    assert _state(bench) == aim, "typed again it goes through"


def test_rows_that_came_in_between_are_in_when_recovery_swaps(bench: Bench) -> None:
    psql(bench, "dev", "CREATE TABLE stock AS SELECT 1 AS amount")
    folder = bench.project.root / ".kitchen" / "worktrees" / "work" / "recipes" / "stock"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("description: x\nnodes:\n  change: {sql: change.sql}\n")
    (folder / "change.sql").write_text("UPDATE stock SET amount = amount * 2;\n")
    commit(bench, folder)
    steps = _merge_steps(bench)
    pivot = next(at for at, says in enumerate(steps) if says.startswith("moving branch"))
    before = _settled(bench.traces())
    _process(bench, _merge, "work", edge=4 * pivot + 2, number=signal.SIGKILL)  # the branch moved, the tables did not
    psql(bench, "dev", "INSERT INTO stock VALUES (100)")
    _end(bench)
    assert psql(bench, "dev", "SELECT sum(amount) FROM stock") == "202"
    assert _settled(bench.traces()) == before


def _merge_steps(bench: Bench) -> tuple[str, ...]:
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    merge = plan_merge(services, app.repository, kitchen)
    assert merge.plan is not None
    return preview_steps(services, app.repository, record(services, merge, merge.plan))
