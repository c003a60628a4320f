"""``create --data sample:…`` killed between two tables is finished by ``recover``, with the same rows."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from kitchen.adapters.postgres.tables import PgTables
from kitchen.app import App
from kitchen.cli.pantry import policy_of
from kitchen.operations.create import create_working
from kitchen.operations.create_plan import Wish, plan_working
from kitchen.operations.pantry_refresh import Refresh, refresh
from tests.bench import Bench, opened
from tests.faults.test_crashes import _delete, _end, _process, _silent

SHOP = """
CREATE TABLE customer (id int PRIMARY KEY, friend int REFERENCES customer);
CREATE TABLE purchase (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer);
CREATE TABLE line (purchase int REFERENCES purchase, number int, PRIMARY KEY (purchase, number));
INSERT INTO customer SELECT n, nullif(n / 3, 0) FROM generate_series(1, 1500) n;
INSERT INTO purchase SELECT n, n % 1500 + 1 FROM generate_series(1, 4000) n;
INSERT INTO line SELECT n / 2 + 1, n % 2 FROM generate_series(1, 7000) n;
ANALYZE;
"""
POLICY = """
patterns: {"*.*": {mask: keep, why: numbers}}
"""
LEFT = """
SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM purchase), (SELECT count(*) FROM line),
    (SELECT md5(string_agg(id::text, ',' ORDER BY id)) FROM purchase),
    (SELECT count(*) FROM customer c WHERE NOT EXISTS (SELECT FROM customer p WHERE p.id = c.friend) AND friend > 0)
    + (SELECT count(*) FROM purchase c WHERE NOT EXISTS (SELECT FROM customer p WHERE p.id = c.customer))
    + (SELECT count(*) FROM line c WHERE NOT EXISTS (SELECT FROM purchase p WHERE p.id = c.purchase)),
    (SELECT count(*) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype = 'f'
        AND convalidated)
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with both environments up and one version of the pantry."""
    with opened("production", "dev") as made:
        (made.project.root / "environments" / "masking.yaml").write_text(POLICY)
        made.project.kitchen("enter", "production", "--", "psql", "-q", "-c", SHOP)
        app = made.fresh()
        services = app.services("dev")
        _, policy = policy_of(app, services)
        wish = Refresh(services.source, "production", app.services("production").secrets, policy)
        refresh(services, wish, say=_silent)
        yield made


def _create(app: App, name: str) -> None:
    services = app.services("dev")
    wish = Wish(name, data="sample:20%")
    creation = plan_working(services, app.repository, app.worktrees, wish, person=app.person)
    create_working(services, app.repository, creation, say=_silent)


def _killed_at(table: int) -> Any:
    """Return a create whose process dies before it copies the n-th table."""

    def work(app: App, name: str) -> None:
        original, done = PgTables.hydrate, [0]

        def hydrate(self: PgTables, *arguments: Any, **named: Any) -> Any:
            done[0] += 1
            if done[0] > table:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, *arguments, **named)

        PgTables.hydrate = hydrate  # type: ignore[method-assign]
        _create(app, name)

    return work


def _holds(bench: Bench, name: str) -> tuple[Any, ...]:
    services, kitchen = bench.fresh().find(name, "dev")
    with services.sessions.open(services.credentials(kitchen), application="tests") as session:
        return session.query(LEFT)[0]


def test_the_same_rows_come_whenever_it_was_killed(bench: Bench) -> None:
    _create(bench.fresh(), "whole")
    whole = _holds(bench, "whole")
    assert whole[-2:] == (0, 3)
    assert 200 < whole[0] < 1500
    for table in range(3):
        name = f"part{table}"
        assert os.WTERMSIG(_process(bench, _killed_at(table), name, edge=None, number=0)) == signal.SIGKILL
        _end(bench)
        assert _holds(bench, name) == whole
        _delete(bench.fresh(), name)
    _delete(bench.fresh(), "whole")
