"""What the provisioner's own sessions touch of kitchens runs no code of theirs with the provisioner's rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import TableName
from kitchen.errors import NotPermitted, Refused
from tests.contracts.shops import Shop
from tests.support import Warehouse

# spy() writes down as whom it was called; spy_fixed() may stand in an index and in a cast
SPY = """
CREATE TABLE shop.seen (who text);
GRANT INSERT ON shop.seen TO PUBLIC;
CREATE FUNCTION shop.spy(int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN INSERT INTO shop.seen VALUES (current_user); RETURN $1; END $$;
CREATE FUNCTION shop.spy_fixed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM shop.spy($1); RETURN $1; END $$;
INSERT INTO shop.notes VALUES ('one');
"""
THREE = """
CREATE TABLE cand.customer (id int PRIMARY KEY, name text);
INSERT INTO cand.customer VALUES (1, 'a'), (2, 'b'), (3, 'c');
"""
FORCED = """
ALTER TABLE shop.{table} ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY spied ON shop.{table} USING (shop.spy(1) = 1);
"""
CAST = """
CREATE TYPE shop.mood AS ENUM ('1', '2');
CREATE FUNCTION shop.as_number(shop.mood) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RETURN shop.spy_fixed($1::text::int); END $$;
CREATE CAST (shop.mood AS int) WITH FUNCTION shop.as_number(shop.mood) AS IMPLICIT;
CREATE TABLE shop.moody (customer shop.mood);
INSERT INTO shop.moody VALUES ('1');
ALTER TABLE shop.moody ADD CONSTRAINT moody_customer FOREIGN KEY (customer) REFERENCES shop.customer NOT VALID;
"""


@pytest.fixture
def shop(warehouse: Warehouse) -> Iterator[Shop]:
    made = Shop(warehouse)
    made.run(SPY, "owner")
    yield made
    made.session.close()


def callers(shop: Shop) -> set[str]:
    with connect(shop.warehouse.superuser, application="tests") as session:
        return {who for (who,) in session.query("SELECT who FROM shop.seen")}


def test_the_spy_sees_whoever_calls_it(shop: Shop) -> None:
    shop.session.query("SELECT shop.spy(1)")
    assert callers(shop) == {shop.warehouse.administrator.user}


def test_counting_a_table_evaluates_no_policy(shop: Shop) -> None:
    before = shop.publisher.watch([TableName("shop", "notes")])
    shop.run(FORCED.replace("{table}", "notes"), "owner")
    with pytest.raises(NotPermitted, match="row-level security"):
        shop.publisher.watch([TableName("shop", "notes")])
    with pytest.raises(NotPermitted, match="row-level security"):
        shop.publisher.changed(before)
    assert callers(shop) == set()


def test_a_view_is_not_counted(shop: Shop) -> None:
    shop.run("CREATE VIEW shop.spied AS SELECT said FROM shop.notes WHERE shop.spy(1) = 1", "owner")
    with pytest.raises(Refused, match="is no table"):
        shop.publisher.watch([TableName("shop", "spied")])
    assert callers(shop) == set()


def test_a_materialised_view_is_filled_and_indexed_as_its_owner(shop: Shop) -> None:
    shop.run("CREATE MATERIALIZED VIEW shop.spied AS SELECT shop.spy(id) AS id FROM shop.customer", "owner")
    shop.run("CREATE INDEX ON shop.spied (shop.spy_fixed(id)); DELETE FROM shop.seen", "owner")
    shop.build(THREE)
    shop.publish()
    assert shop.value("SELECT count(*) FROM shop.spied") == 3
    assert callers(shop) == {shop.owner}


def test_looking_for_rows_that_refer_to_nothing_evaluates_no_policy(shop: Shop) -> None:
    shop.build("CREATE TABLE cand.orders (id int PRIMARY KEY, customer int); INSERT INTO cand.orders VALUES (1, 1)")
    shop.run(FORCED.replace("{table}", "customer"), "owner")
    with pytest.raises(NotPermitted, match="row-level security"):
        shop.publish(rehearse=True)
    assert callers(shop) == set()
    shop.publish()
    (said,) = shop.publisher.validate([TableName("shop", "orders")])
    assert "row-level security" in said
    assert callers(shop) == set()


def test_no_cast_of_a_kitchen_is_called_for_a_foreign_key(shop: Shop) -> None:
    shop.run(CAST, "owner")
    shop.build(THREE)
    for rehearse in (True, False):
        with pytest.raises(Refused, match=r"moody_customer of shop\.moody joins columns of different types"):
            shop.publish(rehearse=rehearse)
    (said,) = shop.publisher.validate([TableName("shop", "customer")])
    assert "through a cast of somebody's own" in said
    assert callers(shop) == set()


def test_keys_between_domains_and_between_types_of_the_server_are_validated(shop: Shop) -> None:
    shop.run(
        "CREATE DOMAIN shop.number AS int; CREATE DOMAIN shop.counted AS shop.number CHECK (VALUE > 0);"
        "CREATE TABLE shop.wide (customer bigint CONSTRAINT wide_customer REFERENCES shop.customer);"
        "CREATE TABLE shop.domained (customer shop.counted CONSTRAINT domained_customer REFERENCES shop.customer);"
        "INSERT INTO shop.wide VALUES (1); INSERT INTO shop.domained VALUES (2)",
        "owner",
    )
    shop.build(THREE)
    shop.publish(rehearse=True)
    shop.publish()
    assert shop.publisher.validate([TableName("shop", "customer")]) == ()
    assert shop.value("SELECT bool_and(convalidated) FROM pg_constraint WHERE conname LIKE '%_customer'") is True


def test_administrators_sessions_look_nowhere_but_in_the_catalogue(warehouse: Warehouse) -> None:
    with warehouse.sessions.as_administrator() as session:
        settings = [session.query(f"SHOW {name}")[0][0] for name in ("search_path", "row_security")]
    assert settings == ["pg_catalog", "off"]
