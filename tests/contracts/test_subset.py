"""Samples: a consistent part of a real database, whatever its keys look like."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitchen.adapters.postgres.connection import PgSession
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Policy, Reference
from kitchen.domain.sample import Sample, Seed
from kitchen.operations.subset import Subset, chosen
from tests.contracts.pantries import Production
from tests.support import Server, Warehouse

NO_POLICY = Policy()


def sampled(production: Production, sample: Sample, policy: Policy = NO_POLICY) -> Subset:
    with production.source.snapshot() as snapshot:
        return chosen(snapshot, snapshot.catalogue(), policy, sample)


def rows_of(production: Production, subset: Subset, table: str, columns: str = "id") -> set[tuple[object, ...]]:
    """Return the chosen rows of a table, read by their places."""
    pieces = subset.pieces.get(TableName("public", table))
    if pieces is None:
        return set(production.query(f"SELECT {columns} FROM public.{table}"))
    found: set[tuple[object, ...]] = set()
    for piece in pieces:
        text = replace_places(piece)
        found |= set(
            production.query(f'SELECT {columns} FROM ONLY "{piece.table.schema}"."{piece.table.name}" t {text}')
        )
    return found


def replace_places(piece: object) -> str:
    from kitchen.ports import ChosenRows, CopyJob

    assert isinstance(piece, ChosenRows)
    job = CopyJob(piece.table, piece.table, f"WHERE {piece.condition}", (), (), 1, (piece,))
    return job.statement()


SHOP = """
CREATE TABLE country (code text PRIMARY KEY);
CREATE TABLE customer (id integer PRIMARY KEY, country text NOT NULL REFERENCES country,
    friend integer REFERENCES customer);
CREATE TABLE product (id integer PRIMARY KEY);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer);
CREATE TABLE item (order_id integer REFERENCES orders, line integer, product_id integer NOT NULL REFERENCES product,
    PRIMARY KEY (order_id, line));
CREATE TABLE note (id integer PRIMARY KEY, order_id integer, line integer,
    FOREIGN KEY (order_id, line) REFERENCES item);
CREATE TABLE lonely (words text, t text);
INSERT INTO country SELECT 'C' || n FROM generate_series(1, 50) n;
INSERT INTO customer SELECT n, 'C' || n % 50 + 1, CASE WHEN n > 1 THEN n / 2 END FROM generate_series(1, 2000) n;
INSERT INTO product SELECT n FROM generate_series(1, 3000) n;
INSERT INTO orders SELECT n, n % 2000 + 1 FROM generate_series(1, 10000) n;
INSERT INTO item SELECT n / 3 + 1, n % 3, n % 3000 + 1 FROM generate_series(1, 29000) n;
INSERT INTO note SELECT n, CASE WHEN n % 4 > 0 THEN n / 3 + 1 END, n % 3 FROM generate_series(1, 8000) n;
INSERT INTO lonely SELECT 'w' || n % 900 FROM generate_series(1, 4000) n;
ANALYZE;
"""


@pytest.fixture
def shop(warehouse: Warehouse) -> Production:
    production = Production(warehouse)
    with production.session() as session:
        session.execute(f"SET search_path = public; {SHOP}; RESET ALL")
    return production


def test_a_share_brings_what_follows_and_what_is_referred_to(shop: Production) -> None:
    subset = sampled(shop, Sample(share=0.1))
    told = {table.table.name: table for table in subset.tables}
    customers = {row[0] for row in rows_of(shop, subset, "customer")}
    orders = rows_of(shop, subset, "orders", "id, customer_id")
    items = rows_of(shop, subset, "item", "order_id, line, product_id")
    notes = rows_of(shop, subset, "note", "id, order_id, line")
    assert {order[1] for order in orders} <= customers
    assert {item[0] for item in items} <= {order[0] for order in orders}
    assert {item[2] for item in items} <= {row[0] for row in rows_of(shop, subset, "product")}
    assert {note[1:] for note in notes if note[1] is not None} <= {item[:2] for item in items}
    friends = {row[0] for row in rows_of(shop, subset, "customer", "friend")} - {None}
    assert friends <= customers
    assert told["country"].rows == 50
    assert told["country"].rule == "whole: it is small"
    assert 600 < told["orders"].rows < 1500
    assert 2000 < told["item"].rows < 4500
    assert 250 < told["lonely"].rows < 550
    assert any(note[1] is None for note in notes)


@dataclass(frozen=True)
class Drawn:
    """One key of a drawn schema; ``wide`` ones have two columns, ``declared`` ones only the policy knows."""

    child: int
    parent: int
    nullable: bool
    declared: bool
    column: str = field(default="", compare=False)


@dataclass(frozen=True)
class Schema:
    rows: tuple[int, ...]
    wide: tuple[bool, ...]  # the primary key has two columns
    partitioned: tuple[bool, ...]
    keys: tuple[Drawn, ...]


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    size = draw(st.integers(2, 5))
    keys = draw(
        st.lists(
            st.builds(Drawn, st.integers(0, size - 1), st.integers(0, size - 1), st.booleans(), st.booleans()),
            min_size=1, max_size=9, unique=True,
        )
    )  # fmt: skip
    some = st.lists(st.booleans(), min_size=size, max_size=size).map(tuple)
    rows = draw(st.lists(st.integers(1, 40), min_size=size, max_size=size))
    wide, partitioned = draw(some), draw(some)
    named = [replace(key, column=f"f{number}") for number, key in enumerate(keys)]
    return Schema(tuple(rows), wide, partitioned, tuple(named))


samples = st.builds(
    Sample,
    share=st.sampled_from([0.02, 0.1, 0.3, 0.6]),
    seeds=st.dictionaries(
        st.sampled_from(["t0", "t1"]),
        st.sampled_from([Seed(share=0.2), Seed(where="id % 3 = 0"), Seed(where="false")]),
        max_size=2,
    ),
    whole_below=st.sampled_from([0, 5, 20]),
    max_of_any=st.sampled_from([None, 0, 1, 2]),
)


def _made(session: PgSession, drawn: Schema) -> Policy:
    """Make the drawn tables with rows whose keys hold (declared ones: mostly), and return the policy."""
    session.execute("DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s; SET search_path = s")
    for number, rows in enumerate(drawn.rows):
        keys = [key for key in drawn.keys if key.child == number]
        columns = ["id integer NOT NULL", "k integer NOT NULL"]
        filled = ["n, n % 2"]
        for key in keys:
            null = "" if key.nullable else " NOT NULL"
            columns += [f"{key.column} integer{null}", f"{key.column}k integer{null}"]
            target = f"(n * 7 + {len(key.column) + int(key.column[1:]) * 3}) % {drawn.rows[key.parent]} + 1"
            if key.declared:
                target = f"CASE WHEN n % 5 = 0 THEN 1000 + n ELSE {target} END"
            empty = "n % 3 = 0" if key.nullable else "false"
            # each row of a parent is (n, n % 2): what refers to it says the same
            value = f"CASE WHEN {empty} THEN NULL ELSE ({target}) END"
            filled.append(f"{value}, ({value}) % 2")
        kind = " PARTITION BY HASH (id)" if drawn.partitioned[number] else ""
        primary = ", PRIMARY KEY (id, k)" if drawn.wide[number] else ", PRIMARY KEY (id)"
        session.execute(f"CREATE TABLE t{number} ({', '.join(columns)}{primary}){kind}")
        if kind:
            session.execute(f"CREATE TABLE t{number}_a PARTITION OF t{number} FOR VALUES WITH (MODULUS 2, REMAINDER 0)")
            session.execute(f"CREATE TABLE t{number}_b PARTITION OF t{number} FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
        session.execute(f"INSERT INTO t{number} SELECT {', '.join(filled)} FROM generate_series(1, {rows}) n")
    references = []
    for key in drawn.keys:
        wide = drawn.wide[key.parent]
        here = (key.column, f"{key.column}k") if wide else (key.column,)
        there = ("id", "k") if wide else ("id",)
        if key.declared:
            references.append(Reference(f"s.t{key.child}", here, f"s.t{key.parent}", there))
            continue
        names = f"({', '.join(here)}) REFERENCES t{key.parent} ({', '.join(there)})"
        session.execute(f"ALTER TABLE t{key.child} ADD FOREIGN KEY {names}")
    session.execute("RESET search_path")
    return Policy(references=tuple(references))


def _ids(session: PgSession, subset: Subset, drawn: Schema) -> list[dict[int, tuple[object, ...]]]:
    """Return, for each table, the chosen rows by their id."""
    found = []
    for number in range(len(drawn.rows)):
        pieces = subset.pieces.get(TableName("s", f"t{number}"))
        rows: dict[int, tuple[object, ...]] = {}
        columns = ", ".join(["id", *(key.column for key in drawn.keys if key.child == number)])
        if pieces is None:
            rows = {row[0]: row[1:] for row in session.query(f"SELECT {columns} FROM s.t{number}")}
        for piece in pieces or ():
            text = replace_places(piece)
            some = session.query(f"SELECT {columns} FROM ONLY s.{piece.table.name} t {text}")
            assert len(some) == piece.rows
            rows |= {row[0]: row[1:] for row in some}
        assert len(rows) == next(t.rows for t in subset.tables if t.table == TableName("s", f"t{number}"))
        found.append(rows)
    return found


@pytest.fixture(scope="module")
def anywhere(postgres: Server) -> Iterator[Production]:
    made = postgres.make()
    yield Production(made, schemas=("s",))
    postgres.drop(made)


EXAMPLES = 400 if os.environ.get("KITCHEN_FAULTS") == "all" else 15


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schemas(), samples, st.sampled_from([0.15, 0.5, 1.0]))
def test_nothing_dangles_and_more_contains_less(
    anywhere: Production, drawn: Schema, sample: Sample, more: float
) -> None:
    with anywhere.session() as session:
        policy = _made(session, drawn)
        assert sample.share is not None
        larger = replace(sample, share=max(sample.share, more))
        few = _ids(session, sampled(anywhere, sample, policy), drawn)
        many = _ids(session, sampled(anywhere, larger, policy), drawn)
        for number, rows in enumerate(few):
            assert rows.keys() <= many[number].keys(), f"t{number} is not nested"
        for chosen_rows in (few, many):
            for key in drawn.keys:
                position = [other for other in drawn.keys if other.child == key.child].index(key)
                wanted = {row[position] for row in chosen_rows[key.child].values()} - {None}
                existing = {value for value in wanted if isinstance(value, int) and value <= 1000}
                assert existing <= chosen_rows[key.parent].keys(), key
