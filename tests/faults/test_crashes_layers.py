"""Killed at every edge of every step, ``hydrate`` and ``update`` end whole: the old state or the new one.

The edges are counted from the step lists; see ``test_crashes`` for how processes are killed. On every change a part
is run; ``KITCHEN_FAULTS=all`` runs every edge with every signal.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from itertools import count, product

import pytest

from kitchen.app import App
from kitchen.operations.hydrate import hydrate
from kitchen.operations.update import plan_update, update, update_steps
from tests.bench import Bench, opened
from tests.faults.test_crashes import EDGES, WHOLE, _create, _delete, _end, _process, _recover, _silent
from tests.report import psql

HYDRATE_STEPS, UPDATE_STEPS = 2, 6  # checked against the lists below
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PEOPLE = """
CREATE TABLE person (id int PRIMARY KEY, surname text NOT NULL);
INSERT INTO person SELECT n, 'Surname' || n FROM generate_series(1, 300) AS n;
CREATE TABLE note (id int PRIMARY KEY, person int REFERENCES person);
INSERT INTO note SELECT n, n FROM generate_series(1, 300) AS n;
"""
POLICY = """
tables:
  person:
    id: {mask: keep, why: surrogate key}
    surname: {mask: last_name, subject: id}
  note:
    id: {mask: keep, why: surrogate key}
    person: {mask: keep, why: surrogate key}
"""

_numbers = count(2)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up, two tables in the pantry, and a recipe that ran in both."""
    with opened("production", "dev") as made:
        (made.project.root / "environments" / "masking.yaml").write_text(POLICY)
        made.project.kitchen("enter", "production", "--", "psql", "-q", "-c", PEOPLE)
        made.project.kitchen("pantry", "refresh")
        _create(made.fresh(), "work")
        yield made


def edges_with_signals(steps: int, *, every: int) -> list[object]:
    """Return edges with signals: all, or each ``every``-th, the signals taking turns."""
    chosen = list(product(range(4 * steps), SIGNALS))[:: 1 if WHOLE else every]
    return [
        pytest.param(edge, number, id=f"step {edge // 4 + 1} {EDGES[edge % 4]}, {number.name}")
        for edge, number in chosen
    ]


def dies(bench: Bench, work: Callable[[App, str], None], name: str, *, edge: int, number: signal.Signals) -> None:
    """Do the work in a process that gets the signal at the edge, and look at how it ended."""
    status = _process(bench, work, name, edge=edge, number=number)
    if number is signal.SIGKILL:
        assert os.WTERMSIG(status) == signal.SIGKILL
    else:
        assert os.WEXITSTATUS(status) == 130, "interrupted, and said so"


# --- hydrate ----------------------------------------------------------------------------------------------------------


def _hydrate(app: App, name: str) -> None:
    services, kitchen = app.find(name, "dev")
    hydrate(services, kitchen, ["person", "note"], say=_silent)


def _own(bench: Bench, kitchen: str) -> dict[str, int]:
    """Return the kitchen's own tables with their rows."""
    tables = psql(bench, kitchen, f"SELECT relname FROM pg_class WHERE relnamespace = '{kitchen}'::regnamespace "
                  "AND relkind = 'r' ORDER BY 1").split()  # fmt: skip
    return {table: int(psql(bench, kitchen, f"SELECT count(*) FROM {kitchen}.{table}")) for table in tables}


@pytest.mark.parametrize(("edge", "number"), edges_with_signals(HYDRATE_STEPS, every=8))
def test_hydrate_killed(bench: Bench, edge: int, number: signal.Signals) -> None:
    name = f"h{next(_numbers)}"
    _create(bench.fresh(), name)
    before = bench.traces()
    dies(bench, _hydrate, name, edge=edge, number=number)
    _end(bench)
    whole = {"person": 300, "note": 300}
    own = _own(bench, name)
    assert own.items() <= whole.items(), "each table is there with all of its rows, or not at all"
    rest = {t for t in bench.traces() ^ before if not (t[0] == "relation" and t[1] == name)}
    assert not rest, "nothing unfinished, nobody else's touched"
    _hydrate(bench.fresh(), name)
    assert _own(bench, name) == whole, "typed again it goes through"
    _delete(bench.fresh(), name)


# --- update -----------------------------------------------------------------------------------------------------------


def _update(app: App, name: str) -> None:
    services, kitchen = app.find(name, "dev")
    update(services, app.repository, plan_update(services, app.repository, kitchen, data=True), say=_silent)


def _something_new(bench: Bench) -> None:
    """Commit something on dev, and make a new version of the pantry."""
    project = bench.project
    project.git("checkout", "-q", "dev")
    (project.root / "news.txt").write_text(f"{next(_numbers)}\n")
    project.git("add", "news.txt")
    project.git("commit", "-q", "-m", "news")
    project.git("checkout", "-q", "main")
    project.kitchen("pantry", "refresh")


def _stands(bench: Bench, name: str) -> tuple[object, ...]:
    """Return where a kitchen stands: branch, files, record, and the pantry that its session really reads."""
    _, kitchen = bench.fresh().find(name, "dev")
    worktree = bench.project.root / ".kitchen" / "worktrees" / name
    news = (worktree / "news.txt").read_text() if (worktree / "news.txt").exists() else ""
    read = psql(bench, name, "SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'person'::regclass")
    clean = not bench.project.git("-C", str(worktree), "status", "--porcelain", "--untracked-files=no")
    assert read in (f"pantry_v{kitchen.pantry}", name), "what is recorded is what is read"
    assert int(psql(bench, name, "SELECT count(*) FROM person")) == 300
    return bench.project.git("rev-parse", name), news, kitchen.pantry, clean, kitchen.state


@pytest.mark.parametrize(("edge", "number"), edges_with_signals(UPDATE_STEPS, every=17))
def test_update_killed(bench: Bench, edge: int, number: signal.Signals) -> None:
    name = f"u{next(_numbers)}"
    _create(bench.fresh(), name)
    psql(bench, name, "CREATE VIEW mine AS SELECT count(*) AS many FROM person")
    _something_new(bench)
    old, before = _stands(bench, name), bench.traces()
    dies(bench, _update, name, edge=edge, number=number)
    _end(bench)
    now = _stands(bench, name)
    if now != old:
        assert now[0] == bench.project.git("rev-parse", "dev")
        assert now[1] == bench.project.git("show", "dev:news.txt") + "\n"
    else:
        assert edge < 2, "past its pivot it goes forward"
        assert bench.traces() == before
    _update(bench.fresh(), name)
    assert _stands(bench, name)[0] == bench.project.git("rev-parse", "dev")
    assert psql(bench, name, "SELECT many FROM mine") == "300"
    assert not any(trace[0] == "unfinished" for trace in bench.traces())
    _delete(bench.fresh(), name)


def test_the_edges_are_those_of_the_step_lists(bench: Bench) -> None:
    _something_new(bench)
    app = bench.fresh()
    services, kitchen = app.find("work", "dev")
    planned = plan_update(services, app.repository, kitchen, data=True)
    assert len(update_steps(services, app.repository, planned)) == UPDATE_STEPS


# --- killed while it recovers -----------------------------------------------------------------------------------------


def _pairs() -> list[object]:
    """Return what dies where, and where the one that recovers it does: by chance, but always the same."""
    chosen = random.Random(20261121)  # noqa: S311 - the same sample every time
    hydrates = [(_hydrate, *pair) for pair in product(range(1, 4 * HYDRATE_STEPS), range(1, 4))]
    updates = [(_update, *pair) for pair in product(range(2, 4 * UPDATE_STEPS), range(1, 8))]
    pairs = chosen.sample(hydrates, 12 if WHOLE else 1) + chosen.sample(updates, 30 if WHOLE else 1)
    return [pytest.param(*pair, id=f"{pair[0].__name__[1:]} {pair[1]}, then {pair[2]}") for pair in pairs]


@pytest.mark.parametrize(("work", "first", "second"), _pairs())
def test_recovery_killed(bench: Bench, work: Callable[[App, str], None], first: int, second: int) -> None:
    name = f"again{next(_numbers)}"
    _create(bench.fresh(), name)
    if work is _update:
        _something_new(bench)
    dies(bench, work, name, edge=first, number=signal.SIGKILL)
    _process(bench, _recover, "", edge=second, number=signal.SIGKILL)
    _end(bench)
    assert not any(trace[0] == "unfinished" for trace in bench.traces())
    _stands(bench, name)
    work(bench.fresh(), name)
    assert set(_own(bench, name).values()) <= {300}
    _delete(bench.fresh(), name)
