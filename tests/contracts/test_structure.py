"""A copy cannot be told from its source: every object of the catalogue, compared one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.adapters.postgres.structure import read_structure, type_conflicts, type_statements
from tests.contracts.catalogue import catalogue, contents, crossings, differences, same
from tests.contracts.databases import copy, load_nasty, load_pagila, run
from tests.support import Server, Warehouse

NASTY = {"nasty_raw": "nasty_raw", "nasty_marts": "nasty_marts"}
TABLES = {"nasty_raw": "zz_raw", "nasty_marts": "zz_marts"}
TYPES = {"nasty_raw": "zz_types_raw", "nasty_marts": "zz_types_marts"}
NAMES = {physical: logical for mapping in (TYPES, TABLES) for logical, physical in mapping.items()}


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[PgSession]:
    with connect(warehouse.superuser, application="tests") as opened:
        yield opened


def test_pagila_is_copied_object_by_object(session: PgSession) -> None:
    load_pagila(session)
    copy(session, read_structure(session, ["public"]), {"public": "copy_of_p"}, {"public": "copy_of_p_types"})
    names = {"copy_of_p_types": "public", "copy_of_p": "public"}
    source = catalogue(session, {"public": "public"})
    assert len(source) > 300
    same(source, catalogue(session, names))
    same(contents(session, {"public": "public"}), contents(session, names))
    assert crossings(session, list(names), ["public"]) == []


def test_the_nasty_database_is_copied_object_by_object(session: PgSession) -> None:
    load_nasty(session)
    structure = read_structure(session, list(NASTY))
    assert structure.left_out == ()
    copy(session, structure, TABLES, TYPES)
    same(catalogue(session, NASTY), catalogue(session, NAMES))
    same(contents(session, NASTY), contents(session, NAMES))
    assert crossings(session, list(NAMES), list(NASTY)) == []
    assert crossings(session, list(NASTY), list(NASTY)) != []  # it can see them


CHANGES = [
    'DROP INDEX zz_raw."Mixed ON nasty_raw.x USING "',
    "ALTER TABLE ONLY zz_raw.animals ALTER COLUMN name SET DEFAULT 'crow'",
    "ALTER SEQUENCE zz_raw.shared_seq RESTART",
    'COMMENT ON COLUMN zz_marts.orders_view."Order Id" IS NULL',
    "ALTER VIEW zz_marts.orders_view RESET (security_barrier)",
    "CREATE OR REPLACE FUNCTION zz_types_raw.same(integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN $1 + 1",
    "ALTER TABLE zz_raw.customers DISABLE TRIGGER late",
]


def test_the_comparison_sees_every_change(session: PgSession) -> None:
    load_nasty(session)
    copy(session, read_structure(session, list(NASTY)), TABLES, TYPES)
    source = catalogue(session, NASTY)
    for change in CHANGES:
        session.execute("BEGIN")
        session.execute(change)
        assert len(differences(source, catalogue(session, NAMES))) == 1, change
        session.execute("ROLLBACK")


def test_types_are_added_to_and_never_replaced(session: PgSession) -> None:
    load_nasty(session)
    first = read_structure(session, list(NASTY))
    copy(session, first, TABLES, TYPES)
    there = read_structure(session, list(TYPES.values()))
    assert type_conflicts(first, TYPES, there) == ()
    assert [one.what for one in type_statements(first, TYPES, there)] == ["bodies unchecked"]
    session.execute(
        "ALTER TYPE nasty_raw.mood ADD VALUE 'between' AFTER 'sad'; CREATE TYPE nasty_raw.fresh AS ENUM ('x');"
        'ALTER DOMAIN nasty_raw."select" ADD CHECK (VALUE < 100);'
        "CREATE OR REPLACE FUNCTION nasty_raw.same(integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN $1 + 0;"
        "DROP FUNCTION nasty_raw.set_amount CASCADE; CREATE FUNCTION nasty_raw.set_amount() RETURNS integer"
        " LANGUAGE sql IMMUTABLE RETURN 1"
    )
    second = read_structure(session, list(NASTY))
    assert type_conflicts(second, TYPES, there) == (
        "type nasty_raw.select has another definition there",
        "function nasty_raw.set_amount returns something else there",
    )
    with session.transaction():
        run(session, type_statements(second, TYPES, there))
    labels = "SELECT enumlabel FROM pg_enum WHERE enumtypid = 'zz_types_raw.mood'::regtype ORDER BY enumsortorder"
    assert [row[0] for row in session.query(labels)] == ["sad", "between", "it's ok", "back\\slash", "ünïcode"]
    assert session.query("SELECT 'x'::zz_types_raw.fresh")


EXTENDED = """
CREATE SCHEMA tools; CREATE SCHEMA shop;
CREATE EXTENSION citext SCHEMA shop; CREATE EXTENSION hstore SCHEMA tools; CREATE EXTENSION pg_trgm SCHEMA tools;
CREATE DOMAIN shop.email AS shop.citext CHECK (VALUE OPERATOR(shop.~) '@');
CREATE TABLE shop.people (id integer PRIMARY KEY, email shop.email, names shop.citext[], tags tools.hstore,
    note text DEFAULT tools.hstore('a', 'shop.citext')::text, CHECK (tags OPERATOR(tools.->) 'a' <> 'b'));
CREATE INDEX people_names ON shop.people USING gin (note tools.gin_trgm_ops);
CREATE VIEW shop.similar_people AS SELECT one.id FROM shop.people one JOIN shop.people other
    ON one.note OPERATOR(tools.%) other.note AND one.email = other.email;
INSERT INTO shop.people VALUES (1, 'A@b', '{X}', 'a=>c');
"""


def test_extensions_are_made_where_they_are_missing_and_named_where_they_are(server: Server) -> None:
    one, other = server.make(), server.make()
    try:
        with connect(one.superuser, application="tests") as source, other.sessions.as_administrator() as target:
            source.execute(EXTENDED)
            target.execute("CREATE SCHEMA elsewhere; CREATE EXTENSION hstore SCHEMA elsewhere")
            structure = read_structure(source, ["shop"])
            assert structure.left_out == ()
            copy(source, structure, {"shop": "copied"}, {"shop": "copied_types"}, into=target)
            assert target.query("SELECT id FROM copied.similar_people WHERE id = 1") == [(1,)]
            assert target.query("SELECT email::text, tags::text FROM copied.people") == [("A@b", '"a"=>"c"')]
            where = "SELECT x.extname, n.nspname FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace"
            assert dict(target.query(where)) == {
                "plpgsql": "pg_catalog", "citext": "copied_types", "hstore": "elsewhere", "pg_trgm": "copied_types",
            }  # fmt: skip
    finally:
        server.drop(one)
        server.drop(other)
