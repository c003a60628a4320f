"""A sample of production on its way into a pantry: what comes, what stops it, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.layout import TableName
from kitchen.domain.sample import Sample, Seed
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotPermitted, Refused
from kitchen.operations.pantry_refresh import Refresh, refresh
from kitchen.operations.subset import Subset, chosen
from tests.contracts.databases import load_pagila
from tests.contracts.pantries import Place, Production, policy, scanned
from tests.support import Server, Warehouse


def sampled(production: Production, sample: Sample, text: str = "") -> Subset:
    with production.source.snapshot() as snapshot:
        return chosen(snapshot, snapshot.catalogue(), policy(text), sample)


def fill(place: Place, production: Production, sample: Sample, text: str | None = None) -> tuple[int, list[str]]:
    said: list[str] = []
    read = policy(text if text is not None else scanned(production))
    wish = Refresh(production.source, "production", production.secrets, read, sample)
    return refresh(place, wish, say=said.append), said


def rows(subset: Subset) -> dict[str, int]:
    return {table.table.name: table.rows for table in subset.tables}


@pytest.fixture
def production(warehouse: Warehouse) -> Production:
    return Production(warehouse)


@pytest.fixture
def place(postgres: Server) -> Iterator[Place]:
    made = postgres.make()
    yield Place(made)
    postgres.drop(made)


@pytest.fixture
def pagila(production: Production) -> Production:
    with production.session() as session:
        load_pagila(session)
        session.execute("ANALYZE")
    return production


def test_a_tenth_of_pagila(pagila: Production, place: Place) -> None:
    version, said = fill(place, pagila, Sample(share=0.1))
    manifest = next(found.manifest for found in place.control.pantries.all() if found.version == version)
    checks = {check["name"]: check for check in manifest["checks"]}  # type: ignore[attr-defined]
    assert all(check["passed"] for check in checks.values())
    assert "sample" in checks
    told = {table["table"]: table for table in manifest["sample"]["tables"]}  # type: ignore[index]
    assert told["public.country"]["rule"] == "whole: it is small"
    part = {name: table["rows"] / max(table["of_about"], 1) for name, table in told.items()}
    assert 0.05 < part["public.rental"] < 0.2
    assert 0.05 < part["public.payment"] < 0.2
    assert part["public.film"] <= 1
    held = place.query(
        "SELECT count(*), bool_and(convalidated) FROM pg_constraint"
        f" WHERE contype = 'f' AND connamespace = 'pantry_v{version}'::regnamespace"
    )
    keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    assert held == [(pagila.query(keys)[0][0], True)]
    assert any("rows chosen" in str(check["measured"]) for check in checks.values())
    assert any(line.startswith("the sample has ") for line in said)
    few = rows(sampled(pagila, Sample(share=0.01)))
    many = rows(sampled(pagila, Sample(share=0.1)))
    assert all(few[name] <= many[name] for name in few)
    one = rows(sampled(pagila, Sample(seeds={"customer": Seed(where="customer_id = 1")}, whole_below=0)))
    assert one["customer"] == 1
    assert one["rental"] == pagila.query("SELECT count(*) FROM public.rental WHERE customer_id = 1")[0][0]
    assert sum(one.values()) < 300


LINKS = """
CREATE TABLE person (id integer PRIMARY KEY, name text);
CREATE TABLE club (id integer PRIMARY KEY);
CREATE TABLE member (person integer REFERENCES person, club integer REFERENCES club, PRIMARY KEY (person, club));
CREATE TABLE letter (id integer PRIMARY KEY, sender integer NOT NULL REFERENCES person);
INSERT INTO person SELECT n, 'N' || n FROM generate_series(1, 3000) n;
INSERT INTO club SELECT n FROM generate_series(1, 2000) n;
INSERT INTO member SELECT n % 3000 + 1, n % 2000 + 1 FROM generate_series(1, 6000) n ON CONFLICT DO NOTHING;
INSERT INTO letter SELECT n, n % 300 + 1 FROM generate_series(1, 6000) n;
ANALYZE;
"""
KEEP = "{mask: keep, why: a number}"
LINKS_POLICY = f"""
tables:
  person: {{id: {KEEP}, name: {{mask: shuffle}}WHERE}}
  club: {{id: {KEEP}}}
  member: {{person: {KEEP}, club: {KEEP}}}
  letter: {{id: {KEEP}, sender: {KEEP}}}
"""


@pytest.fixture
def links(production: Production) -> Production:
    with production.session() as session:
        session.execute(f"SET search_path = public; {LINKS}; RESET ALL")
    return production


def test_links_come_where_both_ends_come(links: Production) -> None:
    subset = sampled(links, Sample(share=0.3))
    told = {table.table.name: table for table in subset.tables}
    assert told["member"].rule == "rows of chosen public.person (person) and public.club (club)"
    assert 0.05 < told["member"].rows / 6000 < 0.14  # of 9 %
    assert [part.why for part in told["person"].pulled] == ["30 % by a hash of id"]  # nobody was pulled in by a link


def test_children_are_capped(links: Production) -> None:
    seeds = {"person": Seed(where="id <= 10")}
    assert rows(sampled(links, Sample(seeds=seeds)))["letter"] == 200
    capped = Sample(seeds=seeds, max_children={"letter.sender": 3})
    assert rows(sampled(links, capped))["letter"] == 30
    assert rows(sampled(links, replace(capped, max_children={"letter.sender": 0})))["letter"] == 0
    with pytest.raises(InvalidInput, match=r"did you mean 'public.letter.sender'"):
        sampled(links, Sample(share=0.1, max_children={"public.letter.sendr": 3}))


def test_a_sample_that_is_too_large_is_refused_with_what_is_large(links: Production, place: Place) -> None:
    with pytest.raises(Refused, match=r"more than max_rows: 100; most are of: public\.\w+ [\d,]+ \("):
        fill(place, links, Sample(share=0.5, max_rows=100), LINKS_POLICY.replace("WHERE", ""))
    assert [version.state for version in place.control.pantries.all()] == ["dropped"]


def test_rows_that_the_policy_leaves_out_are_not_pulled_in(links: Production, place: Place) -> None:
    text = LINKS_POLICY.replace("WHERE", ", where: id > 100")
    with pytest.raises(
        Refused, match=r"rows of the sample of public\.letter refer \(sender\) to rows of public\.person"
    ):
        fill(place, links, Sample(seeds={"letter": Seed(where="true")}), text)
    version, _ = fill(place, links, Sample(share=0.3), text)
    assert place.query(f"SELECT min(id) > 100 FROM pantry_v{version}.person") == [(True,)]


def test_a_shuffled_column_of_a_sample(links: Production, place: Place) -> None:
    version, _ = fill(place, links, Sample(share=0.2), LINKS_POLICY.replace("WHERE", ""))
    count, names = place.query(f"SELECT count(*), count(DISTINCT name) FROM pantry_v{version}.person")[0]
    assert count == names
    assert 400 < count < 800  # type: ignore[operator]


def test_nothing_is_left_behind_and_nothing_else_could_be_written(links: Production) -> None:
    before = links.query("SELECT count(*) FROM pg_class")
    kept = ["CREATE TEMPORARY TABLE kept (place tid)"]
    with links.source.snapshot() as snapshot, snapshot.scratch(kept) as session:
        session.execute("INSERT INTO pg_temp.kept SELECT ctid FROM public.club")
        with pytest.raises(KitchenError, match="read-only transaction"):
            session.execute("DELETE FROM public.letter")
    sampled(links, Sample(share=0.1))
    assert links.query("SELECT count(*) FROM pg_class") == before


def test_without_the_right_to_temporary_tables_it_says_which_grant(links: Production) -> None:
    database = links.warehouse.superuser.database
    user = links.warehouse.administrator.user
    with connect(links.warehouse.superuser, application="tests") as session:
        session.execute(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC, "{user}"')
        session.execute(f'ALTER DATABASE "{database}" OWNER TO "{links.warehouse.superuser.user}"')
        session.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{user}"')
    with pytest.raises(NotPermitted, match="temporary tables") as refused:
        sampled(links, Sample(share=0.1))
    assert refused.value.hint is not None
    assert f"GRANT TEMPORARY ON DATABASE {database} TO {user}" in refused.value.hint


def test_a_wrong_condition_quotes_no_row(links: Production) -> None:
    links.execute("UPDATE public.person SET name = 'secret' WHERE id = 5")
    with pytest.raises(Refused, match=r"choosing rows of public\.person") as refused:
        sampled(links, Sample(seeds={"person": Seed(where="name::integer > 1")}))
    assert "secret" not in str(refused.value)
    assert "N1" not in str(refused.value)


def test_a_long_chain_of_references_ends(production: Production) -> None:
    production.execute(
        "CREATE TABLE public.link (id integer PRIMARY KEY, before integer REFERENCES public.link)",
        "INSERT INTO public.link SELECT n, nullif(n - 1, 0) FROM generate_series(1, 3000) n",
        "ANALYZE public.link",
    )
    subset = sampled(production, Sample(seeds={"link": Seed(where="id = 2000")}))
    assert rows(subset) == {"link": 2000}


def test_keys_of_a_type_of_an_extension_compare_as_their_constraint_does(production: Production) -> None:
    with connect(production.warehouse.superuser, application="tests") as session:
        session.execute("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; GRANT USAGE ON SCHEMA ext TO PUBLIC")
    production.execute(
        "CREATE TABLE public.mailbox (address ext.citext PRIMARY KEY)",
        "CREATE TABLE public.mail (id integer PRIMARY KEY, mailbox ext.citext NOT NULL REFERENCES public.mailbox)",
        "INSERT INTO public.mailbox SELECT 'Box' || n FROM generate_series(1, 2000) n",
        "INSERT INTO public.mail SELECT n, 'BOX' || n FROM generate_series(1, 2000) n",
        "ANALYZE public.mail",
    )
    subset = sampled(production, Sample(seeds={"mail": Seed(where="id <= 7")}))
    assert rows(subset) == {"mail": 7, "mailbox": 7}


def test_a_table_rewritten_after_it_was_chosen_from_stops_the_refresh(links: Production, place: Place) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("the sample has"):
            with connect(links.warehouse.superuser, application="tests") as session:
                session.execute("TRUNCATE public.letter")

    read = policy(LINKS_POLICY.replace("WHERE", ""))
    with pytest.raises(Conflict, match=r"public\.letter was rewritten or replaced"):
        refresh(place, Refresh(links.source, "production", links.secrets, read, Sample(share=0.3)), say=say)
    assert [version.state for version in place.control.pantries.all()] == ["dropped"]


def test_partitions_of_a_sample(production: Production, place: Place) -> None:
    production.execute(
        "CREATE TABLE public.event (id integer, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE public.event_1 (at date NOT NULL, id integer NOT NULL)",
        "ALTER TABLE public.event ATTACH PARTITION public.event_1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
        "CREATE TABLE public.event_2 PARTITION OF public.event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
        "CREATE TABLE public.note (id integer PRIMARY KEY, event integer, at date,"
        " FOREIGN KEY (event, at) REFERENCES public.event)",
        "INSERT INTO public.event SELECT n, date '2020-01-01' + n % 700 FROM generate_series(1, 4000) n",
        "INSERT INTO public.note SELECT n, n, date '2020-01-01' + n % 700 FROM generate_series(1, 4000) n",
        "ANALYZE public.event", "ANALYZE public.note",
    )  # fmt: skip
    text = f"tables: {{event: {{id: {KEEP}, at: {KEEP}}}, note: {{id: {KEEP}, event: {KEEP}, at: {KEEP}}}}}"
    version, _ = fill(place, production, Sample(share=0.25), text)
    nowhere = (
        f"SELECT count(*), (SELECT count(*) FROM pantry_v{version}.event) FROM pantry_v{version}.note n"
        f" WHERE NOT EXISTS (SELECT FROM pantry_v{version}.event e WHERE (e.id, e.at) = (n.event, n.at))"
    )
    dangling, events = place.query(nowhere)[0]
    assert dangling == 0
    assert 700 < events < 1300  # type: ignore[operator]
    subset = sampled(production, Sample(share=0.25))
    parts = {piece.table for piece in subset.pieces[TableName("public", "event")]}
    assert parts == {TableName("public", "event_1"), TableName("public", "event_2")}


def test_every_row_of_a_sample_is_compared_with_its_own_in_production(links: Production, place: Place) -> None:
    text = LINKS_POLICY.replace("WHERE", "").replace("{mask: shuffle}", "{mask: last_name, subject: id}")
    version, _ = fill(place, links, Sample(share=0.1), text)
    count = place.query(f"SELECT count(*) FROM pantry_v{version}.person")[0][0]
    manifest = next(found.manifest for found in place.control.pantries.all() if found.version == version)
    checks = {check["name"]: check for check in manifest["checks"]}  # type: ignore[attr-defined]
    assert checks["same-row identity"]["measured"].startswith(f"{count} rows compared")
    assert 200 < count < 450  # type: ignore[operator]


def test_a_sample_within_one_database(links: Production) -> None:
    text = LINKS_POLICY.replace("WHERE", "").replace("{mask: shuffle}", "{mask: last_name, subject: id}")
    place = Place(links.warehouse)
    version, _ = fill(place, links, Sample(share=0.2), text)
    nowhere = f"SELECT FROM pantry_v{version}.person p WHERE p.id = l.sender"
    query = f"SELECT count(*) FILTER (WHERE NOT EXISTS ({nowhere})), count(*) > 500 FROM pantry_v{version}.letter l"
    assert place.query(query) == [(0, True)]
