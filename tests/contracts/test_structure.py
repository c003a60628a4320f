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
CREATE EXTENSION btree_gist SCHEMA tools;
CREATE DOMAIN shop.email AS shop.citext CHECK (VALUE OPERATOR(shop.~) '@');
CREATE TABLE shop.people (id integer PRIMARY KEY, email shop.email, names shop.citext[], tags tools.hstore,
    note text DEFAULT tools.hstore('a', 'shop.citext')::text, CHECK (tags OPERATOR(tools.->) 'a' <> 'b'));
CREATE TABLE shop.booking (room integer, during daterange, EXCLUDE USING gist (room WITH =, during WITH &&));
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
                "btree_gist": "copied_types",
            }  # fmt: skip
    finally:
        server.drop(one)
        server.drop(other)


NEW_IN_18 = """
CREATE EXTENSION btree_gist;
CREATE TABLE nasty_raw.eighteen (a integer, b integer CONSTRAINT b_named NOT NULL NO INHERIT, during daterange,
    c integer GENERATED ALWAYS AS (a * 2) VIRTUAL, d integer CONSTRAINT "not enforced" CHECK (d > 0) NOT ENFORCED,
    PRIMARY KEY (a, during WITHOUT OVERLAPS));
INSERT INTO nasty_raw.eighteen VALUES (1, 1, '[2026-01-01,2026-02-01)', DEFAULT, -1);
CREATE TABLE nasty_raw.refers_in_time (a integer, during daterange, loose integer,
    FOREIGN KEY (a, PERIOD during) REFERENCES nasty_raw.eighteen (a, PERIOD during),
    CONSTRAINT loose FOREIGN KEY (loose) REFERENCES nasty_raw.chicken NOT ENFORCED);
INSERT INTO nasty_raw.refers_in_time VALUES (1, '[2026-01-05,2026-01-06)', 99);
CREATE TABLE nasty_raw.late_not_null (a integer, b integer);
INSERT INTO nasty_raw.late_not_null VALUES (NULL, NULL);
ALTER TABLE nasty_raw.late_not_null ADD CONSTRAINT late NOT NULL a NOT VALID;
CREATE TABLE nasty_raw.numbered (id integer GENERATED ALWAYS AS IDENTITY, at date) PARTITION BY RANGE (at);
CREATE TABLE nasty_raw.numbered_all PARTITION OF nasty_raw.numbered DEFAULT;
INSERT INTO nasty_raw.numbered (at) VALUES ('2026-01-01'), ('2026-01-02');
"""


def test_what_postgresql_18_brought_is_copied(warehouse18: Warehouse) -> None:
    with connect(warehouse18.superuser, application="tests") as session:
        load_nasty(session)
        session.execute(NEW_IN_18)
        structure = read_structure(session, list(NASTY))
        copy(session, structure, TABLES, TYPES)
        same(catalogue(session, NASTY), catalogue(session, NAMES))
        same(contents(session, NASTY), contents(session, NAMES))


LEFT_OUT = """
CREATE SCHEMA odd; CREATE SCHEMA beyond;
CREATE TABLE beyond.far (id integer PRIMARY KEY);
CREATE TABLE odd.near (id integer CONSTRAINT over_the_edge REFERENCES beyond.far);
CREATE EXTENSION postgres_fdw; CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE odd.remote (id integer) SERVER nowhere;
CREATE FUNCTION odd.in_c(cstring) RETURNS integer LANGUAGE internal IMMUTABLE AS 'int4in';
CREATE FUNCTION odd.plus(text, text) RETURNS text LANGUAGE sql IMMUTABLE RETURN $1 || $2;
CREATE OPERATOR odd.@@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = odd.plus);
CREATE TYPE odd.colour AS ENUM ('red');
CREATE FUNCTION odd.to_colour(integer) RETURNS odd.colour LANGUAGE sql IMMUTABLE RETURN 'red'::odd.colour;
CREATE CAST (integer AS odd.colour) WITH FUNCTION odd.to_colour(integer);
CREATE COLLATION odd.plain FROM "C";
CREATE TEXT SEARCH CONFIGURATION odd.words (COPY = pg_catalog.simple);
CREATE RULE nothing AS ON INSERT TO odd.near DO ALSO NOTHING;
"""


def test_what_cannot_be_carried_is_said(session: PgSession) -> None:
    session.execute(LEFT_OUT)
    structure = read_structure(session, ["odd"])
    assert sorted(structure.left_out) == [
        "cast integer to odd.colour",
        "foreign key over_the_edge of odd.near leaves the copy: FOREIGN KEY (id) REFERENCES beyond.far(id)",
        "function odd.in_c: language internal needs a superuser",
        "odd.remote: a foreign table",
        "operator odd.@@@",
        "rule nothing on odd.near",
        "text search configuration odd.words",
    ]
    copy(session, structure, {"odd": "copied"}, {"odd": "copied_types"})
