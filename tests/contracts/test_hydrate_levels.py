"""Copies of copies: what a layer in between could not hold comes back where both ends are; what it dropped does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.tables import PgTables
from kitchen.domain.layout import Layer, Layout, TableName
from kitchen.ports import Hydrated
from tests.contracts.layers import Place, make_pantry, place
from tests.support import Warehouse

SHOP = """
CREATE TABLE customer (id integer PRIMARY KEY, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer CONSTRAINT of_customer REFERENCES customer);
CREATE TABLE visit (at date, customer integer CONSTRAINT by_customer REFERENCES customer) PARTITION BY RANGE (at);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE line (id integer PRIMARY KEY, orders integer CONSTRAINT of_orders REFERENCES orders);
CREATE VIEW bought AS SELECT name, count(*) AS n FROM customer JOIN orders ON orders.customer = customer.id GROUP BY 1;
INSERT INTO customer SELECT n, 'N' || n FROM generate_series(1, 9) n;
INSERT INTO orders SELECT n, n % 9 + 1 FROM generate_series(1, 30) n;
INSERT INTO visit SELECT '2026-05-05', n FROM generate_series(1, 9) n;
INSERT INTO line SELECT n, n % 30 + 1 FROM generate_series(1, 90) n;
"""
KEYS = """
SELECT c.relname || ' ' || k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_class t ON t.oid = k.confrelid WHERE k.contype = 'f' AND k.convalidated AND t.relkind IN ('r', 'p')
    AND c.relnamespace = %s::regnamespace AND t.relnamespace = c.relnamespace ORDER BY 1
"""


@pytest.fixture
def shop(warehouse: Warehouse) -> Iterator[Place]:
    layout = Layout(("public",), holds_production=False)
    with connect(warehouse.superuser, application="tests") as source:
        source.execute(f"SET search_path = public; {SHOP}; RESET ALL")
        make_pantry(warehouse, layout, source)
    yield from place(warehouse, layout)


def above(shop: Place, name: str) -> Hydrated:
    """Copy a table into the parent."""
    layer = Layer(shop.layer.layout, shop.layer.parents[0], ())
    done = PgTables().hydrate(shop.parent, layer, TableName("public", name))
    assert done is not None
    return done


def keys(shop: Place) -> list[str]:
    return [row[0] for row in shop.session.query(KEYS, ["profit"])]


@pytest.mark.parametrize("order", [("customer", "orders", "visit"), ("visit", "orders", "customer")])
def test_a_key_that_a_parent_could_not_have_comes_to_the_kitchen_that_has_both_ends(
    shop: Place, order: tuple[str, ...]
) -> None:
    above(shop, "orders")
    above(shop, "visit")
    for name in order:
        shop.hydrate(name)
    assert keys(shop) == ["orders of_customer", "visit by_customer", "visit_1 by_customer"]


def test_of_a_copy_of_a_copy_it_is_said_which_key_is_missing(shop: Place) -> None:
    first = above(shop, "orders")
    done = shop.hydrate("orders")
    assert done is not None
    assert done.source.schema == "dev"
    said = ["foreign key of_customer of public.orders: no key crosses a layer"]
    assert [line.partition(" (")[0] for line in first.left_out] == said
    assert [line.partition(" (")[0] for line in done.left_out] == said


def test_a_key_that_a_parent_dropped_stays_away(shop: Place) -> None:
    above(shop, "orders")
    above(shop, "customer")
    shop.parent.execute("ALTER TABLE orders DROP CONSTRAINT of_customer")
    done = shop.hydrate("orders")
    assert done is not None
    assert done.left_out == ()
    shop.hydrate("customer")
    shop.hydrate("line")
    assert keys(shop) == ["line of_orders"]


def test_a_parent_that_copies_later_changes_nothing_below(shop: Place) -> None:
    shop.hydrate("customer")
    shop.hydrate("orders")
    above(shop, "orders")
    shop.parent.execute("DELETE FROM orders; CREATE VIEW few AS SELECT id FROM orders")
    assert shop.session.query("SELECT count(*), (SELECT count(*) FROM few) FROM orders") == [(30, 0)]
    assert shop.session.query("SELECT sum(n) FROM bought") == [(30,)]
    shop.hydrate("line")
    assert keys(shop) == ["line of_orders", "orders of_customer"]


CHILDS = (
    "CREATE VIEW few AS SELECT * FROM named WHERE id < 4; CREATE VIEW fewer AS SELECT * FROM counted, how_many() h;"
    "CREATE FUNCTION of_parents() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM named; END"
)
PARENTS = (
    "CREATE VIEW named (id, label) WITH (security_barrier) AS SELECT id, 'the ' || name FROM customer;"
    "COMMENT ON VIEW named IS 'kept'; CREATE VIEW over_named AS SELECT label FROM named;"
    "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM customer;"
    "COMMENT ON MATERIALIZED VIEW counted IS 'kept';"
    "CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM customer; END;"
    "CREATE FUNCTION writes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER writes INSTEAD OF UPDATE ON named FOR EACH ROW EXECUTE FUNCTION writes()"
)
STANDS_ON = """
SELECT DISTINCT m.nspname::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class JOIN pg_class c ON c.oid = d.refobjid
JOIN pg_namespace m ON m.oid = c.relnamespace
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND v.relnamespace = %s::regnamespace AND c.oid <> v.oid ORDER BY 1
"""


def test_views_of_children_do_not_keep_a_parent_from_its_copy(shop: Place) -> None:
    shop.parent.execute(PARENTS)
    shop.session.execute(CHILDS.replace("counted, how_many()", "customer, how_many()"))
    above(shop, "customer")
    shop.parent.execute("DELETE FROM customer WHERE id > 2")
    assert shop.session.query("SELECT label FROM few") == [("the N1",), ("the N2",)]
    assert shop.session.query("SELECT of_parents(), (SELECT count(*) FROM over_named)") == [(2, 2)]
    kept = "SELECT obj_description('named'::regclass), count(*) FROM pg_trigger WHERE tgrelid = 'named'::regclass"
    assert shop.parent.query(kept) == [("kept", 1)]
    assert shop.parent.query("SELECT reloptions::text, n FROM pg_class, counted WHERE oid = 'named'::regclass") == [
        ("{security_barrier=true}", 9)  # it was counted when it was made anew
    ]


def newer(shop: Place, change: str = "") -> Layer:
    """Make a second version of the pantry and return the parent's layer over it."""
    shop.administrator.execute(
        "CREATE SCHEMA pantry_v2;"
        "CREATE TABLE pantry_v2.customer AS SELECT id, name FROM pantry_v1.customer WHERE id < 3;"
        f"{change} GRANT USAGE ON SCHEMA pantry_v2 TO PUBLIC; GRANT SELECT ON pantry_v2.customer TO PUBLIC"
    )
    return over_newer(shop)


def over_newer(shop: Place) -> Layer:
    return Layer(shop.layer.layout, replace(shop.layer.parents[0], pantry=2), ())


def test_views_of_children_do_not_keep_a_parent_on_an_older_pantry(shop: Place) -> None:
    shop.parent.execute(PARENTS)
    shop.session.execute(CHILDS)
    said = PgTables().rebind(shop.administrator, newer(shop))
    assert [line.partition(" still ")[0] for line in said] == ["dev.counted"]  # fewer stands on its rows
    shop.session.execute("DROP VIEW fewer")
    assert PgTables().rebind(shop.administrator, over_newer(shop)) == ()
    assert shop.session.query("SELECT of_parents(), (SELECT n FROM counted), how_many()") == [(2, 2, 2)]
    assert shop.administrator.query(STANDS_ON, ["dev"]) == [("dev",), ("pantry_v2",)]
    kept = "SELECT obj_description('named'::regclass), obj_description('counted'::regclass)"
    assert shop.parent.query(kept) == [("kept", "kept")]


def test_a_view_whose_columns_change_their_type_is_made_anew(shop: Place) -> None:
    shop.parent.execute(PARENTS)
    layer = newer(shop, "ALTER TABLE pantry_v2.customer ALTER COLUMN id TYPE bigint;")
    assert PgTables().rebind(shop.administrator, layer) == ()
    assert shop.parent.query("SELECT pg_typeof(id)::text, count(*) FROM named GROUP BY 1") == [("bigint", 2)]
    assert shop.parent.query("SELECT obj_description('named'::regclass), count(*) FROM over_named") == [("kept", 2)]
    assert shop.administrator.query(STANDS_ON, ["dev"]) == [("dev",), ("pantry_v2",)]
