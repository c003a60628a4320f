"""Rows reach a pantry the same whichever way they go: binary, as text, within one database, a partition at a time."""

from __future__ import annotations

import os
import re

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.secret import Secret
from kitchen.masking.keys import SECRET_PATH, MaskingKey
from tests.contracts.pantries import Place, Production, fill
from tests.support import Server, Warehouse

WHOLE = os.environ.get("KITCHEN_FAULTS") == "all"

TABLES = """
CREATE TYPE public.mood AS ENUM ('calm', 'o''clock', 'sehr glücklich');
CREATE DOMAIN public.years AS int CHECK (VALUE < 200);
CREATE TABLE public.thing (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(60), born date, seen timestamptz(3),
    plain timestamp, age public.years, mood public.mood, price numeric(12, 3), code uuid, raw bytea,
    flags boolean[], words text[],
    doc jsonb, old json, took interval, ratio float8, fixed char(9), twice int GENERATED ALWAYS AS (age * 2) STORED
);
INSERT INTO public.thing (name, born, seen, plain, age, mood, price, code, raw, flags, words, doc, old, took, ratio,
    fixed)
SELECT 'Name \\ ' || n, date '1960-02-29' + n, timestamptz '2024-03-31 01:30:00.1237+02' + n * interval '1 hour',
    timestamp 'infinity', n % 120, (ARRAY['calm', 'o''clock', 'sehr glücklich'])[n % 3 + 1]::public.mood, n / 7.0,
    gen_random_uuid(), decode('00ff0a5c', 'hex'), ARRAY[true, NULL], ARRAY['a,b', E'tab\\t', '{"x"}', NULL],
    jsonb_build_object('n', n), '{"b": 1,  "a": 2}', interval '1 mon 3 days 04:05:06.7', n * 1e-7, 'c' || n
FROM generate_series(1, 40) n;
INSERT INTO public.thing (name) VALUES (NULL), ('');
CREATE TABLE public.shape (id int PRIMARY KEY, name text, at point, span int4range, mood public.mood[]);
INSERT INTO public.shape VALUES (1, 'Somebody', '(1,2)', '[1,9)', '{calm}');
CREATE TABLE public.event (id int, day date NOT NULL, who text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
"""
PARTITIONS = 230
KEPT = "id, seen, plain, age, mood::text, raw, flags, words, doc, old::text, took, ratio, fixed, twice"


@pytest.fixture
def production(warehouse: Warehouse) -> Production:
    """Return a database with columns of many types and a table of many partitions."""
    found = Production(warehouse)
    found.execute(TABLES)
    found.execute(
        *(
            f"CREATE TABLE public.event_{n} PARTITION OF public.event"
            f" FOR VALUES FROM (date '2024-01-01' + {n}) TO (date '2024-01-01' + {n + 1})"
            for n in range(PARTITIONS)
        ),
        "INSERT INTO public.event SELECT n, date '2024-01-01' + n, 'Person' || n"
        f" FROM generate_series(0, {PARTITIONS - 1}) n",
        "ANALYZE",
    )
    return found


def _policy(production: Production) -> str:
    decided = {
        "thing": {"name": "{mask: full_name, subject: id}", "born": "{mask: date, days: 90, subject: id}",
                  "code": "{mask: hash}", "price": "{mask: number, round: 1}", "twice": "{mask: recompute}"},
        "shape": {"name": "{mask: last_name, subject: id}"},
        "event": {"who": "{mask: first_name, subject: id}"},
    }  # fmt: skip
    lines = ["tables:"]
    for table, known in decided.items():
        rows = production.query(
            "SELECT attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
            f" AND attrelid = 'public.{table}'::regclass ORDER BY attnum"
        )
        lines.append(f"  {table}:")
        lines += [f"    {name}: {known.get(str(name), '{mask: keep, why: invented}')}" for (name,) in rows]
    return "\n".join(lines) + "\n"


def test_every_type_arrives_as_it_was(production: Production, new_warehouse: Warehouse) -> None:
    place = Place(new_warehouse)
    version = fill(place, production, _policy(production))
    kept = f"SELECT {KEPT} FROM {{}}.thing ORDER BY id"
    assert place.query(kept.format(f"pantry_v{version}")) == production.query(kept.format("public"))
    shapes = "SELECT id, at::text, span::text, mood::text FROM {}.shape"
    assert place.query(shapes.format(f"pantry_v{version}")) == production.query(shapes.format("public"))
    days = "SELECT tableoid::regclass::text LIKE '%event\\_%', id, day FROM {}.event ORDER BY id"
    assert place.query(days.format(f"pantry_v{version}")) == production.query(days.format("public"))
    moved = place.query(f"SELECT born - date '1960-02-29' - id::int, id FROM pantry_v{version}.thing WHERE id <= 40")
    assert all(isinstance(days, int) and 0 < abs(days) <= 90 for days, _ in moved)


def test_within_one_database_rows_are_the_same_and_the_key_is_in_no_log(
    production: Production, new_warehouse: Warehouse
) -> None:
    apart = Place(new_warehouse)
    apart_version = fill(apart, production, _policy(production))
    with connect(production.warehouse.superuser, application="tests") as session:
        name = production.warehouse.superuser.database
        session.execute(f"ALTER DATABASE \"{name}\" SET log_statement = 'all'")
        session.execute(f'ALTER DATABASE "{name}" SET debug_print_plan = on')
        begun = session.query("SELECT (pg_stat_file(pg_current_logfile())).size")[0][0]  # other tests wrote there
    within = Place(production.warehouse)
    version = fill(within, production, _policy(production))
    for table in ("thing", "shape", "event"):
        rows = f"SELECT t::text FROM {{}}.{table} t ORDER BY id"
        assert within.query(rows.format(f"pantry_v{version}")) == apart.query(rows.format(f"pantry_v{apart_version}"))
    with connect(production.warehouse.superuser, application="tests") as session:
        log = str(session.query("SELECT pg_read_file(pg_current_logfile(), %s, 1000000000)", [begun])[0][0])
    assert f'INSERT INTO "pantry_v{version}"."thing"' in log
    assert f'COPY "pantry_v{version}"' not in log, "nothing left the server"
    kept = production.secrets.read(SECRET_PATH)
    assert kept is not None
    key = MaskingKey(Secret(kept["key"]))
    domains = ("key/public.thing.id", "key/public.shape.id", "key/public.event.id", "value/hash")
    pads = [half for setting in key.settings(domains) for half in re.findall("[0-9a-f]{64}", setting)]
    assert [secret for secret in (kept["key"], *pads) if secret in log] == []


def test_two_databases_of_one_server_are_two(production: Production, server: Server) -> None:
    with server.database() as other, production.source.snapshot() as snapshot:
        with connect(other.administrator, application="tests") as session:
            assert not snapshot.is_within(session)
        with connect(production.warehouse.administrator, application="tests") as session:
            assert snapshot.is_within(session)


@pytest.mark.skipif(not WHOLE, reason="1,600 tables and 1,100 partitions take minutes: KITCHEN_FAULTS=all")
def test_many_tables_and_partitions_need_no_more_locks_than_a_server_has(
    postgres: Server, new_warehouse: Warehouse
) -> None:
    with postgres.database() as source:
        production = Production(source)
        tables = range(1_600)
        for start in range(0, 1_600, 100):
            production.execute("; ".join(
                f"CREATE TABLE public.t{n} (id int PRIMARY KEY, name text);"
                f"INSERT INTO public.t{n} VALUES (1, 'Somebody')"
                for n in range(start, start + 100)
            ))  # fmt: skip
        production.execute("CREATE TABLE public.p (id int PRIMARY KEY, name text) PARTITION BY RANGE (id)")
        for start in range(0, 1_100, 100):
            production.execute("; ".join(
                f"CREATE TABLE public.p{n} PARTITION OF public.p FOR VALUES FROM ({n}) TO ({n + 1})"
                for n in range(start, start + 100)
            ))  # fmt: skip
        production.execute("INSERT INTO public.p SELECT n, 'Person' || n FROM generate_series(0, 1099) n")
        decided = "{id: {mask: keep, why: invented}, name: {mask: last_name, subject: id}}"
        text = "tables:\n" + "".join(f"  t{n}: {decided}\n" for n in tables) + f"  p: {decided}\n"
        place = Place(new_warehouse)
        assert place.query("SELECT current_setting('max_locks_per_transaction')") == [("64",)]
        version = fill(place, production, text)
        assert place.query(f"SELECT count(*), count(DISTINCT tableoid) FROM pantry_v{version}.p") == [(1_100, 1_100)]
        assert place.query(f"SELECT count(*) FROM pg_tables WHERE schemaname = 'pantry_v{version}'") == [(2_701,)]
        second = fill(place, production, text)
        fill(place, production, text)  # the first version is dropped now
        assert second == version + 1
        assert place.query(f"SELECT count(*) FROM pg_tables WHERE schemaname = 'pantry_v{version}'") == [(0,)]
