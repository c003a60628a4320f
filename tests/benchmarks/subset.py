"""How long a consistent sample of a large database takes, from the first look to the last foreign key.

    python -m tests.benchmarks.subset [ROWS [SHARE]]

The schema has a circle (departments have a head, employees have a department), two self references, a composite key
and a key that the database does not declare. Prints the seconds of choosing, and of the whole refresh around it, and
counts references that lead nowhere.
"""

from __future__ import annotations

import resource
import sys
import time

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.source import PgSource
from kitchen.domain.masking import Decision, MaskKind, Policy, Reference, TablePolicy
from kitchen.domain.sample import Sample
from kitchen.operations.pantry_refresh import Refresh, refresh
from kitchen.operations.subset import chosen
from tests.conftest import _server
from tests.contracts.pantries import Place
from tests.support import PasswordsInMemory, Warehouse

_TABLES = """
SET search_path = public;
CREATE TABLE region (id integer PRIMARY KEY, name text);
CREATE TABLE department (id integer PRIMARY KEY, head integer NOT NULL, name text);
CREATE TABLE employee (id integer PRIMARY KEY, department integer NOT NULL, manager integer, name text);
CREATE TABLE customer (id integer PRIMARY KEY, region integer NOT NULL, referred_by integer, name text, email text);
CREATE TABLE product (id integer PRIMARY KEY, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer NOT NULL, seller integer NOT NULL, at date, total real);
CREATE TABLE item ("order" integer, line integer, product integer NOT NULL, price numeric, PRIMARY KEY ("order", line));
CREATE TABLE complaint (id integer PRIMARY KEY, "order" integer, line integer, words text);
CREATE TABLE visit (customer integer, at timestamp, page text);
INSERT INTO region SELECT n, 'region ' || n FROM generate_series(1, 50) n;
INSERT INTO department SELECT n, n * 37 % ({rows} / 50) + 1, 'department ' || n
    FROM generate_series(1, {rows} / 5000) n;
INSERT INTO employee SELECT n, n * 13 % ({rows} / 5000) + 1, nullif(n / 8, 0), 'employee ' || n
    FROM generate_series(1, {rows} / 50) n;
INSERT INTO customer SELECT n, n % 50 + 1, CASE WHEN n % 3 = 0 THEN n / 3 END, 'name ' || n, n || '@mail.example.com'
    FROM generate_series(1, {rows} / 10) n;
INSERT INTO product SELECT n, 'product ' || n FROM generate_series(1, {rows} / 100) n;
INSERT INTO orders SELECT n, (n::bigint * 7919 % ({rows} / 10)) + 1, (n::bigint * 31 % ({rows} / 50)) + 1,
    date '2020-01-01' + n % 2000, n % 100 FROM generate_series(1, {rows} / 5) n;
INSERT INTO item SELECT n / 2 + 1, n % 2, (n::bigint * 104729 % ({rows} / 100)) + 1, n % 50
    FROM generate_series(1, {rows} / 5 * 2 - 2) n;
INSERT INTO complaint SELECT n, CASE WHEN n % 5 > 0 THEN n / 2 + 1 END, n % 2, 'words ' || n
    FROM generate_series(1, {rows} / 20) n;
INSERT INTO visit SELECT (n::bigint * 17 % ({rows} / 10)) + 1, timestamp '2024-01-01' + n * interval '1 second',
    '/' || n % 99 FROM generate_series(1, {rows} / 5) n;
ALTER TABLE department ADD FOREIGN KEY (head) REFERENCES employee;
ALTER TABLE employee ADD FOREIGN KEY (department) REFERENCES department, ADD FOREIGN KEY (manager) REFERENCES employee;
ALTER TABLE customer ADD FOREIGN KEY (region) REFERENCES region, ADD FOREIGN KEY (referred_by) REFERENCES customer;
ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customer, ADD FOREIGN KEY (seller) REFERENCES employee;
ALTER TABLE item ADD FOREIGN KEY ("order") REFERENCES orders, ADD FOREIGN KEY (product) REFERENCES product;
ALTER TABLE complaint ADD FOREIGN KEY ("order", line) REFERENCES item;
CREATE INDEX ON orders (customer);
ANALYZE;
RESET search_path;
"""
_KEYS = (
    ("department", ("head",), "employee", ("id",)), ("employee", ("department",), "department", ("id",)),
    ("employee", ("manager",), "employee", ("id",)), ("customer", ("region",), "region", ("id",)),
    ("customer", ("referred_by",), "customer", ("id",)), ("orders", ("customer",), "customer", ("id",)),
    ("orders", ("seller",), "employee", ("id",)), ("item", ("order",), "orders", ("id",)),
    ("item", ("product",), "product", ("id",)), ("complaint", ("order", "line"), "item", ("order", "line")),
    ("visit", ("customer",), "customer", ("id",)),
)  # fmt: skip


def _policy() -> Policy:
    kept = Decision(MaskKind.KEEP, why="the benchmark is about choosing")
    columns = {
        "region": "id name", "department": "id head", "employee": "id department manager",
        "customer": "id region referred_by", "product": "id name", "orders": "id customer seller at total",
        "item": "order line product price", "complaint": "id order line", "visit": "customer at page",
    }  # fmt: skip
    tables = {table: dict.fromkeys(names.split(), kept) for table, names in columns.items()}
    tables["customer"] |= {"name": Decision(MaskKind.FULL_NAME, subject="id"),
                           "email": Decision(MaskKind.EMAIL, subject="id")}  # fmt: skip
    tables["employee"]["name"] = Decision(MaskKind.FULL_NAME, subject="id")
    tables["department"]["name"] = kept
    tables["complaint"]["words"] = Decision(MaskKind.TEXT)
    policies = {table: TablePolicy(decisions) for table, decisions in tables.items()}
    return Policy(policies, references=(Reference("visit", ("customer",), "customer", ("id",)),))


def _dangling(place: Place, version: int) -> int:
    found = 0
    for child, columns, parent, to in _KEYS:
        same = " AND ".join(f'p."{there}" = c."{here}"' for here, there in zip(columns, to, strict=True))
        filled = " AND ".join(f'c."{here}" IS NOT NULL' for here in columns)
        found += place.query(  # type: ignore[operator]
            f"SELECT count(*) FROM pantry_v{version}.{child} c WHERE {filled}"
            f" AND NOT EXISTS (SELECT FROM pantry_v{version}.{parent} p WHERE {same})"
        )[0][0]
    return found


def measured(production: Warehouse, target: Warehouse, rows: int, share: float) -> dict[str, float]:
    """Fill production, choose a sample, make a pantry of it, and return seconds and counts."""
    with connect(production.administrator, application="benchmark") as session:
        session.execute(_TABLES.format(rows=rows))
    source, policy, sample = PgSource(production.sessions, ("public",)), _policy(), Sample(share=share)
    started = time.monotonic()
    with source.snapshot() as snapshot:
        subset = chosen(snapshot, snapshot.catalogue(), policy, sample)
    choosing = time.monotonic() - started
    for table in subset.tables:
        _tell(f"  {table.table}: {table.rows:,} of {table.of:,}: {table.rule}")
        for part in table.pulled:
            _tell(f"    {part.rows:,}: {part.why}")
    place = Place(target)
    started = time.monotonic()
    wish = Refresh(source, "production", PasswordsInMemory(), policy, sample, workers=2)
    version = refresh(place, wish, say=_tell)
    return {
        "choosing": choosing, "refresh": time.monotonic() - started, "rows": subset.rows,
        "of": sum(table.of for table in subset.tables), "dangling": _dangling(place, version),
    }  # fmt: skip


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(rows: int, share: float) -> None:
    """Measure once and print it."""
    servers = [_server(18, None), _server(18, None)]
    one, other = (next(server) for server in servers)
    try:
        found = measured(one.make(), other.make(), rows, share)
        _tell(f"{found['rows']:,} rows of {found['of']:,} chosen in {found['choosing']:.1f} s;"
              f" the whole refresh {found['refresh']:.1f} s; {found['dangling']} references lead nowhere")  # fmt: skip
        _tell(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000, float(sys.argv[2]) if len(sys.argv) > 2 else 0.1)
