"""Detection over real columns with real values: what is found, what is said in vain, and that nothing missed leaks.

The classifier was mended on the first set alone (recall 78 % before, 100 % after; false alarms 18 % and 3 %). The
second set, other languages and other ways of writing, was written after that and met unseen: recall 72 %, false alarms
15 %. It was mended on both, and then met the third unseen: recall 76 % (89 % under telling names, 67 % by content
alone), false alarms 13 %. Since then it has been mended on all three: the figures below are no estimate for a
stranger's data. What is missed is masked all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.masking import Decision, MaskKind, Policy
from kitchen.masking.classify import propose
from kitchen.masking.recognise import recognised
from tests.contracts.labelled import FIRST, HARMLESS, MISLEADING, NAMED, SECOND, THIRD, Labelled, columns_of, load
from tests.contracts.pantries import Place, Production, fill, scanned
from tests.support import Server, Warehouse

COLUMNS = [*columns_of(FIRST), *columns_of(SECOND), *columns_of(THIRD)]
# Said of a type, not of a value: a mask may by chance give somebody else's, and a masked sex or age is no secret.
_EXACT = frozenset({"text", "jsonb", "inet", "bytea", "date", "timestamp", "text[]", "char(24)", "point", "bigint"})


@dataclass
class Found:
    """What a scan says of the set."""

    recognised: frozenset[Labelled]
    decisions: dict[Labelled, Decision]

    def share(self, *groups: str) -> float:
        """Return the share of the groups' columns that were called personal."""
        own = [column for column in self.decisions if column.group in groups]
        return sum(column in self.recognised for column in own) / len(own)

    def missed(self) -> list[str]:
        return [str(column) for column in self.decisions if column.personal and column not in self.recognised]

    def in_vain(self) -> list[str]:
        return [str(column) for column in self.recognised if not column.personal]


@pytest.fixture
def production(server: Server) -> Iterator[Production]:
    """Return the labelled set as a production database."""
    made = Production(server.make())
    with made.session() as session:
        load(session, COLUMNS, seed=7)
    yield made
    server.drop(made.warehouse)


def _found(production: Production) -> Found:
    with production.source.snapshot() as snapshot:
        catalogue = snapshot.catalogue()
        evidences = snapshot.evidence(catalogue)
    proposals = {table.name: decisions for table, decisions in propose(catalogue, Policy(), evidences).items()}
    kinds = {table.name.name: recognised(table, evidences) for table in catalogue.tables}
    return Found(
        frozenset(column for column in COLUMNS if column.name in kinds[column.table]),
        {column: proposals[column.table][column.name] for column in COLUMNS},
    )


def test_the_set_is_what_the_figures_speak_of() -> None:
    counted = Counter(column.group for column in COLUMNS)
    assert len(COLUMNS) == len({(column.table, column.name) for column in COLUMNS}) >= 150
    assert counted[HARMLESS] >= 50
    assert counted[MISLEADING] >= 50


def test_personal_columns_are_found_by_their_names_or_by_what_is_in_them(production: Production) -> None:
    found = _found(production)
    assert found.share(NAMED, MISLEADING) >= 0.95, found.missed()
    assert found.share(MISLEADING) >= 0.93, found.missed()  # by content alone
    assert found.share(NAMED) >= 0.97, found.missed()
    assert found.share(HARMLESS) <= 0.15, found.in_vain()
    kept = [str(c) for c, decision in found.decisions.items() if c.personal and decision.mask is MaskKind.KEEP]
    assert kept == []


def test_what_is_missed_is_masked_all_the_same(production: Production, new_warehouse: Warehouse) -> None:
    found = _found(production)
    assert found.missed()  # else this says nothing
    place = Place(new_warehouse)
    version = fill(place, production, scanned(production))
    for column in COLUMNS:
        if not column.personal:
            continue
        query = f'SELECT id, "{column.name}"::text FROM {{}}.{column.table} WHERE "{column.name}" IS NOT NULL'
        theirs = dict(production.query(query.format("public")))
        ours = dict(place.query(query.format(f"pantry_v{version}")))
        same = [key for key, value in ours.items() if value and theirs[key] == value]
        assert len(theirs) > 300
        assert len(same) <= (0 if column.type in _EXACT else 20), column  # noise may round to nothing


def test_a_scan_reads_little_of_a_large_table(production: Production) -> None:
    production.execute(
        "CREATE TABLE public.large AS SELECT n AS id, 'person' || n || '@large.example' AS c1, repeat('x', 200) AS c2"
        " FROM generate_series(1, 300000) n",
        "ANALYZE public.large",
    )
    before = production.query("SELECT pg_stat_get_tuples_returned('public.large'::regclass)")[0][0]
    with production.source.snapshot() as snapshot:
        catalogue = snapshot.catalogue()
        evidences = snapshot.evidence(catalogue)
    large = next(table for table in catalogue.tables if table.name.name == "large")
    assert recognised(large, evidences)["c1"] is MaskKind.EMAIL
    assert evidences[large.name, "c1"].rows <= 2000
    production.execute("SELECT pg_stat_clear_snapshot()")
    after = production.query("SELECT pg_stat_get_tuples_returned('public.large'::regclass)")[0][0]
    assert int(str(after)) - int(str(before)) < 15_000


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_server_of_another_encoding_is_scanned_with_what_it_can_spell(server: Server, encoding: str) -> None:
    made = server.make()
    name = made.superuser.database
    provider = " LOCALE_PROVIDER libc" if server.version >= 16 else ""
    with connect(server.credentials, application="tests") as session:
        session.execute(f'DROP DATABASE "{name}"')
        session.execute(
            f'CREATE DATABASE "{name}" OWNER kitchen_provisioner TEMPLATE template0'
            f" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'{provider}"
        )
    with connect(made.superuser, application="tests") as session:
        session.execute("ALTER SCHEMA public OWNER TO kitchen_provisioner")
    production = Production(made)
    production.execute(
        "CREATE TABLE public.t (id int PRIMARY KEY, c1 text, c2 text, c3 text)",
        r"INSERT INTO public.t SELECT n, E'j\303\274rgen' || n || '@mail.example', E'J\303\274rgen',"
        " '+49 30 1234' || n % 99 + 100 FROM generate_series(1, 50) n",
    )
    with production.source.snapshot() as snapshot:
        catalogue = snapshot.catalogue()
        kinds = recognised(catalogue.tables[0], snapshot.evidence(catalogue))
    server.drop(made)
    assert kinds["c1"] is MaskKind.EMAIL
    assert kinds["c3"] is MaskKind.PHONE


def test_a_table_of_many_columns_is_looked_at_in_one_query(warehouse: Warehouse) -> None:
    production = Production(warehouse)
    columns = ", ".join(f"'person{n}' || n || '@mail.example' AS c{n}, n AS n{n}, now() AS t{n}" for n in range(120))
    production.execute(f"CREATE TABLE public.wide AS SELECT {columns} FROM generate_series(1, 300) n")
    with production.source.snapshot() as snapshot:
        catalogue = snapshot.catalogue()
        evidences = snapshot.evidence(catalogue)
    assert len(evidences) == 360
    assert set(recognised(catalogue.tables[0], evidences)) == {f"c{n}" for n in range(120)}
