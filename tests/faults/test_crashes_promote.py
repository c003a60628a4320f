"""Killed at every edge of every step, ``promote`` ends with branch, tables and tag together, and ``dev`` as it was.

The edges are counted from the step lists; see ``test_crashes`` for how processes are killed. On every change a part
is run; ``KITCHEN_FAULTS=all`` runs every edge with every signal.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from itertools import count, product

import pytest

from kitchen.app import App
from kitchen.domain.release import Release
from kitchen.operations.apply import apply, preview_steps
from kitchen.operations.promote import approve, plan_promotion, record
from kitchen.operations.recover import recover_one
from tests import report
from tests.bench import Bench, opened
from tests.faults.test_crashes import WHOLE, _process, _silent
from tests.faults.test_crashes_deliver import _settled
from tests.faults.test_crashes_layers import edges_with_signals
from tests.report import TOTALS, psql

STEPS = 22  # checked against the list below

_numbers = count(2)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up, where the report has run in both."""
    with opened("production", "dev") as made:
        report.ground(made, "production", "dev")
        yield made


def _planned(app: App) -> Release:
    services = app.services("production")
    found = plan_promotion(services, app.repository, app.environments.get("dev"))
    assert found is not None
    release = record(services, found[0])
    return approve(services, app.repository, release) if release.missing_approvals else release


def _promote(app: App, _: str) -> None:
    apply(app.services("production"), app.repository, _planned(app), say=_silent)


def _factor(bench: Bench) -> int:
    """Commit a new factor on dev and return it."""
    factor = next(_numbers)
    project = bench.project
    project.git("checkout", "-q", "dev")
    text = TOTALS.replace("sum(amount)", f"sum(amount) * {factor}")
    (project.root / "recipes" / "report" / "totals.sql").write_text(text)
    project.git("commit", "-q", "-a", "-m", f"factor {factor}")
    project.git("checkout", "-q", "main")
    return factor


def _released(bench: Bench) -> tuple[str, int]:
    """Return what stands in production: the recipe in its branch, and what the tables say."""
    text = bench.project.git("show", "main:recipes/report/totals.sql")
    factor = text.split("sum(amount)")[1].split(" AS total")[0].removeprefix(" * ") or "1"
    return factor, int(psql(bench, "production", "SELECT max(total) FROM best"))


def _above(bench: Bench) -> frozenset[tuple[str, ...]]:
    """Return what kitchens leave in production, without what a release leaves on purpose."""
    services = bench.fresh().services("production")
    with services.sessions.as_administrator() as session:
        schemas = session.query("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname !~ '__r[0-9]+$'")
        logins = session.query("SELECT rolname FROM pg_roles WHERE rolname ~ '^kitchen'")
    found = {("schema", *row) for row in schemas} | {("role", *row) for row in logins}
    found |= {("secret", path) for path in services.secrets.list("kitchens")}
    found |= {("record", kitchen.name, kitchen.state) for kitchen in services.control.kitchens.all()}
    found |= {("unfinished", each.kind, each.subject) for each in services.control.journal.unfinished()}
    services.control.session.close()
    return frozenset(found)


def _end_above(bench: Bench) -> None:
    """Type ``kitchen recover`` twice at most."""
    for _ in range(2):
        if any(trace[0] == "unfinished" for trace in _above(bench)):
            assert _process(bench, _recover_above, "", edge=None, number=0) == 0


def _recover_above(app: App, _: str) -> None:
    services = app.services("production")
    for operation in services.control.journal.unfinished():
        recover_one(services, app.repository, operation, undo=False, say=_silent)


def test_the_edges_are_those_of_the_step_list(bench: Bench) -> None:
    _factor(bench)
    app = bench.fresh()
    assert len(preview_steps(app.services("production"), app.repository, _planned(app))) == STEPS


@pytest.mark.parametrize(("edge", "number"), edges_with_signals(STEPS, every=53))
def test_promote_killed(bench: Bench, edge: int, number: signal.Signals) -> None:
    old, before = _released(bench), _above(bench)
    below = _settled(bench.traces())
    factor = _factor(bench)
    new = (str(factor), 50500 * factor)
    status = _process(bench, _promote, "", edge=edge, number=number)
    assert status != 0
    _end_above(bench)
    now = _released(bench)
    assert now in (old, new), "branch and tables say the same"
    assert _above(bench) == before, "no candidate, no unfinished operation, nothing half open"
    assert _settled(bench.traces()) == below, "nothing of dev was touched"
    if now == old:
        _promote(bench.fresh(), "")
        assert _released(bench) == new, "typed again it goes through"
    tags = bench.project.git("tag", "--list", "release-production-*", "--points-at", "main").split()
    assert len(tags) == 1, "the release has its tag"


def _pairs() -> list[object]:
    """Return where the first process dies and where the one that recovers does: by chance, but always the same."""
    chosen = random.Random(20261121)  # noqa: S311 - the same sample every time
    pairs = list(product(range(8, 4 * STEPS), range(1, 8)))
    return [pytest.param(*pair, id=f"{pair[0]}, then {pair[1]}") for pair in chosen.sample(pairs, 30 if WHOLE else 1)]


@pytest.mark.parametrize(("first", "second"), _pairs())
def test_recovery_of_a_promotion_killed(bench: Bench, first: int, second: int) -> None:
    old, before = _released(bench), _above(bench)
    factor = _factor(bench)
    _process(bench, _promote, "", edge=first, number=signal.SIGKILL)
    _process(bench, _recover_above, "", edge=second, number=signal.SIGKILL)
    _end_above(bench)
    assert _released(bench) in (old, (str(factor), 50500 * factor))
    assert _above(bench) == before
