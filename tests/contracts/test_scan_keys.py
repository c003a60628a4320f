"""Keys that no mask keeps apart: what a scan proposes is taken by the first refresh, and the rest is said with why."""

from __future__ import annotations

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.masking import Policy
from kitchen.masking.check import check
from kitchen.operations.pantry_scan import scan
from tests.contracts.pantries import HEAD, Place, Production, fill, policy, scanned
from tests.support import Server, Warehouse

CODES = """
CREATE TABLE port (code char(5) PRIMARY KEY, opened date);
INSERT INTO port SELECT chr(65 + n % 26) || chr(65 + n / 26) || 'PRT', date '2020-01-01' + n
FROM generate_series(1, 300) n;
CREATE TABLE voyage (id integer PRIMARY KEY, port char(5) NOT NULL REFERENCES port);
INSERT INTO voyage SELECT n, (SELECT max(code) FROM port WHERE opened = date '2020-01-01' + n)
FROM generate_series(1, 99) n;
"""
PEOPLE = """
CREATE TABLE customers (code char(5) PRIMARY KEY, email text);
INSERT INTO customers SELECT 'ALF' || chr(65 + n % 26) || chr(65 + n / 26), n || '@corp.example'
FROM generate_series(1, 300) n;
CREATE TABLE calls (id integer PRIMARY KEY, customer char(5) NOT NULL REFERENCES customers);
INSERT INTO calls SELECT n, (SELECT min(code) FROM customers) FROM generate_series(1, 99) n;
"""
SPANS = """
CREATE EXTENSION btree_gist;
CREATE TABLE booking (room integer, during daterange, note text, PRIMARY KEY (room, during WITHOUT OVERLAPS));
INSERT INTO booking SELECT n, '[2026-01-01,2026-02-01)', 'x' FROM generate_series(1, 99) n;
CREATE TABLE visit (id integer PRIMARY KEY, room integer, during daterange,
    FOREIGN KEY (room, PERIOD during) REFERENCES booking (room, PERIOD during));
INSERT INTO visit SELECT n, n, '[2026-01-05,2026-01-06)' FROM generate_series(1, 99) n;
"""
NUMBERS = """
CREATE TABLE tier (id integer, over int4range, PRIMARY KEY (id, over WITHOUT OVERLAPS));
INSERT INTO tier SELECT n, int4range(n, n + 5) FROM generate_series(1, 99) n;
"""


@pytest.fixture
def production(warehouse: Warehouse) -> Production:
    return Production(warehouse)


def loaded(production: Production, text: str) -> None:
    with connect(production.warehouse.superuser, application="tests") as session:
        session.execute(f"SET ROLE kitchen_provisioner; {text}" if "EXTENSION" not in text else text)
        session.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO kitchen_provisioner; ANALYZE")


def stopped(production: Production, text: str) -> set[str]:
    """Return what stops a refresh under a policy."""
    with production.source.snapshot() as snapshot:
        catalogue = snapshot.catalogue()
        found = check(policy(text), catalogue, snapshot.evidence(catalogue))
    return {finding.subject for finding in found if finding.stops}


def test_short_codes_of_things_are_kept_with_their_references(production: Production, server: Server) -> None:
    loaded(production, CODES)
    text = scanned(production)
    assert "a code that is the key of things, too short to be masked: 300 values" in text
    assert scan(production.source, Policy()).stuck == {}
    assert stopped(production, text) == set()
    with server.database() as warehouse:
        place = Place(warehouse)
        fill(place, production, text)
        assert place.query("SELECT count(*) FROM pantry_v1.voyage JOIN pantry_v1.port ON code = port") == [(99,)]


def test_short_codes_of_people_are_left_to_a_person_with_why(production: Production) -> None:
    loaded(production, PEOPLE)
    stuck = {f"{table}.{column}": why for (table, column), why in scan(production.source, Policy()).stuck.items()}
    assert set(stuck) == {"public.customers.code", "public.calls.customer"}
    assert "must have 20 characters where it is unique" in stuck["public.customers.code"]
    assert stuck["public.calls.customer"] == "it is joined with public.customers.code: decide both alike"
    assert stopped(production, scanned(production)) == set(stuck), "and nothing else"
    decided = HEAD + "tables:\n  customers:\n    code: {mask: keep, why: agreed}\n"
    assert stopped(production, scanned(production, decided)) == set(), "the reference follows what was decided"


@pytest.mark.parametrize("server", ["postgres18"], indirect=True)
def test_spans_in_keys_without_overlaps(production: Production, server: Server) -> None:
    loaded(production, SPANS)
    text = scanned(production)
    assert text.count("when something held, and no mask keeps that apart in a key") == 2
    assert stopped(production, text) == set()
    with server.database() as warehouse:
        place = Place(warehouse)
        with connect(warehouse.superuser, application="tests") as session:
            session.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        fill(place, production, text)
        assert place.query("SELECT count(*) FROM pantry_v1.visit JOIN pantry_v1.booking USING (room)") == [(99,)]
    loaded(production, NUMBERS)
    stuck = {f"{table}.{column}": why for (table, column), why in scan(production.source, Policy()).stuck.items()}
    assert list(stuck) == ["public.tier.over"]
    assert "the column must be unique" in stuck["public.tier.over"]
