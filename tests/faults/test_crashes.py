"""Killed at every edge of every step, ``create`` and ``delete`` end in a whole state after at most two commands.

The edges are counted from the step lists: a new step is tested without anybody remembering to. Every process here is
a real one (a fork), and SIGKILL is sent from the test's own wrapper round the journal.

On every change a part is run; ``KITCHEN_FAULTS=all`` runs every edge, every signal and many double crashes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from itertools import count, product

import pytest

from kitchen.app import App
from kitchen.domain.journal import StepState
from kitchen.errors import KitchenError
from kitchen.operations import journalled
from kitchen.operations.create import create_steps, create_working
from kitchen.operations.create_plan import Wish, plan_working
from kitchen.operations.delete import delete_kitchen, delete_steps, plan_deletion
from kitchen.operations.recover import recover_one
from tests.bench import Bench

WHOLE = os.environ.get("KITCHEN_FAULTS") == "all"
CREATE_STEPS, DELETE_STEPS = 6, 7  # checked against the lists below
EDGES = ("before intent", "after intent", "after effect", "after record")

_numbers = count(1)


def _silent(_: str) -> None:
    pass


def _create(app: App, name: str) -> None:
    services = app.services("dev")
    creation = plan_working(services, app.repository, app.worktrees, Wish(name), person=app.person)
    create_working(services, app.repository, creation, say=_silent)


def _delete(app: App, name: str) -> None:
    services = app.services("dev")
    kitchen = services.control.kitchens.get(name)
    assert kitchen is not None
    deletion = plan_deletion(services, app.repository, app.worktrees, kitchen, force=True)
    delete_kitchen(services, app.repository, deletion, say=_silent)


def _recover(app: App, _: str = "") -> None:
    services = app.services("dev")
    for operation in services.control.journal.unfinished():
        recover_one(services, app.repository, operation, undo=False, say=_silent)


def _process(bench: Bench, work: Callable[[App, str], None], name: str, *, edge: int | None, number: int) -> int:
    """Do the work in a process of its own that gets a signal at one edge; return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        if edge is not None:
            _signal_at(edge, number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work(bench.fresh(), name)
        os._exit(0)
    except KeyboardInterrupt:
        os._exit(130)
    except KitchenError as error:
        os._exit(error.exit_code)
    except BaseException:  # noqa: BLE001 - a forked pytest must not run on
        traceback.print_exc(file=sys.stderr)
        os._exit(70)


def _signal_at(edge: int, number: int) -> None:
    """Send ourselves a signal at the n-th of all edges, counted over the marks of every operation."""
    original, passed = journalled.OperationJournal.mark, count()

    def point() -> None:
        if next(passed) == edge:
            os.kill(os.getpid(), number)

    def mark(self: journalled.OperationJournal, step: str, state: StepState) -> None:
        point()
        original(self, step, state)
        point()

    journalled.OperationJournal.mark = mark  # type: ignore[method-assign]


def _named(edge: int) -> str:
    return f"step {edge // 4 + 1} {EDGES[edge % 4]}"


def _edges(steps: int, *, every: int) -> list[object]:
    """Return edges as parameters: all of them, or each ``every``-th."""
    return [pytest.param(edge, id=_named(edge)) for edge in range(0, 4 * steps, 1 if WHOLE else every)]


def test_the_edges_are_those_of_the_step_lists(bench: Bench) -> None:
    app = bench.fresh()
    services = app.services("dev")
    creation = plan_working(services, app.repository, app.worktrees, Wish("counted"), person="ann")
    assert len(create_steps(services, creation, repository=app.repository)) == CREATE_STEPS
    create_working(services, app.repository, creation, say=_silent)
    deletion = plan_deletion(services, app.repository, app.worktrees, creation.kitchen, force=True)
    assert len(delete_steps(services, deletion, repository=app.repository)) == DELETE_STEPS
    delete_kitchen(services, app.repository, deletion, say=_silent)


def _end(bench: Bench) -> None:
    """Type ``kitchen recover`` twice at most."""
    for _ in range(2):
        if not any(trace[0] == "unfinished" for trace in bench.traces()):
            return
        assert _process(bench, _recover, "", edge=None, number=0) == 0


def _is_whole(bench: Bench, before: frozenset[tuple[str, ...]], name: str) -> bool:
    """Say whether the kitchen is there, and works; everything else must be as before."""
    now = bench.traces()
    if now == before:
        return False
    app = bench.fresh()
    services, kitchen = app.find(name, "dev")
    assert kitchen.state == "ready"
    with services.sessions.open(services.credentials(kitchen), application="tests") as session:
        session.execute("CREATE TABLE works (id int); DROP TABLE works")
    assert (app.worktrees / name / "environments" / "dev.yaml").exists()
    _delete(app, name)
    assert bench.traces() == before, "what a deleted kitchen had is gone, and nothing else"
    return True


@pytest.mark.parametrize("edge", _edges(CREATE_STEPS, every=3))
def test_create_killed(bench: Bench, edge: int) -> None:
    before, name = bench.traces(), f"c{next(_numbers)}"
    assert os.WTERMSIG(_process(bench, _create, name, edge=edge, number=signal.SIGKILL)) == signal.SIGKILL
    _end(bench)
    assert _is_whole(bench, before, name) == (edge >= 4 * CREATE_STEPS - 2), "after its last effect it is there"


def test_what_was_cut_off_while_it_was_made_is_recovered_and_not_entered(bench: Bench) -> None:
    before, name = bench.traces(), f"h{next(_numbers)}"
    assert os.WTERMSIG(_process(bench, _create, name, edge=10, number=signal.SIGKILL)) == signal.SIGKILL
    refused = bench.project.kitchen("create", name, expect=4).stderr
    assert "cut off half-way" in refused
    assert "kitchen recover" in refused
    _end(bench)
    assert not _is_whole(bench, before, name), "it goes again, with all that it had"


@pytest.mark.parametrize("edge", _edges(DELETE_STEPS, every=3))
def test_delete_killed(bench: Bench, edge: int) -> None:
    before, name = bench.traces(), f"d{next(_numbers)}"
    _create(bench.fresh(), name)
    assert os.WTERMSIG(_process(bench, _delete, name, edge=edge, number=signal.SIGKILL)) == signal.SIGKILL
    _end(bench)
    assert _is_whole(bench, before, name) == (edge < 2), "before it is marked the kitchen stays; then it goes"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("edge", _edges(CREATE_STEPS, every=7))
def test_create_interrupted_undoes_itself(bench: Bench, edge: int, number: int) -> None:
    before, name = bench.traces(), f"i{next(_numbers)}"
    status = _process(bench, _create, name, edge=edge, number=number)
    assert os.WEXITSTATUS(status) == 130
    if edge < 4 * CREATE_STEPS - 2:
        assert bench.traces() == before, "without any further command"
    _end(bench)
    assert _is_whole(bench, before, name) == (edge >= 4 * CREATE_STEPS - 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("edge", _edges(DELETE_STEPS, every=9))
def test_delete_interrupted(bench: Bench, edge: int, number: int) -> None:
    before, name = bench.traces(), f"j{next(_numbers)}"
    _create(bench.fresh(), name)
    assert os.WEXITSTATUS(_process(bench, _delete, name, edge=edge, number=number)) == 130
    _end(bench)
    assert _is_whole(bench, before, name) == (edge < 2)


def _pairs() -> list[object]:
    """Return where the first process dies and where, by chance but always the same, the one that recovers it does."""
    chosen = random.Random(20261121)  # noqa: S311 - the same sample every time
    creates = [(_create, first, second) for first, second in product(range(1, 4 * CREATE_STEPS), range(1, 10))]
    deletes = [(_delete, first, second) for first, second in product(range(2, 4 * DELETE_STEPS), range(1, 20))]
    pairs = chosen.sample(creates, 60 if WHOLE else 4) + chosen.sample(deletes, 60 if WHOLE else 4)
    return [pytest.param(*pair, id=f"{pair[0].__name__[1:]} {_named(pair[1])}, then {pair[2]}") for pair in pairs]


@pytest.mark.parametrize(("work", "first", "second"), _pairs())
def test_recovery_killed(bench: Bench, work: Callable[[App, str], None], first: int, second: int) -> None:
    before, name = bench.traces(), f"again{next(_numbers)}"
    if work is _delete:
        _create(bench.fresh(), name)
    _process(bench, work, name, edge=first, number=signal.SIGKILL)
    _process(bench, _recover, "", edge=second, number=signal.SIGKILL)
    _end(bench)
    made = work is _create and first >= 4 * CREATE_STEPS - 2
    assert _is_whole(bench, before, name) == made, "what was made stays, else it goes again with all that it had"
