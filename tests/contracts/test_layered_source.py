"""Data from an environment that is itself made of layers: what it sees comes along, and what is hidden does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.postgres.source import PgSource
from kitchen.errors import Refused
from kitchen.files.masking_write import with_proposals
from kitchen.operations import pantry_scan
from kitchen.operations.pantry_refresh import Refresh, refresh
from tests.contracts.pantries import HEAD, Place, Production, fill, policy, reviewed, scanned
from tests.support import PasswordsInMemory, Server

PRODUCTION = """
CREATE TYPE public.mood AS ENUM ('glad', 'cross');
CREATE DOMAIN public.share AS numeric CHECK (VALUE BETWEEN 0 AND 1);
CREATE SEQUENCE public.numbers START 100;
CREATE TABLE public.person (
    id int PRIMARY KEY DEFAULT nextval('public.numbers'), email text NOT NULL UNIQUE, mood public.mood,
    part public.share);
INSERT INTO public.person (email, mood, part)
    SELECT 'p' || n || '@real.example', 'cross', 0.5 FROM generate_series(1, 50) n;
CREATE TABLE public.visit (id int, person int REFERENCES public.person, day date, PRIMARY KEY (id, day))
    PARTITION BY RANGE (day);
CREATE TABLE public.visit_old PARTITION OF public.visit FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE public.visit_new PARTITION OF public.visit FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');
INSERT INTO public.visit SELECT n, 100 + n % 50, '2019-12-01'::date + n FROM generate_series(1, 80) n;
CREATE TABLE public.remark (id serial PRIMARY KEY, visit_id int, visit_day date, FOREIGN KEY (visit_id, visit_day)
    REFERENCES public.visit (id, day));
INSERT INTO public.remark (visit_id, visit_day) SELECT id, day FROM public.visit;
CREATE TABLE public.tiny (id int PRIMARY KEY);
INSERT INTO public.tiny VALUES (1);
CREATE VIEW public.visits_of_day AS SELECT day, count(*) AS n FROM public.visit GROUP BY day;
CREATE VIEW public.busy_days AS SELECT day FROM public.visits_of_day WHERE n > 1;
CREATE VIEW public.cross_ones AS SELECT id FROM public.person WHERE mood = 'cross';
CREATE FUNCTION public.half(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN $1 / 2;
CREATE FUNCTION public.mood_of(p public.person) RETURNS public.mood LANGUAGE sql RETURN p.mood;
"""
OWN = """
CREATE TABLE {own}.visit (id int PRIMARY KEY, person int, day date);
INSERT INTO {own}.visit SELECT n, 100, '2021-01-01' FROM generate_series(1, 5) n;
CREATE TABLE {own}.totals (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood pantry_types.mood, n int);
INSERT INTO {own}.totals (mood, n) VALUES ('glad', 3);
CREATE VIEW {own}.tiny AS SELECT id FROM {own}.visit;
CREATE VIEW {own}.who AS SELECT email FROM pantry_v1.person JOIN {own}.visit ON person.id = visit.person;
"""


@pytest.fixture
def stage(server: Server) -> Iterator[Place]:
    """Return an environment with a pantry of production and tables of its own over it."""
    first, second = server.make(), server.make()
    production, place = Production(first), Place(second)
    production.execute(PRODUCTION)
    fill(place, production, reviewed(scanned(production)))
    run(place, OWN)
    yield place
    server.drop(first)
    server.drop(second)


@pytest.fixture
def dev(server: Server) -> Iterator[Place]:
    """Return an environment that receives what another one reads."""
    made = server.make()
    yield Place(made)
    server.drop(made)


def run(place: Place, statements: str) -> None:
    with connect(place.warehouse.administrator, application="tests") as session:
        session.execute(statements.format(own=place.name))


def wish_of(stage: Place) -> Refresh:
    """Return a refresh from the stage under what a scan of it proposes."""
    source = PgSource.of_layers(stage.sessions, stage.layer(stage.standing()))
    known = policy(HEAD)
    proposals = pantry_scan.under_names(pantry_scan.scan(source, known).decisions, known)
    text = reviewed(with_proposals(HEAD, proposals, shown="environments/masking.yaml"))
    return Refresh(source, "stage", PasswordsInMemory(), policy(text))


def test_what_is_seen_comes_along_and_what_is_hidden_does_not(stage: Place, dev: Place) -> None:
    wish = wish_of(stage)
    with wish.source.snapshot() as snapshot:
        assert snapshot.masked
        seen = {str(table.name): str(table.physical) for table in snapshot.catalogue().tables}
    assert seen == {
        "public.person": "pantry_v1.person", "public.remark": "pantry_v1.remark",
        "public.totals": f"{stage.name}.totals", "public.visit": f"{stage.name}.visit",
    }  # fmt: skip

    version = refresh(dev, wish, say=lambda _: None)
    names = [str(row[0]) for row in dev.query(
        f"SELECT relname FROM pg_class WHERE relnamespace = 'pantry_v{version}'::regnamespace"
        " AND relkind IN ('r', 'p', 'v')"
    )]  # fmt: skip
    assert set(names) == {"person", "remark", "totals", "visit", "tiny", "who", "cross_ones"}
    rows = {name: dev.query(f"SELECT count(*) FROM pantry_v{version}.{name}")[0][0] for name in names if name != "who"}
    assert rows == {"person": 50, "remark": 80, "totals": 1, "visit": 5, "tiny": 5, "cross_ones": 50}
    theirs, ours = (
        {row[0] for row in place.query(f"SELECT email FROM pantry_v{number}.person")}
        for place, number in ((stage, 1), (dev, version))
    )
    assert len(theirs | ours) == 100, "masked once more"
    manifest = next(found.manifest for found in dev.control.pantries.all() if found.version == version)
    left = "\n".join(map(str, manifest["left_out"]))  # type: ignore[call-overload]
    assert "visits_of_day: it is made of a table that" in left
    assert "busy_days" in left
    assert "foreign key remark_visit_id_visit_day_fkey of pantry_v1.remark" in left
    kept = dev.query(f"SELECT pg_get_viewdef('pantry_v{version}.who'::regclass)")[0][0]
    assert f"pantry_v{version}.visit" in str(kept)
    assert stage.name not in str(kept)
    shown = dev.query(f"""
        SELECT pantry_types.half(3), pantry_v{version}.mood_of(p)::text, pg_typeof(p.part)::text, t.mood::text
        FROM pantry_v{version}.person p, pantry_v{version}.totals t LIMIT 1
    """)
    assert [str(value) for value in shown[0]] == ["1.5000000000000000", "cross", "pantry_types.share", "glad"]
    default = dev.query(f"""
        SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'pantry_v{version}.person'::regclass
    """)
    assert f"pantry_v{version}.numbers" in str(default[0][0])


def test_without_a_pantry_nothing_is_taken_for_masked(server: Server, dev: Place) -> None:
    made = server.make()
    try:
        bare = Place(made)
        run(
            bare,
            "CREATE TABLE {own}.loaded (id int PRIMARY KEY, email text);"
            " INSERT INTO {own}.loaded VALUES (1, 'a@b.example')",
        )
        wish = wish_of(bare)
        with wish.source.snapshot() as snapshot:
            assert not snapshot.masked
        refresh(dev, wish, say=lambda _: None)
        assert "a@b.example" not in dev.everything(1)
    finally:
        server.drop(made)


def test_two_types_of_one_name_are_refused(stage: Place, dev: Place) -> None:
    run(stage, "CREATE TYPE {own}.mood AS ENUM ('other'); ALTER TABLE {own}.totals ADD COLUMN other {own}.mood")
    wish = wish_of(stage)
    with pytest.raises(Refused, match="two types of one name"):
        refresh(dev, wish, say=lambda _: None)
