"""A sample of what is a sample already is that share of it: the two are drawn independently of each other."""

from __future__ import annotations

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.catalogue import SourceTable
from kitchen.domain.layout import TableName
from kitchen.masking.subset_sql import in_share
from tests.support import Warehouse

ROWS = 20_000


PANTRY = 0.2


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_one_draw_nests_and_another_is_independent_of_it(warehouse: Warehouse, share: float) -> None:
    name = TableName("public", "reading")
    table = SourceTable(name, name, (), primary_key=("id",))
    pantry = in_share(table, PANTRY)
    with connect(warehouse.superuser, application="tests") as session:
        session.execute(f"CREATE TABLE reading AS SELECT n AS id FROM generate_series(1, {ROWS}) n")
        count = f"SELECT count(*) FROM public.reading t WHERE {pantry}"
        whole, same, other = (
            int(session.query(f"{count} AND {wanted}")[0][0])
            for wanted in ("true", in_share(table, share), in_share(table, share, draw=1))
        )
    assert whole == pytest.approx(PANTRY * ROWS, rel=0.1)
    assert same == (whole if share >= PANTRY else pytest.approx(share * ROWS, rel=0.1))
    assert other == pytest.approx(share * whole, rel=0.1)
