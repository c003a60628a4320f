"""Every type of PostgreSQL has a safe answer: masked, left out or recomputed; or the refresh stops with the column."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.errors import KitchenError, Refused
from tests.contracts.pantries import Place, Production, fill, policy, scanned
from tests.support import Server, Warehouse

# One value that could tell somebody, for each type that a column can have.
VALUES = {
    "bigint": "4539578763621486", "bit(8)": "B'10110010'", "bit varying": "B'1011001010'", "boolean": "true",
    "box": "'(48.1,16.3),(48.2,16.4)'", "bytea": "'canary'", '"char"': "'Z'", "character(9)": "'CanaryBob'",
    "character varying(20)": "'Canary Bob'", "cidr": "'81.2.69.0/24'", "circle": "'<(48.1,16.3),2>'",
    "date": "'1984-03-17'", "double precision": "48.20849", "inet": "'81.2.69.142'", "integer": "912345",
    "interval": "'31 years'", "json": """'{"name": "Canary Bob"}'""", "jsonb": """'{"name": "Canary Bob"}'""",
    "line": "'{1,2,3}'", "lseg": "'[(48.1,16.3),(48.2,16.4)]'", "macaddr": "'3c:22:fb:ca:4a:71'",
    "macaddr8": "'3c:22:fb:ff:fe:ca:4a:71'", "money": "'1234.56'", "name": "'canary_bob'", "numeric": "52000.17",
    "numeric(9,2)": "52000.17", "oid": "424242", "path": "'[(48.1,16.3),(48.2,16.4)]'", "pg_lsn": "'16/B374D848'",
    "point": "'(48.1,16.3)'", "polygon": "'((48.1,16.3),(48.2,16.4),(48.3,16.5))'", "real": "48.2",
    "regclass": "'public.everything'", "regtype": "'public.feeling'", "regrole": "'pg_monitor'",
    "regproc": "'public.touch'", "regnamespace": "'public'", "regcollation": "'pg_catalog.\"C\"'",
    "regconfig": "'english'", "regdictionary": "'simple'", "regoper": "'||/'", "regoperator": "'+(integer,integer)'",
    "regprocedure": "'public.touch()'", "smallint": "31234", "text": "'Canary Bob lives here'",
    "time": "'07:31:17'", "timetz": "'07:31:17+01'", "timestamp": "'1984-03-17 07:31:17'",
    "timestamptz": "'1984-03-17 07:31:17+01'", "tid": "'(42,42)'", "tsquery": "'canary & bob'",
    "tsvector": "'canary bob'", "pg_snapshot": "'10:20:10,14,15'", "txid_snapshot": "'10:20:10,14,15'",
    "uuid": "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "xid": "'4242'", "xid8": "'424242'", "cid": "'4242'",
    "xml": "'<name>Canary Bob</name>'", "jsonpath": "'$.canary'", "int4range": "'[31234,31239)'",
    "int8range": "'[31234,31239)'", "numrange": "'[52000.1,52000.2]'", "daterange": "'[1984-03-17,1984-03-19)'",
    "tsrange": "'[1984-03-17,1984-03-19)'", "tstzrange": "'[1984-03-17,1984-03-19)'",
    "int4multirange": "'{[31234,31239)}'", "int8multirange": "'{[31234,31239)}'",
    "nummultirange": "'{[52000.1,52000.2]}'",
    "datemultirange": "'{[1984-03-17,1984-03-19)}'", "tsmultirange": "'{[1984-03-17,1984-03-19)}'",
    "tstzmultirange": "'{[1984-03-17,1984-03-19)}'", "text[]": "ARRAY['Canary Bob', NULL]",
    "integer[]": "ARRAY[912345]",
    "jsonb[]": """ARRAY['{"name": "Canary"}']::jsonb[]""", "date[]": "ARRAY['1984-03-17']::date[]",
    "inet[]": "ARRAY['81.2.69.142']::inet[]", "int4range[]": "ARRAY['[31234,31239)']::int4range[]",
    "public.feeling": "'sad'", "public.feeling[]": "ARRAY['sad']::public.feeling[]",
    "public.place": "'(\"Canary Row\",5)'", "public.place[]": "ARRAY['(\"Canary Row\",5)']::public.place[]",
    "public.mail": "'canary@bob.example'", "public.mails": "ARRAY['canary@bob.example']", "public.small": "31234",
    "public.names": "ARRAY['Canary']", "public.at_home": "'[07:00,08:00)'", "refcursor": "'canary'",
    "character varying(20)[]": "ARRAY['Canary Bob']", "oidvector": "'4242 4243'", "int2vector": "'4242 4243'",
}  # fmt: skip
# What no table of a user can have, or nobody can write a value of.
NOT_COLUMNS = {
    "pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary", "gtsvector", "aclitem",
}  # fmt: skip
# May stay, with the reason that the proposal gives: when something happened, yes or no, one of a fixed list.
MAY_STAY = {
    "boolean", "date", "timestamp", "timestamptz", "interval", "time", "timetz", "public.feeling",
}  # fmt: skip

TYPES = """
CREATE TYPE public.feeling AS ENUM ('sad', 'glad');
CREATE TYPE public.place AS (street text, door integer);
CREATE DOMAIN public.mail AS text CHECK (VALUE ~ '@');
CREATE DOMAIN public.mails AS text[];
CREATE DOMAIN public.names AS public.mails;
CREATE DOMAIN public.small AS integer CHECK (VALUE >= 0);
CREATE TYPE public.at_home AS RANGE (subtype = time);
CREATE FUNCTION public.touch() RETURNS integer LANGUAGE sql AS 'SELECT 1';
"""


def _name(kind: str) -> str:
    return "c " + kind.replace('"', "one ")


def _table(name: str, ending: str) -> str:
    columns = ", ".join(f'"{_name(kind)}" {kind}{"" if kind == "xml" else ending}' for kind in VALUES)
    return f"CREATE TABLE public.{name} (id int PRIMARY KEY, {columns})"


@pytest.fixture
def production(server: Server) -> Iterator[Production]:
    """Return a database with a column of every type, that takes NULL and that does not."""
    made = server.make()
    planted = Production(made)
    planted.execute(TYPES, _table("everything", ""), _table("filled", " NOT NULL"))
    with planted.session() as session:
        try:
            session.query("SELECT '<a/>'::xml")
            values = ", ".join(VALUES.values())
        except KitchenError:  # built without libxml: such a column holds nothing, and stands in the table all the same
            values = ", ".join("NULL" if kind == "xml" else value for kind, value in VALUES.items())
    for table in ("everything", "filled"):
        planted.execute(f"INSERT INTO public.{table} SELECT n, {values} FROM generate_series(1, 3) n")
    planted.execute("INSERT INTO public.everything (id) VALUES (4)")
    yield planted
    server.drop(made)


def test_no_type_of_this_server_was_forgotten(production: Production) -> None:
    known = {str(row[0]) for row in production.query(
        "SELECT DISTINCT e.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e"
        " ON e.oid IN (t.oid, CASE WHEN t.typcategory = 'A' THEN t.typelem END)"
        " WHERE a.attrelid = 'public.everything'::regclass AND a.attnum > 0")}  # fmt: skip
    there = {str(row[0]) for row in production.query(
        "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm')"
        " AND typcategory NOT IN ('A', 'P') AND typname NOT LIKE 'pg\\_toast%'")}  # fmt: skip
    assert there - known - NOT_COLUMNS == set()


def test_every_type_is_masked_or_left_out_of_the_pantry(production: Production, new_warehouse: Warehouse) -> None:
    place = Place(new_warehouse)
    text = scanned(production)
    decided = policy(text)
    left = [_name(kind) for kind in VALUES if _name(kind) not in decided.tables["filled"].columns]
    assert set(left) <= {"c public.place"}  # nothing is empty in a composite type that takes no NULL
    if left:
        with pytest.raises(Refused, match=r"public.filled.c public.place"):
            fill(place, production, text)
        text = text.replace("  filled:\n", "  filled:\n" + "".join(f'    "{name}": {{mask: drop}}\n' for name in left))
        decided = policy(text)
    version = fill(place, production, text)
    for table in ("everything", "filled"):
        for kind in VALUES:
            column = _name(kind)
            decision = decided.tables[table].columns[column]
            if decision.mask.value == "drop":
                continue
            if decision.mask.value == "keep":
                assert kind in MAY_STAY, (table, kind)
                continue
            query = f'SELECT "{column}"::text FROM {{}}.{table} WHERE id = 1'
            theirs = production.query(query.format("public"))[0][0]
            ours = place.query(query.format(f"pantry_v{version}"))[0][0]
            assert ours != theirs or theirs is None, (table, kind, decision)
    assert "canary" not in place.everything(version).lower()


@pytest.mark.parametrize("kind", ["oid", "tsvector", "public.place", "xml", "bytea", "inet", "text[]", "point"])
def test_a_type_that_could_tell_somebody_is_not_kept_without_a_reason(
    production: Production, new_warehouse: Warehouse, kind: str
) -> None:
    text = scanned(production)
    starts = (f"    c {kind}:", f'    "c {kind}":')
    lines = [f'    "c {kind}": {{mask: keep}}' if line.startswith(starts) else line for line in text.splitlines()]
    assert text.splitlines() != lines
    with pytest.raises(Refused) as caught:
        fill(Place(new_warehouse), production, "\n".join(lines))
    assert f"c {kind}" in caught.value.message
