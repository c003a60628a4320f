"""A table of very many partitions is hydrated at a server's default settings: a transaction has only so many locks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import Layout
from tests.contracts.layers import Place, make_pantry, place
from tests.support import Warehouse

EVERYTHING = os.environ.get("KITCHEN_FAULTS") == "all"
PARTITIONS = 1_200 if EVERYTHING else 120


@pytest.fixture
def logs(warehouse: Warehouse) -> Iterator[Place]:
    layout = Layout(("public",), holds_production=False)
    with connect(warehouse.superuser, application="tests") as source:
        source.execute(
            "CREATE TABLE log (day integer NOT NULL, what text, id bigint GENERATED ALWAYS AS IDENTITY,"
            " PRIMARY KEY (day, id)) PARTITION BY RANGE (day); CREATE INDEX log_what ON log (what)"
        )
        for start in range(0, PARTITIONS, 100):  # a transaction each: these are locks, too
            source.execute(
                "".join(
                    f"CREATE TABLE log_{day} PARTITION OF log FOR VALUES FROM ({day}) TO ({day + 1});"
                    for day in range(start, min(start + 100, PARTITIONS))
                )
            )
        source.execute(
            "INSERT INTO log (day, what) SELECT n %% %s, 'x' FROM generate_series(1, 5000) AS n", [PARTITIONS]
        )
        make_pantry(warehouse, layout, source)
    yield from place(warehouse, layout)


def test_a_table_of_very_many_partitions(logs: Place) -> None:
    done = logs.hydrate("log")
    assert done is not None
    assert done.left_out == ()
    count = "SELECT count(*), count(DISTINCT tableoid) FROM log"
    assert logs.session.query(count) == [(5000, PARTITIONS)]
    (schemas,) = logs.session.query(
        "SELECT array_agg(DISTINCT c.relnamespace::regnamespace::text) FROM pg_inherits i JOIN pg_class c"
        " ON c.oid = i.inhrelid WHERE i.inhparent = 'log'::regclass"
    )
    assert schemas == (["profit"],)
