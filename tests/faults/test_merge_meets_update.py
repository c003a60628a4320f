"""``merge`` and ``update`` of one kitchen at once: each goes through or is refused, and what stands is whole.

One of the two is stopped (SIGSTOP) at an edge of its steps, the other one runs to its end, the first one goes on.
On every change a part is run; ``KITCHEN_FAULTS=all`` stops at every edge.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from kitchen.app import App
from kitchen.errors import KitchenError
from kitchen.operations.update import plan_update, update, update_steps
from tests import report
from tests.bench import Bench, opened
from tests.faults.test_crashes import WHOLE, _signal_at, _silent
from tests.faults.test_crashes_deliver import MERGE_STEPS, _changed, _merge, _of, _settled, _state
from tests.report import create

UPDATE_STEPS = 3  # without data: branch, files, views
OVER = 4  # a conflict
UPDATE_EDGES = range(4 * UPDATE_STEPS) if WHOLE else (0, 2, 4, 9)
MERGE_EDGES = range(4 * MERGE_STEPS) if WHOLE else (1, 30, 58, 66, 85)

_news = count(1)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with ``dev`` up, where the report has run."""
    with opened("dev") as made:
        report.ground(made, "dev")
        create(made, "work")
        yield made


def _update(app: App, name: str) -> None:
    services, kitchen = app.find(name, "dev")
    planned = plan_update(services, app.repository, kitchen, data=False)
    if not planned.is_nothing:
        update(services, app.repository, planned, say=_silent)


def _something_new(bench: Bench) -> None:
    """Let somebody else's commit be on dev."""
    project = bench.project
    project.git("checkout", "-q", "dev")
    (project.root / f"news{next(_news)}.txt").write_text("new\n")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "news")
    project.git("checkout", "-q", "main")


def _begin(bench: Bench, work: Callable[[App, str], None], edge: int | None) -> int:
    """Do the work in a process of its own, stopped at an edge, and return the process."""
    child = os.fork()
    if child:
        return child
    try:
        if edge is not None:
            _signal_at(edge, signal.SIGSTOP)
        work(bench.fresh(), "work")
        os._exit(0)
    except KitchenError as error:
        sys.stderr.write(f"{work.__name__}: {error.message}\n")
        os._exit(error.exit_code)
    except BaseException:  # noqa: BLE001 - a forked pytest must not run on
        traceback.print_exc(file=sys.stderr)
        os._exit(70)


def _end(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("first", "second", "edge"),
    [pytest.param(_update, _merge, edge, id=f"merge while update is at {edge}") for edge in UPDATE_EDGES]
    + [pytest.param(_merge, _update, edge, id=f"update while merge is at {edge}") for edge in MERGE_EDGES],
)
def test_both_at_once(
    bench: Bench, first: Callable[[App, str], None], second: Callable[[App, str], None], edge: int
) -> None:
    old, before = _state(bench), _settled(bench.traces())
    new = _of(_changed(bench))
    mine = bench.project.git("rev-parse", "work")
    _something_new(bench)
    theirs = bench.project.git("rev-parse", "dev")

    stopped = _begin(bench, first, edge)
    try:
        assert os.WIFSTOPPED(os.waitpid(stopped, os.WUNTRACED)[1]), "it came to that edge"
        codes = {second.__name__: _end(_begin(bench, second, None))}
    finally:
        os.kill(stopped, signal.SIGCONT)
    codes[first.__name__] = _end(stopped)

    assert set(codes.values()) <= {0, OVER}, codes
    assert 0 in codes.values(), "one of them goes through"
    assert _state(bench) == (new if codes["_merge"] == 0 else old), "branch and tables say the same"
    assert _settled(bench.traces()) == before, "nothing unfinished, nothing half open"
    _has(bench, "work", mine)
    _has(bench, "dev", theirs)
    if codes["_merge"] == 0:
        _has(bench, "dev", mine)
    if codes["_update"] == 0:
        _has(bench, "work", theirs)
    worktree = bench.project.root / ".kitchen" / "worktrees" / "work"
    assert _dirt(bench, worktree) == "", "the files are those of the branch"
    _update(bench.fresh(), "work")
    if codes["_merge"]:
        _merge(bench.fresh(), "work")
    assert _state(bench) == new, "typed again it goes through"
    assert _dirt(bench, worktree) == ""


def _has(bench: Bench, branch: str, commit: str) -> None:
    bench.project.git("merge-base", "--is-ancestor", commit, branch)


def _dirt(bench: Bench, worktree: Path) -> str:
    return bench.project.git("-C", str(worktree), "status", "--porcelain")


def test_the_edges_are_those_of_the_step_list(bench: Bench) -> None:
    _something_new(bench)
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    planned = plan_update(services, app.repository, kitchen, data=False)
    assert len(update_steps(services, app.repository, planned)) == UPDATE_STEPS
    _update(bench.fresh(), "work")
