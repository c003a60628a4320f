"""Links of a sample: between all rows that come along there are all links that the source has between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kitchen.adapters.postgres.connection import PgSession, connect
from kitchen.domain.layout import Layout
from kitchen.domain.masking import Policy
from kitchen.domain.sample import Sample, Seed
from kitchen.operations.hydrate_sample import copy_sample
from kitchen.operations.pantry_refresh import Refresh, refresh
from tests.contracts.layers import make_pantry, place
from tests.contracts.pantries import Place, Production, policy, scanned
from tests.support import Server, Warehouse

# visit -> till -> store -> region leads up three levels, visit -> product -> maker two; what is linked is reached both
# ways: down from what was chosen, and up from visits, which come last.
MARKET = """
CREATE TABLE region (id integer PRIMARY KEY);
CREATE TABLE store (id integer PRIMARY KEY, region integer NOT NULL REFERENCES region);
CREATE TABLE till (id integer PRIMARY KEY, store integer NOT NULL REFERENCES store);
CREATE TABLE maker (id integer PRIMARY KEY);
CREATE TABLE product (id integer PRIMARY KEY, maker integer REFERENCES maker);
CREATE TABLE label (id integer PRIMARY KEY);
CREATE TABLE clerk (id integer PRIMARY KEY, friend integer REFERENCES clerk);
CREATE TABLE shelf (store integer REFERENCES store, product integer REFERENCES product,
    filled_by integer REFERENCES clerk, PRIMARY KEY (store, product));
CREATE TABLE labelled (product integer REFERENCES product, label integer REFERENCES label,
    PRIMARY KEY (label, product));
CREATE TABLE kind (id integer PRIMARY KEY);
CREATE TABLE product_kind (product integer REFERENCES product, kind integer REFERENCES kind,
    PRIMARY KEY (product, kind));
CREATE TABLE offer (id integer PRIMARY KEY, store integer NOT NULL, product integer NOT NULL,
    FOREIGN KEY (store, product) REFERENCES shelf, UNIQUE (store, product));
CREATE TABLE visit (id integer PRIMARY KEY, till integer NOT NULL REFERENCES till, product integer REFERENCES product,
    label integer REFERENCES label);
INSERT INTO region SELECT n FROM generate_series(1, 40) n;
INSERT INTO store SELECT n, n % 40 + 1 FROM generate_series(1, 400) n;
INSERT INTO till SELECT n, n % 400 + 1 FROM generate_series(1, 1200) n;
INSERT INTO maker SELECT n FROM generate_series(1, 60) n;
INSERT INTO product SELECT n, nullif(n % 61, 0) FROM generate_series(1, 900) n;
INSERT INTO label SELECT n FROM generate_series(1, 300) n;
INSERT INTO clerk SELECT n, nullif(n / 3, 0) FROM generate_series(1, 500) n;
INSERT INTO shelf SELECT n % 400 + 1, n * 7 % 900 + 1, CASE WHEN n % 3 > 0 THEN n % 500 + 1 END
    FROM generate_series(1, 5000) n ON CONFLICT DO NOTHING;
INSERT INTO labelled SELECT n % 900 + 1, n * 11 % 300 + 1 FROM generate_series(1, 3000) n ON CONFLICT DO NOTHING;
INSERT INTO kind SELECT n FROM generate_series(1, 5) n;
INSERT INTO product_kind SELECT n, n % 5 + 1 FROM generate_series(1, 900) n;
INSERT INTO offer SELECT row_number() OVER (), store, product FROM shelf WHERE (store + product) % 2 = 0;
INSERT INTO visit SELECT n, n * 13 % 1200 + 1, n * 17 % 900 + 1, n * 19 % 300 + 1 FROM generate_series(1, 4000) n;
ANALYZE;
"""
LINKS = {
    "shelf": {"store": "store", "product": "product"},
    "labelled": {"product": "product", "label": "label"},
    "product_kind": {"product": "product", "kind": "kind"},
}
KEYS = """
SELECT conrelid::regclass::text,
    (SELECT array_agg(attname::text ORDER BY k.n) FROM unnest(conkey) WITH ORDINALITY k (a, n)
        JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.a),
    confrelid::regclass::text,
    (SELECT array_agg(attname::text ORDER BY k.n) FROM unnest(confkey) WITH ORDINALITY k (a, n)
        JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.a)
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
SAMPLES = {
    "a share": Sample(share=0.1, whole_below=10),
    "what somebody begins with": Sample(seeds={"visit": Seed(where="id <= 40")}, whole_below=10),
    "what one end begins with": Sample(seeds={"store": Seed(where="id <= 20")}, whole_below=10),
    "what is in the middle": Sample(seeds={"till": Seed(share=0.05), "label": Seed(share=0.1)}, whole_below=10),
}

Rows = Callable[[str, list[str]], set[tuple[object, ...]]]


def whole(source: PgSession, rows: Rows) -> None:
    """Check that no key leads nowhere, and that every link between two rows that came has come."""
    source.execute("SET search_path = public")
    keys = source.query(KEYS)
    assert len(keys) == 15
    for child, columns, parent, others in keys:
        wanted = {row for row in rows(child, columns) if None not in row}
        assert wanted <= rows(parent, others), f"{child} ({columns}) refers to what did not come of {parent}"
    for link, ends in LINKS.items():
        come = {column: rows(table, ["id"]) for column, table in ends.items()}
        every = source.query(f"SELECT {', '.join(ends)} FROM {link}")
        expected = {
            row for row in every if all((value,) in come[end] for end, value in zip(ends, row, strict=True))
        }  # fmt: skip
        assert rows(link, list(ends)) == expected, link
        assert expected, f"nothing is linked in {link}: this tries nothing"
        assert len(expected) < len(every), f"everything is linked in {link}: this tries nothing"


@pytest.fixture
def production(warehouse: Warehouse) -> Production:
    made = Production(warehouse)
    made.execute(f"SET search_path = public; {MARKET}; RESET ALL")
    return made


@pytest.fixture
def pantry(postgres18: Server) -> Iterator[Place]:
    made = postgres18.make()
    yield Place(made)
    postgres18.drop(made)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_pantry_has_every_link_between_what_came(production: Production, pantry: Place, name: str) -> None:
    wish = Refresh(
        production.source, "production", production.secrets, policy(kept(scanned(production))), SAMPLES[name]
    )  # fmt: skip
    version = refresh(pantry, wish, say=lambda _: None)

    def rows(table: str, columns: list[str]) -> set[tuple[object, ...]]:
        return set(pantry.query(f"SELECT {', '.join(columns)} FROM pantry_v{version}.{table}"))

    with production.session() as source:
        whole(source, rows)


def kept(text: str) -> str:
    """Return a policy that keeps all numbers, for nothing else is in this market."""
    lines = [line.partition(": {")[0] + ": {mask: keep, why: a number}" if ": {mask" in line else line
             for line in text.splitlines()]  # fmt: skip
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_kitchen_has_every_link_between_what_came(server: Server, warehouse: Warehouse, name: str) -> None:
    layout = Layout(("public",), holds_production=False)
    made = server.make()
    with connect(made.superuser, application="tests") as source:
        source.execute(f"SET search_path = public; {MARKET}; RESET ALL")
        make_pantry(warehouse, layout, source)
        with contextmanager(place)(warehouse, layout) as kitchen:
            kitchen.parent.execute("CREATE TABLE till (LIKE pantry_v1.till INCLUDING ALL)")
            kitchen.parent.execute("INSERT INTO till SELECT * FROM pantry_v1.till")
            with kitchen.tables.below(kitchen.login, kitchen.layer) as moment:
                copy_sample(kitchen.tables, kitchen.session, kitchen.layer, moment, SAMPLES[name], policy=Policy())

            def rows(table: str, columns: list[str]) -> set[tuple[object, ...]]:
                return set(kitchen.session.query(f"SELECT {', '.join(columns)} FROM profit.{table}"))

            whole(source, rows)
    server.drop(made)
