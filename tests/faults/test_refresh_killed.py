"""Killed at every edge of every step, ``pantry refresh`` leaves the old version or the whole new one, and no rest."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from itertools import product

import pytest

from kitchen.app import App
from kitchen.cli.pantry import policy_of
from kitchen.operations.pantry_refresh import Refresh, refresh, refresh_steps
from tests.bench import Bench, opened
from tests.faults.test_crashes import WHOLE, _end, _process, _recover, _silent
from tests.faults.test_crashes_layers import dies, edges_with_signals

STEPS = 3  # checked against the list below
PEOPLE = """
CREATE TABLE person (id int PRIMARY KEY, surname text NOT NULL);
INSERT INTO person SELECT n, 'Surname' || n FROM generate_series(1, 300) AS n;
"""
POLICY = """
tables:
  person:
    id: {mask: keep, why: surrogate key}
    surname: {mask: last_name, subject: id}
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up and one version of the pantry."""
    with opened("production", "dev") as made:
        (made.project.root / "environments" / "masking.yaml").write_text(POLICY)
        made.project.kitchen("enter", "production", "--", "psql", "-q", "-c", PEOPLE)
        _refresh(made.fresh(), "")
        yield made


def _refresh(app: App, _: str) -> None:
    services = app.services("dev")
    _, policy = policy_of(app, services)
    refresh(services, Refresh(services.source, "production", app.services("production").secrets, policy), say=_silent)


def _versions(bench: Bench) -> tuple[int, set[str], set[str]]:
    """Return what ``dev`` reads, the schemas of pantries and the versions that are recorded as there."""
    services = bench.fresh().services("dev")
    with services.sessions.as_administrator() as session:
        rows = session.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pantry\\_v%'")
    recorded = {f"pantry_v{found.version}" for found in services.control.pantries.all() if found.state != "dropped"}
    standing = services.standing().pantry
    assert standing is not None
    return standing, {name for (name,) in rows}, recorded


def test_the_edges_are_those_of_the_step_list(bench: Bench) -> None:
    assert len(refresh_steps(bench.fresh().services("dev"), 0, wish=None, say=_silent)) == STEPS


@pytest.mark.parametrize(("edge", "number"), edges_with_signals(STEPS, every=4))
def test_refresh_killed(bench: Bench, edge: int, number: signal.Signals) -> None:
    before, _, _ = _versions(bench)
    dies(bench, _refresh, "", edge=edge, number=number)
    _end(bench)
    _is_whole(bench, before)


def _is_whole(bench: Bench, before: int) -> None:
    """Look that a version is published and seen, or neither, and that the next refresh leaves no rest."""
    standing, schemas, recorded = _versions(bench)
    newest = bench.fresh().services("dev").control.pantries.newest()
    assert newest is not None
    assert standing == newest.version, "published and seen, or neither"
    assert f"pantry_v{standing}" in schemas
    seen = bench.project.kitchen("enter", "dev", "--", "psql", "-At", "-c", "SELECT count(*) FROM person").stdout
    assert seen.strip() == "300"

    _refresh(bench.fresh(), "")
    after, schemas, recorded = _versions(bench)
    assert after > max(before, standing), "typed again it goes through"
    assert schemas == recorded, "nothing half made is left"
    assert len(schemas) <= 2
    assert not any(trace[0] == "unfinished" for trace in bench.traces())


def _pairs() -> list[object]:
    """Return where the first process dies and where the one that recovers does: by chance, but always the same."""
    chosen = random.Random(20261121)  # noqa: S311 - the same sample every time
    pairs = list(product(range(1, 4 * STEPS), range(1, 8)))
    return [pytest.param(*pair, id=f"{pair[0]}, then {pair[1]}") for pair in chosen.sample(pairs, 40 if WHOLE else 3)]


@pytest.mark.parametrize(("first", "second"), _pairs())
def test_recovery_of_a_refresh_killed(bench: Bench, first: int, second: int) -> None:
    before, _, _ = _versions(bench)
    dies(bench, _refresh, "", edge=first, number=signal.SIGKILL)
    _process(bench, _recover, "", edge=second, number=signal.SIGKILL)
    _end(bench)
    _is_whole(bench, before)
