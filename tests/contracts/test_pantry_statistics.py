"""Statistics that kitchens plan with are those of the rows that are there, also after autovacuum's first visit."""

from __future__ import annotations

from kitchen.adapters.postgres.connection import connect
from tests.contracts.pantries import Place, Production, fill
from tests.support import Warehouse

ROWS = 2_700  # frozen by the copy, and too many for the pages that the server adds one by one
POLICY = """\
tables:
  customer:
    id: {mask: keep, why: invented}
    name: {mask: full_name, subject: id}
    since: {mask: keep, why: invented}
"""


def test_a_first_vacuum_counts_no_other_rows(warehouse: Warehouse, new_warehouse: Warehouse) -> None:
    production = Production(warehouse)
    production.execute(
        "CREATE TABLE public.customer (id int PRIMARY KEY, name text NOT NULL, since date NOT NULL)",
        "INSERT INTO public.customer SELECT n, 'Somebody ' || repeat('x', 60) || n, date '2020-01-01' + n % 900"
        f" FROM generate_series(1, {ROWS}) n",
        "ANALYZE",
    )
    version = fill(Place(new_warehouse), production, POLICY)
    with connect(new_warehouse.superuser, application="tests") as session:
        table = f"pantry_v{version}.customer"
        counted = f"SELECT reltuples::int, relpages FROM pg_class WHERE oid = '{table}'::regclass"
        rows, pages = session.query(counted)[0]
        assert rows == ROWS
        session.execute(f"VACUUM {table}")  # as autovacuum does within a minute
        assert session.query(counted) == [(ROWS, pages)]
