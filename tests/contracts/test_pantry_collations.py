"""Collations of a source come along as its types do: once, beside them, and never changed under a table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import TableName
from kitchen.errors import KitchenError, Refused
from tests.contracts.catalogue import catalogue, contents, same
from tests.contracts.pantries import Place, Production, fill
from tests.support import Server, Warehouse

SCHEMAS = ("shop", "marts")
ICU = "PROVIDER = icu, LOCALE = 'de-u-co-phonebk'"
PLAIN = "PROVIDER = libc, LC_COLLATE = 'C', LC_CTYPE = 'C.utf8'"  # the wheel's server is built without ICU
TABLES = """
CREATE SCHEMA shop; CREATE SCHEMA marts;
GRANT USAGE ON SCHEMA shop, marts TO kitchen_provisioner;
CREATE COLLATION shop."Phone book" (SPECIAL);
COMMENT ON COLLATION shop."Phone book" IS 'as in a telephone book';
CREATE COLLATION marts.same_name FROM "C";
CREATE TYPE shop.same_name AS ENUM ('a');
CREATE TYPE shop.address AS (street text COLLATE shop."Phone book", number integer);
CREATE DOMAIN shop.name AS text COLLATE shop."Phone book" CHECK (VALUE <> '' COLLATE shop."Phone book");
CREATE TYPE shop.name_range AS RANGE (SUBTYPE = text, COLLATION = shop."Phone book");
CREATE TABLE shop.customer (
    id integer PRIMARY KEY, name shop.name, other text COLLATE shop."Phone book" UNIQUE,
    plain text COLLATE marts.same_name, kind shop.same_name, at shop.address,
    between_names shop.name_range, CHECK (other > 'A' COLLATE shop."Phone book"));
CREATE INDEX ON shop.customer (plain COLLATE shop."Phone book");
CREATE TABLE marts.parted (name text COLLATE shop."Phone book") PARTITION BY RANGE (name COLLATE marts.same_name);
CREATE TABLE marts.parted_1 PARTITION OF marts.parted FOR VALUES FROM ('a') TO ('z');
CREATE VIEW marts.sorted AS SELECT name, plain COLLATE shop."Phone book" AS plain FROM shop.customer
    ORDER BY other COLLATE marts.same_name;
CREATE FUNCTION shop.first(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN a < (b COLLATE shop."Phone book") THEN a ELSE b END;
INSERT INTO shop.customer SELECT n, 'N' || n, 'O' || n, 'P', 'a', ROW('s', n)::shop.address, '[a,b]'
    FROM generate_series(1, 20) n;
INSERT INTO marts.parted VALUES ('hello');
GRANT SELECT ON ALL TABLES IN SCHEMA shop, marts TO kitchen_provisioner;
"""
KEEP = "{mask: keep, why: invented}"
COLUMNS = {
    "shop.customer": ("id", "name", "other", "plain", "kind", "at", "between_names"), "marts.parted": ("name",),
}  # fmt: skip
POLICY = "tables:\n" + "".join(
    f"  {table}:\n" + "".join(f"    {column}: {KEEP}\n" for column in columns) for table, columns in COLUMNS.items()
)


@pytest.fixture
def production(server: Server) -> Iterator[Production]:
    made = Production(server.make(), SCHEMAS)
    with connect(made.warehouse.superuser, application="tests") as session:
        session.execute(TABLES.replace("SPECIAL", ICU if server.version == 15 else PLAIN))
    yield made
    server.drop(made.warehouse)


def test_a_version_and_a_kitchens_copy_have_the_collations_of_production(
    production: Production, warehouse: Warehouse
) -> None:
    place, said = Place(warehouse, SCHEMAS), list[str]()
    version = fill(place, production, POLICY, said)
    types = {place.layout.types(name): name for name in SCHEMAS}
    with (
        connect(production.warehouse.superuser, application="tests") as above,
        connect(warehouse.superuser, application="tests") as below,
    ):
        source = catalogue(above, {name: name for name in SCHEMAS})
        source = {key: facts for key, facts in source.items() if key != ("relation", "marts", "sorted")}  # its options
        pantry = types | {place.layout.pantry(version, name): name for name in SCHEMAS}
        copied = catalogue(below, pantry)
        same(source, {key: facts for key, facts in copied.items() if key != ("relation", "marts", "sorted")})
        assert len([key for key in source if key[0] == "collation"]) == 2
        layer = place.layer(place.standing())
        with connect(place.login, application="tests") as session:
            place.tables.hydrate(session, layer, TableName("shop", "customer"))
            place.tables.hydrate(session, layer, TableName("marts", "parted"))
            assert session.query("SELECT name, plain FROM sorted LIMIT 1") == [("N1", "P")]
        own = types | {layer.own(name): name for name in SCHEMAS}
        same(copied, catalogue(below, own))
        assert contents(below, pantry) == contents(below, own)


def test_a_collation_that_changed_stops_the_next_version(production: Production, warehouse: Warehouse) -> None:
    place = Place(warehouse, SCHEMAS)
    fill(place, production, POLICY)
    assert fill(place, production, POLICY) == 2  # what is there already is left as it is
    with connect(production.warehouse.superuser, application="tests") as session:
        session.execute(
            'ALTER COLLATION shop."Phone book" RENAME TO older;'
            "CREATE COLLATION shop.\"Phone book\" (PROVIDER = libc, LC_COLLATE = 'POSIX', LC_CTYPE = 'POSIX')"
        )
    with pytest.raises(Refused, match=r"collation shop\.Phone book has another definition there"):
        fill(place, production, POLICY)


def test_a_server_without_icu_says_so_with_the_collations_name(postgres15: Server, warehouse18: Warehouse) -> None:
    with postgres15.database() as made:
        production = Production(made)
        production.execute(
            "CREATE COLLATION public.german (PROVIDER = icu, LOCALE = 'de')",
            "CREATE TABLE public.person (name text COLLATE public.german)",
        )
        place = Place(warehouse18)
        with pytest.raises(KitchenError, match=r"collation public\.german: .*ICU is not supported") as refused:
            fill(place, production, f"tables: {{person: {{name: {KEEP}}}}}")
        assert "the environment one that has it" in str(refused.value.hint)
