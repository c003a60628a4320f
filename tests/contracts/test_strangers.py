"""Databases as strangers have them: a pantry, and a kitchen's copy of everything in it, compared object by object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import Layout
from kitchen.domain.masking import Policy
from kitchen.domain.sample import Sample
from kitchen.operations.hydrate_sample import copy_sample
from tests.contracts import pantries
from tests.contracts.catalogue import Catalogue, catalogue, contents, same
from tests.contracts.layers import Place, make_pantry, place
from tests.contracts.pantries import Production, fill
from tests.support import Server, Warehouse

HERE = Path(__file__).parent
STRANGERS = {
    "erp": ("core", "sales", "stock", "finance", "HR", "audit"), "tracking": ("public",), "traders": ("public",),
}  # fmt: skip
COLLATIONS = {  # the wheel's server is built without ICU
    15: ("PROVIDER = icu, LOCALE = 'de-u-co-phonebk'", "PROVIDER = icu, LOCALE = 'und', DETERMINISTIC = false"),
    18: ("PROVIDER = builtin, LOCALE = 'C.UTF-8'", "PROVIDER = libc, LC_COLLATE = 'C', LC_CTYPE = 'C.utf8'"),
}
KEYS = """
SELECT count(*) FILTER (WHERE convalidated), count(*) FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE contype = 'f' AND n.nspname = ANY(%s)
"""


@pytest.fixture(params=STRANGERS)
def stranger(request: pytest.FixtureRequest, server: Server) -> Iterator[Production]:
    """Return a database that is somebody else's, all of which the provisioner may read."""
    name = str(request.param)
    with server.database() as warehouse:
        made = Production(warehouse, STRANGERS[name])
        try:
            load(made, (HERE / f"{name}.sql").read_text())
            yield made
        finally:  # the role is the whole server's, and other tests are about what it may not
            with connect(warehouse.superuser, application="tests") as session:
                session.execute("ALTER ROLE kitchen_provisioner NOBYPASSRLS")


def load(made: Production, text: str) -> None:
    german, no_case = COLLATIONS[made.warehouse.version]
    text = text.replace("ORDER OF GERMANY", german).replace("NO CASE", no_case)
    with connect(made.warehouse.superuser, application="tests") as session:
        for part in text.split("-- in a transaction of its own\n"):  # an enum's new label is used after it is committed
            session.execute(f"SET search_path = public; {part}; RESET ALL")
        session.execute("ANALYZE")
        session.execute("ALTER ROLE kitchen_provisioner BYPASSRLS")
        for schema in made.schemas:
            session.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO PUBLIC')
            session.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO PUBLIC')
            session.execute(f'GRANT SELECT ON ALL SEQUENCES IN SCHEMA "{schema}" TO PUBLIC')


def kept(production: Production) -> str:
    """Return a policy that keeps every value."""
    with production.source.snapshot() as snapshot:
        tables = snapshot.catalogue().tables
    lines = ["tables:"]
    for table in tables:
        lines.append(f'  "{table.name}":')
        for column in table.columns:
            mask = "{mask: recompute}" if column.generated else "{mask: keep, why: invented}"
            lines.append(f'    "{column.name}": {mask}')
    return "\n".join(lines) + "\n"


def comparable(found: Catalogue) -> Catalogue:
    """Return a catalogue without what a pantry has otherwise: see README; and without names that the server gave."""
    told = {}
    for key, facts in found.items():
        kind, name = key[0], key[2]
        if kind in ("policy", "value") or (kind == "rule" and not name.endswith(" _RETURN")):
            continue  # sequences go on after the rows
        if kind == "constraint" and facts[8] is True:
            continue  # the server numbers those of partitions
        if kind == "relation":
            options = re.sub(r",?security_invoker=\w+", "", str(facts[2])).strip("{,}") if facts[0] == "v" else facts[2]
            told[key] = (*facts[:2], options or "None", *facts[3:5], None, None, *facts[7:])
        else:
            told[key] = facts
    return told


def test_the_pantry_of_a_stranger_is_like_the_source(stranger: Production, warehouse: Warehouse) -> None:
    target, said = pantries.Place(warehouse, stranger.schemas), list[str]()
    version = fill(target, stranger, kept(stranger), said)
    manifest = target.control.pantries.newest().manifest  # type: ignore[union-attr]
    assert set(manifest["left_out"]) <= {  # type: ignore[call-overload]
        "rule ins on public.Updatable", "rule protect on public.Categories", "operator public.+",
        "cast integer to public.device",
    }  # fmt: skip
    names = {target.layout.types(name): name for name in stranger.schemas}
    names |= {target.layout.pantry(version, name): name for name in stranger.schemas}
    with (
        connect(stranger.warehouse.superuser, application="tests") as source,
        connect(warehouse.superuser, application="tests") as copy,
    ):
        above = catalogue(source, {name: name for name in stranger.schemas})
        same(comparable(above), comparable(catalogue(copy, names)))
        counted = copy.query(
            "SELECT c.oid::regclass::text, CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY' END, c.reltuples"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'm')",
            [list(names)],
        )  # fmt: skip
        for table, only, rows in counted:
            assert copy.query(f"SELECT count(*) FROM {only} {table}") == [(max(rows, 0),)], table


@contextmanager
def kitchen_over(stranger: Production, warehouse: Warehouse) -> Iterator[Place]:
    """Give a kitchen over a pantry that is a copy of a stranger's database."""
    layout = Layout(stranger.schemas, holds_production=False)
    with connect(stranger.warehouse.superuser, application="tests") as source:
        make_pantry(warehouse, layout, source)
    with contextmanager(place)(warehouse, layout) as kitchen:
        yield kitchen


def test_a_kitchens_copy_of_all_that_a_stranger_has(stranger: Production, warehouse: Warehouse) -> None:
    with kitchen_over(stranger, warehouse) as kitchen:
        kinds = ("table", "partitioned table", "sequence", "materialized view")
        seen = kitchen.tables.visible(kitchen.session, kitchen.layer)
        for one in sorted(seen, key=lambda relation: relation.logical.name, reverse=True):
            if one.kind in kinds:
                kitchen.tables.hydrate(kitchen.session, kitchen.layer, one.logical)
        over_nothing = {("public", name) for name in ('Nested"Quote', "rows_from")}

        def found(schemas: dict[str, str]) -> Catalogue:
            everything = catalogue(kitchen.administrator, schemas)
            named = {key: (key[1], re.split(r" _RETURN|\.", key[2])[0]) for key in everything}
            return {
                key: facts for key, facts in everything.items()
                if not key[1].startswith("types_") and named[key] not in over_nothing
                and not (key[0] == "constraint" and facts[8] is True)
            }  # fmt: skip

        own, pantry = kitchen.schemas("own"), kitchen.schemas("pantry")
        same(found(pantry), found(own))
        rows = [contents(kitchen.administrator, schemas) for schemas in (pantry, own)]
        for one in rows:
            for name in over_nothing:
                one.pop(name, None)
        assert rows[0] == rows[1]


def test_a_tenth_of_what_a_stranger_has(stranger: Production, warehouse: Warehouse) -> None:
    with kitchen_over(stranger, warehouse) as kitchen:
        with kitchen.tables.below(kitchen.login, kitchen.layer) as moment:
            sample = Sample(share=0.1, whole_below=50)
            subset = copy_sample(kitchen.tables, kitchen.session, kitchen.layer, moment, sample, policy=Policy())
        own, below = ([kitchen.layer.schemas_of(name)[at] for name in stranger.schemas] for at in (0, -1))
        assert kitchen.administrator.query(KEYS, [own]) == kitchen.administrator.query(KEYS, [below])
        assert 0.03 < subset.rows / sum(table.of for table in subset.tables) < 0.5
