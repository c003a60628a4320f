"""A part of what a kitchen reads, as its own tables: from the pantry and from its parents, and nothing dangles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import Layout
from kitchen.domain.masking import Policy
from kitchen.domain.sample import Sample
from kitchen.errors import Conflict
from kitchen.operations.hydrate_sample import copy_sample
from kitchen.operations.subset import Subset
from tests.contracts.databases import load_nasty, load_pagila
from tests.contracts.layers import Place, make_pantry, place
from tests.support import Server, Warehouse

KEYS = """
SELECT count(*) FILTER (WHERE convalidated), count(*) FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE contype = 'f' AND n.nspname = ANY(%s)
"""


@pytest.fixture
def pagila(server: Server, warehouse: Warehouse) -> Iterator[Place]:
    layout = Layout(("public",), holds_production=False)
    made = server.make()
    with connect(made.superuser, application="tests") as source:
        load_pagila(source)
        make_pantry(warehouse, layout, source)
    yield from place(warehouse, layout)
    server.drop(made)


@pytest.fixture
def nasty(server: Server, warehouse: Warehouse) -> Iterator[Place]:
    layout = Layout(("nasty_raw", "nasty_marts"), holds_production=False)
    made = server.make()
    with connect(made.superuser, application="tests") as source:
        load_nasty(source)
        make_pantry(warehouse, layout, source)
    yield from place(warehouse, layout)
    server.drop(made)


def sampled(kitchen: Place, sample: Sample) -> Subset:
    with kitchen.tables.below(kitchen.login, kitchen.layer) as moment:
        return copy_sample(kitchen.tables, kitchen.session, kitchen.layer, moment, sample, policy=Policy())


def keys(kitchen: Place, own: list[str], below: list[str]) -> None:
    """Check that the kitchen has every foreign key of what it copied, and that all hold."""
    assert kitchen.administrator.query(KEYS, [own]) == kitchen.administrator.query(KEYS, [below])


def counts(kitchen: Place, subset: Subset) -> None:
    for table in subset.tables:
        where = f'"{kitchen.layer.own(table.table.schema)}"."{table.table.name}"'
        only = "" if any(table.table == root for root in kitchen_roots(kitchen)) else "ONLY "
        assert kitchen.session.query(f"SELECT count(*) FROM {only}{where}")[0][0] == table.rows, table.table


def kitchen_roots(kitchen: Place) -> list[object]:
    seen = kitchen.tables.visible(kitchen.session, kitchen.layer)
    return [relation.logical for relation in seen if relation.kind == "partitioned table"]


def test_a_tenth_of_pagila_is_a_kitchens_own(pagila: Place) -> None:
    subset = sampled(pagila, Sample(share=0.1, whole_below=100))
    counts(pagila, subset)
    keys(pagila, ["profit"], ["pantry_v1"])
    rows = {table.table.name: table.rows for table in subset.tables}
    assert 0.05 < rows["rental"] / 16044 < 0.3
    assert rows["language"] == 6
    pagila.session.execute("DELETE FROM payment")


def test_parents_tables_come_before_the_pantrys_and_their_keys_hold(pagila: Place) -> None:
    pagila.parent.execute("CREATE TABLE rental AS SELECT * FROM pantry_v1.rental WHERE rental_id % 2 = 0")
    subset = sampled(pagila, Sample(share=0.2, whole_below=100))
    rows = {table.table.name: table.rows for table in subset.tables}
    assert pagila.session.query("SELECT count(*), bool_and(rental_id % 2 = 0) FROM profit.rental") == [
        (rows["rental"], True)
    ]
    nowhere = (
        "SELECT count(*) FROM profit.rental r WHERE NOT EXISTS (SELECT FROM profit.customer c USING (customer_id))"
    )
    nowhere = nowhere.replace("c USING (customer_id)", "c WHERE c.customer_id = r.customer_id")
    assert pagila.session.query(nowhere) == [(0,)]


def test_the_nasty_database_in_half(nasty: Place) -> None:
    subset = sampled(nasty, Sample(share=0.5, whole_below=0))
    counts(nasty, subset)
    keys(nasty, ["profit__nasty_raw", "profit__nasty_marts"], ["pantry_v1__nasty_raw", "pantry_v1__nasty_marts"])


def test_a_row_that_changed_since_it_was_chosen_is_not_missed(pagila: Place) -> None:
    pagila.parent.execute("CREATE TABLE words AS SELECT n AS id, 'w' || n AS word FROM generate_series(1, 3000) n")
    with pagila.tables.below(pagila.login, pagila.layer) as moment:
        catalogue = moment.catalogue()
        pagila.parent.execute("UPDATE words SET word = word || '!'")
        with pytest.raises(Conflict, match=r"rows of public\.words changed"):
            copy_sample(pagila.tables, pagila.session, pagila.layer, moment, Sample(share=0.5), policy=Policy())
    assert any(table.name.name == "words" for table in catalogue.tables)
